"""What a fault test counts: tries, failures and the longest wait; one line of the table each."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

PROPERTY = "faults"  # of a test in the JUnit report that `run.py` reads
SHOWN = 5  # failures spelled out


@dataclass(slots=True)
class Tally:
    """The tries of one test. A failed one does not end it: the table shows how many there are."""

    name: str  # e.g. "R1"
    what: str
    runs: int = 0
    failures: list[str] = field(default_factory=list)
    worst_s: float = 0.0  # of what the test times

    @contextmanager
    def run(self, label: object) -> Iterator[None]:
        """Count one try; `label` is what it takes to do it again."""
        self.runs += 1
        try:
            yield
        except AssertionError as error:
            self.failures.append(f"{label}: {error}")

    @contextmanager
    def counting_failure(self) -> Iterator[None]:
        """Count a failure of tries that are counted elsewhere, and let it through."""
        try:
            yield
        except Exception as error:
            self.failures.append(str(error))
            raise

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Measure what somebody would wait for."""
        began = time.monotonic()
        yield
        self.note(time.monotonic() - began)

    def note(self, spent_s: float) -> None:
        """Take a duration measured elsewhere."""
        self.worst_s = max(self.worst_s, spent_s)

    def line(self) -> str:
        """Return the line of the table, as JSON."""
        values = {
            "name": self.name,
            "what": self.what,
            "runs": self.runs,
            "failures": len(self.failures),
            "worst_s": round(self.worst_s, 2),
        }
        return json.dumps(values)

    def settle(self) -> None:
        """Fail if a try did."""
        shown = "\n".join(self.failures[:SHOWN])
        assert not self.failures, f"{len(self.failures)} of {self.runs} failed:\n{shown}"
        assert self.runs, "nothing was tried"
