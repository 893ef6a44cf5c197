"""What people said about matches, what a database learned from it, and counts of what was asked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from bot.domain.identifiers import DatabaseKey, DataId
from bot.domain.matches import SAME_ITEM_SCORE, SIMILAR_SCORE

LABELS_NEEDED = 40
"""Labels of likeness from which a database learns."""

EACH_NEEDED = 10
"""How many of them must say right, and how many wrong."""

LEARN_AFTER = 10
"""New labels after which a database learns again."""

LABELS_USED = 2000
"""The newest labels, from which a database learns."""

COUNTS_KEPT = timedelta(days=366)
"""How long counts of what was asked are kept."""


@dataclass(frozen=True, slots=True)
class StoredLabel:
    """A label as a database learns from it: the back end's score, its lead over the next id, and whether it was right.

    ``fingerprint`` is that of the asked picture.
    """

    score: float
    lead: float
    is_same: bool
    fingerprint: bytes


MAX_LEAD = 3.0
"""Leads above it say nothing more."""

LEARNED_SCORES = tuple(
    (math.log(share / (1 - share)), score)
    for share, score in ((0.002, 0.0), (0.2, SIMILAR_SCORE), (0.5, 6.0), (0.9, 7.0), (0.998, 7.9))
)
"""Log odds that a match is right, and the learned scores for them."""


@dataclass(frozen=True, slots=True)
class ScoreModel:
    """How probable it is that a match is right: the log odds are ``bias + by_score * score + by_lead * lead``."""

    bias: float
    by_score: float
    by_lead: float

    def learned_score(self, score: float, lead: float) -> float:
        """Return the learned score for the back end's score and its lead. Very alike matches keep theirs."""
        if score >= SAME_ITEM_SCORE:
            return score
        odds = self.bias + self.by_score * score + self.by_lead * min(lead, MAX_LEAD)
        before = LEARNED_SCORES[0]
        for after in LEARNED_SCORES:
            if odds <= after[0]:
                share = 1.0 if after == before else (odds - before[0]) / (after[0] - before[0])
                return before[1] + max(share, 0.0) * (after[1] - before[1])
            before = after
        return before[1]


@dataclass(frozen=True, slots=True)
class LearnedScores:
    """What a database learned from its labels. Without a ``model``, the back end's scores stay as they are.

    ``labels``: how many there were. ``undone_by`` is empty unless somebody undid it.
    """

    id: int
    model: ScoreModel | None
    labels: int
    created_at: datetime
    undone_by: str = ""


class UsageOutcome(StrEnum):
    """What came of a question, or of a shared image."""

    FOUND = "found"
    """Something was shown."""
    SURE = "sure"
    """What was shown is a copy or the same item."""
    NOTHING = "nothing"
    """Nothing was close enough."""
    RIGHT = "right"
    WRONG = "wrong"
    REPOST = "repost"


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """A question about a database, or a repost in it. ``image`` is the best match; the asked picture is not kept."""

    database: DatabaseKey
    outcome: UsageOutcome
    image: DataId | None = None


@dataclass(frozen=True, slots=True)
class WeekCounts:
    """How often each outcome came in the week that begins on ``monday``."""

    monday: date
    counts: Mapping[UsageOutcome, int]

    def of(self, outcome: UsageOutcome) -> int:
        """Return how often an outcome came."""
        return self.counts.get(outcome, 0)


def monday_of(moment: datetime) -> date:
    """Return the first day of a moment's week."""
    return moment.date() - timedelta(days=moment.weekday())
