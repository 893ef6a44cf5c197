"""User text within our sentences is shown literally and has no effect."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks import limits
from bot.blocks.button_state import CommandState, SearchState
from bot.blocks.messages.notices import help_reply, other_database_reply, suggestion_reply
from bot.blocks.mrkdwn import channel_link, code, count, escape_sentence, one_line, points, score_text, user_mention
from bot.blocks.reply import notice
from bot.blocks.wording.help import TOPIC_LABELS, TOPICS
from handlers.parsing.grammar import HelpCommand, parse
from tests.fakes.slack.blocks import block_kit
from tests.unit.blocks.answers import HOSTILE, check, pressable, shown, texts


def test_quoted_text_mentions_nobody() -> None:
    check(notice(f"I don't know “{HOSTILE}”."))
    check(suggestion_reply(f"I don't know “{HOSTILE}”.", HOSTILE))


@pytest.mark.parametrize(
    ("score", "text"), [(10, "10/10"), (9.8, "9.8/10"), (8.96, "8.9/10"), (9, "9/10"), (0.04, "0/10"), (5.1, "5.1/10")]
)
def test_score_never_rounds_up(score: float, text: str) -> None:
    assert score_text(score) == text


@pytest.mark.parametrize(
    ("sentence", "mrkdwn"),
    [
        ("I don't know “*bold* _it_”.", "I don't know “`*bold*` `_it_`”."),
        ("There is no database “ball_valves” here.", "There is no database “`ball_valves`” here."),
        ("A name has 2 to 64 of `a-z 0-9 _`, such as `a_b`.", "A name has 2 to 64 of `a-z 0-9 _`, such as `a_b`."),
        ("A quote isn't closed: put `\"` on both sides.", "A quote isn't closed: put `\"` on both sides."),
        ("> quoted & <@U1>", "`&gt;` quoted &amp; `&lt;@U1&gt;`"),
        ("lone ` tick", "lone ' tick"),
        ("`a`*b*", "`a` `*b*`"),
        ("two\nlines \u202eevil", "two lines evil"),
    ],
)
def test_emphasis_characters_are_shown_as_code(sentence: str, mrkdwn: str) -> None:
    assert escape_sentence(sentence) == mrkdwn


@pytest.mark.parametrize(
    ("name", "shown_as"),
    [
        ("IMG_1.jpg", "`IMG_1.jpg`"),
        ("a`b\nc.png", "`a'b c.png`"),
        ("<!channel>.png", "`&lt;!channel&gt;.png`"),
        ("\u202egnp.exe", "`gnp.exe`"),
        ("\u2066 \n", "?"),
    ],
)
def test_name_is_code_on_one_line(name: str, shown_as: str) -> None:
    assert code(name) == shown_as


def test_only_ids_become_mentions() -> None:
    assert user_mention("U0SOMEBODY") == "<@U0SOMEBODY>"
    assert user_mention("U1> <!channel>") == ""
    assert channel_link("C0HERE") == "<#C0HERE>"
    assert channel_link("x|y") == "this channel"


def test_numbers_are_formatted_for_people() -> None:
    assert count(1, "match", "matches") == "1 match"
    assert count(1200, "match", "matches") == "1,200 matches"
    assert [points(score) for score in (9.0, 7.5, 8.99)] == ["9", "7.5", "8.9"]


@given(st.text(max_size=5000) | texts)
def test_every_problem_is_within_the_limits(problem: str) -> None:
    check(suggestion_reply(problem, problem))
    check(other_database_reply(problem, SearchState(name=problem, database="parts")))
    check(notice(problem))


@given(texts)
def test_sentence_keeps_its_words(text: str) -> None:
    plain = one_line(text).replace("`", "").replace("'", "").replace(" ", "")
    kept = escape_sentence(text).replace("`", "").replace("'", "").replace(" ", "")
    assert kept.rstrip("…").startswith(limits.escape(limits.shorten(plain, 100)).rstrip("…"))


@given(st.text(), st.integers(1, 40))
def test_shortened_text_fits_and_keeps_its_beginning(text: str, most: int) -> None:
    short = limits.shorten(text, most)
    assert block_kit.length(short) <= most
    assert text.startswith(short.removesuffix("…"))


def test_short_help_has_a_button_for_each_topic() -> None:
    reply = help_reply()
    assert len(reply.blocks) <= 3
    assert list(pressable(reply.blocks)) == list(TOPIC_LABELS.values())
    assert "Watch a channel" not in pressable(help_reply("watch").blocks)
    assert "/vsearch unwatch" in shown(help_reply("watch"))
    command = CommandState.decode(pressable(reply.blocks)["Watch a channel"]["value"]).text
    assert parse(command) == HelpCommand("watch")


@pytest.mark.parametrize(
    ("command", "label"),
    [
        ("search last in:parts", "Search “parts”"),
        ("list in:parts", "List “parts”"),
        ("delete valve_0042 in:parts", "/vsearch delete valve_0042 in:parts"),
        ("watch guard in:parts", "/vsearch watch guard in:parts"),
    ],
)
def test_button_says_what_was_meant(command: str, label: str) -> None:
    reply = suggestion_reply("I don't know that.", command)
    check(reply)
    assert list(pressable(reply.blocks)) == [label]


def test_help_names_every_command() -> None:
    replies = [help_reply(), *map(help_reply, TOPICS)]
    for reply in replies:
        check(reply)
    text = "".join(map(shown, replies))
    for command in (
        "/vsearch",
        "/vsearch &lt;image URL&gt;",
        "/vsearch search last",
        "/vsearch add last",
        "/vsearch add &lt;image URL&gt;",
        "/vsearch list",
        "/vsearch delete valve_0042",
        "/vsearch rename",
        "/vsearch note",
        "/vsearch db",
        "/vsearch db create",
        "/vsearch db delete",
        "/vsearch watch lookup",
        "/vsearch watch collect",
        "/vsearch watch guard",
        "/vsearch unwatch",
        "/vsearch status",
        "/vsearch help",
    ):
        assert f"`{command}" in text
    for modifier in ("in:", "top:", "min:", "id:", "note:", "order:", "prefix:"):
        assert modifier in text
    for shortcut in ("Find similar images", "Add to image database"):
        assert shortcut in text
