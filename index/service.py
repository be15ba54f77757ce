"""Which generation is in service: publish one, go back to one, drop old ones, fall back on one.

Publishing renames the finished staging folder and swaps `CURRENT` in one step, so a reader sees the
old generation or the new one, never a mixture. Opening checks hashes and, where the generation that
should serve is damaged, takes the newest sound one and says so.
"""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import replace
from pathlib import Path

from index.errors import IndexDamagedError, IndexMissingError, SourceError
from index.failpoints import failpoint
from index.generation import (
    CURRENT,
    NAME,
    RECORD,
    STAGING,
    Generation,
    Manifest,
    files_of,
    generation_name,
    open_current,
)
from index.lock import hold

log = logging.getLogger(__name__)

NEXT = f"{CURRENT}.next"  # names the generation that is being published, until it is in service
REPAIR = "Repair it: article-qa verify --repair"


def open_sound(index_dir: Path) -> Generation:
    """Return the generation in service, or the newest sound one if that is damaged.

    Sound means here: manifest and record are as published. Chroma's files are checked by whoever
    loads them; the record can do without. Reading the record once takes 0.1 s per 100 MB.

    Raises:
        IndexMissingError: If the folder holds no index.
        IndexDamagedError: If no generation is sound; about the one in service.
    """
    try:
        return _checked(in_service(index_dir))
    except IndexDamagedError as error:
        found = next((item for item in generations(index_dir) if is_sound(item.path)), None)
        if found is None:
            raise
        notice = (
            f"The index in service is damaged ({error.problem}), so generation "
            f"{found.manifest.number} of {found.manifest.built_at[:10]} answers. {REPAIR}"
        )
        log.warning("%s", notice)
        return replace(found, notice=notice)


def in_service(index_dir: Path) -> Generation:
    """Return what `CURRENT` names; that it is missing beside generations is damage.

    Raises:
        IndexMissingError: If the folder holds no index.
        IndexDamagedError: If that generation is not there, or its manifest cannot be read.
    """
    try:
        return open_current(index_dir)
    except IndexMissingError as error:
        if generations(index_dir):
            raise IndexDamagedError(index_dir, f"{CURRENT} is missing") from error
        raise


def generations(index_dir: Path) -> list[Generation]:
    """Return all generations whose manifest can be read, newest first, sound or not."""
    found = []
    for path in sorted(index_dir.glob("gen-*"), reverse=True):
        if NAME.fullmatch(path.name):
            try:
                found.append(Generation(path, Manifest.read(path)))
            except IndexDamagedError:
                continue
    return found


def publish(index_dir: Path, manifest: Manifest, *, base: int | None = None) -> Generation:
    """Put the finished staging folder in service as generation `manifest.number`.

    Everything is on the disk before `CURRENT` changes: a power cut leaves the old or the new one.
    Then all generations are dropped but it and `base`, the one to go back to, and those newer than
    `base`: somebody went back from them, and may want them again.
    """
    staging = index_dir / STAGING
    manifest.write(staging)
    failpoint("manifest_written")
    for path in [*files_of(staging), *(p for p in staging.rglob("*") if p.is_dir()), staging]:
        sync(path)
    target = index_dir / generation_name(manifest.number)
    if target.exists():  # renamed by a build that was killed before it changed CURRENT
        shutil.rmtree(target)
    _write_pointer(index_dir / NEXT, manifest.number)
    failpoint("before_rename")
    staging.rename(target)
    sync(index_dir)
    failpoint("after_rename")
    (index_dir / NEXT).replace(index_dir / CURRENT)
    sync(index_dir)
    failpoint("before_prune")
    rolled_away = () if base is None else _sound_between(index_dir, base, manifest.number)
    _drop_all_but(index_dir, {manifest.number, base, *rolled_away})
    return Generation(target, manifest)


def unfinished(index_dir: Path) -> Path | None:
    """Return the generation that a stopped build had renamed and not yet put in service."""
    try:
        name = (index_dir / NEXT).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return index_dir / name if NAME.fullmatch(name) and is_sound(index_dir / name) else None


def roll_back(index_dir: Path, number: int | None = None) -> Generation:
    """Put an earlier generation in service again; return it.

    Args:
        index_dir: The folder of the index.
        number: Which; None means the newest one before that in service.

    Raises:
        SourceError: If there is no such generation.
        IndexDamagedError: If it is damaged.
        IndexLockedError: If a build is running.
    """
    with hold(index_dir):
        present = _number_in_service(index_dir)
        numbers = [item.manifest.number for item in generations(index_dir)]
        if number is None:
            number = next((item for item in numbers if present is None or item < present), None)
        if number not in numbers:
            there = ", ".join(map(str, sorted(numbers))) or "none"
            raise SourceError(
                f"There is no {'earlier generation' if number is None else f'generation {number}'} "
                f"at {index_dir} to go back to. There are: {there}."
            )
        path = index_dir / generation_name(number)
        found = _checked(Generation(path, Manifest.read(path)))
        _put_in_service(index_dir, number)
        return found


def prune(index_dir: Path, keep: int = 1) -> list[int]:
    """Drop generations but the one in service and the `keep - 1` newest others; return which.

    Raises:
        IndexMissingError: If there is no index.
        IndexLockedError: If a build is running.
    """
    with hold(index_dir):
        present = open_current(index_dir).manifest.number
        others = [item.manifest.number for item in generations(index_dir)]
        others = [number for number in others if number != present][: max(0, keep - 1)]
        return _drop_all_but(index_dir, {present, *others})


def sync(path: Path) -> None:
    """Have a file or folder written to the disk."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open a folder to sync it
        return
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def repair_pointer(index_dir: Path, generation: Generation) -> Generation:
    """Let `CURRENT` name a generation that `open_sound` fell back on; the caller holds the lock."""
    if generation.notice is None:
        return generation
    _put_in_service(index_dir, generation.manifest.number)
    return replace(generation, notice=None)


def _checked(generation: Generation) -> Generation:
    altered = generation.altered_files(under=RECORD)
    if altered:
        raise IndexDamagedError(generation.path, f"{altered[0]} is missing or altered")
    if RECORD not in generation.manifest.files:
        raise IndexDamagedError(generation.path, f"the manifest does not name {RECORD}")
    return generation


def is_sound(path: Path) -> bool:
    """Say whether the folder `path` is a generation whose manifest and record are as published."""
    try:
        _checked(Generation(path, Manifest.read(path)))
    except IndexDamagedError:
        return False
    return True


def _number_in_service(index_dir: Path) -> int | None:
    try:
        return in_service(index_dir).manifest.number
    except IndexDamagedError:
        return None


def _put_in_service(index_dir: Path, number: int) -> None:
    # Another name than `NEXT`: what stands there was never in service. Nor is it to be any more.
    (index_dir / NEXT).unlink(missing_ok=True)
    pointer = index_dir / f"{CURRENT}.tmp"
    _write_pointer(pointer, number)
    pointer.replace(index_dir / CURRENT)
    sync(index_dir)


def _write_pointer(path: Path, number: int) -> None:
    path.write_text(generation_name(number), encoding="utf-8")
    sync(path)


def _sound_between(index_dir: Path, low: int, high: int) -> list[int]:
    found = [item for item in generations(index_dir) if low < item.manifest.number < high]
    return [item.manifest.number for item in found if is_sound(item.path)]


def _drop_all_but(index_dir: Path, kept: set[int | None]) -> list[int]:
    dropped = []
    for path in index_dir.glob("gen-*"):
        match = NAME.fullmatch(path.name)
        if match and int(match[1]) not in kept:
            # A reader may still hold an old one open; on Windows it is then left for next time.
            shutil.rmtree(path, ignore_errors=True)
            dropped.append(int(match[1]))
    return sorted(dropped)
