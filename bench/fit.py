"""Fits the numbers of ``bot.adapters.embedded.scoring`` on a folder of pictures, a folder a class.

    VSEARCH_BENCH_IMAGES=FOLDER python -m bench.fit

Copies are edits of the pictures; look-alikes are pictures of the same class, which are the hardest to tell apart.
Prints the likeness curve and the logistic regression, with what they would do to the pictures they were fitted on.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from bench import pictures
from bench.edits import COMBINED, EDITS
from bot.adapters.embedded.model.embedding import BuiltInModel
from bot.adapters.embedded.scoring import fit_calibration
from bot.images.decode.normaliser import PictureLimits, normalise
from bot.images.features import fingerprint, geometry
from bot.images.features.local_features import LocalFeatures, QueryView, extract_local_features

Matrix = npt.NDArray[np.float64]

COPIES_AN_EDIT = 90
LOOK_ALIKES_A_CLASS = 100
MIN_INLIERS = 10
"""Weaker alignments are left out of the fit: there, chance decides."""

SHELVES = frozenset({"grocery"})
"""Sets whose classes were photographed side by side: their pairs are related, whatever they are called."""

NAMES = ("correlation", "ratio", "log inliers", "typical")


@dataclass(frozen=True, slots=True, eq=False)
class FitPicture:
    """A picture that the fit works with."""

    path: Path
    view: QueryView
    stored: LocalFeatures
    embedding: npt.NDArray[np.float32]


def load(files: Sequence[Path]) -> list[FitPicture]:
    """Views, sketches and embeddings of all pictures."""
    model = BuiltInModel()
    known = []
    for path in files:
        pixels = normalise(path.read_bytes(), PictureLimits()).pixels
        gray = fingerprint.luminance(pixels)
        embedding = model.run([model.prepare(pixels)])[0]
        known.append(FitPicture(path, QueryView(pixels, gray), extract_local_features(pixels, gray), embedding))
    return known


def unrelated_cosines(known: Sequence[FitPicture]) -> npt.NDArray[np.float32]:
    """Cosines of all pairs of different classes, but for classes that stand on one shelf."""
    vectors = np.stack([one.embedding for one in known])
    kinds = np.array([str(one.path.parent) for one in known])
    shelves = np.array([one.path.parent.parent.name if one.path.parent.parent.name in SHELVES else "" for one in known])
    together = (shelves[:, None] == shelves[None, :]) & (shelves != "")[:, None]
    cosines = vectors @ vectors.T
    return np.asarray(cosines[(kinds[:, None] != kinds[None, :]) & ~together], np.float32)


def same_class_pairs(known: Sequence[FitPicture], chance: np.random.Generator) -> Iterator[list[float]]:
    """What geometry sees of pairs of one class."""
    for _, group in itertools.groupby(known, key=lambda one: one.path.parent):
        pairs = list(itertools.permutations(group, 2))
        for index in chance.permutation(len(pairs))[:LOOK_ALIKES_A_CLASS]:
            query, stored = pairs[index]
            yield from _seen(query.view, stored.stored)


def copies(known: Sequence[FitPicture], chance: np.random.Generator) -> Iterator[list[float]]:
    """What geometry sees of edited copies."""
    for edit in (*EDITS.values(), *COMBINED.values()):
        for index in chance.choice(len(known), min(COPIES_AN_EDIT, len(known)), replace=False):
            one = known[index]
            with Image.open(one.path) as image:
                pixels = pictures.as_posted(edit(image.convert("RGB"), chance)).pixels
            view = QueryView(pixels, fingerprint.luminance(pixels))
            seen = list(_seen(view, one.stored)) or list(_seen(view.mirrored, one.stored))
            yield from seen


def _seen(query: QueryView, stored: LocalFeatures) -> Iterator[list[float]]:
    found = geometry.align(query, stored)
    if found is not None and found.inliers >= MIN_INLIERS and math.isfinite(found.typical):
        yield [found.correlation, found.inliers / found.matched, math.log(found.inliers), found.typical]


def logistic(positive: Matrix, negative: Matrix, ridge: float = 1e-2) -> tuple[float, Matrix]:
    """Bias and weights by Newton's method, both classes weighing the same."""
    features = np.vstack((positive, negative))
    truth = np.r_[np.ones(len(positive)), np.zeros(len(negative))]
    weight = np.where(truth == 1, 0.5 / len(positive), 0.5 / len(negative)) * len(truth)
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    x = np.column_stack((np.ones(len(features)), (features - mean) / deviation))
    found = np.zeros(x.shape[1])
    for _ in range(200):
        probability = 1 / (1 + np.exp(-x @ found))
        gradient = x.T @ (weight * (truth - probability)) - ridge * found
        curvature = (x * (weight * probability * (1 - probability))[:, None]).T @ x + ridge * np.eye(x.shape[1])
        found += np.clip(np.linalg.solve(curvature, gradient), -3, 3)
    weights = found[1:] / deviation
    return float(found[0] - (weights * mean).sum()), weights


def main() -> None:
    """Print what to put into ``scoring``."""
    root = pictures.folder()
    if root is None:
        print(f"fit: set {pictures.VARIABLE} to a folder of pictures, a folder a class")
        return
    known = load(pictures.paths(root))
    chance = np.random.default_rng(5)
    cosines = unrelated_cosines(known)
    print(f"{len(known)} pictures, {len(cosines):,} pairs of different classes")
    print("DEFAULT_KNOTS =", fit_calibration(cosines))
    positive, negative = np.array(list(copies(known, chance))), np.array(list(same_class_pairs(known, chance)))
    bias, weights = logistic(positive, negative)
    print(f"geometry, on {len(positive)} copies and {len(negative)} look-alikes: bias {bias:.2f}")
    for name, value in zip(NAMES, weights, strict=True):
        print(f"  {name}: {value:.2f}")
    for threshold in (0.0, 1.0, 2.0):
        right, wrong = ((bias + side @ weights >= threshold) for side in (positive, negative))
        print(f"  logit {threshold:+.0f}: {right.mean():.4f} of copies, {int(wrong.sum())} look-alikes")


if __name__ == "__main__":
    main()
