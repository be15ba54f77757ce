"""One writer per index: a lock that the operating system frees if its holder dies."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from index.errors import ConfigError, IndexLockedError, ReadOnlyIndexError

LOCK, HOLDER = ".lock", ".lock.pid"
READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


@contextmanager
def hold(index_dir: Path) -> Iterator[None]:
    """Hold the index for writing; its folder is made if it is not there.

    Raises:
        ConfigError: If the folder cannot be made.
        IndexLockedError: If another process holds it; names that process and since when.
        ReadOnlyIndexError: If nothing can be written there.
    """
    from filelock import FileLock, Timeout

    _make(index_dir)
    holder = index_dir / HOLDER
    lock = FileLock(index_dir / LOCK, blocking=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise IndexLockedError(index_dir, _described(holder)) from error
    except OSError as error:
        raise ReadOnlyIndexError(index_dir, error.strerror or str(error)) from error
    try:
        started = datetime.now().astimezone().isoformat(" ", "seconds")
        with suppress(OSError):  # on a full disk the lock holds, if without a name
            holder.write_text(json.dumps({"pid": os.getpid(), "started": started}), "ascii")
        yield
    finally:
        with suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


def holder_of(index_dir: Path) -> int | None:
    """Return the process id of who holds the index, as far as that is written down."""
    try:
        return int(json.loads((index_dir / HOLDER).read_text(encoding="ascii"))["pid"])
    except (OSError, ValueError, KeyError, TypeError):  # not written yet, or gone by now
        return None


def _make(index_dir: Path) -> None:
    try:
        index_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in READ_ONLY:
            raise ReadOnlyIndexError(index_dir, error.strerror or str(error)) from error
        raise ConfigError(
            f"The index cannot be kept at {index_dir} ({error.strerror}). "
            "Choose another folder with --index DIR."
        ) from error


def _described(holder: Path) -> str:
    try:
        known = json.loads(holder.read_text(encoding="ascii"))
        return f" (number {int(known['pid'])}, since {known['started']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
