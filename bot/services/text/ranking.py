"""How far the texts of two pictures agree, and what that says about a match. Pure functions.

Texts are compared by trigrams of their words, weighted by rarity, so that a letter that was misread costs little and a
word that every picture of the database has counts for little. ``docs/scores.md`` has the measurements.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.domain.identifiers import DataId
from bot.domain.matches import SAME_ITEM_SCORE, Match, TextAgreement, Verdict
from bot.domain.texts import PictureText, words_of
from bot.services.text.differences import are_alike, show_different_words
from bot.services.text.foreign_words import MIN_HEIGHT, are_of_different_items

TEXT_WEIGHT = 4.0
"""What fully agreeing texts add to the score of a match without proof."""

ENOUGH = 6.0
"""Weight of shared trigrams that counts half: about two rare words. A price alone shows little."""

MAX_SCORE = 8.94
"""Greatest score without proof of a copy; it is shown as 8.9. Texts that differ put a copy below it, too."""

SAME_ITEM_SIMILARITY, SAME_ITEM_LEAD, SAME_ITEM_WORDS, SAME_ITEM_COVERAGE = 0.75, 1.15, 2, 0.85
"""What proves the same item: the similarity of the texts, how much it exceeds that of every other item, the words that
agree, and the share of the stored text that the query has. A pack of another flavour has most of the words too."""

SAME_ITEM_ALIKE = 8.0
"""Least score without text of a match that words may call the same item. Brand, kind and slogan agree on every flavour,
so words alone are wrong where a flavour isn't stored: docs/decisions/0046."""

MIN_WORD = 2
"""Characters of a word that is compared. Single letters are mostly misread textures."""


@dataclass(frozen=True, slots=True)
class ComparedText:
    """The words and trigrams of a picture's text."""

    text: PictureText
    words: frozenset[str]
    trigrams: frozenset[str]

    @classmethod
    def of(cls, text: PictureText) -> ComparedText:
        """Prepare a text for comparisons."""
        words = frozenset(
            word
            for line in text.sure_lines
            for word in words_of(line.text)
            if len(word) >= MIN_WORD or not word.isascii()
        )
        return cls(text, words, frozenset(trigram for word in words for trigram in _trigrams(word)))


@dataclass(frozen=True, slots=True)
class Rarity:
    """In how many texts of a database each trigram occurs."""

    texts: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, texts: Iterable[ComparedText]) -> Rarity:
        """Count the trigrams of the texts of a database, or of a sample of them."""
        counts: Counter[str] = Counter()
        number = 0
        for text in texts:
            counts.update(text.trigrams)
            number += 1
        return cls(number, counts)

    def weight(self, trigrams: Collection[str]) -> float:
        """Return the sum of the trigrams' weights. The rarer, the heavier."""
        return sum(math.log((self.texts + 1.5) / (self.counts[trigram] + 0.5)) for trigram in trigrams)

    def known(self, trigrams: Collection[str]) -> frozenset[str]:
        """Return the trigrams that the database has. Others are of things that it doesn't know."""
        return frozenset(trigram for trigram in trigrams if self.counts[trigram])


@dataclass(frozen=True, slots=True)
class TextEvidence:
    """How alike two texts are.

    ``similarity`` is the cosine of their weighted trigrams, and ``coverage`` the share of the stored text that the
    query has, both from 0 to 1. ``shared`` is the weight of the trigrams that both have.
    """

    similarity: float = 0.0
    shared: float = 0.0
    coverage: float = 0.0
    words: TextAgreement | None = None

    @property
    def score(self) -> float:
        """What it adds to the score of a match without proof."""
        return TEXT_WEIGHT * self.similarity * self.shared / (self.shared + ENOUGH)

    @property
    def may_be_same_item(self) -> bool:
        """Whether it shows the same item, unless the text of another item is nearly as similar."""
        return (
            self.words is not None
            and self.words.agreeing >= SAME_ITEM_WORDS
            and self.similarity >= SAME_ITEM_SIMILARITY
            and self.coverage >= SAME_ITEM_COVERAGE
        )


def compare(query: ComparedText, stored: ComparedText, rarity: Rarity) -> TextEvidence:
    """Compare two texts, with the rarity of trigrams in the database."""
    known, words = rarity.known(query.trigrams), agreement(query, stored)
    shared = rarity.weight(known & stored.trigrams)
    if not shared:
        return TextEvidence(words=words)
    theirs = rarity.weight(stored.trigrams)
    return TextEvidence(shared / math.sqrt(rarity.weight(known) * theirs), shared, shared / theirs, words)


def agreement(query: ComparedText, stored: ComparedText) -> TextAgreement | None:
    """Return how many words agree, of those in the picture that has fewer. None if either has no text."""
    fewer, more = sorted((query.words, stored.words), key=len)
    if not fewer:
        return None
    misread = sum(any(are_alike(word, other) for other in more) for word in fewer - more)
    return TextAgreement(len(fewer & more) + misread, len(fewer))


def rank(
    query: ComparedText, matches: Sequence[Match], texts: Mapping[DataId, ComparedText], rarity: Rarity
) -> list[Match]:
    """Return the matches in the order that their texts suggest, with new scores, verdicts and agreements.

    ``texts`` are those of the matches' pictures by data id, as far as there are any.
    """
    evidence = {
        match.data_id: compare(query, texts[match.data_id], rarity) for match in matches if match.data_id in texts
    }
    scored = [
        _scored(query, match, texts[match.data_id], evidence[match.data_id]) if match.data_id in evidence else match
        for match in matches
    ]
    judged = [
        _checked(query, _judged(match, before, scored, evidence), before, texts[match.data_id])
        if match.data_id in evidence
        else match
        for match, before in zip(scored, matches, strict=True)
    ]
    # The sort is stable, so matches without texts keep their order.
    return sorted(_without_rivals(judged, scored), key=lambda match: -match.score)


def _without_rivals(judged: Sequence[Match], before: Sequence[Match]) -> list[Match]:
    """Return the matches, with no other “same item” beside one that its text proves.

    Points can't tell flavours of one pack apart, words can.
    """
    by_text = {
        match.entity.key
        for match, earlier in zip(judged, before, strict=True)
        if match.verdict is Verdict.SAME_ITEM and earlier.verdict is not Verdict.SAME_ITEM
    }
    return [
        replace(match, verdict=Verdict.SIMILAR)
        if by_text and match.verdict is Verdict.SAME_ITEM and match.entity.key not in by_text
        else match
        for match in judged
    ]


def _scored(query: ComparedText, match: Match, stored: ComparedText, evidence: TextEvidence) -> Match:
    match = replace(match, text=evidence.words)
    if not match.verdict.is_copy:
        return replace(match, score=max(match.score, _bounded(match.score + evidence.score)))
    if not show_different_words(query.text, stored.text):
        return match
    found = evidence.words and replace(evidence.words, contradicts=True)
    return replace(match, score=min(match.score, MAX_SCORE), verdict=Verdict.SIMILAR, edits=(), text=found)


def _judged(match: Match, before: Match, scored: Sequence[Match], evidence: Mapping[DataId, TextEvidence]) -> Match:
    """Call a match the same item if it is alike without text too, and its text proves it. ``before``: without text."""
    if match.verdict.is_copy or before.score < SAME_ITEM_ALIKE or (match.text is not None and match.text.contradicts):
        return match
    if not _proves_same_item(match, scored, evidence):
        return match
    return replace(match, score=max(match.score, SAME_ITEM_SCORE), verdict=Verdict.SAME_ITEM)


def _checked(query: ComparedText, match: Match, before: Match, stored: ComparedText) -> Match:
    """Return the match, no longer as the same item if the words show different ones. Points can't tell flavours."""
    # Few matches are called the same item, so the words of few pictures are compared with one another.
    if match.verdict is not Verdict.SAME_ITEM:
        return match
    # What only words show, a small word refutes.
    least = MIN_HEIGHT if before.verdict is Verdict.SAME_ITEM else 0.0
    if not are_of_different_items(query.text, stored.text, least):
        return match
    return replace(match, verdict=Verdict.SIMILAR)


def _proves_same_item(match: Match, scored: Sequence[Match], evidence: Mapping[DataId, TextEvidence]) -> bool:
    """Return whether a match is the best, and no other item's text is nearly as similar.

    Other pictures of its entity don't compete.
    """
    own = evidence[match.data_id]
    # First, because few texts get that far, and the rest looks at every other match.
    if not own.may_be_same_item:
        return False
    rivals = [one for one in scored if not one.verdict.is_copy and not one.entity.is_same(match.entity)]
    most = max((evidence[one.data_id].similarity for one in rivals if one.data_id in evidence), default=0.0)
    # A rival with as many words may have been misread.
    agreeing = match.text.agreeing if match.text else 0
    is_best = all(match.score >= one.score and (one.text is None or agreeing > one.text.agreeing) for one in rivals)
    return is_best and own.similarity >= SAME_ITEM_LEAD * most


def _bounded(score: float) -> float:
    """Return a score below MAX_SCORE that keeps the order of those above SAME_ITEM_SCORE."""
    room = MAX_SCORE - SAME_ITEM_SCORE
    above = max(score - SAME_ITEM_SCORE, 0.0)
    return min(score, SAME_ITEM_SCORE + room * (1 - math.exp(-above / room)))


def _trigrams(word: str) -> Iterable[str]:
    padded = f" {word} "
    return (padded[at : at + 3] for at in range(len(padded) - 2))
