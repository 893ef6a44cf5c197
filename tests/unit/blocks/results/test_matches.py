"""A match in an answer: its headline, verdict, note, words and picture."""

import dataclasses
from collections.abc import Sequence

import pytest

from bot.blocks.button_state import CompareState, EntityState
from bot.blocks.ids import ActionId
from bot.blocks.limits import Block
from bot.blocks.messages.fallback import without_pictures
from bot.blocks.messages.image_details import PictureRef
from bot.blocks.messages.results.matches import PresentationOptions
from bot.blocks.messages.results.one_picture import search_reply
from bot.domain.identifiers import DataId
from bot.domain.matches import TextAgreement, Verdict
from bot.services.search.grouping import FoundImage, RankedMatch
from tests.fixtures.records import with_first_origin
from tests.unit.blocks.answers import (
    HOSTILE,
    PICTURES,
    STATE,
    check,
    match,
    mrkdwn,
    pressable,
    ranked,
    result,
    shown,
)


def test_match_shows_all_details() -> None:
    reply = search_reply(result(match("Ball valve, DN 25", origin="https://fake.slack.com/archives/C1/p12?a=1&b=2")))
    check(reply)
    text = shown(reply)
    for part in (
        "`parts` (1,234 images)",
        "`valve_0042`",
        "*An edited copy is* in `parts`",
        "*1.*  *Ball valve, DN 25*  ·  `valve_0042`  ·  edited copy (cropped, mirrored), 9.8/10  ·  added by",
        "added by <@U0ADDER>, <!date^1795435200^",
        "<!date^1795435200^{date_short_pretty}|23 Nov 2026>",
        "<https://fake.slack.com/archives/C1/p12?a=1&amp;b=2|original message>",
    ):
        assert part in text
    assert reply.text == "Best match in parts: valve_0042, 9.8/10, edited copy."
    assert pressable(reply.blocks) == {}


def test_picture_of_a_message_was_posted_when_and_by_whom_it_was() -> None:
    by_hand = match(origin="https://fake.slack.com/archives/C1/p1")
    assert by_hand.record is not None
    assert by_hand.record.origin is not None
    slack = dataclasses.replace(by_hand.record.origin, message_ts="1762160400.000100")
    posted = with_first_origin(by_hand.record, posted=True, slack=slack, author="U0LEA")
    for record, words in (
        (posted, "posted by <@U0LEA>, <!date^1762160400^"),
        (with_first_origin(posted, author=""), "posted <!date^1762160400^"),
        (by_hand.record, "added by <@U0ADDER>"),
    ):
        assert words in shown(search_reply(result(dataclasses.replace(by_hand, record=record))))


def test_match_that_is_laid_over_the_picture_can_be_compared() -> None:
    def comparable(one: RankedMatch, *, aligned: bool = True) -> RankedMatch:
        return dataclasses.replace(one, match=dataclasses.replace(one.match, aligned=aligned))

    best, second = comparable(match()), comparable(match(rank=2, entity="pump_7"))
    reply = search_reply(result(best, second), PresentationOptions(pictures=PICTURES, state=STATE))
    check(reply)
    buttons = [element for element in all_elements(reply.blocks) if element["action_id"].startswith(ActionId.COMPARE)]
    assert [element["text"]["text"] for element in buttons] == ["Compare", "Compare"]
    state = CompareState.decode(buttons[1]["value"])
    assert (state.image, state.database, state.file) == (second.match.data_id, "parts", STATE.file)
    similar = comparable(dataclasses.replace(best, match=dataclasses.replace(best.match, verdict=Verdict.SIMILAR)))
    for one in (comparable(match(), aligned=False), similar):
        plain = search_reply(result(one), PresentationOptions(pictures=PICTURES, state=STATE))
        assert "Compare" not in str(plain.blocks)


def all_elements(blocks: Sequence[Block]) -> list[Block]:
    accessories = [block["accessory"] for block in blocks if block.get("accessory", {}).get("type") == "button"]
    return [*accessories, *(one for block in blocks if block["type"] == "actions" for one in block["elements"])]


def test_entity_with_several_photos_is_one_row() -> None:
    best = match()
    several = dataclasses.replace(best, others=(FoundImage(best.match, best.record),) * 3)
    found = result(several, match(rank=2, entity="pump_7"))
    reply = search_reply(found)
    check(reply)
    assert shown(reply).count("4 photos") == 1
    with_buttons = search_reply(found, PresentationOptions(state=STATE))
    check(with_buttons)
    (button,) = [block["accessory"] for block in with_buttons.blocks if "accessory" in block]
    assert (button["text"]["text"], button["action_id"]) == ("All 4 photos", ActionId.ENTITY_PHOTOS)
    assert EntityState.decode(button["value"]) == EntityState("parts", "valve_0042")
    assert "photo" not in shown(search_reply(result(best)))


def test_note_is_shown_literally() -> None:
    reply = search_reply(result(match(HOSTILE)))
    (element,) = [block["elements"][0] for block in reply.blocks if block["type"] == "context"]
    assert element == {"type": "plain_text", "text": HOSTILE, "emoji": False}
    check(reply)
    for note in (
        "a *b* c",
        "5_x_6",
        "~1~",
        "`x`",
        "> x",
        "x :tada: y",
        "two\nlines",
        "n" * 200,
        "see https://x.example",
    ):
        assert "*1.*  `valve_0042`" in shown(search_reply(result(match(note))))
    assert "*1.*  *3 &lt; 4 &amp; 5*  ·" in shown(search_reply(result(match("3 < 4 & 5"))))


def test_invalid_permalink_user_or_picture_is_left_out() -> None:
    odd = match(origin="https://x|y> <!channel>")
    assert odd.record is not None
    odd = dataclasses.replace(odd, record=with_first_origin(odd.record, author="U1> <!channel>"))
    reply = search_reply(
        result(odd), PresentationOptions({DataId("1"): PictureRef(url="javascript:1")}, shared_by="U1> <!here>")
    )
    check(reply)
    assert "<@" not in shown(reply)
    assert all(block["type"] != "image" for block in reply.blocks)


@pytest.mark.parametrize(
    ("picture", "key", "value"),
    [
        (PictureRef(url="https://bot.example/media/x"), "image_url", "https://bot.example/media/x"),
        (PictureRef(slack_file="F0123"), "slack_file", {"id": "F0123"}),
    ],
)
def test_best_picture_is_large_and_others_are_next_to_their_match(picture: PictureRef, key: str, value: object) -> None:
    pictures = {DataId("1"): picture, DataId("2"): picture}
    reply = search_reply(result(*ranked(2)), PresentationOptions(pictures))
    check(reply)
    (small,) = [block["accessory"] for block in reply.blocks if "accessory" in block]
    (large,) = [block for block in reply.blocks if block["type"] == "image"]
    assert large == small == {"type": "image", "alt_text": "valve_0042, 9.8/10, edited copy", key: value}
    assert list(without_pictures(reply.blocks)) == [
        {name: part for name, part in block.items() if name != "accessory"}
        for block in reply.blocks
        if block["type"] != "image"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TextAgreement(5, 6), "text: 5 of 6 words agree"),
        (TextAgreement(1, 1), "text: 1 of 1 word agrees"),
        (TextAgreement(3, 6, contradicts=True), "same layout, different text"),
    ],
)
def test_words_in_the_pictures_are_explained(text: TextAgreement, said: str) -> None:
    one = match()
    one = dataclasses.replace(one, match=dataclasses.replace(one.match, text=text))
    assert f"edited copy (cropped, mirrored), 9.8/10  ·  {said}" in "\n".join(
        mrkdwn(list(search_reply(result(one)).blocks))
    )


def test_texts_without_a_common_word_are_not_mentioned() -> None:
    one = match()
    one = dataclasses.replace(one, match=dataclasses.replace(one.match, text=TextAgreement(0, 4)))
    assert "text:" not in "\n".join(mrkdwn(list(search_reply(result(one)).blocks)))
