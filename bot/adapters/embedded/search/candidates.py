"""Candidates of a search: the images whose embeddings or fingerprints are nearest to the query's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.adapters.embedded.ports import Candidate
from bot.adapters.embedded.retrieval.neighbours import Neighbours
from bot.adapters.embedded.store import VectorRows
from bot.domain.matches import CandidateEvidence, Match

CANDIDATES = 32
"""Minimum number of candidates of a search. Verification may rank a candidate above one with a greater cosine."""

VERIFIED_CANDIDATES = 20
"""Candidates with the greatest cosines that are verified against their local features."""

MAX_VERIFIED_CANDIDATES = 32
"""The same, with the nearest fingerprint hits."""


def choose_candidates(found: Neighbours, rows: VectorRows, verified: int) -> list[Candidate]:
    """Return the union of both searches, with local features for the candidates that will be verified."""
    best_hits = list(found.fingerprint_hits)[: MAX_VERIFIED_CANDIDATES - VERIFIED_CANDIDATES]
    best_cosines = list(found.cosines)[:verified]
    features = rows.local_features(list(dict.fromkeys([*best_cosines, *best_hits])))
    row_ids = dict.fromkeys([*found.cosines, *found.fingerprint_hits])
    return [_candidate(row_id, found, features) for row_id in row_ids]


def _candidate(row_id: int, found: Neighbours, features: Mapping[int, bytes]) -> Candidate:
    hit = found.fingerprint_hits.get(row_id)
    local_features = features.get(row_id, b"")
    if hit is None:
        return Candidate(row_id, found.cosines[row_id], local_features=local_features)
    cosine = found.cosines.get(row_id, hit.cosine)
    return Candidate(row_id, cosine, hit.distance, hit.query_row, local_features)


def evidence_of(candidates: Sequence[Candidate], matches: Sequence[Match]) -> tuple[CandidateEvidence, ...]:
    """Return the numbers behind the first matches, which are those of the candidates in this order."""
    return tuple(
        CandidateEvidence(
            match.data_id,
            candidate.cosine,
            candidate.fingerprint_distance,
            bool(candidate.local_features),
            match.score,
            match.verdict,
        )
        for candidate, match in zip(candidates[:CANDIDATES], matches[:CANDIDATES], strict=True)
    )
