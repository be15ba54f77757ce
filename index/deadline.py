"""Does something unless a block ends, or shows a sign of life, in time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Self

STEPS = 10  # in which the time is counted


class Deadline:
    """Calls `too_late`, from another thread, once that long has passed without a sign of life.

    Time is counted in steps, so that what passes while this process itself is stopped (Ctrl-Z, a
    laptop asleep) is one step at most. It is up to a tenth more generous than it says.
    """

    def __init__(self, seconds: float, too_late: Callable[[], None]) -> None:
        self.is_overdue = False
        self._step_s, self._too_late = seconds / STEPS, too_late
        self._lock = threading.Lock()  # too late or over, never both

    def __enter__(self) -> Self:
        self._is_over = False
        self.extend()
        self._arm()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._is_over = True
        self._timer.cancel()

    def extend(self) -> None:
        """Count from now on."""
        self._left = STEPS + 1  # the present step has begun

    def _arm(self) -> None:
        self._timer = threading.Timer(self._step_s, self._check)
        self._timer.daemon = True
        self._timer.start()

    def _check(self) -> None:
        with self._lock:
            if self._is_over:
                return
            self._left -= 1
            if self._left:
                self._arm()
                return
            self.is_overdue = True
            self._too_late()
