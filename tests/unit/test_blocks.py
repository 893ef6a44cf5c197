"""Answers: what they say, and that Slack takes them whatever the data is."""

import dataclasses
import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.blocks import limits
from bot.blocks.notices import databases_reply, help_reply, no_database_reply, several_databases_reply
from bot.blocks.reply import Reply, notice
from bot.blocks.results import pictures_reply, score_text, search_reply
from bot.models import (
    MAX_NOTE,
    DatabaseInfo,
    DatabaseKey,
    DatabaseName,
    DataId,
    Edit,
    EntityId,
    ImageRecord,
    Match,
    Note,
    SlackOrigin,
    Verdict,
    WorkspaceId,
)
from bot.services.lookup import Looked
from bot.services.search import RankedMatch, SearchResult
from tests.fakes.slack import block_kit
from tests.fakes.slack.web_api import message_problem

KEY = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
ADDED = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOSTILE = "<@U1> <!channel> <https://evil.example|click> *bold* _it_ ~no~ `code` & > :smile:"


def match(note: str = "", *, entity: str = "valve_0042", score: float = 9.8, origin: str = "") -> RankedMatch:
    found = Match(DataId("1"), EntityId(entity), Note(note), score, Verdict.EDITED, (Edit.CROPPED, Edit.MIRRORED))
    where = SlackOrigin("F1", "C1", "1.2", origin) if origin else None
    record = ImageRecord(
        KEY, found.data_id, found.entity, found.note, "d", "s", b"", 10, 10, ADDED, added_by="U0ADDER", origin=where
    )
    return RankedMatch(1, found, record)


def result(*matches: RankedMatch, images: int = 1234, weaker: int = 0) -> SearchResult:
    return SearchResult(DatabaseInfo(KEY, images, ADDED), matches, weaker, 0.05)


def shown(reply: Reply) -> str:
    return json.dumps(reply.blocks, ensure_ascii=False)


def check(reply: Reply) -> None:
    assert message_problem({"text": reply.text, "blocks": list(reply.blocks)}) == ""
    assert block_kit.length(reply.text) <= limits.MESSAGE_TEXT
    for text in [reply.text, *mrkdwn(list(reply.blocks))]:
        assert "<!channel" not in text
        assert "<!here" not in text
        assert "<@U1>" not in text
    json.dumps([reply.text, reply.blocks], ensure_ascii=False).encode()


def mrkdwn(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["text"]] if value.get("type") == "mrkdwn" else []
        return own + [text for child in value.values() for text in mrkdwn(child)]
    return [text for child in value for text in mrkdwn(child)] if isinstance(value, list) else []


def test_a_match_is_told_in_full() -> None:
    reply = search_reply(result(match("Ball valve, DN 25", origin="https://fake.slack.com/archives/C1/p12")))
    text = shown(reply)
    for part in (
        "`parts` (1,234 images)",
        "`valve_0042`",
        "9.8/10",
        "edited copy: cropped, mirrored",
        "Ball valve, DN 25",
        "<@U0ADDER>",
        f"<!date^{int(ADDED.timestamp())}^{{date_short_pretty}}|2026-11-23>",
        "<https://fake.slack.com/archives/C1/p12|original message>",
    ):
        assert part in text
    assert reply.text == "Best match in parts: valve_0042, 9.8/10, edited copy."


def test_nothing_close_is_said_plainly_with_what_was_left_out() -> None:
    reply = search_reply(result(weaker=3))
    assert reply.text == "Nothing close in parts."
    assert "Nothing close in `parts` (1,234 images)" in shown(reply)
    assert "3 weaker matches were left out" in shown(reply)
    assert "`min:0`" in shown(reply)


def test_an_empty_database_is_named_as_such() -> None:
    assert "holds no images yet" in shown(search_reply(result(images=0)))


@pytest.mark.parametrize(
    ("score", "text"), [(10, "10/10"), (9.8, "9.8/10"), (8.96, "8.9/10"), (9, "9/10"), (0.04, "0/10"), (5.1, "5.1/10")]
)
def test_a_score_never_rounds_up(score: float, text: str) -> None:
    assert score_text(score) == text


def test_a_note_is_shown_as_it_is_and_does_nothing() -> None:
    reply = search_reply(result(match(HOSTILE)))
    (element,) = [block["elements"][0] for block in reply.blocks if block["type"] == "context"]
    assert element == {"type": "plain_text", "text": HOSTILE, "emoji": False}
    check(reply)


def test_a_sentence_that_quotes_somebody_mentions_nobody() -> None:
    check(notice(f"I don't know “{HOSTILE}”."))
    check(help_reply(f"I don't know “{HOSTILE}”."))


def test_a_false_permalink_or_user_is_left_out() -> None:
    odd = match(origin="https://x|y> <!channel>")
    assert odd.record is not None
    odd = dataclasses.replace(odd, record=dataclasses.replace(odd.record, added_by="U1> <!channel>"))
    check(search_reply(result(odd)))
    assert "<@" not in shown(search_reply(result(odd)))


def test_several_pictures_make_one_message() -> None:
    reply = pictures_reply(
        [Looked("valve.jpg", result(match())), Looked("", result()), Looked("broken.png", problem="It is damaged.")]
    )
    check(reply)
    assert reply.text.splitlines() == [
        "1. Best match in parts: valve_0042, 9.8/10, edited copy.",
        "2. Nothing close in parts.",
        "3. Not looked up.",
    ]
    for part in ("1. valve.jpg", "Picture 2", "3. broken.png", "It is damaged."):
        assert part in shown(reply)


def test_one_picture_that_was_refused_gets_the_reason_alone() -> None:
    reply = pictures_reply([Looked("x", problem="It is damaged.")])
    assert reply.text == "It is damaged."
    assert len(reply.blocks) == 1


def test_fifty_matches_with_long_notes_are_cut_and_counted() -> None:
    reply = search_reply(result(*[match("n" * MAX_NOTE) for _ in range(50)], weaker=2))
    check(reply)
    headings = sum("valve_0042" in text for text in mrkdwn(list(reply.blocks)))
    assert f"{50 - headings} more matches did not fit" in shown(reply)


texts = st.one_of(
    st.text(max_size=MAX_NOTE),
    st.sampled_from(
        ["\U0001f469\u200d\U0001f467" * 100, "שלום " * 100, "\u202eevil" * 60, HOSTILE * 6, "&<>" * 170, "\n" * 500]
    ),
).map(lambda text: text[:MAX_NOTE])
storable = texts.map(lambda text: "".join(c for c in text if c != "\0" and not "\ud800" <= c <= "\udfff"))
entities = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=64)
scores = st.floats(0, 10)
matches = st.builds(lambda note, entity, score: match(note, entity=entity, score=score), storable, entities, scores)
results = st.builds(
    lambda found, weaker: result(*found, weaker=weaker), st.lists(matches, max_size=60), st.integers(0, 1000)
)


@settings(max_examples=60, deadline=None)
@given(results)
def test_every_result_is_inside_the_limits(found: SearchResult) -> None:
    check(search_reply(found))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(Looked, texts, st.none() | results, texts.map(lambda text: f"No: {text}")), min_size=1, max_size=20
    )
)
def test_every_message_with_pictures_is_inside_the_limits(pictures: list[Looked]) -> None:
    check(
        pictures_reply([p if p.found or p.problem.strip() else dataclasses.replace(p, problem="No.") for p in pictures])
    )


@given(st.text(max_size=5000))
def test_every_problem_is_inside_the_limits(problem: str) -> None:
    check(help_reply(problem))
    check(notice(problem or "?"))


@given(st.text(), st.integers(1, 40))
def test_shortened_text_fits_and_keeps_its_beginning(text: str, most: int) -> None:
    short = limits.shorten(text, most)
    assert block_kit.length(short) <= most
    assert text.startswith(short.removesuffix("…"))


def test_many_databases_fit() -> None:
    rng = random.Random(1)
    many = [
        DatabaseInfo(DatabaseKey(KEY.workspace, DatabaseName(f"{'d' * 60}_{n}")), rng.randrange(10**6), ADDED)
        for n in range(300)
    ]
    check(databases_reply(many))
    check(several_databases_reply(many))
    check(databases_reply(many[:1]))
    assert databases_reply([]) == no_database_reply()
    check(no_database_reply())
