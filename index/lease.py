"""A private copy of a folder in the system's temporary folder, gone when it is no longer used.

A copy whose process was killed stays behind; the next one to be made clears it away, since the
operating system has freed the lock on it by then.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Self

from index.errors import DiskFullError, IndexDamagedError

if TYPE_CHECKING:
    from filelock import BaseFileLock

PREFIX = "article-qa-copy-"
LOCK = "in-use"


class Lease:
    """A copied folder, `path`, and the lock that says it is in use."""

    def __init__(self, home: Path, lock: BaseFileLock) -> None:
        self.path = home / "files"
        self.end = weakref.finalize(self, _remove, home, lock)  # also when the process ends

    @classmethod
    def copy_of(cls, folder: Path) -> Self:
        """Return a copy of `folder`, readable by this user only.

        Raises:
            DiskFullError: If there is no room for it.
            IndexDamagedError: If the folder cannot be read.
        """
        from filelock import FileLock

        _clear_abandoned()
        home = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = FileLock(home / LOCK)
        lock.acquire()
        lease = cls(home, lock)
        try:
            shutil.copytree(folder, lease.path)
            for path in (lease.path, *lease.path.rglob("*")):  # the original may be read-only
                path.chmod(0o700 if path.is_dir() else 0o600)
        except OSError as error:
            lease.end()
            if error.errno == errno.ENOSPC:
                raise DiskFullError(home) from error
            raise IndexDamagedError(folder.parent, f"{folder.name} cannot be read") from error
        return lease


def _remove(home: Path, lock: BaseFileLock) -> None:
    lock.release()
    shutil.rmtree(home, ignore_errors=True)


def _clear_abandoned() -> None:
    from filelock import FileLock, Timeout

    for home in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            if hasattr(os, "getuid") and home.lstat().st_uid != os.getuid():
                continue
            if not (home / LOCK).is_file():  # just being made
                continue
            with FileLock(home / LOCK, blocking=False):
                pass
        except (OSError, Timeout):
            continue
        shutil.rmtree(home, ignore_errors=True)
