"""A generation: one immutable, verified folder `gen-000042/` with record, vectors and manifest.

`CURRENT` names the one in service; `service.py` puts one there and takes another if it is damaged.
"""

from __future__ import annotations

import hashlib
import json
import re
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
            text = (path / MANIFEST).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise IndexDamagedError(path, f"{MANIFEST} cannot be read ({error})") from error
        return cls.parse(text, path)

    @classmethod
    def parse(cls, text: str, path: Path) -> Self:
        """Return the manifest in `text`, which is that of `path`.

        Raises:
            IndexDamagedError: If it is not a manifest.
        """
        try:
            manifest = cls(**json.loads(text))
            # What every reader relies on is tried here, where a fault has a name.
            _ = Generation(path, manifest).summary, sorted(manifest.files.items())
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
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
    notice: str | None = None  # why it is this one, if another should be in service

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
            notice=self.notice,
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


def generation_name(number: int) -> str:
    """Return the folder name of a generation."""
    return f"gen-{number:06d}"


def next_number(index_dir: Path) -> int:
    """Return a number higher than that of any generation there, whatever `CURRENT` says."""
    found = [NAME.fullmatch(path.name) for path in index_dir.glob("gen-*")]
    return 1 + max((int(match[1]) for match in found if match), default=0)


def hash_files(path: Path) -> dict[str, str]:
    """Return relative posix path → sha256 of every file below `path` but the manifest."""
    hashes = {}
    for file in files_of(path):
        name = file.relative_to(path).as_posix()
        if name != MANIFEST:
            hashes[name] = _hash(file)
    return hashes


def now() -> str:
    """Return the time for `Manifest.built_at`."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def files_of(path: Path) -> Iterator[Path]:
    """Yield every file below a folder, in order."""
    return (item for item in sorted(path.rglob("*")) if item.is_file())


def _date(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None
