"""Calibration error and best threshold, against slow definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.reach.calibration import Bin, best_threshold, calibration_error, reliability

ROWS = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from([0.0, 1.0]), st.booleans()), min_size=1, max_size=30
)


def test_reliability_by_hand():
    confidences, right = np.array([0.0, 0.05, 0.85, 0.8, 1.0]), np.array([0.0, 1, 1, 0, 1])
    assert reliability(confidences, right) == [
        Bin(low=0.0, n=2, confidence=pytest.approx(0.025), right=0.5),
        Bin(low=0.8, n=2, confidence=pytest.approx(0.825), right=0.5),
        Bin(low=0.9, n=1, confidence=1.0, right=1.0),
    ]
    assert calibration_error(confidences, right) == pytest.approx((2 * 0.475 + 2 * 0.325) / 5)


@given(ROWS)
def test_the_error_is_the_gap_of_the_bins(rows):
    confidences = np.array([row[0] for row in rows])
    right = np.array([row[1] for row in rows])
    bins = reliability(confidences, right)
    gap = sum(item.n * abs(item.confidence - item.right) for item in bins) / len(rows)
    assert sum(item.n for item in bins) == len(rows)
    assert calibration_error(confidences, right) == pytest.approx(gap)


@given(ROWS)
def test_no_threshold_is_better_than_the_best(rows):
    confidences = np.array([row[0] for row in rows])
    refused = np.array([float(row[2]) for row in rows])
    answered = np.array([0.0 if row[2] else row[1] for row in rows])

    def score(threshold):
        return np.where(confidences >= threshold, answered, refused).mean()

    threshold, best = best_threshold(confidences, answered, refused)
    assert score(threshold) == pytest.approx(best)
    assert best == pytest.approx(max(map(score, [*confidences, np.inf])))


def test_where_no_answer_is_right_all_is_refused():
    found = best_threshold(np.array([0.9, 0.1]), np.zeros(2), np.ones(2))
    assert found == (np.inf, 1.0)
