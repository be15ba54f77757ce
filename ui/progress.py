"""A build on a terminal: bars with counts, rate and time left, then a summary with problems."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from index.report import BuildProgress, BuildReport, OnProgress, Phase
from ui.escape import count, visible

if TYPE_CHECKING:
    from rich.console import Console

MAX_PROBLEMS = 20  # printed; the rest is counted, and `--json` has all
LABELS: dict[Phase, str] = {
    "scan": "Looking for changes",
    "read": "Reading articles",
    "embed": "Embedding passages",
    "vectors": "Building the vector index",
    "verify": "Checking the new index",
}


@contextmanager
def progress_bars(console: Console) -> Iterator[OnProgress]:
    """Yield a callback that draws one bar per phase; nothing where the console is no terminal."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:26}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TextColumn("{task.fields[rate]}", style="dim"),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
    )
    tasks: dict[Phase, TaskID] = {}
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:

        def update(step: BuildProgress) -> None:
            if step.phase not in tasks:
                label = LABELS[step.phase]
                tasks[step.phase] = bars.add_task(label, total=step.total, unit=step.unit, rate="")
            task = bars.tasks[tasks[step.phase]]
            rate = f"{task.speed:,.0f}/s" if task.speed and step.unit != "checks" else ""
            bars.update(task.id, completed=step.done, total=step.total, rate=rate)

        yield update


def summary_lines(report: BuildReport, index_dir: Path) -> Iterator[str]:
    """Yield what a build did, for people; untrusted names are stripped of control characters."""
    changes = [
        f"{number:,} {word}"
        for number, word in (
            (report.added, "new"),
            (report.updated, "changed"),
            (report.removed, "removed"),
        )
        if number
    ]
    seconds = sum(report.timings_s.values())
    yield (
        f"{count(report.n_articles, 'article')}, {count(report.n_passages, 'passage')} in the index"
        f" at {index_dir} ({', '.join(changes) or 'nothing changed'}; {seconds:.1f} s"
        f"{', resumed' if report.resumed else ''})."
    )
    if report.problems:
        yield f"{count(len(report.problems), 'source')} could not be read, or not in full:"
    for problem in report.problems[:MAX_PROBLEMS]:
        yield f"  {visible(problem.source)}: {visible(problem.reason)}"
    if len(report.problems) > MAX_PROBLEMS:
        yield f"  … and {len(report.problems) - MAX_PROBLEMS:,} more; --json lists all."
