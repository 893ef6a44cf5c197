"""Hubs: pictures that are near everything are ranked lower, and no unrelated picture becomes similar by that."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from bot.adapters.embedded.ports import Candidate, ScoredMatch
from bot.adapters.embedded.verification import hubs
from bot.adapters.embedded.verification.hubs import lower_hubs
from bot.domain.matches import SIMILAR_SCORE, Verdict

COUNT = hubs.MIN_CANDIDATES


def embeddings_around_a_hub() -> dict[int, npt.NDArray[np.float32]]:
    """Return unit vectors by row id. The first is as near as possible to all others, which are at right angles."""
    others = np.eye(COUNT - 1, dtype=np.float32)
    hub = others.mean(axis=0) / np.linalg.norm(others.mean(axis=0))
    return dict(enumerate((hub.astype(np.float32), *others)))


def rescored(scores: Sequence[float], entities: Sequence[str]) -> list[float]:
    embeddings = embeddings_around_a_hub()
    candidates = [Candidate(row, 0.6) for row in range(len(scores))]
    scored = [ScoredMatch(score, Verdict.SIMILAR) for score in scores]
    return [match.score for match in lower_hubs(candidates, scored, dict(enumerate(entities)), embeddings)]


def test_hub_loses_and_the_others_gain() -> None:
    hub, *others = rescored([6.0] * COUNT, [f"part_{row}" for row in range(COUNT)])
    assert hub < 5.5
    assert all(6 < score < 6.5 for score in others)


@pytest.mark.parametrize("before", [4.5, 4.9, 4.99])
def test_no_score_below_similar_is_raised_to_it(before: float) -> None:
    after = rescored([before] * COUNT, [f"part_{row}" for row in range(COUNT)])
    assert all(round(score, 1) < SIMILAR_SCORE for score in after)


def test_pictures_of_one_entity_do_not_count_against_each_other() -> None:
    assert rescored([6.0] * COUNT, ["part"] * COUNT) == [6.0] * COUNT


def test_few_candidates_keep_their_scores() -> None:
    assert rescored([6.0] * (COUNT - 1), [f"part_{row}" for row in range(COUNT)]) == [6.0] * (COUNT - 1)
