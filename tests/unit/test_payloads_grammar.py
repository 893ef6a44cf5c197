"""What people type after /vsearch."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import InvalidInput
from bot.models import DatabaseName
from handlers.grammar import MODIFIERS, Command, Help, ListDatabases, Search, parse

URL = "https://example.com/valve.jpg"
PARTS = DatabaseName("parts_2")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Help()),
        ("help", Help()),
        ("HELP me", Help()),
        ("db", ListDatabases()),
        (URL, Search(URL)),
        (f"search {URL}", Search(URL)),
        (f"Search <{URL}>", Search(URL)),
        (f"<{URL}|example.com/valve.jpg>", Search(URL)),
        (f"<{URL}|a label with spaces> top:3", Search(URL, limit=3)),
        ("<https://example.com/?a=1&amp;copy=2|x>", Search("https://example.com/?a=1&copy=2")),
        ("https://example.com/?a=1&amp;lt=2", Search("https://example.com/?a=1&lt=2")),
        (f"{URL} in:parts_2 top:50 min:9.5", Search(URL, PARTS, 50, 9.5)),
        (f"min:7,5 top:1 in:parts_2 search {URL}", Search(URL, PARTS, 1, 7.5)),
        (f"{URL} in:“Parts_2”", Search(URL, PARTS)),
        (f"“{URL}” in:'parts_2'", Search(URL, PARTS)),
        (f"search ‘{URL}’", Search(URL)),
        (f'"<{URL}|valve.jpg>"', Search(URL)),
        (f"{URL} in:&lt;parts_2&gt;", Search(URL, PARTS)),
        (f"{URL} in: parts_2", Search(URL, PARTS)),
        (f"{URL} —in parts_2 –top=5", Search(URL, PARTS, 5)),
        (f"{URL} --min=0", Search(URL, minimum=0)),
        (f"{URL} in：parts_2", Search(URL, PARTS)),
        (f"search\u00a0{URL}\ttop:2", Search(URL, limit=2)),
    ],
)
def test_understands_what_phones_and_people_type(text: str, expected: Command) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{URL} top:0", "1 to 50"),
        (f"{URL} top:51", "1 to 50"),
        (f"{URL} top:²", "1 to 50"),
        (f"{URL} min:11", "0 to 10"),
        (f"{URL} min:nan", "0 to 10"),
        (f"{URL} min:", "0 to 10"),
        (f"{URL} in:No!", "database name"),
        (f"{URL} tpo:3", "`top:`"),
        (f"{URL} colour:red", "`in:`"),
        (f"{URL} {URL}", "more than one address"),
        ("search", "no address"),
        ("in:parts", "no address"),
        ("search last", "address of an image"),
        (f'{URL} in:"parts', "quote"),
    ],
)
def test_a_mistake_gets_the_right_form(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(says)):
        parse(text)


@pytest.mark.parametrize(("text", "hint"), [("serach x", "search"), ("hlep", "help"), ("dbs", "db")])
def test_a_near_miss_gets_did_you_mean(text: str, hint: str) -> None:
    answer = parse(text)
    assert isinstance(answer, Help)
    assert f"Did you mean `/vsearch {hint}`?" in answer.problem


def test_what_is_far_off_gets_help() -> None:
    answer = parse("zzzzzz")
    assert isinstance(answer, Help)
    assert "Did you mean" not in answer.problem


@given(st.text())
def test_any_text_is_understood_or_refused_in_a_sentence(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        assert parse(text) is not None


@given(
    st.lists(st.sampled_from([URL, "in:parts_2", "top:7", "min:2.5"]), unique=True, min_size=4),
    st.sampled_from([" ", "\n", "\u2003", "   "]),
)
def test_the_order_of_words_does_not_matter(words: list[str], space: str) -> None:
    assert parse(space.join(words)) == Search(URL, PARTS, 7, 2.5)


@given(st.sampled_from(MODIFIERS), st.text())
def test_a_modifier_with_any_value_never_breaks(name: str, value: str) -> None:
    with contextlib.suppress(InvalidInput):
        parse(f"{URL} {name}:{value}")
