"""ScoreAdjustment that a database learned from what people said about its matches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from cachetools import LRUCache

from bot.domain.catalogue import DatabaseInfo
from bot.domain.channels.feedback import LearnedScores, ScoreModel
from bot.domain.matches import Match, Verdict
from bot.storage.ports.feedback import Learning

DATABASES_CACHED = 1000


class ScoreAdjustment(Protocol):
    """Turns the scores of a back end into those that a database learned."""

    async def adjusted(self, info: DatabaseInfo, matches: Sequence[Match]) -> Sequence[Match]:
        """Return the matches with learned scores, and the back end's own beside them. Raises UnknownDatabase."""
        ...


class NullScoreAdjustment:
    """For back ends without labels, such as those of tests."""

    async def adjusted(self, info: DatabaseInfo, matches: Sequence[Match]) -> Sequence[Match]:  # noqa: ARG002
        """Return the matches as they are."""
        return matches


class LearnedScoreAdjustment:
    """Looks up what a database learned, and keeps it until somebody writes to the database."""

    def __init__(self, learning: Learning) -> None:
        self._learning = learning
        self._known: LRUCache[object, LearnedScores | None] = LRUCache(DATABASES_CACHED)

    async def adjusted(self, info: DatabaseInfo, matches: Sequence[Match]) -> Sequence[Match]:
        """Return the matches with learned scores, and the back end's own beside them. Raises UnknownDatabase."""
        # What is learned or undone changes the revision.
        place = info.key, info.created_at, info.revision
        if place not in self._known:
            self._known[place] = await self._learning.current(info.key)
        learned = self._known[place]
        return with_learned(matches, learned.model if learned else None)


def with_learned(matches: Sequence[Match], model: ScoreModel | None) -> Sequence[Match]:
    """Return the matches, best first, with the back end's own scores and leads, and with learned scores if there are.

    What is proved keeps its score. The order stays: only the best id has a lead, and learned scores rise with it.
    """
    if not matches:
        return matches
    first = matches[0].entity
    second = next((match.score for match in matches if not match.entity.is_same(first)), 0.0)
    judged = []
    for match in matches:
        lead = max(0.0, match.score - second) if match.entity.is_same(first) else 0.0
        is_learned = model is not None and not match.verdict.is_same_thing
        score = model.learned_score(match.score, lead) if model is not None and is_learned else match.score
        # The verdict of likeness follows from the score.
        verdict = Verdict.SIMILAR if is_learned else match.verdict
        judged.append(replace(match, score=score, verdict=verdict, likeness=match.score, lead=lead))
    return sorted(judged, key=lambda match: -match.score)
