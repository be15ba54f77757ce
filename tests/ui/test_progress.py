"""A build on a terminal: bars where there is one, nothing elsewhere, and a plain summary."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from index.report import BuildProgress, BuildReport, Problem
from ui.progress import LABELS, MAX_PROBLEMS, progress_bars, summary_lines

INDEX = Path("var/index")


def summary(**values: object) -> list[str]:
    report = BuildReport(generation=1, n_articles=2, n_passages=5, **values)  # type: ignore[arg-type]
    return list(summary_lines(report, INDEX))


def drawn(terminal: bool, *steps: BuildProgress) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100, color_system=None)
    with progress_bars(console) as on_progress:
        for step in steps:
            on_progress(step)
    return out.getvalue()


STEPS = [
    BuildProgress(phase, done, 4, "checks" if phase == "verify" else "passages")
    for phase in LABELS
    for done in (0, 2, 4)
]


def test_every_phase_gets_its_bar_on_a_terminal():
    out = drawn(True, *STEPS)
    assert all(label in out for label in LABELS.values())
    assert "4/4" in out


def test_nothing_is_drawn_elsewhere():
    assert drawn(False, *STEPS).strip() == ""


def test_a_phase_of_nothing_can_be_drawn():
    assert LABELS["embed"] in drawn(True, BuildProgress("embed", 0, 0, "passages"))


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({}, "(nothing changed; 0.0 s)."),
        ({"added": 1_200}, "(1,200 new; 0.0 s)."),
        ({"added": 1, "updated": 2, "removed": 3}, "(1 new, 2 changed, 3 removed; 0.0 s)."),
        ({"timings_s": {"read": 1.0, "embed": 2.5}}, "(nothing changed; 3.5 s)."),
        ({"resumed": True}, "(nothing changed; 0.0 s, resumed)."),
        ({"changed": True}, "(no text changed; 0.0 s)."),  # but a date, a name, a problem
        (
            {"changed": True, "made_anew": True, "embedded": 5, "resumed": True},
            "(all made anew, no text changed; 0.0 s, resumed).",
        ),
        (
            {"changed": True, "made_anew": True, "added": 1},
            "(1 new, all made anew; 0.0 s).",
        ),
    ],
)
def test_summary(values, line):
    assert summary(**values) == [f"2 articles, 5 passages in the index at {INDEX} {line}"]


def test_problems_are_listed_up_to_a_limit_on_one_clean_line_each():
    problems = tuple(
        Problem(f"{number}\x1b[31m.txt", "odd\x07") for number in range(MAX_PROBLEMS + 3)
    )
    first, *listed, last = summary(problems=problems)[1:]
    assert first == "23 sources could not be read, or not in full:"
    assert listed == [f"  {number}[31m.txt: odd" for number in range(MAX_PROBLEMS)]
    assert last == "  … and 3 more; --json lists all."
    assert summary(problems=problems[:1])[1].startswith("1 source could not be read")
