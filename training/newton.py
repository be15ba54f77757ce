"""Newton's method, and the logistic regression that two fits need."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Derivatives = Callable[[Floats], tuple[float, Floats, Floats]]  # loss, gradient, curvature


def newton(derivatives: Derivatives, start: Floats) -> Floats:
    """Return the minimum of a convex function by Newton's method with step halving."""
    at = start
    for _ in range(100):
        loss, gradient, curvature = derivatives(at)
        step = np.linalg.solve(curvature, gradient)
        while derivatives(at - step)[0] > loss and np.abs(step).max() > 1e-9:
            step = step / 2
        at = at - step
        if np.abs(step).max() < 1e-7:
            break
    return at


def logistic(rows: Floats, labels: Floats, counts: Floats, ridge: float) -> Floats:
    """Return the weights of a logistic regression.

    Args:
        rows: Shape (n, k); the first column is 1, for the bias.
        labels: Shape (n,), 0 or 1.
        counts: Shape (n,), how often each row counts.
        ridge: L2 penalty on every weight but the bias.
    """
    penalty = ridge * np.diag([0.0, *[1.0] * (rows.shape[1] - 1)])

    def derivatives(weights: Floats) -> tuple[float, Floats, Floats]:
        scores = rows @ weights
        chances = 0.5 * (1.0 + np.tanh(scores / 2))
        loss = float((counts * (np.logaddexp(0.0, scores) - labels * scores)).sum())
        loss += 0.5 * float(weights @ penalty @ weights)
        curvature = (rows.T * (counts * chances * (1.0 - chances))) @ rows + penalty
        return loss, rows.T @ (counts * (chances - labels)) + penalty @ weights, curvature

    return newton(derivatives, np.zeros(rows.shape[1]))
