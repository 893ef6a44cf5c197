"""Hubs: pictures that are near everything. Plain things on plain ground are near most queries, right or wrong.

A candidate that is near the other candidates too owes its likeness to what they share, so it is ranked a little lower
(local centring, Hara et al. 2015).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from bot.adapters.embedded.ports import MAX_SIMILARITY_SCORE, Candidate, ScoredMatch
from bot.adapters.embedded.retrieval.index import Floats
from bot.domain.matches import SIMILAR_SCORE

HUB_WEIGHT = 5.0
"""Points of the score for each unit by which a candidate's mean cosine with the others exceeds the candidates' mean."""

BELOW_BOUND = 0.06
"""Distance that a raised score keeps from SIMILAR_SCORE, so that it doesn't reach it when it is rounded."""

MIN_CANDIDATES = 8
"""With fewer candidates, their mean says nothing."""


def lower_hubs(
    candidates: Sequence[Candidate],
    scored: Sequence[ScoredMatch],
    entities: Mapping[int, str],
    embeddings: Mapping[int, Floats],
) -> list[ScoredMatch]:
    """Return the matches, with scores of similar pictures lowered for hubs and raised for others, in the same order.

    No score below SIMILAR_SCORE is raised to it. ``entities`` (their keys) and ``embeddings`` (of norm 1) are by row
    id. Candidates without an embedding keep their scores. Pictures of one entity don't count against each other: they
    are near because they show one thing.
    """
    found = list(scored)
    known = [index for index, candidate in enumerate(candidates) if candidate.row_id in embeddings]
    if len(known) < MIN_CANDIDATES:
        return found
    matrix = np.stack([embeddings[candidates[index].row_id] for index in known])
    named = np.array([entities[candidates[index].row_id] for index in known])
    others = named[:, None] != named[None, :]
    nearness = (matrix @ matrix.T * others).sum(axis=1) / np.maximum(others.sum(axis=1), 1)
    excess = np.where(others.any(axis=1), nearness - nearness.mean(), 0.0)
    for index, value in zip(known, excess.tolist(), strict=True):
        before = found[index]
        # What isn't similar by itself stays below that: an unrelated query finds nothing.
        most = MAX_SIMILARITY_SCORE if before.score >= SIMILAR_SCORE else SIMILAR_SCORE - BELOW_BOUND
        score = max(0.0, min(most, before.score - HUB_WEIGHT * value))
        found[index] = replace(before, score=score)
    return found
