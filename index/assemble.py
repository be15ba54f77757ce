"""Sources → next generation: compare by hash, parse, chunk, embed, build, verify, publish.

Runs in the building process. What it does not know: pipes, terminals, and who is asking.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from index.embed import Embedder
from index.errors import ConfigError, IndexDamagedError, IndexLockedError, ParseError, SourceError
from index.generation import RECORD, Generation
from index.parsing.formats import FORMATS, parse_source
from index.record import Record, Source
from index.report import BuildProgress, BuildReport, OnProgress, Phase, Problem, Unit
from index.roots import GIVEN, Roots, resolve_roots
from index.sources.folder import SourceFile, find_sources, read_source
from index.staging import (
    Mode,
    OnCount,
    Staging,
    current_or_none,
    discard,
    model_settings,
    source_digest,
)
from index.types import Article

LOCK, HOLDER = ".lock", ".lock.pid"


@dataclass(frozen=True, slots=True)
class Job:
    """What one build is asked to do."""

    index_dir: Path
    paths: tuple[Path, ...]  # files and folders; none means all that the index knows
    rebuild: bool = False  # forget what is there and read everything again


def assemble(
    job: Job, embedder: Embedder, given: Iterable[Article] | None, on_progress: OnProgress
) -> BuildReport:
    """Bring the index up to date with its sources and report what changed.

    Args:
        job: Where the index is and which paths to look at.
        embedder: Computes the vectors.
        given: Articles handed over as values; together they are one root, so those given earlier
            and not now disappear. None leaves that root as it is.
        on_progress: Called often; must be quick.

    Raises:
        ConfigError: If the folder of the index cannot be made.
        IndexLockedError: If another process is building this index.
        SourceError: If there is not one readable article.
        BuildFailedError: If the new generation does not pass its check.
    """
    try:
        job.index_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"The index cannot be kept at {job.index_dir} ({error.strerror}). "
            "Choose another folder with --index DIR."
        ) from error
    with _lock(job.index_dir), closing(_Assembly(job, embedder, on_progress)) as assembly:
        return assembly.run(given)


class _Assembly:
    """One build. Its staging folder is started by the first change, so no change costs nothing."""

    def __init__(self, job: Job, embedder: Embedder, on_progress: OnProgress) -> None:
        self.job, self.embedder, self.on_progress = job, embedder, on_progress
        self.base, self.before = _in_service(job)
        self.timings_s: dict[str, float] = {}
        self.unreadable: list[Problem] = []
        models = model_settings(embedder).items()
        stale = self.base is not None and not self.base.manifest.settings.items() >= models
        self.fresh = job.rebuild or stale
        self.staging: Staging | None = None
        if self.fresh or self.base is None:
            self.staging = self._start("rebuild" if job.rebuild else "renew")

    def close(self) -> None:
        """Let go of the files."""
        for record in (self.before, self.staging.record if self.staging else None):
            if record is not None:
                record.close()

    def run(self, given: Iterable[Article] | None) -> BuildReport:
        """Go through the phases; return the report."""
        with self._phase("scan"):
            changed, gone = self._compare(self._roots(given is not None))
        with self._phase("read"):
            for name in gone:
                self._writable().record.remove_source(name)
            self._read_files(changed)
            if given is not None:
                self._read_given(given)
        if self.staging is None:
            discard(self.job.index_dir)  # a build that was stopped, of a change since undone
            return self._report(embedded=0)
        self._require_articles(self.staging)
        with self._phase("embed"):
            embedded = self.staging.embed(self._counter("embed", "passages"))
        with self._phase("vectors"):
            self.staging.build_vectors(self._counter("vectors", "passages"))
        report = self._report(embedded=embedded)
        with self._phase("verify"):
            self.on_progress(BuildProgress("verify", 0, 1, "checks"))
            generation = self.staging.publish()
            self.on_progress(BuildProgress("verify", 1, 1, "checks"))
        return replace(
            report,
            generation=generation.manifest.number,
            changed=True,
            timings_s=dict(self.timings_s),
        )

    @property
    def _record(self) -> Record:
        """The newest state known: the staging record, or the published one while all is equal."""
        record = self.staging.record if self.staging else self.before
        assert record is not None
        return record

    def _writable(self) -> Staging:
        if self.staging is None:
            self.staging = self._start("update")
        return self.staging

    def _start(self, mode: Mode) -> Staging:
        return Staging.start(self.job.index_dir, self.embedder, self.base, mode)

    def _roots(self, only_given: bool) -> Roots:
        known = self._record.roots()
        if only_given and not self.fresh:
            return Roots(known, (), ())
        everything = tuple(map(Path, known)) if self.fresh else ()
        roots = resolve_roots((*everything, *self.job.paths), known)
        if dict(roots.known) != known:
            self._writable().record.put_roots(roots.known)
        return roots

    def _compare(self, roots: Roots) -> tuple[list[tuple[SourceFile, Source]], list[str]]:
        """Return the files to read, each with its new state, and the names of sources gone."""
        known = self._record.sources()
        changed: list[tuple[SourceFile, Source]] = []
        gone = {name for name, source in known.items() if source.root in roots.replaced}
        for root in roots.scanned:
            try:
                files = self._files(Path(root), roots.known[root])
            except SourceError as error:
                if roots.replaced:  # by this one, perhaps: their articles would be lost
                    raise
                # A folder that is away (an unmounted disk) is no reason to forget its articles.
                self.unreadable.append(Problem(roots.known[root], str(error)))
                if self.fresh and self.staging:
                    self.staging.keep(root=root)
                continue
            missing = {name for name, source in known.items() if source.root == root}
            for done, file in enumerate(files, 1):
                self.on_progress(BuildProgress("scan", done, len(files), "files"))
                missing.discard(file.name)
                gone.discard(file.name)
                source = self._hashed(file, root)
                if source and (old := known.get(file.name)) != source:
                    if old is None or old.digest != source.digest or old.root != root:
                        changed.append((file, source))
            gone |= missing
        return changed, sorted(gone)

    def _files(self, root: Path, label: str) -> list[SourceFile]:
        """Return the sources below a root by their names in this index."""
        index_dir = self.job.index_dir.resolve()  # may lie among the articles: it is none of them
        return [
            replace(file, name=label + file.name.removeprefix(root.name))
            for file in find_sources(root)
            if not file.path.is_relative_to(index_dir)
        ]

    def _hashed(self, file: SourceFile, root: str) -> Source | None:
        try:
            return Source(file.name, root, source_digest(read_source(file)), ())
        except SourceError as error:
            self.unreadable.append(Problem(file.name, str(error)))
            if self.fresh and self.staging:
                self.staging.keep(name=file.name)
            return None

    def _read_files(self, changed: Sequence[tuple[SourceFile, Source]]) -> None:
        for done, (file, source) in enumerate(changed, 1):
            self._read_file(file, source)
            self.on_progress(BuildProgress("read", done, len(changed), "files"))

    def _read_file(self, file: SourceFile, source: Source) -> None:
        try:
            data = read_source(file)
            parsed = parse_source(file.name, data)
            articles, problems = parsed.articles, parsed.problems
        except ParseError as error:
            articles, problems = (), (str(error),)
        except SourceError as error:  # gone or changed its rights since it was hashed
            self.unreadable.append(Problem(file.name, str(error)))
            return
        # Hashed again: what counts is what was parsed, should the file have changed in between.
        source = replace(source, digest=source_digest(data), problems=problems)
        self._writable().put(source, articles)

    def _read_given(self, given: Iterable[Article]) -> None:
        known = self._record.sources(GIVEN)
        missing = set(known)
        seen: set[tuple[str, bytes]] = set()
        copies: Counter[str] = Counter()
        for done, article in enumerate(given, 1):
            digest = source_digest(json.dumps(article.to_dict()).encode("utf-8"))
            if (article.id, digest) in seen:  # the very same article twice
                continue
            # Others may share an id, such as the pages of one file: each is a source of its own.
            seen.add((article.id, digest))
            copies[article.id] += 1
            source = Source(f"{GIVEN}{copies[article.id]}:{article.id}", GIVEN, digest, ())
            missing.discard(source.name)
            if source.name not in known or known[source.name].digest != digest:
                self._writable().put(source, [article])
            self.on_progress(BuildProgress("read", done, done, "files"))
        for name in sorted(missing):
            self._writable().record.remove_source(name)

    def _require_articles(self, staging: Staging) -> None:
        if staging.record.counts()[1]:
            return
        problems = self._problems()
        staging.record.close()
        discard(self.job.index_dir)
        where = ", ".join(map(str, self.job.paths)) or "the sources given"
        reasons = "".join(f"\n  {item.source}: {item.reason}" for item in problems[:10])
        raise SourceError(
            f"No article could be read from {where}. Supported files: {' '.join(FORMATS)}."
            + (f" What went wrong:{reasons}" if problems else "")
        )

    def _problems(self) -> tuple[Problem, ...]:
        stored = (Problem(*problem) for problem in self._record.problems())
        return (*self.unreadable, *stored)

    def _report(self, *, embedded: int) -> BuildReport:
        before = self.before.versions() if self.before else {}
        after = self._record.versions()
        shared = before.keys() & after.keys()
        updated = sum(before[item] != after[item] for item in shared)
        n_articles, n_passages = self._record.counts()
        return BuildReport(
            generation=self.base.manifest.number if self.base else 0,
            n_articles=n_articles,
            n_passages=n_passages,
            added=len(after) - len(shared),
            updated=updated,
            removed=len(before) - len(shared),
            unchanged=len(shared) - updated,
            embedded=embedded,
            problems=self._problems(),
            resumed=self.staging is not None and self.staging.resumed,
            timings_s=dict(self.timings_s),
        )

    def _counter(self, phase: Phase, unit: Unit) -> OnCount:
        return lambda done, total: self.on_progress(BuildProgress(phase, done, total, unit))

    @contextmanager
    def _phase(self, phase: Phase) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.timings_s[phase] = round(time.monotonic() - began, 3)


def _in_service(job: Job) -> tuple[Generation | None, Record | None]:
    """Return the generation in service and its record. A rebuild does without a damaged one.

    Raises:
        IndexDamagedError: If it cannot be read and this is no rebuild.
    """
    try:
        base = current_or_none(job.index_dir)
        if base is None:
            return None, None
        if job.rebuild and base.altered_files(under=RECORD):
            raise IndexDamagedError(base.path, f"{RECORD} was altered")
        return base, Record.open(base.record_path)
    except IndexDamagedError:
        if not job.rebuild:
            raise
        return None, None


@contextmanager
def _lock(index_dir: Path) -> Iterator[None]:
    """Hold the index for writing. The operating system frees the lock if this process dies."""
    from filelock import FileLock, Timeout

    holder = index_dir / HOLDER
    lock = FileLock(index_dir / LOCK, blocking=False)
    try:
        lock.acquire()
    except Timeout as error:
        try:
            pid = holder.read_text(encoding="ascii", errors="replace").strip()
        except OSError:  # not written yet, or gone by now
            pid = ""
        raise IndexLockedError(index_dir, f" (number {pid})" if pid else "") from error
    try:
        holder.write_text(str(os.getpid()), encoding="ascii")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()
