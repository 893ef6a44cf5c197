r"""Fit the logistic regressions of ``bot.adapters.embedded.verification.item_evidence``.

    VSEARCH_BENCH_CATALOGUE=FOLDER VSEARCH_BENCH_PHOTOS=FOLDER VSEARCH_BENCH_IMAGES=FOLDER \
        python -m bench.recognition.fit_items

The first two are as in ``catalogue``. The third holds pictures of other things, no two of one item. The script prints
what half of the products give when fitted on the other half, and then the constants fitted on all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.recognition import catalogue
from bench.samples import pictures
from bot.adapters.embedded.model.embedding import BuiltInModel
from bot.adapters.embedded.ports import Candidate
from bot.adapters.embedded.verification.item_evidence import (
    COMPARED,
    MIN_DEPARTURE,
    RANK_WEIGHTS,
    Evidence,
    collect_evidence,
    compare,
)
from bot.adapters.embedded.verification.point_proof import ComparedView
from bot.domain.identifiers import EntityId
from bot.images.decode.normaliser import normalise
from bot.images.decode.plan import PictureLimits
from bot.images.features import fingerprint
from bot.images.features.homography import measure_coverage
from bot.images.features.point_features import extract_point_features
from bot.images.features.query_views import QueryRegion
from bot.services.feedback.logistic import Floats, fit_logistic

SITUATIONS = ("studio pictures", "studio, product absent", "photos", "photos, product absent", "other things")
SHARES = (1.0, 0.6, 1.0, 0.6, 0.8)
"""Weight of each situation in the fit, shared by its pairs."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """A picture with its features; ``entity`` is the product, or unique for other things."""

    entity: EntityId
    region: QueryRegion
    packed: bytes
    embedding: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Pair:
    """A query and a candidate whose points agree."""

    situation: int
    query: int
    evidence: Evidence
    is_right: bool
    is_best: bool


def load(files: Sequence[tuple[str, Path]]) -> list[Known]:
    """Compute the features of pictures."""
    model = BuiltInModel()
    known = []
    for entity, path in files:
        pixels = normalise(path.read_bytes(), PictureLimits()).pixels
        gray = fingerprint.luminance(pixels)
        embedding = model.run([model.prepare(pixels)])[0]
        packed = extract_point_features(gray).pack()
        known.append(Known(EntityId(entity), QueryRegion(pixels, gray, range(0)), packed, embedding))
    return known


class Searches:
    """Compares pictures, each pair once."""

    def __init__(self, known: Sequence[Known]) -> None:
        self._known = known
        self._packed = {row: one.packed for row, one in enumerate(known)}
        self._views: dict[tuple[int, int], ComparedView | None] = {}

    def pairs(self, situation: int, query: int, rows: Sequence[int]) -> Iterator[Pair]:
        """Search ``rows`` with the picture ``query``."""
        cosines = np.stack([self._known[row].embedding for row in rows]) @ self._known[query].embedding
        order = np.argsort(-cosines)[:COMPARED]
        candidates = [Candidate(rows[index], float(cosines[index])) for index in order]
        entities = {candidate.row_id: self._known[candidate.row_id].entity for candidate in candidates}
        views = [view for index in range(len(candidates)) if (view := self._view(query, index, candidates))]
        for view, one in zip(views, collect_evidence(views, candidates, entities), strict=True):
            truth = entities[candidates[view.index].row_id] == self._known[query].entity
            coverage = measure_coverage(self._known[query].region.points, view.stored, view.agreement)
            covered = replace(one, cells=coverage.cells, codes=coverage.codes)
            is_best = one.margin > 0 and coverage.departure >= MIN_DEPARTURE
            yield Pair(situation, query, covered, truth, is_best)

    def _view(self, query: int, index: int, candidates: Sequence[Candidate]) -> ComparedView | None:
        row = candidates[index].row_id
        if (query, row) not in self._views:
            found = list(compare(self._known[query].region, [candidates[index]], self._packed))
            self._views[query, row] = found[0] if found else None
        view = self._views[query, row]
        return view and replace(view, index=index)


def collect(known: Sequence[Known], counts: tuple[int, int, int]) -> list[Pair]:
    """Return the pairs of all situations. ``counts``: how many are studio pictures, photos and other things."""
    studio, photos, _ = (list(range(sum(counts[:n]), sum(counts[: n + 1]))) for n in range(3))
    others = list(range(sum(counts[:2]), len(known)))
    searches = Searches(known)
    found: list[Pair] = []
    for query in photos:
        entity = known[query].entity
        rest = [row for row in (*studio, *photos) if row != query]
        for situation, rows in ((0, studio), (2, rest)):
            found += searches.pairs(situation, query, rows)
            absent = [row for row in rows if known[row].entity != entity]
            found += searches.pairs(situation + 1, query, absent)
    for query in others:
        found += searches.pairs(4, query, [row for row in (*studio, *others) if row != query])
    return found


def fit(pairs: Sequence[Pair], chosen: npt.NDArray[np.bool_], count: int) -> Floats:
    """Fit on the chosen pairs, with the first ``count`` fields of the evidence. Return bias and weights."""
    situation = np.array([pair.situation for pair in pairs])
    weight = np.zeros(len(pairs))
    for number, share in enumerate(SHARES):
        rows = chosen & (situation == number)
        weight[rows] = 3000 * share / max(int(rows.sum()), 1)
    features = np.array([astuple(pair.evidence)[:count] for pair in pairs])[chosen]
    truth = np.array([pair.is_right for pair in pairs])[chosen]
    bias, weights = fit_logistic(features, truth, ridge=1.0, weight=weight[chosen])
    return np.asarray(np.r_[bias, weights])


def predict(pairs: Sequence[Pair], weights: Floats) -> Floats:
    """Return the probabilities that fitted weights give."""
    features = np.array([astuple(pair.evidence)[: len(weights) - 1] for pair in pairs])
    return np.asarray(1 / (1 + np.exp(-(weights[0] + features @ weights[1:]))))


def report(pairs: Sequence[Pair], probability: Floats, due: Mapping[str, set[int]]) -> None:
    """Print precision and recall of the verdict at several thresholds."""
    for threshold in (0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8):
        said = [pair for pair, value in zip(pairs, probability, strict=True) if pair.is_best and value >= threshold]
        parts = []
        for number, name in enumerate(SITUATIONS):
            those = [pair for pair in said if pair.situation == number]
            right = {pair.query for pair in those if pair.is_right}
            wrong = len({pair.query for pair in those if not pair.is_right})
            shown = f"{sum(pair.is_right for pair in those)}/{len(those)}" if number in {0, 2} else f"{wrong} queries"
            recall = f" recall {len(right & due['packages']) / max(len(due['packages']), 1):.3f}" if number == 0 else ""
            parts.append(f"{name} {shown}{recall}")
        print(f"  {threshold:.2f}: " + "; ".join(parts))


def main() -> None:
    """Print held-out results and the constants to put into ``item_evidence``."""
    found, others = catalogue.folders(), pictures.folder()
    if found is None or others is None:
        print(f"fit_items: set {catalogue.STUDIO_VARIABLE}, {catalogue.PHOTOS_VARIABLE} and {pictures.VARIABLE}")
        return
    studio, photos = catalogue.studio_pictures(found[0]), catalogue.photos(found[1])
    other = [(f"other_{number}", path) for number, path in enumerate(pictures.paths(others))]
    known = load([*studio, *photos, *other])
    pairs = collect(known, (len(studio), len(photos), len(other)))
    half_of = {name: number % 2 for number, name in enumerate(sorted({name for name, _ in studio}))}
    half = np.array([half_of.get(known[pair.query].entity, pair.query % 2) for pair in pairs])
    best = np.array([pair.is_best for pair in pairs])
    first = len(studio)
    due = {
        "packages": {first + row for row, (name, _) in enumerate(photos) if catalogue.is_package(name)},
    }
    for name, count, chosen in (("RANK", len(RANK_WEIGHTS), np.ones(len(pairs), bool)), ("ITEM", 9, best)):
        probability = np.zeros(len(pairs))
        for side in (0, 1):
            weights = fit(pairs, chosen & (half != side), count)
            probability[half == side] = predict(pairs, weights)[half == side]
        print(f"{name}, each half of the products by the fit of the other:")
        report(pairs, probability, due)
        weights = fit(pairs, chosen, count)
        print(
            f"{name}_BIAS = {weights[0]:.2f}\n{name}_WEIGHTS = ({', '.join(f'{value:.2f}' for value in weights[1:])})"
        )


if __name__ == "__main__":
    main()
