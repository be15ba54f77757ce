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
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tests.faults.tally import PROPERTY
from tests.faults.tier import VARIABLE

HERE = Path(__file__).parent
# Run beside all the others, which take about as long.
BESIDE = ("test_corruption.py", "test_long_run.py", "test_machine.py")
# Run when nothing else does: their seconds are promises.
ALONE = ("test_hostile.py", "test_readers.py")


def main() -> int:
    """Run pytest in two lanes, one per core, then what must be alone; return 0 if all passed."""
    tier = sys.argv[1] if len(sys.argv) > 1 else "t1"
    names = sorted(path.name for path in HERE.glob("test_*.py"))
    others = [name for name in names if name not in {*BESIDE, *ALONE}]
    with tempfile.TemporaryDirectory() as folder:
        reports = [Path(folder) / f"{lane}.xml" for lane in range(3)]
        lanes = [
            started(files, report, tier)
            for files, report in zip((BESIDE, others), reports, strict=False)
        ]
        failed = any([lane.wait() for lane in lanes])
        failed |= bool(started(ALONE, reports[-1], tier).wait())
        lines = [line for report in reports if report.exists() for line in tallies(report)]
    print(f"\n{'id':6} {'what':62} {'runs':>7} {'failed':>7} {'worst s':>8}")
    for line in sorted(lines, key=lambda line: line["name"]):
        print(
            f"{line['name']:6} {line['what'][:62]:62} {line['runs']:>7,} "
            f"{line['failures']:>7,} {line['worst_s']:>8.2f}"
        )
    return int(failed)


def started(files: Sequence[str], report: Path, tier: str) -> subprocess.Popen[bytes]:
    """Start pytest on some of the files here."""
    paths = [str(HERE / name) for name in files]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths]
    command.append(f"--junit-xml={report}")
    return subprocess.Popen(command, env={**os.environ, VARIABLE: tier})


def tallies(report: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of the table that the tests have written into a JUnit report."""
    for case in ElementTree.parse(report).iter("property"):
        if case.get("name") == PROPERTY:
            line: dict[str, Any] = json.loads(case.get("value", "{}"))
            yield line


if __name__ == "__main__":
    sys.exit(main())
