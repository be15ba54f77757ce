"""Is there room for the next generation? Better asked before an hour of work than found out."""

from __future__ import annotations

import shutil
from pathlib import Path

from index.errors import DiskFullError
from index.generation import Generation, files_of

MIN_ROOM = 8_000_000  # bytes: an empty record, an empty Chroma, and what SQLite needs beside them
ROOM_PER_SIZE = 1.5  # times the present generation: its copy, and half of it to write anew
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
