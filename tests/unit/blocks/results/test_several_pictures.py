"""The single answer to a message with several pictures: each picture has its section, within the limits."""

import dataclasses
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.blocks import limits
from bot.blocks.button_state import decode_searches
from bot.blocks.ids import ActionId
from bot.blocks.messages.image_details import PictureRef
from bot.blocks.messages.results.matches import PresentationOptions
from bot.blocks.messages.results.several_pictures import pictures_reply
from bot.blocks.reply import Reply, section, with_marker
from bot.blocks.wording import results as wording
from bot.domain.identifiers import MAX_NOTE, DatabaseName
from bot.domain.matches import Verdict
from bot.services.search.lookup import LookupResult
from tests.unit.blocks.answers import (
    PICTURES,
    STATE,
    carried,
    check,
    match,
    pressable,
    ranked,
    result,
    results,
    shown,
    texts,
    ways,
)


def test_several_pictures_make_one_message() -> None:
    reply = pictures_reply(
        [
            LookupResult("valve.jpg", result(match())),
            LookupResult("", result()),
            LookupResult("broken.png", problem="It is damaged."),
        ]
    )
    check(reply)
    assert reply.text.splitlines() == [
        "1. Best match in parts: valve_0042, 9.8/10, edited copy.",
        "2. No close matches in parts.",
        "3. Couldn't look this up.",
    ]
    for part in (
        "*1 of 3 found* in `parts` (1,234 images)",
        "*Picture 1*  `valve.jpg`\\n*1.*  `valve_0042`",
        "*Picture 2*\\nNo close matches",
        "*Picture 3*  `broken.png`\\nIt is damaged.",
    ):
        assert part in shown(reply)


def test_previews_and_databases_that_were_not_searched_are_named() -> None:
    partly = dataclasses.replace(result(match()), missing=(DatabaseName("logos"),))
    several = [LookupResult("sheet.pdf", partly, is_preview=True), LookupResult("valve.jpg", partly)]
    reply = pictures_reply(several, [PresentationOptions(is_preview=one.is_preview) for one in several])
    check(reply)
    assert shown(reply).count(wording.COMPARED_BY_PREVIEW) == 1
    assert shown(reply).count(wording.databases_missing(["logos"])) == 1


def test_buttons_with_long_names_leave_room_for_the_pictures() -> None:
    # A character outside the basic plane takes twelve in a message.
    states = [dataclasses.replace(STATE, file=f"F{n}", name="\U0001f600" * 400) for n in range(2)]
    options = [PresentationOptions(PICTURES, state, private=True, databases=2) for state in states]
    answers = [LookupResult("long", result(match(), match("Pump 7"))) for _ in states]
    reply = pictures_reply(answers, options)
    check(reply)
    assert pressable(reply.blocks)


def test_three_proved_matches_are_read_at_a_glance() -> None:
    states = [dataclasses.replace(STATE, file=f"F{n}", name=f"{n}.jpg") for n in range(3)]
    options = [
        PresentationOptions(PICTURES, state, private=True, databases=2, can_search_part=False) for state in states
    ]
    answers = [LookupResult(state.name, result(match("Ball valve, DN 25"), weaker=9)) for state in states]
    reply = pictures_reply(answers, options)
    check(reply)
    elements = [element for block in reply.blocks if block["type"] == "actions" for element in block["elements"]]
    assert "*3 of 3 found* in `parts` (1,234 images)" in shown(reply)
    assert shown(reply).count("*Ball valve, DN 25*") == 3
    assert "27 weaker matches hidden." in shown(reply)
    assert len(reply.blocks) <= 12
    assert len(elements) <= 4


def test_similar_pictures_are_not_called_found() -> None:
    similar = match(score=7.0)
    similar = dataclasses.replace(similar, match=dataclasses.replace(similar.match, verdict=Verdict.SIMILAR))
    reply = pictures_reply([LookupResult("a.jpg", result(match())), LookupResult("b.jpg", result(similar))])
    check(reply)
    assert "*1 of 2 found*, 1 similar, in `parts`" in shown(reply)


def test_hidden_matches_of_several_pictures_are_not_denied() -> None:
    reply = pictures_reply([LookupResult("a.jpg", result(match())), LookupResult("b.jpg", result(hidden=2))])
    check(reply)
    assert "found" not in shown(reply)
    assert "*2 pictures*, 1 with matches that I can show, in `parts`" in shown(reply)


def test_each_of_several_pictures_has_buttons_to_its_full_answer() -> None:
    states = [dataclasses.replace(STATE, file=f"F{n}") for n in range(1, 3)]
    results = [LookupResult("a.jpg", result(*ranked(9))), LookupResult("b.jpg", result(match()))]
    reply = pictures_reply(results, [PresentationOptions(PICTURES, state, databases=2) for state in states])
    check(reply)
    assert list(pressable(reply.blocks)) == ["Add images", "Search another database", "1. a.jpg", "2. b.jpg"]
    known = [dataclasses.replace(state, known=True) for state in states]
    assert decode_searches(pressable(reply.blocks)["Add images"]["value"]) == known
    assert carried(reply, "2. b.jpg") == dataclasses.replace(states[1], name="")
    assert "8 more matches" in shown(reply)


def several(number: int, *, url: str = "") -> tuple[list[LookupResult], list[PresentationOptions]]:
    """Return results of pictures with many matches, and how they are shown, each with a state of its own."""
    results = [
        LookupResult(f"IMG_{n}.jpeg", result(*ranked(50, "n" * MAX_NOTE), weaker=3)) for n in range(1, number + 1)
    ]
    pictures = dict.fromkeys(PICTURES, PictureRef(url=url) if url else PictureRef(slack_file="F0123456789"))
    states = [dataclasses.replace(STATE, file=f"F{n:010}", name=f"IMG_{n}.jpeg") for n in range(1, number + 1)]
    return results, [PresentationOptions(pictures, state, databases=2) for state in states]


def added_files(messages: Iterable[Reply]) -> list[str]:
    """Return the files that the messages' buttons add."""
    blocks = [block for message in messages for block in message.blocks]
    elements = [element for block in blocks for element in block.get("elements", ())]
    values = [element["value"] for element in elements if element.get("action_id") == ActionId.ADD_THIS]
    return [search.file for value in values for search in decode_searches(value)]


LONG_URL = "https://bot.example/media/" + "x" * 250


@pytest.mark.parametrize("url", ["", LONG_URL])
@pytest.mark.parametrize("number", [2, 9, 10, 11, 12, 15, 19, 20, 21, 35, 60])
def test_each_of_many_pictures_is_answered_and_can_be_added(number: int, url: str) -> None:
    results, options = several(number, url=url)
    reply = pictures_reply(results, options)
    for message in reply.messages:
        check(message)
        assert not message.further
    together = "".join(shown(message) for message in reply.messages)
    assert together.count("`valve_0042`") >= number
    assert all(f"IMG_{n}.jpeg" in together for n in range(1, number + 1))
    assert added_files(reply.messages) == [option.state.file for option in options if option.state]
    assert sum(message.pictures for message in reply.messages) == number
    lines = [line for message in reply.messages for line in message.text.splitlines()]
    assert [line.partition(".")[0] for line in lines] == [str(n) for n in range(1, number + 1)]


def test_ten_pictures_fit_into_one_message() -> None:
    results, options = several(10)
    assert not pictures_reply(results, options).further


def test_second_message_says_where_it_goes_on() -> None:
    results, options = several(20, url=LONG_URL)
    first, second, *rest = pictures_reply(results, options).messages
    assert "*20 of 20 found* in `parts`" in shown(first)
    assert f"*From picture {first.pictures + 1} on*, of 20" in shown(second)
    assert len(rest) <= 1
    assert second.blocks[0]["block_id"] == "summary"


def test_later_attempt_continues_the_numbers() -> None:
    results, options = several(2)
    reply = pictures_reply(results[1:], options[1:], first=2)
    check(reply)
    assert "*Picture 2*, of 2" in shown(reply)
    assert "*Picture 2*  `IMG_2.jpeg`" in shown(reply)


def test_refused_pictures_of_many_keep_their_reasons() -> None:
    results, options = several(20, url=LONG_URL)
    results[18] = LookupResult("broken_*.png", problem="It is damaged.")
    results[19] = LookupResult("", problem="It is damaged.")
    messages = pictures_reply(results, options).messages
    for message in messages:
        check(message)
    assert shown(messages[-1]).count("It is damaged.") == 2
    assert "*18 of 20 found*" in shown(messages[0])


def test_single_refused_picture_gets_only_the_reason() -> None:
    reply = pictures_reply([LookupResult("x", problem="It is damaged.")])
    assert reply.text == "It is damaged."
    assert len(reply.blocks) == 1


def test_marker_names_the_first_block_of_every_kind_of_answer() -> None:
    for pictures in (
        [LookupResult("a.jpg", result(match()))],
        [LookupResult("a.jpg", problem="It is damaged.")],
        [LookupResult("a.jpg", result()), LookupResult("b.jpg", problem="It is damaged.")],
    ):
        reply = with_marker(pictures_reply(pictures), "42")
        check(reply)
        assert reply.blocks[0]["block_id"] == "summary:42"


def test_fullest_message_takes_a_marker() -> None:
    fullest = max(n for n in range(1, 3000) if limits.fits(_filled(n)))
    marked = with_marker(Reply("x", tuple(_filled(fullest))), "summary:12345678-1796042825.000015")
    assert limits.size(marked.blocks) <= limits.TOTAL_CHARACTERS


def _filled(number: int) -> list[limits.Block]:
    return [section("x" * size) for size in (2900, 2900, 2900, 1000, number)]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.builds(LookupResult, texts, st.none() | results, texts.map(lambda text: f"No: {text}")), ways),
        min_size=1,
        max_size=20,
    )
)
def test_every_message_with_pictures_is_within_the_limits(
    pictures: list[tuple[LookupResult, PresentationOptions]],
) -> None:
    reply = pictures_reply([results for results, _ in pictures], [way for _, way in pictures])
    for message in reply.messages:
        check(with_marker(message, "7"))
    assert sum(message.pictures for message in reply.messages) == len(pictures)
