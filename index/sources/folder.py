"""Given a folder or one file, returns what is to be read; given one of those, its bytes.

Knows nothing about formats beyond the suffixes that are worth opening.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections import Counter
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO, cast

from index.errors import SourceError

ARTICLE_SUFFIXES = frozenset(
    ".txt .text .md .markdown .html .htm .xhtml .mhtml .mht .jsonl .ndjson .json .csv .tsv .pdf"
    " .docx .epub .eml .zip".split()
)
IGNORE_FILE = ".articleqaignore"
MAX_SOURCE_BYTES = 20_000_000  # a newspaper article is 5 kB; this leaves room for a jsonl archive
MAX_ARCHIVE_BYTES = 200_000_000  # as it is on the disk
MAX_IGNORE_BYTES = 100_000
_LINE_BY_LINE = " Its lines can be read one by one: article-qa index - < FILE"
_SPLIT = " Split it into smaller files."
_WAYS_OUT = {  # of files that hold many articles; suffix -> what to do with one that is too large
    **dict.fromkeys((".jsonl", ".ndjson"), _LINE_BY_LINE),
    **dict.fromkeys((".json", ".csv", ".tsv"), _SPLIT),
}

# Not on every system; where they lack, lstat in the walk is the only guard.
_SAFE_OPEN = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # opening a FIFO that nobody writes to would wait for ever
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file that should hold articles."""

    name: str  # "<root folder>/<path inside it>", always with "/"; a single file's own name
    path: Path  # where to read it


@dataclass(frozen=True, slots=True)
class _IgnoreRule:
    """One line of an ignore file, with the folder that its pattern is relative to."""

    folder: Path
    pattern: str

    def matches(self, path: Path) -> bool:
        """Say whether `path`, somewhere below the rule's folder, is to be skipped."""
        relative = path.relative_to(self.folder).as_posix()
        if "/" in self.pattern:
            return fnmatchcase(relative, self.pattern.removeprefix("/"))
        return fnmatchcase(path.name, self.pattern)


@dataclass(slots=True)
class Scan:
    """What a look into a folder found."""

    files: list[SourceFile] = field(default_factory=list)  # sorted by name
    closed: list[tuple[str, str]] = field(default_factory=list)  # folders not listed, and why
    odd: list[tuple[str, str]] = field(default_factory=list)  # what is no regular file, and why
    passed_over: Counter[str] = field(default_factory=Counter)  # suffix -> files that are no source


def find_sources(root: Path) -> list[SourceFile]:
    """Return the article files below the folder `root`, or `root` itself; see `scan_sources`.

    Raises:
        SourceError: As there, and if a folder cannot be listed: to skip it silently would look
            like deleted articles.
    """
    scan = scan_sources(root)
    if scan.closed:
        raise SourceError(scan.closed[0][1])
    return scan.files


def scan_sources(root: Path) -> Scan:
    """Return the article files below the folder `root`, or `root` itself, and what is in the way.

    Skipped: hidden files and folders, symbolic links (what they point to is found under its own
    name if it is inside, and is not ours to read if it is outside), anything but regular files,
    unknown suffixes, and what `.articleqaignore` files list. An ignore file holds one pattern per
    line: `*` and `?` as in a shell (`*` also matches "/"), a pattern with "/" applies to the path
    from the ignore file's folder, one without to the name of any file or folder below it; empty
    lines and lines starting with "#" do nothing. There is no "!".

    No files at all means that there is nothing to read; the caller decides whether that is wrong.

    Raises:
        SourceError: If `root` does not exist or is neither folder nor readable kind of file, or
            if it cannot be listed, or if an ignore file is wrong.
    """
    named = Path(os.path.abspath(root))  # gives "." a name, but keeps the name of a linked folder
    try:
        real = Path(os.path.realpath(root))
        mode = real.stat().st_mode
    except (OSError, ValueError) as error:
        raise _source_error(root, error) from error
    if stat.S_ISDIR(mode):
        walk = _Walk(named.name, real)
        walk.enter(real, ())
        walk.scan.files.sort(key=lambda file: file.name)
        return walk.scan
    if not stat.S_ISREG(mode):
        raise SourceError(f"{root} is neither a folder nor a file.")
    if named.suffix.lower() not in ARTICLE_SUFFIXES:
        known = " ".join(sorted(ARTICLE_SUFFIXES))
        raise SourceError(f"{root} is not a kind of file that can be read. Known: {known}.")
    return Scan([SourceFile(_printable("", Path(named.name)), real)])


def open_source(file: SourceFile, *, max_bytes: int | None = None) -> BinaryIO:
    """Open a source file for reading; reading more than `max_bytes` of it is a SourceError.

    Args:
        file: What to open.
        max_bytes: None means the limit for its kind.

    Raises:
        SourceError: If it is gone, not readable, not a regular file any more, or too large.
    """
    limit = max_source_bytes(file.name) if max_bytes is None else max_bytes
    return _open_regular(file.path, file.name, limit)


def read_source(file: SourceFile, *, max_bytes: int | None = None) -> bytes:
    """Return the content of a source file.

    Raises:
        SourceError: As `open_source`.
    """
    with open_source(file, max_bytes=max_bytes) as stream:
        return stream.read()


def max_source_bytes(name: str) -> int:
    """Return how large a source of this name may be: archives hold many articles."""
    return MAX_ARCHIVE_BYTES if name.lower().endswith(".zip") else MAX_SOURCE_BYTES


class _Walk:
    """One look through a folder and all below it."""

    def __init__(self, label: str, root: Path) -> None:
        self.label, self.root, self.scan = label, root, Scan()

    def enter(self, folder: Path, rules: tuple[_IgnoreRule, ...]) -> None:
        """Add what is in a folder and below it, in no particular order."""
        try:
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError as error:
            reason = _source_error(folder, error)
            if folder == self.root:
                raise reason from error
            self.scan.closed.append((self._name(folder), str(reason)))
            return
        if any(entry.name == IGNORE_FILE for entry in entries):
            rules += _read_rules(folder)
        for entry in entries:
            path = folder / entry.name
            if not entry.name.startswith(".") and not any(rule.matches(path) for rule in rules):
                self._add(entry, path, rules)

    def _add(self, entry: os.DirEntry[str], path: Path, rules: tuple[_IgnoreRule, ...]) -> None:
        suffix = path.suffix.lower()
        if entry.is_dir(follow_symlinks=False):
            self.enter(path, rules)
        elif entry.is_symlink():
            pass
        elif suffix not in ARTICLE_SUFFIXES:
            self.scan.passed_over[suffix or "no suffix"] += 1
        elif entry.is_file(follow_symlinks=False):
            self.scan.files.append(SourceFile(self._name(path), path))
        else:
            name = self._name(path)
            self.scan.odd.append((name, f"{name} is not a regular file."))

    def _name(self, path: Path) -> str:
        return _printable(self.label, path.relative_to(self.root))


def _read_rules(folder: Path) -> tuple[_IgnoreRule, ...]:
    path = folder / IGNORE_FILE
    with _open_regular(path, str(path), MAX_IGNORE_BYTES) as stream:
        text = stream.read().decode("utf-8-sig", "replace")
    patterns = [line.strip() for line in text.splitlines()]
    patterns = [pattern for pattern in patterns if pattern and not pattern.startswith("#")]
    for pattern in patterns:
        if pattern.startswith("!"):
            raise SourceError(f'{path}: "{pattern}" cannot be used, there is no "!" here.')
    # "drafts/" and "drafts" are the same here: a matching folder is not entered
    return tuple(_IgnoreRule(folder, pattern.rstrip("/")) for pattern in patterns)


class _Limited(io.RawIOBase):
    """A file of which no more than a number of bytes can be read: the stated size can be wrong.

    So it is of /proc, or of a log that grows while it is read.
    """

    def __init__(self, stream: BinaryIO, name: str, max_bytes: int) -> None:
        self._stream, self._name, self._max_bytes = stream, name, max_bytes
        self._done = 0

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()
        super().close()

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes.

        Raises:
            SourceError: If they cannot be read, or are more than there may be.
        """
        left = self._max_bytes + 1 - self._done
        try:
            data = self._stream.read(left if size < 0 else min(size, left))
        except OSError as error:
            raise _source_error(self._name, error) from error
        self._done += len(data)
        if self._done > self._max_bytes:
            raise _too_large(self._name, self._max_bytes)
        return data


def _open_regular(path: Path, name: str, max_bytes: int) -> BinaryIO:
    """Open a regular file; the checks are on the opened file, so none can race."""
    try:
        stream = open(os.open(path, _SAFE_OPEN), "rb")
    except (OSError, ValueError) as error:
        raise _source_error(name, error) from error
    try:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(f"{name} is not a regular file.")
        if status.st_size > max_bytes:
            raise _too_large(name, max_bytes)
    except BaseException:
        stream.close()
        raise
    return cast("BinaryIO", _Limited(stream, name, max_bytes))


def _too_large(name: str, max_bytes: int) -> SourceError:
    way_out = _WAYS_OUT.get(Path(name).suffix.lower(), "")
    return SourceError(f"{name} is larger than {max_bytes / 1e6:g} MB.{way_out}")


def _source_error(name: object, error: OSError | ValueError) -> SourceError:
    if isinstance(error, FileNotFoundError):
        return SourceError(f"{name} does not exist.")
    if isinstance(error, PermissionError):
        return SourceError(f"{name} cannot be read: permission denied.")
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return SourceError(f"{name} is a symbolic link, which is not followed.")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return SourceError(f"{name} cannot be read: {reason}.")


def _printable(folder: str, relative: Path) -> str:
    """Return a name that is valid text even where the file's name is not, and stays distinct."""
    name = f"{folder}/{relative.as_posix()}" if folder else relative.as_posix()
    return os.fsencode(name).decode("utf-8", "backslashreplace")
