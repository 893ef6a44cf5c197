"""Which words show that two pictures are of different items."""

from __future__ import annotations

import time

import pytest

from bot.domain.matches import PictureRegion
from bot.domain.texts import PictureText, TextLine
from bot.services.text.foreign_words import are_of_different_items
from tests.fakes.texts import text_of

STORED = text_of("Valio", "YOGURT")


def line(text: str, *, top: float = 0.3, height: float = 0.05, confidence: float = 0.99, left: float = 0.1) -> TextLine:
    return TextLine(text, confidence, PictureRegion(left, top, 0.3, height))


def with_line(added: TextLine) -> PictureText:
    return PictureText((*STORED.lines, added))


@pytest.mark.parametrize("word", ["MANGO", "vanilj", "草莓"])
def test_a_word_beside_those_in_common_shows_another_item(word: str) -> None:
    shown = with_line(line(word))
    assert are_of_different_items(shown, STORED)
    assert are_of_different_items(STORED, shown)


@pytest.mark.parametrize(
    "added",
    [
        line("MANGO", height=0.02),
        line("MANGO", top=0.6),
        line("MANGO", left=0.85),
        line("MANGO", confidence=0.8),
        line("MANGO", top=0.0),
        line("1000"),
        line("1000 g"),
        line("27.90"),
        line("Eko"),
        line("Vali"),
        line("Y0GURT"),
        line("ValioYogurt"),
    ],
    ids=[
        "small",
        "below",
        "beside",
        "unsure",
        "cut",
        "number",
        "weight",
        "price",
        "short",
        "part",
        "misread",
        "joined",
    ],
)
def test_other_words_show_nothing(added: TextLine) -> None:
    assert not are_of_different_items(with_line(added), STORED)
    assert not are_of_different_items(STORED, with_line(added))


def test_pictures_without_a_word_in_common_are_not_compared() -> None:
    assert not are_of_different_items(text_of("Arla", "Milk"), STORED)
    assert not are_of_different_items(PictureText(), STORED)


def test_pages_of_text_are_compared_quickly() -> None:
    one, other = (PictureText(tuple(line(_page(number * 200 + row)) for row in range(200))) for number in range(2))
    started = time.process_time()
    are_of_different_items(one, other)
    assert time.process_time() - started < 2


def _page(seed: int) -> str:
    return " ".join(f"{chr(97 + (seed * 7 + at) % 26)}{chr(97 + (seed + at * 3) % 26)}ordinary{at}" for at in range(20))
