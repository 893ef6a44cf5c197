"""What agreeing and differing texts say about matches."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.identifiers import DataId, EntityId, Note
from bot.domain.matches import Match, PictureRegion, TextAgreement, Verdict
from bot.domain.texts import PictureText, TextLine
from bot.services.text.differences import are_alike, show_different_words
from bot.services.text.ranking import MAX_SCORE, ComparedText, Rarity, rank
from tests.fakes.texts import text_of

APPLE, ORANGE = text_of("BRAVO", "ÄPPLE", "JUICE"), text_of("BRAVO", "APELSIN", "JUICE")
MILK = text_of("Arla", "MELLANMJÖLK", "1 liter")
SHELF = text_of("BRAVO", "APPLE", "JUICE", "29", "yoghurt")


def match(name: str, score: float, verdict: Verdict = Verdict.SIMILAR) -> Match:
    return Match(DataId(name), EntityId(name), Note(), score, verdict)


def ranked(query: PictureText, stored: dict[str, PictureText], *matches: Match) -> list[Match]:
    texts = {DataId(name): ComparedText.of(text) for name, text in stored.items()}
    return rank(ComparedText.of(query), matches, texts, Rarity.of(texts.values()))


STORED = {"apple": APPLE, "orange": ORANGE, "milk": MILK}


def test_words_bring_the_right_item_up() -> None:
    first, *others = ranked(SHELF, STORED, match("orange", 8.2), match("apple", 8.0), match("milk", 6.0))
    assert (first.entity, first.verdict, first.text) == ("apple", Verdict.SAME_ITEM, TextAgreement(3, 3))
    assert 8 <= first.score <= MAX_SCORE
    assert {other.verdict for other in others} == {Verdict.SIMILAR}


def test_same_item_needs_to_lead_other_items() -> None:
    twins = {"fresh": APPLE, "shelf": APPLE, "milk": MILK}
    best = ranked(SHELF, twins, match("fresh", 6.0), match("shelf", 5.0))
    assert {one.verdict for one in best} == {Verdict.SIMILAR}


def test_another_flavour_is_not_the_same_item() -> None:
    shown = text_of("BRAVO", "MANGO", "JUICE", "PRESSED")
    (best, *_) = ranked(shown, {"orange": ORANGE, "milk": MILK}, match("orange", 7.5), match("milk", 5.0))
    assert (best.entity, best.verdict) == ("orange", Verdict.SIMILAR)


def test_words_alone_show_no_item() -> None:
    first, *_ = ranked(SHELF, STORED, match("milk", 6.0), match("orange", 5.5), match("apple", 5.0))
    assert (first.entity, first.verdict) == ("apple", Verdict.SIMILAR)


@pytest.mark.parametrize("score", [8.55, 8.9])
@pytest.mark.parametrize("shown", [("BRAVO", "MANGO", "SMOOTHIE", "PRESSED"), ("BRAVO", "JUICE")])
def test_words_of_another_flavour_take_the_same_item_back(shown: tuple[str, ...], score: float) -> None:
    said = match("orange", score, Verdict.SAME_ITEM)
    (best, *_) = ranked(text_of(*shown), STORED, said, match("milk", 5.0))
    assert (best.entity, best.verdict) == ("orange", Verdict.SIMILAR)
    assert best.score >= score


@pytest.mark.parametrize("before", [Verdict.SIMILAR, Verdict.SAME_ITEM])
def test_small_words_of_another_flavour_refute_only_words(before: Verdict) -> None:
    small = TextLine("MANGO", 0.99, PictureRegion(0.1, 0.38, 0.2, 0.02))
    (best, *_) = ranked(PictureText((*APPLE.lines, small)), STORED, match("apple", 8.5, before), match("milk", 5.0))
    assert (best.entity, best.verdict) == ("apple", before)


def test_pictures_of_one_item_do_not_compete() -> None:
    spellings = {"front": "Apple", "back": "APPLE"}
    pictures = [replace(match(name, 8.0), entity=EntityId(entity)) for name, entity in spellings.items()]
    best = ranked(SHELF, {"front": APPLE, "back": APPLE, "milk": MILK}, *pictures)
    assert {one.verdict for one in best} == {Verdict.SAME_ITEM}


def test_matches_without_text_keep_their_order_and_scores() -> None:
    matches = match("one", 7.0), match("two", 6.5)
    assert ranked(SHELF, {"milk": MILK}, *matches) == list(matches)


def test_a_price_alone_changes_little() -> None:
    (only,) = ranked(text_of("19"), {"apple": text_of("19"), **STORED}, match("apple", 4.0))
    assert only.score < 6
    assert only.verdict is Verdict.UNLIKELY


def test_best_scores_keep_their_order() -> None:
    matches = [match(name, 8.0) for name in ("milk", "orange", "apple")]
    best = ranked(SHELF, STORED, *matches)
    assert [one.entity for one in best] == ["apple", "orange", "milk"]
    assert best[0].score > best[1].score > best[2].score


def test_texts_never_prove_a_copy() -> None:
    best = ranked(APPLE, STORED, match("apple", 8.8))
    assert best[0].score <= MAX_SCORE


FORM = text_of("Boarding pass", "Anna Berg", "Gate", "B22", "Seat", "12A")
OTHER_SEAT = text_of("Boarding pass", "Anna Berg", "Gate", "B22", "Seat", "31F")


def test_template_with_other_words_is_no_copy() -> None:
    (only,) = ranked(FORM, {"pass": OTHER_SEAT}, match("pass", 9.9, Verdict.SAME))
    assert only.verdict is Verdict.SIMILAR
    assert only.score < 9
    assert only.text is not None
    assert only.text.contradicts


def moved(text: PictureText, scale: float, left: float = 0.0, top: float = 0.0) -> PictureText:
    """Return the text of a picture that was put into a larger one."""
    return PictureText(
        tuple(
            replace(
                line,
                box=PictureRegion(
                    line.box.left * scale + left,
                    line.box.top * scale + top,
                    line.box.width * scale,
                    line.box.height * scale,
                ),
            )
            for line in text.lines
        )
    )


def misread(text: PictureText) -> PictureText:
    """Return a text with a letter of each long line read as another."""
    return PictureText(tuple(replace(line, text=line.text[:4] + line.text[5:]) for line in text.lines))


CAPTION = TextLine("NOBODY SAW THIS", 0.99, PictureRegion(0.05, 0.01, 0.9, 0.12))


@pytest.mark.parametrize(
    "copy",
    [
        FORM,
        misread(FORM),
        PictureText(FORM.lines[:3]),
        PictureText(FORM.lines[3:]),
        PictureText((CAPTION, *FORM.lines[1:])),
        PictureText((*moved(FORM, 0.5, 0.2, 0.3).lines, replace(CAPTION, text="look what I found"))),
        text_of("Boarding pass", "Anna Berg", "Gate", "822", "Seat", "l2A", confidence=0.7),
    ],
    ids=["same", "misread", "top", "bottom", "caption", "screenshot", "unsure"],
)
def test_edited_copy_stays_a_copy(copy: PictureText) -> None:
    assert not show_different_words(copy, FORM)
    assert not show_different_words(FORM, copy)


def test_template_is_recognised_inside_a_screenshot() -> None:
    assert show_different_words(moved(OTHER_SEAT, 0.5, 0.2, 0.3), FORM)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("melanmjolk", "mellanmjolk", True),
        ("julce", "julce", True),
        ("apelsln", "apple", False),
        ("l2a", "l4a", False),
    ],
)
def test_misread_words_are_alike(one: str, other: str, *, same: bool) -> None:
    assert are_alike(one, other) is same
