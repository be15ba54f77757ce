"""Which files are new, changed, renamed or gone since the last build.

A file is known by its name and the hash of its bytes: touching one is no change, and new bytes
under an old name are. A name that is gone and a new one with the same bytes are one renamed file.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from index.errors import SourceError
from index.record import Source
from index.report import Problem
from index.sources.folder import Scan, SourceFile, open_source, scan_sources

# Kinds of files whose keys a user may map: read again when that mapping changes.
RECORD_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson", ".csv", ".tsv"})
BLOCK = 1 << 20  # bytes hashed at a time


@dataclass(frozen=True, slots=True)
class Patterns:
    """Which files of a folder are wanted, by shell patterns on the path inside it."""

    include: tuple[str, ...] = ()  # none: every file
    exclude: tuple[str, ...] = ()

    def admit(self, inside: str) -> bool:
        """Say whether a path such as "2023/may/a.txt" is wanted; `*` also matches "/"."""
        if any(_matches(inside, pattern) for pattern in self.exclude):
            return False
        return not self.include or any(_matches(inside, pattern) for pattern in self.include)


@dataclass(slots=True)
class Changes:
    """What a look at the files found."""

    to_read: list[tuple[SourceFile, Source]] = field(default_factory=list)  # with their new state
    gone: set[str] = field(default_factory=set)  # names of sources
    unreadable: list[Problem] = field(default_factory=list)  # kept as they were
    away: list[str] = field(default_factory=list)  # roots that cannot be read at all now
    kept: set[str] = field(default_factory=set)  # names of sources that cannot be read now
    passed_over: Counter[str] = field(default_factory=Counter)  # suffix -> files that are no source


@dataclass(frozen=True, slots=True)
class Comparison:
    """What files are compared with, and what is none of them."""

    known: Mapping[str, Source]
    index_dir: Path  # may lie among the articles: it is none of them
    patterns: Mapping[str, Patterns]  # by root
    stale_suffixes: frozenset[str] = frozenset()  # read such files again even if unchanged
    everything: bool = False  # read every file again

    def look(
        self,
        roots: Iterable[tuple[str, str]],
        replaced: Collection[str],
        on_file: Callable[[int, int], None],
    ) -> Changes:
        """Return what changed below the roots.

        Args:
            roots: Path and label of each root to look at.
            replaced: Roots that are now part of a larger one.
            on_file: Told how many files of how many of a root are done.

        Raises:
            SourceError: If a root cannot be read and articles would be lost by that.
        """
        changes = Changes()
        changes.gone = {name for name, source in self.known.items() if source.root in replaced}
        for root, label in roots:
            try:
                scan = scan_sources(Path(root))
            except SourceError as error:
                if replaced:  # by this one, perhaps: their articles would be lost
                    raise
                # A folder that is away (an unmounted disk) is no reason to forget its articles.
                changes.unreadable.append(Problem(label, str(error)))
                changes.away.append(root)
                continue
            self._look_at(root, label, scan, changes, on_file)
        changes.to_read = list(_renames_recognised(changes, self.known))
        return changes

    def _look_at(
        self,
        root: str,
        label: str,
        scan: Scan,
        changes: Changes,
        on_file: Callable[[int, int], None],
    ) -> None:
        name_of = _Names(Path(root), label)
        missing = {name for name, source in self.known.items() if source.root == root}
        changes.passed_over.update(scan.passed_over)
        for folder, reason in scan.closed:
            inside = f"{name_of(folder)}/"
            hidden = {name for name in missing if name.startswith(inside)}
            missing -= hidden
            changes.kept |= hidden
            changes.unreadable.append(Problem(name_of(folder), reason))
        changes.unreadable += [Problem(name_of(name), reason) for name, reason in scan.odd]
        files = [file for file in scan.files if self._is_wanted(file, root)]
        for done, found in enumerate(files, 1):
            file = replace(found, name=name_of(found.name))
            on_file(done, len(files))
            missing.discard(file.name)
            changes.gone.discard(file.name)
            self._compare(file, root, changes)
        if missing and not scan.files and not scan.closed:
            # An unmounted disk leaves an empty folder behind. Nothing is lost without a word.
            reason = (
                f"{label} holds no articles any more; those it had are kept. "
                f"If they should go: article-qa articles remove {label}"
            )
            changes.unreadable.append(Problem(label, reason))
            changes.away.append(root)
            return
        changes.gone |= missing

    def _compare(self, file: SourceFile, root: str, changes: Changes) -> None:
        try:
            digest = hashed(file)
        except SourceError as error:
            changes.unreadable.append(Problem(file.name, str(error)))
            changes.kept.add(file.name)
            return
        old = self.known.get(file.name)
        stale = self.everything or Path(file.name).suffix.lower() in self.stale_suffixes
        if old is None or old.digest != digest or old.root != root or stale:
            known_as = old.known_as if old else ""
            changes.to_read.append((file, Source(file.name, root, digest, (), known_as)))

    def _is_wanted(self, file: SourceFile, root: str) -> bool:
        if file.path.is_relative_to(self.index_dir):
            return False
        inside = file.name.removeprefix(Path(root).name).lstrip("/")
        return not inside or self.patterns[root].admit(inside)


@dataclass(frozen=True, slots=True)
class _Names:
    """What a source below a root is called in the index: by the root's label."""

    root: Path
    label: str

    def __call__(self, name: str) -> str:
        return self.label + name.removeprefix(self.root.name)


def hashed(file: SourceFile) -> bytes:
    """Return the sha256 of a file, read piece by piece.

    Raises:
        SourceError: If it cannot be read.
    """
    digest = hashlib.sha256()
    with open_source(file) as stream:
        try:
            while block := stream.read(BLOCK):
                digest.update(block)
        except OSError as error:
            raise SourceError(f"{file.name} cannot be read: {error.strerror}.") from error
    return digest.digest()


def _matches(inside: str, pattern: str) -> bool:
    if "/" in pattern:
        return fnmatchcase(inside, pattern.removeprefix("/"))
    return any(fnmatchcase(part, pattern) for part in inside.split("/"))


def _renames_recognised(
    changes: Changes, known: Mapping[str, Source]
) -> Iterator[tuple[SourceFile, Source]]:
    """Yield what is to be read; a renamed file remembers its first name. Each is renamed once."""
    lost: defaultdict[bytes, list[str]] = defaultdict(list)
    for name in sorted(changes.gone, reverse=True):
        lost[known[name].digest].append(name)
    for file, source in changes.to_read:
        if source.name not in known and (names := lost.get(source.digest)):
            old = known[names.pop()]
            source = replace(source, known_as=old.known_as or old.name)  # noqa: PLW2901
        yield file, source
