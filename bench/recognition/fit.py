"""Fit the constants of the embedded engine's ``scoring`` on a folder of pictures, with one subfolder per class.

    VSEARCH_BENCH_IMAGES=FOLDER python -m bench.recognition.fit

Positives are edited copies of the pictures. Negatives are pictures of the same class, which are the hardest to tell
apart. Prints the calibration curve, the logistic regression, and how they classify the pictures that they were fitted
on.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.samples import pictures
from bench.samples.edits import COMBINED, EDITS
from bench.samples.hard_edits import HARD_EDITS
from bot.adapters.embedded.model.embedding import BuiltInModel
from bot.adapters.embedded.verification.scoring import fit_calibration, lacking
from bot.images.decode.normaliser import PictureLimits, normalise
from bot.images.features import fingerprint, geometry
from bot.images.features.local_features import LocalFeatures, extract_local_features
from bot.images.features.query_views import QueryView
from bot.services.feedback.logistic import Floats, fit_logistic

COPIES_AN_EDIT = 90
LOOK_ALIKES_A_CLASS = 100
MIN_INLIERS = 10
"""Alignments with fewer inliers are random, so they are left out of the fit."""

HARD_ADDITIONS = ("text", "stickers", "big sticker", "feed screenshot", "strong filter")
"""Hard edits that a similarity transform aligns."""

RELATED_SETS = frozenset({"grocery"})
"""Sets whose classes were photographed side by side, so that pictures of different classes are related too."""

NAMES = ("correlation", "trimmed", "typical", "log outliers")


@dataclass(frozen=True, slots=True, eq=False)
class FitPicture:
    """A picture of the fit with its query view, stored local features and embedding."""

    path: Path
    view: QueryView
    stored: LocalFeatures
    embedding: npt.NDArray[np.float32]


def load(files: Sequence[Path]) -> list[FitPicture]:
    """Compute views, local features and embeddings of all pictures."""
    model = BuiltInModel()
    known = []
    for path in files:
        pixels = normalise(path.read_bytes(), PictureLimits()).pixels
        gray = fingerprint.luminance(pixels)
        embedding = model.run([model.prepare(pixels)])[0]
        known.append(FitPicture(path, QueryView(pixels, gray), extract_local_features(pixels, gray), embedding))
    return known


def unrelated_cosines(known: Sequence[FitPicture]) -> npt.NDArray[np.float32]:
    """Return the cosines of all pairs of different classes, except classes of one related set."""
    vectors = np.stack([one.embedding for one in known])
    kinds = np.array([str(one.path.parent) for one in known])
    related = np.array(
        [one.path.parent.parent.name if one.path.parent.parent.name in RELATED_SETS else "" for one in known]
    )
    together = (related[:, None] == related[None, :]) & (related != "")[:, None]
    cosines = vectors @ vectors.T
    return np.asarray(cosines[(kinds[:, None] != kinds[None, :]) & ~together], np.float32)


def same_class_pairs(known: Sequence[FitPicture], rng: np.random.Generator) -> Iterator[list[float]]:
    """Yield the alignment features of pairs of the same class."""
    for _, group in itertools.groupby(known, key=lambda one: one.path.parent):
        pairs = list(itertools.permutations(group, 2))
        for index in rng.permutation(len(pairs))[:LOOK_ALIKES_A_CLASS]:
            query, stored = pairs[index]
            yield from _alignment_features(query.view, stored.stored)


def copies(known: Sequence[FitPicture], rng: np.random.Generator) -> Iterator[list[float]]:
    """Yield the alignment features of edited copies."""
    hard = (HARD_EDITS[name][0] for name in HARD_ADDITIONS)
    for edit in (*EDITS.values(), *COMBINED.values(), *hard):
        for index in rng.choice(len(known), min(COPIES_AN_EDIT, len(known)), replace=False):
            one = known[index]
            pixels = pictures.edited(one.path, edit, rng).pixels
            view = QueryView(pixels, fingerprint.luminance(pixels))
            seen = list(_alignment_features(view, one.stored)) or list(_alignment_features(view.mirrored, one.stored))
            yield from seen


def _alignment_features(query: QueryView, stored: LocalFeatures) -> Iterator[list[float]]:
    found = geometry.align(query, stored)
    if found is not None and found.inliers >= MIN_INLIERS and math.isfinite(found.typical):
        outliers = math.log1p(found.matched - found.inliers)
        yield [lacking(found.correlation), lacking(found.trimmed), found.typical, outliers]


def fit_equally(positive: Floats, negative: Floats) -> tuple[float, Floats]:
    """Fit a logistic regression with both classes weighted equally. Return bias and weights."""
    truth = np.r_[np.ones(len(positive), bool), np.zeros(len(negative), bool)]
    weight = np.where(truth, 0.5 / len(positive), 0.5 / len(negative)) * len(truth)
    return fit_logistic(np.vstack((positive, negative)), truth, ridge=1e-2, weight=weight)


def main() -> None:
    """Print the constants to put into ``scoring``."""
    root = pictures.folder()
    if root is None:
        print(f"fit: set {pictures.VARIABLE} to a folder of pictures, a folder a class")
        return
    known = load(pictures.paths(root))
    rng = np.random.default_rng(5)
    cosines = unrelated_cosines(known)
    print(f"{len(known)} pictures, {len(cosines):,} pairs of different classes")
    print("DEFAULT_CALIBRATION =", fit_calibration(cosines))
    positive, negative = np.array(list(copies(known, rng))), np.array(list(same_class_pairs(known, rng)))
    bias, weights = fit_equally(positive, negative)
    print(f"geometry, on {len(positive)} copies and {len(negative)} look-alikes: bias {bias:.2f}")
    for name, value in zip(NAMES, weights, strict=True):
        print(f"  {name}: {value:.2f}")
    for threshold in (0.0, 1.0, 2.0):
        right, wrong = ((bias + side @ weights >= threshold) for side in (positive, negative))
        print(f"  logit {threshold:+.0f}: {right.mean():.4f} of copies, {int(wrong.sum())} look-alikes")


if __name__ == "__main__":
    main()
