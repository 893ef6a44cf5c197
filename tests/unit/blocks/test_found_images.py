"""Answers to searches by words: within the limits, and what people wrote has no effect."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks.button_state import FindState
from bot.blocks.messages.found_images import FoundPage, found_reply
from bot.domain.catalogue import ImageRecord
from tests.unit.blocks.answers import HOSTILE, PICTURES, check, mrkdwn, outside_code, record, shown, texts

ORIGIN = "https://fake.slack.com/archives/C1/p12"


@dataclass(frozen=True)
class _Passage:
    text: str
    marks: Sequence[tuple[int, int]]
    source: str = "note"


@dataclass(frozen=True)
class _Found:
    record: ImageRecord
    passages: Sequence[_Passage]


def _answer(text: str, marks: Sequence[tuple[int, int]], images: int = 1) -> FoundPage:
    sources = ("id", "note", "file_name", "picture")
    found = _Found(record(origin=ORIGIN), [_Passage(text, marks, source) for source in sources])
    return FoundPage(FindState(words=text[:80], database="parts"), [found] * images, PICTURES, {}, has_others=True)


@given(texts.filter(str.strip), st.integers(0, 100), st.integers(1, 20), st.integers(1, 8))
def test_any_text_fits_and_stays_text(text: str, start: int, length: int, images: int) -> None:
    # Underscores inside words have no effect and are shown; the check knows no such difference.
    text = re.sub(r"(?<=[^\W_])_(?=[^\W_])", "", text)
    start = min(start, len(text) - 1)
    check(found_reply(_answer(text, [(start, min(start + length, len(text)))], images)))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("an _italic_ word", "\u200b*an*\u200b ˍitalicˍ word"),
        ("an :smile: at 10:30", "\u200b*an*\u200b ∶smile: at 10:30"),
        (f"an {HOSTILE}", "∗bold∗ ˍitˍ ∼no∼ 'code'"),
    ],
)
def test_signs_of_markup_are_shown_and_have_no_effect(text: str, written: str) -> None:
    reply = found_reply(_answer(text, [(0, 2)]))
    check(reply)
    assert written in shown(reply)
    assert not any(":smile:" in outside_code(one) for one in mrkdwn(list(reply.blocks)))


def test_note_with_the_words_comes_first_and_the_id_once() -> None:
    passages = [_Passage("valve_0042", [(0, 5)], "id"), _Passage("Ball valve", [(5, 10)])]
    found = [_Found(record(note="Ball valve"), passages), _Found(record(note="Gasket"), passages[:1])]
    page = FoundPage(FindState(words="valve", database="parts"), found, PICTURES, {})
    first, second = [block["text"]["text"] for block in found_reply(page).blocks[1:3]]
    assert first.startswith("*1.*  Ball \u200b*valve*\u200b  ·  `valve_0042`\n")
    assert second.startswith("*2.*  Gasket  ·  `valve_0042`\n")
    assert "Note:" not in first
    assert "Id:" not in f"{first}{second}"


def test_underscore_inside_a_word_stays() -> None:
    assert "\u200b*an*\u200b IMG_1234.jpg" in shown(found_reply(_answer("an IMG_1234.jpg", [(0, 2)])))


@pytest.mark.parametrize("character", ["<", "&"])
def test_links_stay_whole_beside_text_that_grows_when_escaped(character: str) -> None:
    reply = found_reply(_answer(character * 300, [(100, 120)]))
    check(reply)
    assert ORIGIN in shown(reply)
    assert "Note: " in shown(reply)
