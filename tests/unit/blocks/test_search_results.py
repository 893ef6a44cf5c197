"""Answers to searches: their content, and that Slack accepts them with any data."""

import dataclasses
from datetime import timedelta

import pytest
from hypothesis import given, settings

from bot.blocks.button_state import EntityState, SearchState
from bot.blocks.ids import ActionId
from bot.blocks.messages.fallback import without_pictures
from bot.blocks.messages.image_details import PictureRef
from bot.blocks.messages.results.matches import AskedPicture, PresentationOptions
from bot.blocks.messages.results.one_picture import search_reply
from bot.blocks.messages.results.several_pictures import pictures_reply
from bot.blocks.mrkdwn import score_text
from bot.domain.identifiers import MAX_NOTE, DataId
from bot.domain.matches import Caveat, TextAgreement, Verdict
from bot.services.search.grouping import FoundImage
from bot.services.search.lookup import LookupResult
from bot.services.search.search_result import SearchResult
from tests.fixtures.records import with_first_origin
from tests.unit.blocks.answers import (
    ADDED,
    HOSTILE,
    PICTURES,
    STATE,
    carried,
    check,
    found_text,
    match,
    mrkdwn,
    pressable,
    ranked,
    result,
    results,
    shown,
    ways,
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


@pytest.mark.parametrize(("age_s", "is_said"), [(5, False), (59, False), (180, True)])
def test_age_is_said_when_it_may_matter(age_s: float, is_said: bool) -> None:
    now = ADDED + timedelta(seconds=age_s)
    for several in (False, True):
        found, options = result(match(), cached_at=ADDED), PresentationOptions(now=now)
        answers = [LookupResult("a.png", found)] * 2
        reply = pictures_reply(answers, [options] * 2) if several else search_reply(found, options)
        check(reply)
        assert ("As of <!date^1795435200^{ago}|12:00 UTC>." in shown(reply)) is is_said


def test_verdict_leads_and_nothing_unlikely_is_called_close() -> None:
    for verdict, lead in (
        (Verdict.SAME, "The same image is"),
        (Verdict.SAME_ITEM, "The same item is"),
        (Verdict.SIMILAR, "Something similar is"),
        (Verdict.UNLIKELY, "Nothing close is"),
    ):
        one = match(score=4.0 if verdict is Verdict.UNLIKELY else 7.0)
        one = dataclasses.replace(one, match=dataclasses.replace(one.match, verdict=verdict))
        options = PresentationOptions(PICTURES)
        reply = search_reply(result(one), options)
        check(reply)
        assert shown(reply).startswith(
            f'[{{"type": "section", "text": {{"type": "mrkdwn", "text": "*{lead}* in `parts`'
        )
        assert any(block["type"] == "image" for block in reply.blocks) is (verdict is not Verdict.UNLIKELY)
        if verdict is Verdict.UNLIKELY:
            assert "Nothing close" not in shown(search_reply(result(one, hidden=1), options))


def test_weaker_matches_are_one_press_away() -> None:
    reply = search_reply(result(match(), weaker=3), PresentationOptions(state=STATE))
    check(reply)
    assert carried(reply, "Show weaker matches") == dataclasses.replace(STATE, minimum=0.0, offset=1)
    assert "min:" not in shown(search_reply(result(match(), weaker=3)))
    for found in (result(match()), result(weaker=3, caveats={Caveat.NOTHING_TO_COMPARE}), result(*ranked(9), weaker=3)):
        assert "Show weaker matches" not in pressable(search_reply(found, PresentationOptions(state=STATE)).blocks)
    all_shown = PresentationOptions(state=dataclasses.replace(STATE, minimum=0.0))
    assert "Show weaker matches" not in pressable(search_reply(result(match(), weaker=3), all_shown).blocks)


def test_answer_has_one_row_of_actions_and_the_rest_in_a_menu() -> None:
    options = PresentationOptions(PICTURES, STATE, private=True, databases=2, can_search_part=True)
    reply = search_reply(result(match(), weaker=3), options)
    check(reply)
    (row,) = [block["elements"] for block in reply.blocks if block["type"] == "actions"]
    assert [element["type"] for element in row] == ["button", "button", "button", "overflow"]
    assert list(pressable(reply.blocks)) == [
        "Show weaker matches",
        "Share to channel",
        "Add image",
        "Search another database",
        "Search part of it",
    ]
    assert carried(reply, "Search part of it") == dataclasses.replace(STATE, name="")
    assert carried(reply, "Add image") == STATE


def test_shared_answer_has_the_picture_that_was_asked_about() -> None:
    link, picture = "https://fake.slack.com/archives/C1/p1", PictureRef(slack_file="F0123")
    asked = AskedPicture("valve_*.png", link, picture)
    reply = search_reply(result(match()), PresentationOptions(shared_by="U0SOMEBODY", asked=asked))
    check(reply)
    assert f"Shared by <@U0SOMEBODY>  ·  asked about `valve_*.png`  ·  <{link}|the picture>" in shown(reply)
    assert '"slack_file": {"id": "F0123"}' in shown(reply)
    odd = PresentationOptions(asked=AskedPicture("", "https://x|y> <!channel>", PictureRef(url="javascript:1")))
    assert len(search_reply(result(match()), odd).blocks) == 2


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


def test_page_has_its_matches_and_page_buttons() -> None:
    found = result(*ranked(12))
    first = search_reply(found, PresentationOptions(state=STATE))
    assert found_text(5, of=12) in shown(first)
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
    assert found_text(3, of=3) in shown(search_reply(result(*ranked(3))))
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
    assert list(pressable(private.blocks)) == ["Show more", "Share to channel", "Add image", "Search another database"]
    nothing = search_reply(result(weaker=2), PresentationOptions(state=STATE))
    assert list(pressable(nothing.blocks)) == ["Add image", "Show weaker matches"]
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
    assert f"edited copy (cropped, mirrored), 9.8/10  ·  {said}" in "\n".join(
        mrkdwn(list(search_reply(result(one)).blocks))
    )


def test_texts_without_a_common_word_are_not_mentioned() -> None:
    one = match()
    one = dataclasses.replace(one, match=dataclasses.replace(one.match, text=TextAgreement(0, 4)))
    assert "text:" not in "\n".join(mrkdwn(list(search_reply(result(one)).blocks)))
