"""One source to be read by a parser child, and what came out of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from index.errors import SourceError
from index.parsing.options import ParseOptions
from index.types import Article, Passage

if TYPE_CHECKING:
    from index.sources.listing import Listing


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseTask:
    """One source to be read."""

    key: Any  # comes back with the outcome
    name: str  # its suffix chooses the format, and ids are derived from it
    open: Callable[[], BinaryIO]  # called in a thread of the pool; raises SourceError
    options: ParseOptions = ParseOptions()
    kind: Literal["articles", "listing"] = "articles"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseOutcome:
    """What came out of one source. No articles and no listing: `problems` says why."""

    key: Any
    digest: bytes | None  # sha256 of its bytes; None if it could not be read
    articles: tuple[tuple[Article, tuple[Passage, ...]], ...] = ()
    listing: Listing | None = None  # also None for what is no feed, sitemap or OPML
    problems: tuple[str, ...] = ()  # of a source that was read
    unreadable: str | None = None  # why it could not be read now: keep what is known of it


def as_source_error(task: ParseTask, error: Exception) -> SourceError:
    """Return why a source cannot be read: one of thousands must not end the build."""
    if isinstance(error, SourceError):
        return error
    reason = error.strerror if isinstance(error, OSError) else None
    return SourceError(f"{task.name} cannot be read: {reason or type(error).__name__}.")
