"""A generation: one immutable, verified folder `gen-000042/` with record, vectors and manifest.

`CURRENT` names the one in service. Publishing renames the finished staging folder and swaps
`CURRENT` in one step, so a reader sees the old generation or the new one, never a mixture.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Self

from index.errors import IndexDamagedError, IndexMissingError
from index.types import IndexSummary

RECORD, CHROMA, MANIFEST, CURRENT, STAGING = (
    "record.db",
    "chroma",
    "manifest.json",
    "CURRENT",
    "staging",
)
NAME = re.compile(r"gen-(\d{6,9})")
KEPT = 2  # the generation in service and the one before it, to go back to
# Chroma writes to its SQLite file whenever it is opened, so no hash of it lasts; its content is
# compared with the record instead. The HNSW files stay as they are, and must: a flipped bit in
# them can end the process that loads them.
UNHASHED = f"{CHROMA}/chroma.sqlite3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a generation is made of, written last and checked at every opening."""

    number: int
    built_at: str  # ISO 8601, UTC
    settings: dict[str, str]  # embedder, chunker and parser ids, as in the record
    n_articles: int
    n_passages: int
    first_published: str | None
    last_published: str | None
    files: dict[str, str]  # relative posix path -> sha256

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the manifest in the folder `path`.

        Raises:
            IndexDamagedError: If it is missing or not a manifest.
        """
        try:
            manifest = cls(**json.loads((path / MANIFEST).read_text(encoding="utf-8")))
            # What every reader relies on is tried here, where a fault has a name.
            _ = Generation(path, manifest).summary, sorted(manifest.files.items())
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise IndexDamagedError(path, f"{MANIFEST} cannot be read ({error})") from error
        return manifest

    def write(self, path: Path) -> None:
        """Write the manifest into the folder `path`."""
        text = json.dumps(asdict(self), indent=1, sort_keys=True)
        (path / MANIFEST).write_text(text, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Generation:
    """One published folder and its manifest."""

    path: Path
    manifest: Manifest

    @property
    def record_path(self) -> Path:
        """The SQLite file."""
        return self.path / RECORD

    @property
    def chroma_path(self) -> Path:
        """The folder that Chroma owns."""
        return self.path / CHROMA

    @property
    def summary(self) -> IndexSummary:
        """What it holds, without opening anything."""
        manifest = self.manifest
        return IndexSummary(
            n_articles=manifest.n_articles,
            n_passages=manifest.n_passages,
            generation=manifest.number,
            built_at=datetime.fromisoformat(manifest.built_at),
            first_published=_date(manifest.first_published),
            last_published=_date(manifest.last_published),
            embedder=manifest.settings["embedder"],
        )

    def altered_files(self, under: str = "") -> list[str]:
        """Return the files, of those below `under`, that are missing or not as published."""
        return [
            name
            for name, digest in self.manifest.files.items()
            if name.startswith(under) and not self._is_as_published(name, digest)
        ]

    def _is_as_published(self, name: str, digest: str) -> bool:
        try:
            return _hash(self.path / name) == digest
        except OSError:
            return False


def open_current(index_dir: Path) -> Generation:
    """Return the generation in service.

    Raises:
        IndexMissingError: If the folder holds no index.
        IndexDamagedError: If the generation that `CURRENT` names is not there or not whole.
    """
    try:
        name = (index_dir / CURRENT).read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise IndexMissingError(index_dir) from error
    except (OSError, UnicodeDecodeError) as error:
        raise IndexDamagedError(index_dir, f"{CURRENT} cannot be read ({error})") from error
    path = index_dir / name
    if not NAME.fullmatch(name) or not path.is_dir():
        raise IndexDamagedError(index_dir, f"{CURRENT} names {name!r}, which is not there")
    return Generation(path, Manifest.read(path))


def publish(index_dir: Path, manifest: Manifest) -> Generation:
    """Put the finished staging folder in service as generation `manifest.number`.

    Everything is on the disk before `CURRENT` changes: a power cut leaves the old or the new one.
    """
    staging = index_dir / STAGING
    manifest.write(staging)
    for path in [*_files(staging), *(p for p in staging.rglob("*") if p.is_dir()), staging]:
        _sync(path)
    target = index_dir / generation_name(manifest.number)
    if target.exists():  # renamed by a build that was killed before it changed CURRENT
        shutil.rmtree(target)
    staging.rename(target)
    _sync(index_dir)
    pointer = index_dir / f"{CURRENT}.tmp"
    pointer.write_text(target.name, encoding="utf-8")
    _sync(pointer)
    pointer.replace(index_dir / CURRENT)
    _sync(index_dir)
    _prune(index_dir, manifest.number)
    return Generation(target, manifest)


def generation_name(number: int) -> str:
    """Return the folder name of a generation."""
    return f"gen-{number:06d}"


def next_number(index_dir: Path) -> int:
    """Return a number higher than that of any generation there, whatever `CURRENT` says."""
    found = [NAME.fullmatch(path.name) for path in index_dir.glob("gen-*")]
    return 1 + max((int(match[1]) for match in found if match), default=0)


def hash_files(path: Path) -> dict[str, str]:
    """Return relative posix path → sha256 of the files below `path` that never change."""
    hashes = {}
    for file in _files(path):
        name = file.relative_to(path).as_posix()
        if name not in {UNHASHED, MANIFEST} and not name.startswith(f"{UNHASHED}-"):
            hashes[name] = _hash(file)
    return hashes


def now() -> str:
    """Return the time for `Manifest.built_at`."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _prune(index_dir: Path, newest: int) -> None:
    for path in index_dir.glob("gen-*"):
        match = NAME.fullmatch(path.name)
        if match and not newest - KEPT < int(match[1]) <= newest:
            # A reader may still hold an old one open; on Windows it is then left for next time.
            shutil.rmtree(path, ignore_errors=True)


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _files(path: Path) -> Iterator[Path]:
    return (item for item in sorted(path.rglob("*")) if item.is_file())


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():  # Windows cannot open a folder to sync it
        return
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _date(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None
