"""The single answer to a message with several pictures: each picture has its section, within the limits."""

import dataclasses

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.blocks.button_state import SearchState
from bot.blocks.messages.image_details import PictureRef
from bot.blocks.messages.matches import PresentationOptions
from bot.blocks.messages.search_results import pictures_reply
from bot.blocks.reply import with_marker
from bot.domain.identifiers import MAX_NOTE
from bot.services.search.lookup import LookupResult
from tests.unit.blocks.answers import PICTURES, STATE, check, match, ranked, result, results, shown, texts, ways


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
    for part in ("1. valve.jpg", "Picture 2", "3. broken.png", "It is damaged.", "*3 pictures* looked up in `parts`"):
        assert part in shown(reply)


def test_each_of_several_pictures_has_buttons_to_its_full_answer() -> None:
    states = [dataclasses.replace(STATE, file=f"F{n}") for n in range(1, 3)]
    results = [LookupResult("a.jpg", result(*ranked(9))), LookupResult("b.jpg", result(match()))]
    reply = pictures_reply(results, [PresentationOptions(PICTURES, state, databases=2) for state in states])
    check(reply)
    rows = {block["block_id"]: block["elements"] for block in reply.blocks if block["type"] == "actions"}
    assert {name: [element["text"]["text"] for element in row] for name, row in rows.items()} == {
        "buttons_1": ["Show more", "Search another database", "Add image"],
        "buttons_2": ["Search another database", "Add image"],
    }
    assert SearchState.decode(rows["buttons_1"][0]["value"]) == states[0]


def test_ten_pictures_with_many_matches_are_all_answered() -> None:
    results = [LookupResult(f"IMG_{n}.jpeg", result(*ranked(50, "n" * MAX_NOTE), weaker=3)) for n in range(1, 11)]
    address = PictureRef(url="https://bot.example/media/" + "x" * 250)
    pictures = dict.fromkeys(PICTURES, address)
    reply = pictures_reply(results, [PresentationOptions(pictures, STATE, databases=2)] * 10)
    check(reply)
    assert [f"{n}. IMG_{n}.jpeg" in shown(reply) for n in range(1, 11)] == [True] * 10
    assert shown(reply).count("`valve_0042`") == 10


def test_pictures_that_do_not_fit_are_counted() -> None:
    reply = pictures_reply([LookupResult("x" * 150, result(match())) for _ in range(60)])
    check(reply)
    answered = sum(block["type"] == "header" for block in reply.blocks)
    assert f"Results for {60 - answered} more pictures didn't fit here" in shown(reply)


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
    check(with_marker(pictures_reply([results for results, _ in pictures], [way for _, way in pictures]), "7"))
