"""Resampled intervals: the same every time, near the textbook's where that holds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.reach.intervals import Estimate, estimate, mean, median, ratio
from qa.evaluate import Rate


def test_the_interval_of_a_mean_is_near_the_normal_one():
    values = np.random.default_rng(1).random(2_000)
    found = estimate(mean, values)
    half = 1.96 * values.std() / math.sqrt(len(values))
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=half / 5)
    assert found.high == pytest.approx(values.mean() + half, abs=half / 5)
    assert found.n == 2_000


def test_it_is_the_same_every_time():
    values = np.arange(10.0)
    assert estimate(mean, values) == estimate(mean, values)


def test_pairs_stay_together():
    values = np.arange(1.0, 50.0)
    found = estimate(ratio, values, 2 * values)
    assert (found.low, found.value, found.high) == pytest.approx((0.5, 0.5, 0.5))


def test_no_rows_give_no_figure():
    assert estimate(mean, np.array([])) is None


def test_one_row_has_no_spread():
    assert estimate(median, np.array([3.0])) == Estimate(3.0, 3.0, 3.0, 1)


def test_a_share_of_nothing_is_0():
    assert ratio(np.array([1.0]), np.array([0.0])) == 0


def test_a_rate_keeps_its_own_interval():
    rate = Rate(15, 148)
    assert Estimate.of_rate(rate) == Estimate(rate.value, *rate.interval, 148)
