"""Every error a user can meet, each saying what happened, why it matters and what to do.

ArticleQAError
├── ConfigError            a setting is unknown or cannot be read
├── SourceError            a path, file or folder cannot be used as a source of articles
│   ├── ParseError         one file is readable but no article comes out of it
│   └── FetchError         an address may not be opened, or could not be fetched
├── IndexMissingError      there is no index where one was asked for
├── IndexLockedError       another process is building this index
├── ReadOnlyIndexError     the index cannot be written where it is
├── DiskFullError          there is no room for the next generation
├── IndexDamagedError      the index on disk is not what its manifest says
├── ModelMismatchError     the index was built with another embedder or chunker
├── ModelFileError         a bundled model file is missing or altered
├── BuildFailedError       the building process ended without a new generation
│   └── BuildStalledError  it said nothing for too long and was stopped
├── QuestionError          the question is empty or too long, or no article can pass its filter
└── ServerError            the chat server cannot start (port in use)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path


class ArticleQAError(Exception):
    """Root of all errors that are the user's to fix; programs catch this one."""

    exit_status = 2  # of the command line


class ConfigError(ArticleQAError):
    """A setting is unknown or cannot be read."""


class SourceError(ArticleQAError):
    """A path, file or folder cannot be used as a source of articles.

    `problems` are those of single sources, each with its reason, where they led to it.
    """

    problems: tuple[tuple[str, str], ...] = ()

    def __init__(self, message: str, problems: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class ParseError(SourceError):
    """One file is readable but no article comes out of it; the message is the reason."""


class FetchError(SourceError):
    """An address may not be opened, or could not be fetched; the message is the reason."""


class IndexMissingError(ArticleQAError):
    """There is no index where one was asked for."""

    def __init__(self, index_dir: Path) -> None:
        super().__init__(
            f"There is no index at {index_dir}. "
            "Build one first: article-qa index FOLDER (add --index DIR to keep it elsewhere)."
        )
        self.index_dir = index_dir


class IndexLockedError(ArticleQAError):
    """Another process is building this index."""

    exit_status = 75  # EX_TEMPFAIL of sysexits.h: try again later

    def __init__(self, index_dir: Path, holder: str) -> None:
        super().__init__(
            f"Another process{holder} is building the index at {index_dir}. "
            "Asking still works; wait for it to finish, then run the command again."
        )
        self.index_dir = index_dir


class ReadOnlyIndexError(ArticleQAError):
    """The index cannot be written where it is."""

    exit_status = 73  # EX_CANTCREAT of sysexits.h

    def __init__(self, index_dir: Path, reason: str) -> None:
        super().__init__(
            f"The index at {index_dir} is read-only ({reason}) and cannot be brought up to date. "
            "Asking still works. Make the folder writable, or keep another index with --index DIR."
        )
        self.index_dir = index_dir


class DiskFullError(ArticleQAError):
    """There is no room for the next generation; the one in service is unharmed."""

    def __init__(self, path: Path, needed: int | None = None, free: int | None = None) -> None:
        known = needed is not None and free is not None
        sizes = f": {_megabytes(needed)} needed, {_megabytes(free)} free" if known else ""
        super().__init__(
            f"The disk of {path} is full{sizes}. The index in service is unharmed. Free some space "
            "(article-qa generations prune drops old generations), then run the command again."
        )
        self.path = path


def _megabytes(size: int | None) -> str:
    return f"{(size or 0) / 1e6:,.0f} MB"


class IndexDamagedError(ArticleQAError):
    """The index on disk is not what its manifest says; `problem` names the first difference."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"The index at {path} is damaged: {problem}. "
            "Your articles are not affected. Rebuild it: article-qa index FOLDER --rebuild."
        )
        self.path, self.problem = path, problem


class ModelMismatchError(ArticleQAError):
    """The index was built with another embedder or chunker than the one now loaded."""

    def __init__(self, path: Path, built_with: str, loaded: str) -> None:
        super().__init__(
            f"The index at {path} was built with {built_with!r} but {loaded!r} is loaded, "
            "so they cannot be compared. Rebuild it: article-qa index FOLDER --rebuild, "
            "or name the model it was built with: ARTICLE_QA_EMBEDDER=NAME."
        )
        self.path, self.built_with, self.loaded = path, built_with, loaded


class ModelFileError(ArticleQAError):
    """A bundled model file is missing or altered."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"The model file {path} is {problem}. Install article-qa again: its wheel carries it."
        )
        self.path = path


class BuildFailedError(ArticleQAError):
    """The building process ended without a new generation; the old one stays in service."""


class BuildStalledError(BuildFailedError):
    """The building process said nothing for too long and was stopped; the old index serves on."""

    exit_status = 74  # EX_IOERR of sysexits.h: a disk that fails or does not answer, as a rule

    def __init__(self, index_dir: Path, phase: str, silence_s: float) -> None:
        super().__init__(
            f"The building process said nothing for {silence_s:g} s (phase: {phase}) and was "
            f"stopped. Most likely the disk of {index_dir} fails or does not answer: look whether "
            "a file can be written there. The old index, if there was one, stays in service. Run "
            "the command again to go on from here; if the machine is only slow, set a higher "
            "stall_timeout_s (ARTICLE_QA_STALL_TIMEOUT_S) first."
        )
        self.index_dir = index_dir


class QuestionError(ArticleQAError):
    """The question is empty or too long, or no article can pass its filter."""


class ServerError(ArticleQAError):
    """The chat server cannot start."""


def error_named(
    kind: str, message: str, problems: Iterable[tuple[str, str]] = ()
) -> ArticleQAError:
    """Return the error of class `kind` with this message, as told by the building process."""
    classes = {cls.__name__: cls for cls in _subclasses(ArticleQAError)}
    cls = classes.get(kind, BuildFailedError)
    error = cls.__new__(cls)  # past __init__: the message is already written
    Exception.__init__(error, message)
    if isinstance(error, SourceError):
        error.problems = tuple((source, reason) for source, reason in problems)
    return error


def _subclasses(root: type[ArticleQAError]) -> Iterator[type[ArticleQAError]]:
    for cls in root.__subclasses__():
        yield cls
        yield from _subclasses(cls)
