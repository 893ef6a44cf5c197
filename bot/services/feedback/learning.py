"""Fit a database's scores to labels: logistic regression, with a holdout. Pure functions.

Learned scores have a meaning: of the matches at 5, one in five is right, at 6 one in two, and at 7 nine in ten. Copies
and same items are proved, and keep their scores, as do matches that are very alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bot.domain.channels.feedback import EACH_NEEDED, LABELS_NEEDED, MAX_LEAD, ScoreModel, StoredLabel
from bot.domain.matches import SAME_ITEM_SCORE, SIMILAR_SCORE
from bot.services.feedback.logistic import Floats, fit_logistic

WRONG_LABELS = 0.05
"""Share of labels that people give by mistake."""

USUAL = (1.0, 0.9)
"""Usual weights of score and lead, from photographed goods and clothing. Few labels move them little."""

TRUST = 20.0
"""How many labels, about, the usual weights count for."""

FOLDS = 5
"""Each fifth of the asked pictures is held out once."""

THRESHOLDS = (SIMILAR_SCORE, 5.5, 6.0)
"""Learned scores at which held-out labels are compared with a fixed threshold of the same recall."""


def fit(labels: Sequence[StoredLabel]) -> ScoreModel | None:
    """Return the model that the labels suggest; None if they are too few, or it doesn't help held-out ones."""
    usable = [label for label in labels if 0 < label.score < SAME_ITEM_SCORE]
    if not _are_enough(usable) or not _helps(usable):
        return None
    return _fit(usable)


def _are_enough(labels: Sequence[StoredLabel]) -> bool:
    right = sum(label.is_same for label in labels)
    return len(labels) >= LABELS_NEEDED and right >= EACH_NEEDED and len(labels) - right >= EACH_NEEDED


def _helps(labels: Sequence[StoredLabel]) -> bool:
    """Return whether models avoid wrong matches among labels that they were not fitted to."""
    folds = [sum(label.fingerprint) % FOLDS for label in labels]
    learned: list[float] = []
    for fold in range(FOLDS):
        # By the asked picture, so that no picture is on both sides.
        model = _fit([label for label, own in zip(labels, folds, strict=True) if own != fold])
        held = [label for label, own in zip(labels, folds, strict=True) if own == fold]
        learned += [model.learned_score(label.score, label.lead) for label in held]
    ordered = [label for fold in range(FOLDS) for label, own in zip(labels, folds, strict=True) if own == fold]
    right = np.array([label.is_same for label in ordered])
    fixed, scores = np.array([label.score for label in ordered]), np.array(learned)
    before = after = 0
    for threshold in THRESHOLDS:
        # At several recalls, because a few labels say little about one.
        shown = scores >= threshold
        before += wrong_at_recall(fixed, right, int(np.sum(right & shown)))
        after += int(np.sum(~right & shown))
    return after < before


def wrong_at_recall(scores: Floats, right: npt.NDArray[np.bool_], shown: int) -> int:
    """Return how many wrong matches the highest threshold lets through that shows so many right ones."""
    if not shown:
        return 0
    threshold = np.sort(scores[right])[::-1][shown - 1]
    return int(np.sum(~right & (scores >= threshold)))


def _fit(labels: Sequence[StoredLabel]) -> ScoreModel:
    """Fit weights near the usual ones. A greater lead or score never makes a match less probable."""
    truth = np.array([label.is_same for label in labels])
    features = np.array([(label.score, min(label.lead, MAX_LEAD)) for label in labels])
    bias, found = fit_logistic(features, truth, ridge=TRUST, prior=np.array(USUAL), mistakes=WRONG_LABELS)
    weights = np.maximum(found, 0.0).round(4)
    by_score, by_lead = weights.tolist()
    bias += float((found - weights) @ features.mean(axis=0))
    return ScoreModel(round(bias, 4), by_score, by_lead)
