"""Damaged or missing features never make a copy, and affect only their own image."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest

from bot.adapters.embedded.ports import Candidate, QueryFeatures
from bot.adapters.embedded.verification.verifier import GeometricVerifier
from bot.domain.matches import Verdict
from tests.fixtures.scenes import scene
from tests.unit.adapters.embedded.verification.verifier.harness import Harness, candidate


def test_damaged_local_features_affect_only_their_image(harness: Harness, caplog: pytest.LogCaptureFixture) -> None:
    query_features, [features] = harness.query_features_of(scene(1)), harness.features(scene(1))
    whole = candidate(7, query_features, features)
    damaged = [
        replace(whole, row_id=3, local_features=data)
        for data in (b"x", features.local_features[:-1], bytes(8), b"\xff" * 15000)
    ]
    with caplog.at_level(logging.WARNING):
        *broken, last = GeometricVerifier().verify(query_features, [*damaged, whole], None)
    assert all(one.verdict is Verdict.SIMILAR and one.score < 9 for one in broken)
    assert last.verdict is Verdict.SAME
    assert "row 3" in caplog.text
    assert len(caplog.records) == len(damaged)


def test_scrambled_points_give_no_copy(harness: Harness) -> None:
    query_features, [features] = harness.query_features_of(scene(1)), harness.features(scene(2))
    chance = np.random.default_rng(0)
    for _ in range(5):
        scrambled = features.local_features[:8] + chance.bytes(len(features.local_features) - 8)
        [scored] = GeometricVerifier().verify(query_features, [Candidate(0, 0.6, 40, 3, scrambled)], None)
        assert scored.score < 9


def test_query_without_local_features_is_scored_by_similarity(harness: Harness) -> None:
    query_features, [features] = harness.query_features_of(scene(1)), harness.features(scene(1))
    empty = QueryFeatures(query_features.embeddings, np.empty((0, 32), np.uint8), ())
    strange = QueryFeatures(query_features.embeddings, query_features.fingerprints, (b"not a look",))
    for one in (empty, strange):
        [scored] = GeometricVerifier().verify(one, [candidate(0, one, features)], None)
        assert scored.verdict is Verdict.SIMILAR
        assert scored.score < 9


def test_fingerprint_row_outside_every_region_is_ignored(harness: Harness) -> None:
    query_features, [features] = harness.query_features_of(scene(1)), harness.features(scene(2))
    [scored] = GeometricVerifier().verify(query_features, [Candidate(0, 0.2, 0, 99, features.local_features)], None)
    assert scored.verdict is Verdict.SIMILAR


def test_no_candidates_give_no_matches(harness: Harness) -> None:
    assert GeometricVerifier().verify(harness.query_features_of(scene(1)), [], None) == []


def test_calibration_of_the_database_is_used(harness: Harness) -> None:
    strict = ((0.9, 0.0), (0.95, 4.0), (0.97, 6.0), (0.99, 8.0), (1.0, 8.9))
    query_features = harness.query_features_of(scene(1))
    [usual], [own] = (
        GeometricVerifier().verify(query_features, [Candidate(0, 0.8)], curve) for curve in (None, strict)
    )
    assert own.score == 0
    assert usual.score > 6
