"""Stage of a search in which no copy was proved: recognise the query's item in other photos of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bot.adapters.embedded.ports import Candidate, QueryFeatures, ScoredMatch
from bot.adapters.embedded.search.candidates import CANDIDATES
from bot.adapters.embedded.store import VectorRows
from bot.adapters.embedded.verification.hubs import lower_hubs
from bot.adapters.embedded.verification.item_evidence import COMPARED, rank_by_items, region_of_items
from bot.adapters.embedded.verification.point_completion import PointCompletion


def find_items(
    query_features: QueryFeatures,
    candidates: Sequence[Candidate],
    scored: Sequence[ScoredMatch],
    rows: VectorRows,
    points: PointCompletion,
    *,
    is_complete: bool,
) -> list[ScoredMatch]:
    """Return the matches, with the scores of those raised that show the query's item.

    Only here are point features read, since few queries need them.

    ``is_complete``: no image was excluded. Otherwise hubs stay: a search that goes on below hidden matches keeps the
    order of likeness, which does not depend on what was hidden.
    """
    ids = sorted(candidate.row_id for candidate in candidates[:CANDIDATES])
    stored = dict(zip(ids, rows.embeddings(ids), strict=True))
    entities = {row_id: key for row_id, (key, _) in stored.items()}
    embeddings = {row_id: np.frombuffer(packed, "<f2").astype(np.float32) for row_id, (_, packed) in stored.items()}
    centred = lower_hubs(candidates, scored, entities, embeddings) if is_complete else scored
    compared = [candidate.row_id for candidate in candidates[:COMPARED]]
    features = points.features_of(rows, compared, region_of_items(query_features))
    return rank_by_items(query_features, candidates, centred, features, entities)
