"""Is there room for the next generation? Better asked before an hour of work than found out."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from index.errors import ArticleQAError, BuildFailedError, DiskFullError
from index.generation import Generation, files_of

MIN_ROOM = 8_000_000  # bytes: an empty record, an empty Chroma, and what SQLite needs beside them
ROOM_PER_SIZE = 1.5  # times the present generation: its copy, and half of it to write anew
# SQLite's words in Chroma's mouth, the system's
DISK_FULL = ("disk is full", "No space left on device")
SOURCE_SHARE = 4  # bytes of an index per byte of new plain text: text, words, vectors twice


def require_room(index_dir: Path, base: Generation | None, new_bytes: int = 0) -> None:
    """Check that the disk has room for a generation made from `base` and so much new text.

    Raises:
        DiskFullError: If not; says how much is needed and how much is free.
    """
    size = sum(path.stat().st_size for path in files_of(base.path)) if base else 0
    needed = int(size * ROOM_PER_SIZE) + new_bytes * SOURCE_SHARE + MIN_ROOM
    free = shutil.disk_usage(index_dir).free
    if free < needed:
        raise DiskFullError(index_dir, needed, free)


@contextmanager
def disk_full_named(index_dir: Path) -> Iterator[None]:
    """Say "the disk is full" whichever library met it."""
    try:
        yield
    except DiskFullError:
        raise
    except Exception as error:
        full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
        if not full and not any(words in str(error) for words in DISK_FULL):
            raise
        raise DiskFullError(index_dir) from error


@contextmanager
def failure_named(index_dir: Path) -> Iterator[None]:
    """Say in one sentence that writing failed: each library has its own errors for that.

    Raises:
        DiskFullError: If there is no room.
        BuildFailedError: If something else is wrong.
    """
    try:
        with disk_full_named(index_dir):
            yield
    except ArticleQAError:
        raise
    except Exception as error:
        raise BuildFailedError(
            f"The index at {index_dir} could not be written ({type(error).__name__}: {error}). "
            "What was in service stays so. Run the command again once the cause is gone."
        ) from error
