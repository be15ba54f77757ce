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

MAX_KINDS = 8  # of files passed over
MIN_SHOWN_S = 1.0  # of a build: where the time of a shorter one went is of no interest
MAX_PROBLEMS = 20  # printed; the rest is counted, and `--json` has all
LABELS: dict[Phase, str] = {
    "scan": "Looking for changes",
    "read": "Reading articles",
    "embed": "Embedding passages",
    "group": "Finding copies",
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
            # What is read and embedded at once grows: what was complete may have more to do.
            bars.update(task.id, completed=step.done, total=step.total, rate=rate)

        yield update


def summary_lines(report: BuildReport, index_dir: Path) -> Iterator[str]:
    """Yield what a build did, for people; untrusted names are stripped of control characters."""
    seconds = sum(report.timings_s.values())
    yield (
        f"{count(report.n_articles, 'article')}, {count(report.n_passages, 'passage')} in the index"
        f" at {index_dir} ({_changes(report)}; {seconds:.1f} s"
        f"{', resumed' if report.resumed else ''})."
    )
    if report.embedded and seconds >= MIN_SHOWN_S:
        yield "Time: " + " · ".join(f"{name} {spent:.1f} s" for name, spent in phases(report))
    if report.n_stories and (copies := report.n_articles - report.n_stories):
        yield f"Copies of others among them: {copies:,}. All copies of a story are one voice."
    if report.renamed:
        yield f"{count(report.renamed, 'file')} had another name before."
    if report.passed_over:
        kinds = [
            f"{n:,} {visible(kind)}" for kind, n in list(report.passed_over.items())[:MAX_KINDS]
        ]
        more = "…" if len(report.passed_over) > MAX_KINDS else ""
        yield f"Passed over, as no kind of article that can be read: {', '.join(kinds)}{more}"
    if report.notice:
        yield f"Note: {visible(report.notice)}"
    if report.problems:
        yield f"{count(len(report.problems), 'source')} could not be read, or not in full:"
    for problem in report.problems[:MAX_PROBLEMS]:
        yield f"  {visible(problem.source)}: {visible(problem.reason)}"
    if len(report.problems) > MAX_PROBLEMS:
        yield f"  … and {len(report.problems) - MAX_PROBLEMS:,} more; --json lists all."


def _changes(report: BuildReport) -> str:
    """Return what is other than before; a new generation may hold the very same texts."""
    counts = ((report.added, "new"), (report.updated, "changed"), (report.removed, "removed"))
    changes = [f"{number:,} {word}" for number, word in counts if number]
    if report.made_anew:
        changes.append("all made anew" if changes else "all made anew, no text changed")
    return ", ".join(changes) or ("no text changed" if report.changed else "nothing changed")


def phases(report: BuildReport) -> list[tuple[str, float]]:
    """Return the phases that took time worth telling, in their order."""
    return [(name, spent) for name, spent in report.timings_s.items() if spent >= 0.05]
