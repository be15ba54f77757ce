"""Is a confidence of 0.8 right 8 times in 10, and which threshold would have been best?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.reach.intervals import Floats

N_BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """The questions answered with a confidence in `[low, low + 1 / N_BINS)`."""

    low: float
    n: int
    confidence: float  # mean
    right: float  # share


def reliability(confidences: Floats, right: Floats) -> list[Bin]:
    """Return the bins that are not empty, lowest first; a confidence of 1 is in the last.

    Args:
        confidences: Shape (n,), in [0, 1].
        right: Shape (n,), 1 where the answer was right, else 0.
    """
    places = _places(confidences)
    return [
        Bin(
            low=place / N_BINS,
            n=int((places == place).sum()),
            confidence=float(confidences[places == place].mean()),
            right=float(right[places == place].mean()),
        )
        for place in np.unique(places)
    ]


def calibration_error(confidences: Floats, right: Floats) -> float:
    """Return the mean gap of confidence and share right over the bins (ECE, Naeini et al. 2015)."""
    # The sum of a bin's gaps is its size times the gap of its means.
    gaps = np.bincount(_places(confidences), confidences - right, minlength=N_BINS)
    return float(np.abs(gaps).sum() / len(confidences))


def best_threshold(confidences: Floats, answered: Floats, refused: Floats) -> tuple[float, float]:
    """Return the threshold that would have been best on these questions, and the mean score then.

    Args:
        confidences: Shape (n,). A question is answered if its own is at or above the threshold.
        answered: Shape (n,): the score of each question if it is answered.
        refused: Shape (n,): its score if not.

    Returns:
        The least confidence answered (infinity: refuse all), and the mean score, 0 if n is 0.
    """
    order = np.argsort(-confidences, kind="stable")
    ranked = confidences[order]
    gains = np.cumsum((answered - refused)[order])
    # Equal confidences are answered together or not at all.
    ends = np.flatnonzero(np.diff(ranked, append=-np.inf) < 0)
    best = max(ends, key=lambda end: gains[end], default=-1)
    base, n = float(refused.sum()), max(1, len(refused))
    if best < 0 or gains[best] <= 0:
        return float("inf"), base / n
    return float(ranked[best]), (base + float(gains[best])) / n


def _places(confidences: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.minimum((confidences * N_BINS).astype(np.int64), N_BINS - 1)
