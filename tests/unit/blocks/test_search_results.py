"""Answers to searches: their content, and that Slack accepts them with any data."""

import dataclasses

import pytest
from hypothesis import given, settings

from bot.blocks.button_state import SearchState
from bot.blocks.ids import ActionId
from bot.blocks.messages.image_details import PictureRef
from bot.blocks.messages.matches import PresentationOptions
from bot.blocks.messages.search_results import search_reply
from bot.blocks.mrkdwn import score_text
from bot.blocks.reply import Reply
from bot.domain.identifiers import MAX_NOTE, DataId
from bot.domain.matches import TextAgreement
from bot.services.search.grouping import FoundImage
from bot.services.search.search import SearchResult
from tests.fixtures.records import with_first_origin
from tests.unit.blocks.answers import (
    ADDED,
    HOSTILE,
    PICTURES,
    STATE,
    check,
    match,
    mrkdwn,
    pressable,
    ranked,
    result,
    results,
    shown,
    ways,
)


def carried(reply: Reply, text: str) -> SearchState:
    return SearchState.decode(pressable(reply.blocks)[text]["value"])


def test_match_shows_all_details() -> None:
    reply = search_reply(result(match("Ball valve, DN 25", origin="https://fake.slack.com/archives/C1/p12?a=1&b=2")))
    check(reply)
    text = shown(reply)
    for part in (
        "`parts` (1,234 images)",
        "`valve_0042`",
        "*9.8/10*",
        "edited copy: cropped, mirrored",
        "Ball valve, DN 25",
        "<@U0ADDER>",
        "2026-11-23",
        "<https://fake.slack.com/archives/C1/p12?a=1&amp;b=2|original message>",
    ):
        assert part in text
    assert reply.text == "Best match in parts: valve_0042, 9.8/10, edited copy."
    assert pressable(reply.blocks) == {}


def test_entity_with_several_photos_is_one_row() -> None:
    best = match()
    several = dataclasses.replace(best, others=(FoundImage(best.match, best.record),) * 3)
    reply = search_reply(result(several, match(rank=2, entity="pump_7")))
    check(reply)
    assert shown(reply).count("4 photos") == 1
    assert "photo" not in shown(search_reply(result(best)))


def test_no_close_match_says_so_with_the_hidden_count() -> None:
    reply = search_reply(result(weaker=3))
    assert reply.text == "No close matches in parts."
    assert "No close matches in `parts` (1,234 images)" in shown(reply)
    assert '"3 weaker matches hidden."' in shown(reply)


def test_empty_database_is_named() -> None:
    assert "No images in `parts` yet" in shown(search_reply(result(images=0)))


def test_hidden_images_are_counted_and_not_denied() -> None:
    several = search_reply(result(match(), hidden=2))
    assert "2 more matches are from conversations that not everyone here can see." in shown(several)
    alone = search_reply(result(hidden=1), PresentationOptions(private=True))
    assert alone.text == "Nothing in parts that I can show here."
    assert "No close matches" not in shown(alone)
    assert "1 more match is from a conversation that you can't see." in shown(alone)


def test_cached_answer_says_so() -> None:
    text = shown(search_reply(result(match(), cached_at=ADDED)))
    assert "From an earlier search at 12:00 UTC." in text


@pytest.mark.parametrize(
    ("score", "text"), [(10, "10/10"), (9.8, "9.8/10"), (8.96, "8.9/10"), (9, "9/10"), (0.04, "0/10"), (5.1, "5.1/10")]
)
def test_score_never_rounds_up(score: float, text: str) -> None:
    assert score_text(score) == text


def test_note_is_shown_literally() -> None:
    reply = search_reply(result(match(HOSTILE)))
    (element,) = [block["elements"][0] for block in reply.blocks if block["type"] == "context"]
    assert element == {"type": "plain_text", "text": HOSTILE, "emoji": False}
    check(reply)


def test_invalid_permalink_user_or_picture_is_left_out() -> None:
    odd = match(origin="https://x|y> <!channel>")
    assert odd.record is not None
    odd = dataclasses.replace(odd, record=with_first_origin(odd.record, author="U1> <!channel>"))
    reply = search_reply(
        result(odd), PresentationOptions({DataId("1"): PictureRef(url="javascript:1")}, shared_by="U1> <!here>")
    )
    check(reply)
    assert "<@" not in shown(reply)
    assert "accessory" not in shown(reply)


@pytest.mark.parametrize(
    ("picture", "key", "value"),
    [
        (PictureRef(url="https://bot.example/media/x"), "image_url", "https://bot.example/media/x"),
        (PictureRef(slack_file="F0123"), "slack_file", {"id": "F0123"}),
    ],
)
def test_picture_is_next_to_its_match_with_alt_text(picture: PictureRef, key: str, value: object) -> None:
    reply = search_reply(result(match()), PresentationOptions({DataId("1"): picture}))
    check(reply)
    (image,) = [block["accessory"] for block in reply.blocks if "accessory" in block]
    assert image == {"type": "image", "alt_text": "valve_0042, 9.8/10, edited copy", key: value}


def test_page_has_its_matches_and_page_buttons() -> None:
    found = result(*ranked(12))
    first = search_reply(found, PresentationOptions(state=STATE))
    assert "*Top 5 of 12 matches* in `parts`" in shown(first)
    assert "Show previous" not in pressable(first.blocks)
    assert carried(first, "Show more") == dataclasses.replace(STATE, offset=5)
    second = search_reply(found, PresentationOptions(state=carried(first, "Show more")))
    assert "*Matches 6 to 10 of 12* in `parts`" in shown(second)
    assert "*6.*  `valve_0042`" in shown(second)
    assert carried(second, "Show previous") == STATE
    assert pressable(second.blocks)["Show previous"]["action_id"] == f"{ActionId.MORE}:previous"
    last = search_reply(found, PresentationOptions(state=carried(second, "Show more")))
    assert "*Matches 11 to 12 of 12*" in shown(last)
    assert "Show more" not in pressable(last.blocks)
    beyond = search_reply(found, PresentationOptions(state=dataclasses.replace(STATE, offset=20)))
    assert "No more matches" in shown(beyond)
    for reply in (first, second, last, beyond):
        check(reply)


def test_next_page_starts_with_the_first_match_that_did_not_fit() -> None:
    state = dataclasses.replace(STATE, top=50)
    seen: list[int] = []
    while True:
        reply = search_reply(result(*ranked(50, "n" * MAX_NOTE)), PresentationOptions(PICTURES, state))
        check(reply)
        seen += [rank for rank in range(1, 51) if f'"*{rank}.*  ' in shown(reply)]
        if "Show more" not in pressable(reply.blocks):
            break
        state = carried(reply, "Show more")
    assert seen == list(range(1, 51))


def test_only_working_buttons_are_shown() -> None:
    public = search_reply(result(match()), PresentationOptions(state=STATE))
    assert list(pressable(public.blocks)) == ["Add image"]
    private = search_reply(result(*ranked(9)), PresentationOptions(state=STATE, private=True, databases=2))
    assert list(pressable(private.blocks)) == ["Show more", "Share to channel", "Search another database", "Add image"]
    bare = search_reply(result(match()), PresentationOptions(state=STATE, can_add=False))
    assert pressable(bare.blocks) == {}
    later = dataclasses.replace(STATE, offset=5)
    assert (
        carried(search_reply(result(*ranked(9)), PresentationOptions(state=later, private=True)), "Share to channel")
        == later
    )
    other = search_reply(result(*ranked(9)), PresentationOptions(state=later, databases=2))
    assert carried(other, "Search another database") == STATE


def test_url_too_long_for_buttons_removes_them_and_says_so() -> None:
    state = SearchState(url="https://example.com/" + "x" * 2000, database="parts")
    reply = search_reply(result(*ranked(9)), PresentationOptions(state=state))
    check(reply)
    assert pressable(reply.blocks) == {}
    assert "4 more matches didn't fit here. There are no buttons because the image's URL is too long." in shown(reply)


def test_long_url_keeps_the_most_important_button() -> None:
    state = SearchState(url="https://example.com/" + "x" * 1800, database="parts", offset=1, top=1)
    reply = search_reply(result(*ranked(9)), PresentationOptions(state=state, private=True, databases=2))
    check(reply)
    assert list(pressable(reply.blocks)) == ["Show more"]
    assert "Some buttons are missing" in shown(reply)


def test_long_file_name_keeps_all_buttons() -> None:
    state = dataclasses.replace(STATE, name="\U0001f469" * 3000)
    reply = search_reply(result(match()), PresentationOptions(state=state))
    assert carried(reply, "Add image").file == STATE.file


def test_shared_answer_names_who_shared_it() -> None:
    reply = search_reply(result(match()), PresentationOptions(shared_by="U0SOMEBODY"))
    assert "Shared by <@U0SOMEBODY>" in shown(reply)


def test_fifty_matches_with_long_notes_are_truncated_and_counted() -> None:
    reply = search_reply(result(*[match("n" * MAX_NOTE) for _ in range(50)], weaker=2))
    check(reply)
    headings = sum("valve_0042" in text for text in mrkdwn(list(reply.blocks)))
    assert f"{50 - headings} more matches didn't fit here" in shown(reply)


@settings(max_examples=80, deadline=None)
@given(results, ways)
def test_every_result_is_within_the_limits(found: SearchResult, way: PresentationOptions) -> None:
    reply = search_reply(found, way)
    check(reply)
    if "Show more" in pressable(reply.blocks):
        assert way.state is not None
        assert carried(reply, "Show more").offset > way.state.offset


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
    assert f"edited copy: cropped, mirrored  ·  {said}" in "\n".join(mrkdwn(list(search_reply(result(one)).blocks)))


def test_texts_without_a_common_word_are_not_mentioned() -> None:
    one = match()
    one = dataclasses.replace(one, match=dataclasses.replace(one.match, text=TextAgreement(0, 4)))
    assert "text:" not in "\n".join(mrkdwn(list(search_reply(result(one)).blocks)))
