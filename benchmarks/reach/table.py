"""Measures with their intervals, bars and aims: as a Markdown table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks.reach.calibration import N_BINS, Bin, reliability
from benchmarks.reach.intervals import Estimate
from benchmarks.reach.trials import Readings, confidences, rights

Unit = Literal["%", "ms", "ratio"]
Cells = Mapping[str, Estimate | None]  # column → figure; None or missing: does not apply
NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Measure:
    """One row of the table."""

    name: str
    cells: Cells
    unit: Unit = "%"
    bar: str = NOTHING  # what must be reached…
    aim: str = NOTHING  # …and what should be


@dataclass(slots=True)
class Report:
    """All that one run has found out."""

    models: Mapping[str, str] = field(default_factory=dict)  # column → what answered
    measures: list[Measure] = field(default_factory=list)
    reliability: dict[str, dict[str, list[Bin]]] = field(default_factory=dict)  # set → column
    notes: list[str] = field(default_factory=list)

    def add_reliability(self, name: str, readings: Mapping[str, Readings]) -> None:
        """Add how often the first answers of a set are right, by tenths of confidence."""
        self.reliability[name] = {
            column: reliability(confidences(items), rights(items))
            for column, items in readings.items()
        }

    def markdown(self) -> str:
        """Return the table, the notes, and one table of reliability for each set."""
        columns = list(self.models)
        lines = [
            _line("measure", *columns, "first bar", "aim"),
            _line(*["---"] * (len(columns) + 3)),
        ]
        for item in self.measures:
            cells = [written(item.cells.get(column), item.unit) for column in columns]
            lines.append(_line(item.name, *cells, item.bar, item.aim))
        lines += ["", *(f"- {column}: {model}" for column, model in self.models.items())]
        lines += [f"- {note}" for note in self.notes]
        for name, tables in self.reliability.items():
            lines += ["", *_reliability(name, tables)]
        return "\n".join(lines)

    def write_json(self, path: Path) -> None:
        """Write everything; shares are in [0, 1]."""
        values: dict[str, Any] = asdict(self)
        path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def written(figure: Estimate | None, unit: Unit) -> str:
    """Return a figure as "61.5 [60.2, 62.8]", shares in per cent."""
    if figure is None:
        return NOTHING
    scale, digits = {"%": (100, 1), "ms": (1, 0), "ratio": (1, 2)}[unit]
    value, low, high = (
        f"{number * scale:.{digits}f}" for number in (figure.value, figure.low, figure.high)
    )
    return f"{value} [{low}, {high}]"


def _reliability(name: str, tables: Mapping[str, Sequence[Bin]]) -> list[str]:
    """Return lines: per tenth of confidence and column "mean confidence → share right (n)"."""
    lines = [_line(f"confidence, {name}", *tables), _line(*["---"] * (len(tables) + 1))]
    for place in range(N_BINS):
        low = place / N_BINS
        cells = []
        for bins in tables.values():
            found = [item for item in bins if item.low == low]
            cells += [f"{b.confidence:.2f} → {b.right:.2f} ({b.n})" for b in found] or [NOTHING]
        lines.append(_line(f"{low:.1f}–{low + 1 / N_BINS:.1f}", *cells))
    return lines


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
