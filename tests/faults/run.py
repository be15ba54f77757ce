"""Run every fault test in its large size and print one table.

python -m tests.faults.run          # about an hour on two cores
python -m tests.faults.run t0       # the small sizes, minutes
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tests.faults.tally import PROPERTY
from tests.faults.tier import VARIABLE

HERE = Path(__file__).parent


def main() -> int:
    """Run pytest; return its exit status."""
    tier = sys.argv[1] if len(sys.argv) > 1 else "t1"
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", str(HERE), f"--junit-xml={report}"]
        done = subprocess.run(command, env={**os.environ, VARIABLE: tier}, check=False)
        lines = list(tallies(report)) if report.exists() else []
    print(f"\n{'id':6} {'what':58} {'runs':>6} {'failed':>7} {'worst s':>8}")
    for line in lines:
        print(
            f"{line['name']:6} {line['what'][:58]:58} {line['runs']:>6,} "
            f"{line['failures']:>7,} {line['worst_s']:>8.2f}"
        )
    return done.returncode


def tallies(report: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of the table that the tests have written into a JUnit report."""
    for case in ElementTree.parse(report).iter("property"):
        if case.get("name") == PROPERTY:
            line: dict[str, Any] = json.loads(case.get("value", "{}"))
            yield line


if __name__ == "__main__":
    sys.exit(main())
