"""Searches find what a search through the words of all images finds."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from bot.domain.catalogue import Origin
from bot.domain.channels import VisibleOrigins
from bot.domain.find_words import Term, index_tokens, terms_of
from bot.domain.typing_errors import is_typing_error
from bot.storage.sql_storage import SqlStorage
from tests.unit.storage.texts.images import added, find, said


@pytest.mark.parametrize(("rare", "newest"), [(1500, 2000), (4, 10)])
async def test_results_are_those_of_a_search_through_all_words(
    storage: SqlStorage, monkeypatch: pytest.MonkeyPatch, rare: int, newest: int
) -> None:
    monkeypatch.setattr("bot.storage.catalogue.texts.image_words.RARE", rare)
    monkeypatch.setattr("bot.storage.catalogue.texts.image_words.NEWEST", newest)
    rng = random.Random(rare)
    notes = [" ".join(rng.choices(WORDS, k=rng.randint(1, 4))) for _ in range(60)]
    origins = [
        [said(note, "", rng.choice(["C1", "C2", ""]), f"id {number}-{rng.randrange(9)}", number)]
        for number, note in enumerate(notes)
    ]
    for number, own in enumerate(origins):
        if rng.random() < 0.3:
            own.append(said(rng.choice(notes), "", rng.choice(["C1", "C2"]), f"id {number}-X", 100 + number))
        await added(storage, number, *own, entity=str(own[0].entity))
    for visible in (VisibleOrigins(frozenset({"C1"}), without_channel=True), VisibleOrigins(frozenset({"C2"})), None):
        for _ in range(40):
            typed = rng.choice([*WORDS, f"id {rng.randrange(60)}-{rng.randrange(9)}"])
            words = " ".join([mistyped(rng, typed), *rng.sample(WORDS, rng.randrange(3))])
            expected = expected_images(terms_of(words), origins, visible)
            found = await find(storage, words, visible, limit=100)
            assert set(found) == expected, (words, visible)


WORDS = ["valve", "valves", "Kugelhahn", "hahn", "DN25", "水泵型号", "阀门", "насос", "Überdruck", "pump", "vlv-12"]


def mistyped(rng: random.Random, word: str) -> str:
    """Return a word as it is, its beginning, or with a letter too few."""
    place = rng.randrange(1, max(2, len(word)))
    return rng.choice([word, word[:place], word[:place] + word[place + 1 :]])


def expected_images(
    question: Sequence[Term], origins: Sequence[Sequence[Origin]], visible: VisibleOrigins | None
) -> set[str]:
    """Return what a search through the words of all images would find, in the steps of the port's description."""
    seen = [
        [
            index_tokens(str(one.entity), one.source_name, str(one.note))
            for one in own
            if visible is None or (one.slack.channel in visible.channels if one.slack else visible.without_channel)
        ]
        for own in origins
    ]

    def having(accepts: Callable[[str], bool]) -> set[str]:
        return {str(number) for number, own in enumerate(seen) if any(map(accepts, frozenset().union(*own)))}

    def begins(term: Term) -> Callable[[str], bool]:
        return lambda word: word.startswith(term.token) if term.may_continue else word == term.token

    def is_close(term: Term, word: str) -> bool:
        has_digit = word.startswith("#")
        return term.may_be_mistyped and not has_digit and is_typing_error(term.token, word)

    def close(term: Term) -> Callable[[str], bool]:
        return lambda word: is_close(term, word) and word[0] in term.token[:2]

    def distant(term: Term) -> Callable[[str], bool]:
        return lambda word: is_close(term, word) or (len(term.letters) >= 3 and term.letters in word)

    sets = [having(begins(term)) for term in question]
    for wider in (close, distant):
        if not set.intersection(*sets):
            sets = [own or having(wider(term)) for own, term in zip(sets, question, strict=True)]
    return set.intersection(*sets) or set.union(*sets)
