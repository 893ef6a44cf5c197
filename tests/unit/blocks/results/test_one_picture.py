"""The answer about one picture: the verdict, what is hidden, its pages, and that Slack accepts it with any data."""

import dataclasses
from datetime import timedelta

import pytest
from hypothesis import given, settings

from bot.blocks.ids import ActionId
from bot.blocks.messages.image_details import PictureRef
from bot.blocks.messages.results.matches import AskedPicture, PresentationOptions
from bot.blocks.messages.results.one_picture import search_reply
from bot.blocks.messages.results.several_pictures import pictures_reply
from bot.domain.identifiers import MAX_NOTE
from bot.domain.matches import Verdict
from bot.services.search.lookup import LookupResult
from bot.services.search.search_result import SearchResult
from tests.unit.blocks.answers import (
    ADDED,
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


def test_shared_answer_names_who_shared_it() -> None:
    reply = search_reply(result(match()), PresentationOptions(shared_by="U0SOMEBODY"))
    assert "Shared by <@U0SOMEBODY>" in shown(reply)


def test_shared_answer_has_the_picture_that_was_asked_about() -> None:
    link, picture = "https://fake.slack.com/archives/C1/p1", PictureRef(slack_file="F0123")
    asked = AskedPicture("valve_*.png", link, picture)
    reply = search_reply(result(match()), PresentationOptions(shared_by="U0SOMEBODY", asked=asked))
    check(reply)
    assert f"Shared by <@U0SOMEBODY>  ·  asked about `valve_*.png`  ·  <{link}|the picture>" in shown(reply)
    assert '"slack_file": {"id": "F0123"}' in shown(reply)
    odd = PresentationOptions(asked=AskedPicture("", "https://x|y> <!channel>", PictureRef(url="javascript:1")))
    assert len(search_reply(result(match()), odd).blocks) == 2


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
