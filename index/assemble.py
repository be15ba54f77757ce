"""Sources → next generation: compare by hash, parse, chunk, embed, group, build, verify, publish.

Runs in the building process. What it does not know: pipes, terminals, and who is asking.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from index.changes import RECORD_SUFFIXES, Changes, Comparison, Patterns
from index.embed import Embedder
from index.errors import BuildFailedError, IndexDamagedError, SourceError
from index.failpoints import failpoint
from index.generation import Generation
from index.job import Job
from index.lock import hold
from index.named import removal_of, sources_named
from index.parsing.formats import FORMATS, PARSER_ID
from index.parsing.options import ParseOptions
from index.reading import Reading, Remote, file_task, read_all
from index.record import Record, Source
from index.repair import with_new_manifest
from index.report import BuildProgress, BuildReport, OnProgress, Phase, Problem, Unit
from index.roots import GIVEN, Roots, is_remote, resolve_roots
from index.service import repair_pointer
from index.space import disk_full_named, require_room
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

log = logging.getLogger(__name__)

BEAT_S = 1.0  # between two signs of life while a step goes on


def assemble(
    job: Job, embedder: Embedder, given: Iterable[Article] | None, on_progress: OnProgress
) -> BuildReport:
    """Bring the index up to date with its sources and report what changed.

    Args:
        job: Where the index is and what to look at.
        embedder: Computes the vectors.
        given: Articles handed over as values; together they are one root, so those given earlier
            and not now disappear, unless the job is additive. None leaves that root as it is.
        on_progress: Called often, also with the same as before; must be quick.

    Raises:
        ConfigError: If the folder of the index cannot be made.
        ReadOnlyIndexError: If it cannot be written.
        IndexLockedError: If another process is building this index.
        DiskFullError: If there is no room.
        SourceError: If there is not one readable article.
        BuildFailedError: If the new generation does not pass its check.
    """
    with hold(job.index_dir), disk_full_named(job.index_dir):
        with closing(_Assembly(job, embedder, on_progress)) as assembly:
            return assembly.run(given)


class _Assembly:
    """One build. Its staging folder is started by the first change, so no change costs nothing."""

    def __init__(self, job: Job, embedder: Embedder, on_progress: OnProgress) -> None:
        self.job, self.embedder, self._tell = job, embedder, on_progress
        self._last, self._told_at = BuildProgress("scan", 0, 0, "files"), 0.0
        self.base, self.before, self.notice = _in_service(job)
        self.timings_s: dict[str, float] = {}
        self.unreadable: list[Problem] = []
        self.passed_over: Counter[str] = Counter()
        self.renamed = 0
        models = model_settings(embedder).items()
        stale = self.base is not None and not self.base.manifest.settings.items() >= models
        # To remove is no reason to read anything: the next build that looks at sources renews all.
        self.fresh = job.rebuild or (stale and not job.remove)
        # The bytes of pages are not kept: what another parser makes of them must be fetched.
        reparse = bool(job.readmit) or not _same_parser(self.base)
        self.refetch = job.rebuild or (stale and reparse)
        self.staging: Staging | None = None
        if self.fresh or self.base is None:
            require_room(job.index_dir, self.base)
            self.staging = self._start("rebuild" if job.rebuild else "renew")

    def close(self) -> None:
        """Let go of the files."""
        for record in (self.before, self.staging.record if self.staging else None):
            if record is not None:
                record.close()

    def run(self, given: Iterable[Article] | None) -> BuildReport:
        """Go through the phases; return the report."""
        with self._phase("scan"):
            settings = self._settings()
            self._remove_and_readmit()
            roots = self._roots(given is not None)
            changes = self._look(roots, self._patterns(roots), settings)
        with self._phase("read"):
            self._prepare(changes, roots)
            self._read(changes, roots, settings.options)
            if given is not None:
                self._read_given(given)
        if self.staging is None:
            discard(self.job.index_dir)  # a build that was stopped, of a change since undone
            return self._report()
        self._require_articles(self.staging)
        return self._finish(self.staging)

    def _finish(self, staging: Staging) -> BuildReport:
        """Go through the phases that follow reading; return the report."""
        self._embed(staging)
        with self._phase("group"):
            staging.group(self._counter("group", "articles"))
        with self._phase("vectors"):
            staging.build_vectors(self._counter("vectors", "passages"))
        report = self._report()
        with self._phase("verify"):
            self.on_progress(BuildProgress("verify", 0, 1, "checks"))
            generation = staging.publish()
            self.on_progress(BuildProgress("verify", 1, 1, "checks"))
        return replace(
            report,
            generation=generation.manifest.number,
            changed=True,
            timings_s=self._rounded_timings(),
        )

    def on_progress(self, progress: BuildProgress) -> None:
        """Tell how far a phase is."""
        self._last, self._told_at = progress, time.monotonic()
        self._tell(progress)

    def beat(self) -> None:
        """Tell that the step goes on, where there is nothing to count: silence is for the hung."""
        if time.monotonic() - self._told_at > BEAT_S:
            self.on_progress(self._last)

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
        return Staging.start(self.job.index_dir, self.embedder, self.base, mode, self.beat)

    # What to look at

    def _settings(self) -> _Settings:
        """Return how records are read; what is said now is remembered."""
        stored: dict[str, str] = json.loads(self._record.settings().get("fields", "{}"))
        fields = stored if self.job.fields is None else dict(self.job.fields)
        if fields != stored:
            self._writable().record.put_setting("fields", json.dumps(fields))
        return _Settings(
            ParseOptions(fields=fields), RECORD_SUFFIXES if fields != stored else frozenset()
        )

    def _patterns(self, roots: Roots) -> dict[str, Patterns]:
        """Return which files of each folder are wanted; what is said now is remembered for it."""
        files = [root for root in roots.known if not is_remote(root)]
        # Those that patterns are said of: the folders named with them; all where nothing is named.
        asked = resolve_roots(self.job.paths, roots.known).scanned if self.job.paths else files
        named = [] if self.job.urls and not self.job.paths else set(asked) & set(files)
        found = {}
        for name in ("include", "exclude"):
            stored = _of_each_root(self._record.settings().get(name, "{}"), files)
            value: tuple[str, ...] | None = getattr(self.job, name)
            found[name] = stored if value is None else {**stored, **dict.fromkeys(named, value)}
            if found[name] != stored:
                self._writable().record.put_setting(name, json.dumps(found[name]))
        return {root: Patterns(found["include"][root], found["exclude"][root]) for root in files}

    def _remove_and_readmit(self) -> None:
        # All names first: what one removes, another may mean as well.
        for removal in [removal_of(self._record, name) for name in self.job.remove]:
            if removal.root in self._record.roots():
                assert removal.root is not None
                self._writable().remove_root(removal.root)
            with self._writable().record.transaction():  # one for each would take long
                for article_id in removal.articles:
                    if self._record.article(article_id) is not None:  # else gone with its root
                        self._writable().record.remove_article(article_id)
                    self.beat()
        for name in self.job.readmit:
            if name in self._record.excluded():
                self._writable().readmit(name)
            # A fresh record knows no sources yet.
            elif names := sources_named(self.before or self._record, name):
                self._writable().readmit_all_of(names)
            else:
                raise SourceError(
                    f"{name!r} is neither the id of an article that was removed nor a path or "
                    "address that is indexed. What was removed whole is to be indexed again."
                )

    def _roots(self, only_given: bool) -> Roots:
        known = self._record.roots()
        if not self.fresh and (only_given or self.job.remove):
            return Roots(known, (), ())
        everything = tuple(known) if self.fresh else ()
        roots = resolve_roots((*everything, *self.job.urls, *self.job.paths), known)
        if dict(roots.known) != known:
            self._writable().record.put_roots(roots.known)
        return roots

    def _look(self, roots: Roots, patterns: Mapping[str, Patterns], settings: _Settings) -> Changes:
        comparison = Comparison(
            self._known_files(),
            self.job.index_dir.resolve(),
            patterns,
            settings.stale_suffixes,
            everything=self.fresh,
        )
        files = [(root, roots.known[root]) for root in roots.scanned if not is_remote(root)]
        changes = comparison.look(files, roots.replaced, self._counter("scan", "files"))
        self.unreadable += changes.unreadable
        self.passed_over += changes.passed_over
        return changes

    def _known_files(self) -> Mapping[str, Source]:
        """Return what files are compared with: a fresh record knows no names to be renamed from."""
        record = self.before if self.fresh and self.before else self._record
        return record.sources()

    def _prepare(self, changes: Changes, roots: Roots) -> None:
        """Take away what is gone, and see to it that what cannot be read now is not lost."""
        if changes.to_read:
            size = sum(
                file.path.stat().st_size for file, _ in changes.to_read if file.path.exists()
            )
            require_room(self.job.index_dir, self.base, size)
        for name in sorted(changes.gone):
            self._writable().record.remove_source(name)
        if self.fresh and self.staging:
            for root in changes.away:
                self.staging.keep(root=root)
            for name in sorted(changes.kept):
                self.staging.keep(name=name)
            for root in filter(is_remote, roots.known):  # pages a feed no longer lists stay
                self.staging.keep(root=root, with_fetches=not self.refetch)

    # Reading

    def _read(self, changes: Changes, roots: Roots, options: ParseOptions) -> None:
        """Parse what changed, store it, and embed it on the way."""
        known_files = self._known_files()
        self.renamed = sum(
            bool(source.known_as) and source.name not in known_files
            for _, source in changes.to_read
        )
        remote = Remote(
            {root: self._record.fetches(root) for root in roots.scanned if is_remote(root)},
            {} if self.refetch else self._record.sources(),
            options,
            self.beat,
            allow_loopback=self.job.allow_loopback,
        )
        readings = [file_task(file, source, options) for file, source in changes.to_read]
        with closing(remote):
            for done, reading in enumerate(read_all(readings, remote, self.embedder), 1):
                self._store(reading)
                total = max(len(readings), done)
                self.on_progress(BuildProgress("read", done, total, "sources"))
                if self.staging and self.staging.is_batch_waiting():
                    self._embed(self.staging)
        self.unreadable += remote.problems
        if self.staging:
            held = self.staging.record.sources() if remote.shared else {}
            shared = [fetch for fetch in remote.shared if fetch.url in held]
            for fetch in (*remote.asked, *shared):
                self.staging.record.put_fetch(fetch)

    def _store(self, reading: Reading) -> None:
        if reading.unreadable is not None:  # gone or changed its rights since it was hashed
            self.unreadable.append(Problem(reading.source.name, reading.unreadable))
            if self.fresh and self.staging:
                self.staging.keep(name=reading.source.name)
            return
        staging = self._writable()
        failpoint("after_parse")
        staging.put_chunked(reading.source, reading.articles)
        if reading.fetch is not None:
            staging.record.put_fetch(reading.fetch)

    def _read_given(self, given: Iterable[Article]) -> None:
        known = self._record.sources(GIVEN)
        missing = set() if self.job.additive else set(known)
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
                if self.staging and self.staging.is_batch_waiting():
                    self._embed(self.staging)
            self.on_progress(BuildProgress("read", done, done, "sources"))
        for name in sorted(missing):
            self._writable().record.remove_source(name)

    def _embed(self, staging: Staging) -> None:
        with self._phase("embed"):
            staging.embed(self._counter("embed", "passages"))

    # The report

    def _require_articles(self, staging: Staging) -> None:
        if staging.record.counts()[1] or self.job.remove:
            return
        problems = self._problems()
        staging.record.close()
        discard(self.job.index_dir)
        asked = (*self.job.paths, *self.job.urls)
        where = ", ".join(map(str, asked)) or "the sources given"
        reasons = "".join(f"\n  {item.source}: {item.reason}" for item in problems[:10])
        raise SourceError(
            f"No article could be read from {where}."
            + (f" Supported files: {' '.join(FORMATS)}." if self.job.paths else "")
            + (f" What went wrong:{reasons}" if problems else ""),
            [(item.source, item.reason) for item in problems],
        )

    def _problems(self) -> tuple[Problem, ...]:
        stored = (Problem(*problem) for problem in self._record.problems())
        return (*self.unreadable, *stored)

    def _report(self) -> BuildReport:
        before = self.before.versions() if self.before else {}
        after = self._record.versions()
        shared = before.keys() & after.keys()
        updated = sum(before[item] != after[item] for item in shared)
        n_articles, n_passages = self._record.counts()
        return BuildReport(
            generation=self.base.manifest.number if self.base else 0,
            n_articles=n_articles,
            n_passages=n_passages,
            n_stories=self._record.n_stories(),
            added=len(after) - len(shared),
            updated=updated,
            removed=len(before) - len(shared),
            unchanged=len(shared) - updated,
            renamed=self.renamed,
            embedded=self.staging.n_embedded if self.staging else 0,
            problems=self._problems(),
            passed_over=dict(self.passed_over.most_common()),
            notice=self.notice,
            made_anew=self.fresh and self.before is not None,
            resumed=self.staging is not None and self.staging.resumed,
            timings_s=self._rounded_timings(),
        )

    def _counter(self, phase: Phase, unit: Unit) -> OnCount:
        return lambda done, total: self.on_progress(BuildProgress(phase, done, total, unit))

    def _rounded_timings(self) -> dict[str, float]:
        return {phase: round(spent, 3) for phase, spent in self.timings_s.items()}

    @contextmanager
    def _phase(self, phase: Phase) -> Iterator[None]:
        """Add the time spent inside to a phase, and take it from the phase around it."""
        began, before = time.monotonic(), sum(self.timings_s.values())
        self.timings_s.setdefault(phase, 0.0)
        yield
        inner = sum(self.timings_s.values()) - before
        self.timings_s[phase] += time.monotonic() - began - inner


@dataclass(frozen=True, slots=True)
class _Settings:
    """What users set about sources."""

    options: ParseOptions
    stale_suffixes: frozenset[str] = field(default=frozenset())  # read such files again


def _same_parser(base: Generation | None) -> bool:
    return base is not None and base.manifest.settings.get("parser") == PARSER_ID


def _in_service(job: Job) -> tuple[Generation | None, Record | None, str | None]:
    """Return the generation in service, its record, and what was wrong with the one meant to be.

    One that lacks only its manifest is repaired first: to build on the one before would lose the
    articles that no source holds. A rebuild does without a damaged one.

    Raises:
        IndexDamagedError: If none can be read and this is no rebuild.
    """
    try:
        base = None if job.rebuild else _with_new_manifest(job.index_dir)
        base = base or current_or_none(job.index_dir)
        if base is None:
            return None, None, None
        record = Record.open(base.record_path)
        return repair_pointer(job.index_dir, base), record, base.notice
    except IndexDamagedError:
        if not job.rebuild:
            raise
        return None, None, None


def _with_new_manifest(index_dir: Path) -> Generation | None:
    try:
        found = with_new_manifest(index_dir)
    except BuildFailedError as error:
        log.warning("%s", error)
        return None
    if found is None:
        return None
    notice = f"The manifest was lost: it was made anew as generation {found.manifest.number}."
    return replace(found, notice=notice)


def _of_each_root(stored: str, roots: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return root → patterns; stored as that, or by older versions as one list for all roots."""
    found: Any = json.loads(stored)
    return {
        root: tuple(found if isinstance(found, list) else found.get(root, ())) for root in roots
    }
