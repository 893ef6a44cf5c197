"""Scores fitted to labels: when a database learns, and what its scores mean then."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from bot.domain.channels.feedback import EACH_NEEDED, LABELS_NEEDED, ScoreModel, StoredLabel
from bot.domain.identifiers import DataId, EntityId, Note
from bot.domain.matches import Match, Verdict
from bot.services.feedback.learning import fit, wrong_at_recall
from bot.services.search.learned_scores import with_learned

SCORES = some.floats(0, 10, allow_nan=False)
MODELS = some.builds(ScoreModel, some.floats(-20, 20), some.floats(0, 5), some.floats(0, 5))


def labels(number: int, seed: int = 0, mistakes: float = 0.05) -> list[StoredLabel]:
    """Return labels of a database where right matches lead by more, and score hardly more."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(number):
        is_right = bool(rng.random() < 0.5)
        score, lead = rng.uniform(5, 7.5), rng.exponential(1.5 if is_right else 0.15)
        said = is_right != bool(rng.random() < mistakes)
        made.append(StoredLabel(float(score), float(lead), said, rng.bytes(32)))
    return made


def test_nothing_is_learned_from_few_labels() -> None:
    assert fit(labels(LABELS_NEEDED - 1)) is None
    many = labels(300)
    assert fit(many) is not None
    right = [label for label in many if label.is_same]
    wrong = [label for label in many if not label.is_same]
    assert fit([*right, *wrong[: EACH_NEEDED - 1]]) is None
    assert fit([*wrong, *right[: EACH_NEEDED - 1]]) is None


def test_nothing_is_learned_from_labels_without_a_rule() -> None:
    rng = np.random.default_rng(1)
    random = [StoredLabel(float(rng.uniform(5, 7.5)), 0.3, bool(rng.random() < 0.5), rng.bytes(32)) for _ in range(200)]
    assert fit(random) is None


@pytest.mark.parametrize("seed", range(3))
def test_learned_scores_show_fewer_wrong_matches_at_equal_recall(seed: int) -> None:
    model = fit(labels(150, seed))
    assert model is not None
    held = labels(2000, seed + 100, mistakes=0)
    right = np.array([label.is_same for label in held])
    fixed = np.array([label.score for label in held])
    learned = np.array([model.learned_score(label.score, label.lead) for label in held])
    for least, share in ((5.0, 1.0), (6.0, 0.7)):
        shown = int(np.sum(right & (learned >= least)))
        assert np.sum(~right & (learned >= least)) <= share * wrong_at_recall(fixed, right, shown)
    # A six is right about every second time or more often.
    assert np.mean(right[learned >= 6.0]) > 0.6


@given(MODELS, SCORES, SCORES, SCORES, SCORES)
def test_learned_scores_rise_with_score_and_lead(
    model: ScoreModel, score: float, more: float, lead: float, further: float
) -> None:
    low, high = sorted((score, more)), sorted((lead, further))
    first, second = model.learned_score(low[0], high[0]), model.learned_score(low[1], high[1])
    assert 0 <= first <= second <= 10
    if score >= 8:
        assert model.learned_score(score, lead) == score


def match(entity: str, score: float, verdict: Verdict = Verdict.SIMILAR) -> Match:
    return Match(DataId(f"{entity} {score}"), EntityId(entity), Note(), score, verdict)


def test_proved_matches_keep_their_scores_and_the_order_stays() -> None:
    found = [
        match("copy", 9.8, Verdict.SAME),
        match("item", 8.6, Verdict.SAME_ITEM),
        match("a", 7.0),
        match("a", 6.5),
        match("b", 6.0),
        match("c", 4.0),
    ]
    judged = with_learned(found, ScoreModel(-9.0, 1.0, 1.0))
    assert [one.data_id for one in judged] == [one.data_id for one in found]
    assert [one.score for one in judged[:2]] == [9.8, 8.6]
    assert judged[2].score < 6.5
    assert [one.verdict for one in judged[4:]] == [Verdict.UNLIKELY] * 2
    assert [one.likeness for one in judged] == [one.score for one in found]
    assert round(judged[0].lead, 3) == 1.2
    assert with_learned(found, None) == found
