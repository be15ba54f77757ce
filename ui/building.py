"""A build started from the command line: progress, summary, report, Ctrl-C, watching."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from index.config import Config
from index.errors import (
    ArticleQAError,
    DiskFullError,
    IndexDamagedError,
    IndexLockedError,
    IndexMissingError,
    SourceError,
)
from ui.options import print_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from index.report import BuildReport, Problem

STOPPED, TERMINATED = 130, 143  # as shells say it: 128 and the number of the signal
KEPT = "Stopped. The index in service is unchanged; run the same command again to go on."
RETRY_S = 10.0  # between two attempts of a watch to build what is locked, or lacks room


def build(
    sources: Sequence[str | Path],
    config: Config,
    *,
    quiet: bool = False,
    report_file: Path | None = None,
    told: Sequence[Problem] | None = None,
    **options: Any,  # noqa: ANN401 - of build_index
) -> BuildReport:
    """Build with progress bars and a summary on stderr.

    Args:
        sources: As of `build_index`.
        config: The settings.
        quiet: Leave bars and summary out.
        report_file: Where to write the report.
        told: Problems that need no second telling, if nothing else is new; None: tell all.
        **options: Others of `build_index`.
    """
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

    return _followed(start, config, quiet=quiet, report_file=report_file, told=told)


def require_embedder(config: Config) -> None:
    """Check that a build by the settings alone does not embed everything anew by mistake.

    Raises:
        ConfigError: If the index is another embedder's, and none is set.
    """
    from index.embedders import BUNDLED, require_bundled
    from index.generation import open_current

    if config.embedder == BUNDLED:
        with suppress(IndexMissingError, IndexDamagedError):  # the build will say so, or repair it
            require_bundled(open_current(config.index_dir).manifest.settings["embedder"])


def add_lines(
    config: Config,
    fields: Mapping[str, str] | None,
    *,
    quiet: bool = False,
    report_file: Path | None = None,
) -> BuildReport:
    """Add the articles that stand on stdin, one JSON object a line."""
    import sys

    from index.build import run_job
    from index.embedders import embedder_named
    from index.job import Job
    from index.sources.stream import read_articles

    problems: list[Problem] = []
    # Not build_index: to it, no article at all means that all sources are looked at again.
    job = Job(index_dir=config.index_dir.absolute(), additive=True)

    def start(on_progress: Any) -> BuildReport:  # noqa: ANN401 - OnProgress
        embedder = embedder_named(config.embedder)
        with closing(read_articles(sys.stdin.buffer, problems, fields)) as articles:
            try:
                report = run_job(
                    job,
                    given=articles,
                    embedder=embedder,
                    on_progress=on_progress,
                    stall_timeout_s=config.stall_timeout_s,
                )
            except SourceError as error:
                if not problems:
                    raise
                reasons = "".join(f"\n  {item.source}: {item.reason}" for item in problems[:10])
                raise SourceError(
                    f"{error} What went wrong:{reasons}",
                    [(item.source, item.reason) for item in problems],
                ) from error
        return replace(report, problems=(*problems, *report.problems))

    return _followed(start, config, quiet=quiet, report_file=report_file)


def run(config: Config, **job: Any) -> BuildReport:  # noqa: ANN401 - fields of Job
    """Do a job that is given no sources, such as removing articles."""
    from index.build import run_job
    from index.embedders import embedder_named
    from index.job import Job

    whole = Job(index_dir=config.index_dir.absolute(), allow_loopback=config.allow_loopback, **job)

    def start(on_progress: Any) -> BuildReport:  # noqa: ANN401 - OnProgress
        embedder = embedder_named(config.embedder)
        return run_job(
            whole,
            embedder=embedder,
            on_progress=on_progress,
            stall_timeout_s=config.stall_timeout_s,
        )

    return _followed(start, config, quiet=False, report_file=None)


def watch(config: Config, *, as_json: bool = False, report_file: Path | None = None) -> None:
    """Bring the index up to date whenever an article file changes, until Ctrl-C or SIGTERM."""
    from index.record import Record
    from index.roots import is_remote
    from index.service import open_sound

    with closing(Record.open(open_sound(config.index_dir).record_path)) as record:
        roots = [Path(root) for root in record.roots() if not is_remote(root)]
    if not any(root.is_dir() or root.is_file() for root in roots):
        raise SourceError("The index has no folder or file to watch.")
    typer.echo(f"Watching {', '.join(map(str, roots))} (Ctrl-C stops).", err=True)
    with _sigterm_heard():
        try:
            for report in _builds(roots, config, quiet=as_json, report_file=report_file):
                if as_json:
                    print_json(report.to_dict())
        except KeyboardInterrupt:  # between two builds: nothing was stopped
            pass
    raise typer.Exit(0)


def _builds(
    roots: Sequence[Path], config: Config, *, quiet: bool, report_file: Path | None
) -> Iterator[BuildReport]:
    """Yield the report of each build that found something new; none of them ends the watch."""
    from index.watch import changes

    told: tuple[Problem, ...] = ()
    retry_at: float | None = None
    for burst in changes(roots, config.index_dir):
        there = [root for root in roots if root.exists()]
        is_due = retry_at is not None and time.monotonic() >= retry_at
        if not there or not (burst or is_due):
            continue
        retry_at = None
        try:
            report = build(there, config, quiet=quiet, report_file=report_file, told=told)
        except (IndexLockedError, DiskFullError) as error:  # these pass, and the change is waiting
            retry_at = time.monotonic() + RETRY_S
            if burst:
                typer.echo(f"error: {error} Tried again every {RETRY_S:.0f} s.", err=True)
        except ArticleQAError as error:
            typer.echo(f"error: {error}", err=True)
        else:
            if _is_news(report, told):
                yield report
            told = report.problems


def _followed(
    start: Any,  # noqa: ANN401 - Callable[[OnProgress], BuildReport]
    config: Config,
    *,
    quiet: bool,
    report_file: Path | None,
    told: Sequence[Problem] | None = None,
) -> BuildReport:
    """Return the report of a build, having said what it says, unless all of that is `told`."""
    from rich.console import Console

    from ui.progress import progress_bars, summary_lines

    console = Console(stderr=True, quiet=quiet)
    try:
        with _sigterm_heard(), progress_bars(console) as on_progress:
            report: BuildReport = start(on_progress)
    except KeyboardInterrupt as stop:
        typer.echo(KEPT, err=True)
        raise typer.Exit(TERMINATED if stop.args == (signal.SIGTERM,) else STOPPED) from None
    if not _is_news(report, told):
        return report
    if not quiet:
        for line in summary_lines(report, config.index_dir):
            typer.echo(line, err=True)
    if report_file is not None:
        write_report(report.to_dict(), report_file)
    return report


def _is_news(report: BuildReport, told: Sequence[Problem] | None) -> bool:
    return told is None or report.changed or report.problems != tuple(told)


@contextmanager
def failures_reported(file: Path | None) -> Iterator[None]:
    """Write what ends the block into the report: an older one there would pass for this build's.

    Raises:
        SourceError: Before anything is done, if the file cannot be written.
    """
    if file is None:
        yield
        return
    _require_writable(file)
    try:
        yield
    except ArticleQAError as error:
        problems = error.problems if isinstance(error, SourceError) else ()
        told = [{"source": source, "reason": reason} for source, reason in problems]
        with suppress(SourceError):  # the error that led here is the one to tell
            write_report({"error": str(error), "problems": told}, file)
        raise
    except typer.Exit:  # stopped by a signal
        with suppress(SourceError):
            write_report({"error": KEPT, "problems": []}, file)
        raise


def _require_writable(file: Path) -> None:
    try:
        if file.exists() and not file.is_file():
            raise SourceError(f"The report cannot be written to {file}: that is no regular file.")
        with tempfile.TemporaryFile(dir=file.absolute().parent):
            pass
    except OSError as error:
        raise SourceError(f"The report cannot be written to {file}: {error.strerror}.") from error


def write_report(values: Mapping[str, Any], file: Path) -> None:
    """Write a build's report as JSON, all of it or nothing.

    Raises:
        SourceError: If that is not possible.
    """
    partial = file.with_name(f"{file.name}.partial")
    try:
        text = json.dumps(values, ensure_ascii=False, indent=1)
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
