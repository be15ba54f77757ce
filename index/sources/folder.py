"""Given a folder or one file, returns what is to be read; given one of those, its bytes.

Knows nothing about formats beyond the suffixes that are worth opening.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from index.errors import SourceError

ARTICLE_SUFFIXES = frozenset(
    {".txt", ".text", ".md", ".markdown", ".html", ".htm", ".xhtml", ".jsonl", ".ndjson", ".json"}
)
IGNORE_FILE = ".articleqaignore"
MAX_SOURCE_BYTES = 20_000_000  # a newspaper article is 5 kB; this leaves room for a jsonl archive
MAX_IGNORE_BYTES = 100_000

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


def find_sources(root: Path) -> list[SourceFile]:
    """Return the article files below the folder `root`, or `root` itself, sorted by name.

    Skipped: hidden files and folders, symbolic links (what they point to is found under its own
    name if it is inside, and is not ours to read if it is outside), anything but regular files,
    unknown suffixes, and what `.articleqaignore` files list. An ignore file holds one pattern per
    line: `*` and `?` as in a shell (`*` also matches "/"), a pattern with "/" applies to the path
    from the ignore file's folder, one without to the name of any file or folder below it; empty
    lines and lines starting with "#" do nothing. There is no "!".

    An empty list means that there is nothing to read; the caller decides whether that is wrong.

    Raises:
        SourceError: If `root` does not exist or is neither folder nor readable kind of file, or
            if a folder cannot be listed: to skip it silently would look like deleted articles.
    """
    named = Path(os.path.abspath(root))  # gives "." a name, but keeps the name of a linked folder
    try:
        real = Path(os.path.realpath(root))
        mode = real.stat().st_mode
    except (OSError, ValueError) as error:
        raise _source_error(root, error) from error
    if stat.S_ISDIR(mode):
        files = [
            SourceFile(_printable(named.name, path.relative_to(real)), path)
            for path in _walk(real, ())
        ]
        return sorted(files, key=lambda file: file.name)
    if not stat.S_ISREG(mode):
        raise SourceError(f"{root} is neither a folder nor a file.")
    if named.suffix.lower() not in ARTICLE_SUFFIXES:
        known = " ".join(sorted(ARTICLE_SUFFIXES))
        raise SourceError(f"{root} is not a kind of file that can be read. Known: {known}.")
    return [SourceFile(_printable("", Path(named.name)), real)]


def read_source(file: SourceFile, *, max_bytes: int = MAX_SOURCE_BYTES) -> bytes:
    """Return the content of a source file.

    Raises:
        SourceError: If it is gone, not readable, not a regular file any more, or larger than
            `max_bytes`.
    """
    return _read_regular(file.path, file.name, max_bytes)


def _walk(folder: Path, rules: tuple[_IgnoreRule, ...]) -> Iterator[Path]:
    """Yield the article files below `folder`, in no particular order."""
    try:
        with os.scandir(folder) as listing:
            entries = list(listing)
    except OSError as error:
        raise _source_error(folder, error) from error
    if any(entry.name == IGNORE_FILE for entry in entries):
        rules += _read_rules(folder)
    for entry in entries:
        path = folder / entry.name
        if entry.name.startswith(".") or any(rule.matches(path) for rule in rules):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path, rules)
        elif entry.is_file(follow_symlinks=False) and path.suffix.lower() in ARTICLE_SUFFIXES:
            yield path


def _read_rules(folder: Path) -> tuple[_IgnoreRule, ...]:
    path = folder / IGNORE_FILE
    text = _read_regular(path, str(path), MAX_IGNORE_BYTES).decode("utf-8-sig", "replace")
    patterns = [line.strip() for line in text.splitlines()]
    patterns = [pattern for pattern in patterns if pattern and not pattern.startswith("#")]
    for pattern in patterns:
        if pattern.startswith("!"):
            raise SourceError(f'{path}: "{pattern}" cannot be used, there is no "!" here.')
    # "drafts/" and "drafts" are the same here: a matching folder is not entered
    return tuple(_IgnoreRule(folder, pattern.rstrip("/")) for pattern in patterns)


def _read_regular(path: Path, name: str, max_bytes: int) -> bytes:
    """Return the bytes of a regular file; the checks are on the opened file, so none can race."""
    try:
        descriptor = os.open(path, _SAFE_OPEN)
        with open(descriptor, "rb") as stream:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise SourceError(f"{name} is not a regular file.")
            # the stated size can be wrong (/proc, a growing log), so reading is limited as well
            data = b"" if status.st_size > max_bytes else stream.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        raise _source_error(name, error) from error
    if status.st_size > max_bytes or len(data) > max_bytes:
        raise SourceError(f"{name} is larger than {max_bytes / 1e6:g} MB.")
    return data


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
