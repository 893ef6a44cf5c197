"""Item evidence: recognise the item of a query in other photos of it, and rank candidates by it.

Likeness finds the right kind of thing, and one homography the right thing: the more points it explains, the more likely
both pictures show one item. ``bench/recognition/fit_items.py`` fitted the numbers in this module; docs/scores.md has
what they reach.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace

import numpy as np

from bot.adapters.embedded.ports import Candidate, QueryFeatures, ScoredMatch
from bot.adapters.embedded.verification.point_proof import ComparedView, find_proofs
from bot.adapters.embedded.verification.verifier import scored_match
from bot.domain.matches import Verdict
from bot.images.features import local_features, point_features
from bot.images.features.comparison import colours
from bot.images.features.homography import compare_views, in_long_sides, measure_coverage
from bot.images.features.local_features import LocalFeatures
from bot.images.features.point_features import PointFeatures
from bot.images.features.query_views import QueryRegion

log = logging.getLogger(__name__)

COMPARED = 20
"""Candidates, the most alike first, whose points are compared."""

MIN_SKETCH_INLIERS = 8
"""Least number of ORB points of pictures without point features. They agree by chance more often."""

COVERED = 3
"""Pictures of the best entity, those with most inliers first, whose coverage is measured."""

RANK_BIAS = -3.34
RANK_WEIGHTS = (2.18, -2.53, 0.52, 4.54, -6.38, 17.69, -3.23)
ITEM_BIAS = -4.04
ITEM_WEIGHTS = (1.06, -0.45, 0.19, 3.37, -6.25, 18.97, -3.08, 4.72, 3.62)
"""Coefficients of two logistic regressions, for the fields of ``Evidence`` in their order. The first predicts for every
candidate whether it shows the query's item, without coverage; the second for the pictures of the best entity."""

MAX_LEAD = 0.1
"""Greatest advance in likeness that counts. More proves nothing: the database may have nothing else of the kind."""

MIN_DEPARTURE = 0.75
"""Least departure from a similarity transform, in pixels, of two photos of an item: they differ in viewpoint and lens.
Screenshots and scans of one template depart by 0.4 at most, and the verifier found that they show different content."""

ITEM_PROOF = 0.62
"""Probability from which a picture is said to show the same item."""

ITEM_COLOURS = 0.25
"""Least correlation of the colours of two photos of an item. Flavours of one pack differ in colour where their print is
the same."""

MAX_RANKED_SCORE = 8.9
"""The score towards which evidence raises that of a similar picture."""
MIN_ITEM_SCORE, MAX_ITEM_SCORE = 8.5, 8.95
"""Scores of a picture at ITEM_PROOF and at certainty. A copy scores 9 at least."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a candidate.

    ``inliers``: natural logarithm. ``ratio``: inliers among the voted matches. ``margin``: logarithm of the quotient of
    its inliers and the most of any other entity. ``lead``: its cosine less the greatest of any other entity, at most
    MAX_LEAD. The others are fields of ``ViewAgreement`` and ``Coverage``; without coverage the last two are 0.
    """

    inliers: float
    ratio: float
    margin: float
    stored_share: float
    query_share: float
    lead: float
    foreshortening: float
    cells: float = 0.0
    codes: float = 0.0


def region_of_items(query_features: QueryFeatures) -> QueryRegion | None:
    """Return the query's region whose points are compared, the whole, or None if it has none to take them from."""
    return next((region for region in query_features.regions if isinstance(region, QueryRegion)), None)


def rank_by_items(
    query_features: QueryFeatures,
    candidates: Sequence[Candidate],
    scored: Sequence[ScoredMatch],
    packed: Mapping[int, bytes],
    entities: Mapping[int, str],
) -> list[ScoredMatch]:
    """Return the matches with the scores and verdicts that their points give them, in the same order.

    Pure CPU work: call it off the event loop, and only if no candidate is a copy. ``packed`` has point features and
    ``entities`` the entities' keys, both by row id. A candidate without point features is compared by its local
    features, which can raise its score but prove nothing.
    """
    found, region = list(scored), region_of_items(query_features)
    if region is None:
        return found
    views = list(compare(region, candidates[:COMPARED], packed))
    own = [view for view in views if not view.by_sketch]
    if proofs := find_proofs(region, candidates, own, packed):
        for index, proof in proofs:
            found[index] = scored_match(proof, region)
        return found
    evidence = collect_evidence(views, candidates, entities)
    for view, one in zip(views, evidence, strict=True):
        before = found[view.index]
        found[view.index] = replace(before, score=ranked_score(before.score, rank_probability(one)))
    for view, one in _pictures_of_best_entity(views, evidence):
        coverage = measure_coverage(region.points, view.stored, view.agreement)
        probability = item_probability(replace(one, cells=coverage.cells, codes=coverage.codes))
        is_said = probability >= ITEM_PROOF and coverage.departure >= MIN_DEPARTURE
        if is_said and _colours_agree(region, candidates[view.index], view):
            score = max(item_score(probability), found[view.index].score)
            found[view.index] = ScoredMatch(score, Verdict.SAME_ITEM)
    return found


def collect_evidence(
    views: Sequence[ComparedView], candidates: Sequence[Candidate], entities: Mapping[int, str]
) -> list[Evidence]:
    """Return the evidence for each view, without coverage."""
    return [
        Evidence(
            inliers=math.log(view.agreement.inliers),
            ratio=view.agreement.inliers / view.agreement.voted,
            margin=math.log(
                (view.agreement.inliers + 1) / (_most_inliers_of_others(view, views, candidates, entities) + 1)
            ),
            stored_share=min(view.agreement.stored_share, 1.0),
            query_share=min(view.agreement.query_share, 1.0),
            lead=_lead(view, candidates, entities),
            foreshortening=view.agreement.foreshortening,
        )
        for view in views
    ]


def rank_probability(evidence: Evidence) -> float:
    """Return the probability, from 0 to 1, that a candidate shows the query's item, without coverage."""
    return _logistic(RANK_BIAS, RANK_WEIGHTS, astuple(evidence)[: len(RANK_WEIGHTS)])


def item_probability(evidence: Evidence) -> float:
    """Return the probability, from 0 to 1, that a picture of the best entity shows the query's item."""
    return _logistic(ITEM_BIAS, ITEM_WEIGHTS, astuple(evidence))


def ranked_score(score: float, probability: float) -> float:
    """Return the score of a similar picture, raised towards MAX_RANKED_SCORE.

    The square root makes points count more than likeness, which can't tell two products of one brand apart.
    """
    return score + max(0.0, MAX_RANKED_SCORE - score) * math.sqrt(probability)


def item_score(probability: float) -> float:
    """Return MIN_ITEM_SCORE to MAX_ITEM_SCORE for a probability from ITEM_PROOF on."""
    return MIN_ITEM_SCORE + (MAX_ITEM_SCORE - MIN_ITEM_SCORE) * (probability - ITEM_PROOF) / (1 - ITEM_PROOF)


def compare(
    region: QueryRegion, candidates: Sequence[Candidate], packed: Mapping[int, bytes]
) -> Iterator[ComparedView]:
    """Yield a view for each candidate whose points one homography explains."""
    sketch: PointFeatures | None = None
    for index, candidate in enumerate(candidates):
        try:
            if data := packed.get(candidate.row_id):
                stored, by_sketch = point_features.unpack(data), False
            elif candidate.local_features:
                stored, by_sketch = _points_of(local_features.unpack(candidate.local_features)), True
                sketch = sketch or _points_of(region.view.features)
            else:
                continue
        except ValueError:
            log.warning("the points of row %d are damaged; leaving its score unchanged", candidate.row_id)
            continue
        agreement = compare_views(sketch if by_sketch and sketch else region.points, stored)
        if agreement is not None and (not by_sketch or agreement.inliers >= MIN_SKETCH_INLIERS):
            yield ComparedView(index, stored, agreement, by_sketch)


def _colours_agree(region: QueryRegion, candidate: Candidate, view: ComparedView) -> bool:
    """Return whether the colours under the homography may be those of one item; True if there are none to compare."""
    if not candidate.local_features:
        return True
    try:
        stored = local_features.unpack(candidate.local_features)
    except ValueError:
        log.warning("the local features of row %d are damaged", candidate.row_id)
        return True
    return colours.chroma_correlation(region.view, stored, in_long_sides(view.agreement.matrix)) >= ITEM_COLOURS


def _points_of(local: LocalFeatures) -> PointFeatures:
    """Return ORB points as point features. All have the same angle and scale, since sketches store neither."""
    none = np.zeros(len(local.points), np.float32)
    extent = (local.width / max(local.width, local.height), local.height / max(local.width, local.height))
    return PointFeatures(local.points, none, none, local.descriptors, extent)


def _most_inliers_of_others(
    view: ComparedView,
    views: Sequence[ComparedView],
    candidates: Sequence[Candidate],
    entities: Mapping[int, str],
) -> int:
    own = entities[candidates[view.index].row_id]
    others = (one for one in views if entities[candidates[one.index].row_id] != own)
    return max((one.agreement.inliers for one in others), default=0)


def _lead(view: ComparedView, candidates: Sequence[Candidate], entities: Mapping[int, str]) -> float:
    candidate = candidates[view.index]
    own = entities[candidate.row_id]
    others = (one.cosine for one in candidates[:COMPARED] if entities[one.row_id] != own)
    lead = candidate.cosine - max(others, default=candidate.cosine)
    return max(-MAX_LEAD, min(MAX_LEAD, lead))


def _pictures_of_best_entity(
    views: Sequence[ComparedView], evidence: Sequence[Evidence]
) -> list[tuple[ComparedView, Evidence]]:
    """Return the views with more inliers than any view of another entity, most inliers first, up to COVERED.

    Two entities can't both be the query's item, and flavours of one pack share most of their print.
    """
    best = [(view, one) for view, one in zip(views, evidence, strict=True) if one.margin > 0 and not view.by_sketch]
    return sorted(best, key=lambda pair: -pair[0].agreement.inliers)[:COVERED]


def _logistic(bias: float, weights: Sequence[float], values: Sequence[float]) -> float:
    logit = bias + sum(weight * value for weight, value in zip(weights, values, strict=True))
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))
