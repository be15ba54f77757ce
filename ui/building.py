"""A build started from the command line: progress, summary, report, Ctrl-C, watching."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from index.config import Config
from index.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from index.report import BuildReport, Problem
    from index.types import Article

STOPPED, TERMINATED = 130, 143  # as shells say it: 128 and the number of the signal
KEPT = "Stopped. The index in service is unchanged; run the same command again to go on."


def build(
    sources: Sequence[str | Path],
    config: Config,
    *,
    quiet: bool = False,
    report_file: Path | None = None,
    **options: Any,  # noqa: ANN401 - of build_index
) -> BuildReport:
    """Build with progress bars and a summary on stderr; `quiet` leaves both out."""
    from index.build import build_index
    from index.embedders import embedder_named

    def start(on_progress: Any) -> BuildReport:  # noqa: ANN401 - OnProgress
        return build_index(
            sources,
            config.index_dir,
            embedder=embedder_named(config.embedder),
            allow_loopback=config.allow_loopback,
            on_progress=on_progress,
            stall_timeout_s=config.stall_timeout_s,
            **options,
        )

    return _followed(start, config, quiet=quiet, report_file=report_file)


def add_lines(
    config: Config,
    fields: Mapping[str, str] | None,
    *,
    quiet: bool = False,
    report_file: Path | None = None,
) -> BuildReport:
    """Add the articles that stand on stdin, one JSON object a line."""
    import sys

    from index.build import build_index
    from index.embedders import embedder_named
    from index.sources.stream import read_articles

    problems: list[Problem] = []

    def start(on_progress: Any) -> BuildReport:  # noqa: ANN401 - OnProgress
        articles: Iterator[Article] = read_articles(sys.stdin.buffer, problems, fields)
        report = build_index(
            articles,
            config.index_dir,
            embedder=embedder_named(config.embedder),
            additive=True,
            on_progress=on_progress,
            stall_timeout_s=config.stall_timeout_s,
        )
        return replace(report, problems=(*problems, *report.problems))

    return _followed(start, config, quiet=quiet, report_file=report_file)


def run(config: Config, **job: Any) -> BuildReport:  # noqa: ANN401 - fields of Job
    """Do a job that looks at no sources, such as removing articles."""
    from index.build import run_job
    from index.embedders import embedder_named
    from index.job import Job

    whole = Job(index_dir=config.index_dir.absolute(), **job)

    def start(on_progress: Any) -> BuildReport:  # noqa: ANN401 - OnProgress
        embedder = embedder_named(config.embedder)
        return run_job(
            whole,
            embedder=embedder,
            on_progress=on_progress,
            stall_timeout_s=config.stall_timeout_s,
        )

    return _followed(start, config, quiet=False, report_file=None)


def watch(sources: Sequence[str | Path], config: Config) -> None:
    """Bring the index up to date whenever an article file changes, until Ctrl-C."""
    from index.record import Record
    from index.roots import is_remote
    from index.service import open_sound
    from index.watch import changes

    with closing(Record.open(open_sound(config.index_dir).record_path)) as record:
        roots = [Path(root) for root in record.roots() if not is_remote(root)]
    there = [root for root in roots if root.exists() and (root.is_dir() or root.is_file())]
    if not there:
        raise SourceError("The index has no folder or file to watch.")
    typer.echo(f"Watching {', '.join(map(str, there))} (Ctrl-C stops).", err=True)
    try:
        for _ in changes(there, config.index_dir):
            try:
                build(there, config)
            except SourceError as error:
                typer.echo(f"error: {error}", err=True)
    except KeyboardInterrupt:
        pass
    raise typer.Exit(0)


def _followed(
    start: Any,  # noqa: ANN401 - Callable[[OnProgress], BuildReport]
    config: Config,
    *,
    quiet: bool,
    report_file: Path | None,
) -> BuildReport:
    from rich.console import Console

    from ui.progress import progress_bars, summary_lines

    console = Console(stderr=True, quiet=quiet)
    try:
        with _sigterm_heard(), progress_bars(console) as on_progress:
            report: BuildReport = start(on_progress)
    except KeyboardInterrupt as stop:
        typer.echo(KEPT, err=True)
        raise typer.Exit(TERMINATED if stop.args == (signal.SIGTERM,) else STOPPED) from None
    if not quiet:
        for line in summary_lines(report, config.index_dir):
            typer.echo(line, err=True)
    if report_file is not None:
        write_report(report, report_file)
    return report


def write_report(report: BuildReport, file: Path) -> None:
    """Write a build's report as JSON, all of it or nothing.

    Raises:
        SourceError: If that is not possible.
    """
    partial = file.with_name(f"{file.name}.partial")
    try:
        text = json.dumps(report.to_dict(), ensure_ascii=False, indent=1)
        partial.write_text(text + "\n", encoding="utf-8")
        os.replace(partial, file)
    except OSError as error:
        raise SourceError(f"The report cannot be written to {file}: {error.strerror}.") from error


@contextmanager
def _sigterm_heard() -> Iterator[None]:
    """Let SIGTERM end a build as Ctrl-C does: the building process is stopped, not left behind."""

    def stop(number: int, _frame: object) -> None:
        raise KeyboardInterrupt(signal.Signals(number))

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
