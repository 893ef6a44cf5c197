"""Modifiers in the text of a share, and commands after a mention."""

import re

import pytest

from bot.domain.errors import InvalidInput
from bot.domain.identifiers import DatabaseName, EntityId, Note
from handlers.parsing.grammar import ImageReference, Modifiers, SearchCommand, mention_command, modifiers_of, parse

PARTS = DatabaseName("parts_2")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Modifiers()),
        ("have we seen this one?", Modifiers()),
        ("<@U0BOT> in:parts_2 top:3 min:7,5", Modifiers(PARTS, 3, 7.5)),
        ("from the yard, id:Valve_0042, I think", Modifiers(entity=EntityId("Valve_0042"))),
        ("note:“spare, shelf 3” in:Parts_2.", Modifiers(PARTS, note=Note("spare, shelf 3"))),
        ("it's 5 o'clock in:parts_2 'tis", Modifiers(PARTS)),
        ('a 5" pipe in:parts_2', Modifiers(PARTS)),
        ("never closed “ in:parts_2", Modifiers(PARTS)),
        ("—in=parts_2", Modifiers(PARTS)),
        ("found in: the yard — note: rusty; min: 5 top:", Modifiers()),
        ("--in the yard", Modifiers()),
        ("todo:x prefix:y order:z see http://example.com/in:parts_2", Modifiers()),
        ("<https://example.com/in:b|in:parts_2> builtin:parts_2 :id:", Modifiers()),
        ("in:parts_2 in:other", Modifiers(PARTS)),
        ("note:“nuts &amp; bolts”", Modifiers(note=Note("nuts & bolts"))),
    ],
)
def test_modifiers_are_parsed_and_other_text_is_ignored(text: str, expected: Modifiers) -> None:
    assert modifiers_of(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("look top:99", "1 to 50"),
        ("look min:lots", "0 to 10"),
        ("look in:my-parts", "Did you mean `my_parts`?"),
        (f"id:{'x' * 65}", "An id can have up to 64 characters"),
        ("id:\u200d", "An id must be printable"),
        (f"note:{'n' * 513}", "up to 512"),
        ('note:"spare', "quote"),
    ],
)
def test_only_invalid_values_are_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(says)):
        modifiers_of(text)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("<@U0BOT> search last", "search last"),
        ("<@U0BOT|vsearch>:\u00a0status ", "status"),
        ("  <@U0BOT>", ""),
        ("<@U0BOT>, help", "help"),
        ("hello <@U0BOT>", "hello <@U0BOT>"),
        ("<@U0OTHER> hello", "<@U0OTHER> hello"),
        ("search last", "search last"),
    ],
)
def test_leading_mention_of_the_bot_is_removed(text: str, rest: str) -> None:
    assert mention_command(text, "U0BOT") == rest


def test_any_leading_mention_is_removed_if_the_bot_user_is_unknown() -> None:
    assert mention_command("<@U0ANYONE> db", "") == "db"


def test_text_after_a_mention_is_a_command() -> None:
    text = "<@U0BOT> search <https://example.com/a.png> in:parts_2"
    assert parse(mention_command(text, "U0BOT")) == SearchCommand(ImageReference("https://example.com/a.png"), PARTS)
