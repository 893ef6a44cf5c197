"""Explains answers in the log: why each was what it was, without pictures, texts, ids or notes."""

from __future__ import annotations

import logging

from bot.domain.matches import CandidateEvidence, SearchEvidence
from bot.services.search.search_result import SearchResult

log = logging.getLogger(__name__)


def log_answer(result: SearchResult) -> None:
    """Log an answer at debug level: its stages with times, its matches, and the candidates behind them."""
    if not log.isEnabledFor(logging.DEBUG):
        return
    log.debug(
        "answer from %s in %.1f ms: %d matches, %d weaker, %d hidden, of %d images; %s",
        "the cache" if result.cached_at else "a search",
        result.seconds * 1000,
        len(result.matches),
        result.weaker,
        result.hidden,
        result.database.images,
        stages_line(result.evidence),
    )
    for ranked in result.matches:
        match = ranked.match
        log.debug("match %d: data id %s, score %.2f, %s", ranked.rank, match.data_id, match.score, match.verdict)
    for place, candidate in enumerate(result.evidence.candidates, 1):
        log.debug("candidate %d: data id %s, %s", place, candidate.data_id, candidate_line(candidate))


def stages_line(evidence: SearchEvidence) -> str:
    """Return the stages with their times: ``features 31.0 ms, candidates 0.4 ms``."""
    return ", ".join(f"{stage.name} {stage.seconds * 1000:.1f} ms" for stage in evidence.stages)


def candidate_line(candidate: CandidateEvidence) -> str:
    """Return the numbers of a candidate and what follows from them."""
    distance = "too far" if candidate.fingerprint is None else f"{candidate.fingerprint} of 256 bits"
    compared = "compared" if candidate.verified else "too far to compare"
    return (
        f"cosine {candidate.cosine:.3f}, fingerprint {distance}, {compared}, "
        f"score {candidate.score:.2f}, {candidate.verdict}"
    )
