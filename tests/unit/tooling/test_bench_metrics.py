"""The metrics of the quality benchmark, against values worked out by hand."""

from __future__ import annotations

import pytest

from bench.recognition.metrics import micro_average_precision, recall_at_precision


def test_perfect_answers_have_uap_1() -> None:
    predictions = [(9.0, True), (8.0, True), (3.0, False)]
    assert micro_average_precision(predictions, 2) == 1
    assert recall_at_precision(predictions, 2) == 1


def test_wrong_answer_of_another_query_lowers_uap() -> None:
    # Each query has its right answer first, but the second query's are all stronger: one threshold can't serve both.
    predictions = [(9.0, True), (8.0, False), (5.0, True), (1.0, False)]
    assert micro_average_precision(predictions, 2) == pytest.approx((1 + 2 / 3) / 2)
    assert recall_at_precision(predictions, 2) == 0.5
    assert recall_at_precision(predictions, 2, 0.6) == 1


def test_pairs_that_were_never_returned_count_as_missed() -> None:
    assert micro_average_precision([(9.0, True)], 4) == 0.25
    assert recall_at_precision([(9.0, True)], 4) == 0.25


def test_ties_do_not_flatter() -> None:
    assert micro_average_precision([(9.0, True), (9.0, False)], 1) == 0.5
    assert recall_at_precision([(9.0, True), (9.0, False)], 1) == 0
