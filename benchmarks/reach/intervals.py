"""Figures with 95 % intervals: by resampling questions, or Wilson's for rates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from qa.evaluate import Rate

Floats = npt.NDArray[np.float64]

N_RESAMPLES = 2_000
SEED = 20_230_522


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval, over `n` questions or rounds."""

    value: float
    low: float
    high: float
    n: int

    @classmethod
    def of_rate(cls, rate: Rate) -> Self:
        """Return a rate with its Wilson interval."""
        return cls(rate.value, *rate.interval, rate.total)


def estimate(statistic: Callable[..., float], *columns: Floats) -> Estimate | None:
    """Return a statistic of the columns with its percentile interval (Efron 1979).

    Args:
        statistic: Takes the columns, returns one figure.
        columns: Each of shape (n,). Rows are drawn, so that paired columns stay paired.

    Returns:
        The figure; None if there are no rows. The same every time: the draws are seeded.
    """
    n = len(columns[0])
    if not n:
        return None
    random = np.random.default_rng(SEED)
    drawn = []
    for _ in range(N_RESAMPLES):
        rows = random.integers(0, n, n)
        drawn.append(statistic(*(column[rows] for column in columns)))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(float(statistic(*columns)), float(low), float(high), n)


def mean(values: Floats) -> float:
    """Return the mean."""
    return float(values.mean())


def median(values: Floats) -> float:
    """Return the median."""
    return float(np.median(values))


def ratio(ours: Floats, theirs: Floats) -> float:
    """Return the sum of one column over that of the other; 0 if that is 0."""
    return float(ours.sum() / (theirs.sum() or np.inf))
