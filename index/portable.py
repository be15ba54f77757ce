"""An index ↔ one file that can be taken to another machine.

The file is a zip of the record and the manifest. Chroma's files are left out: they are derived, may
hold what runs as code, and are made anew where the file is read.
"""

from __future__ import annotations

import errno
import hashlib
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

from index.editing import EditableRecord
from index.errors import DiskFullError, IndexDamagedError, SourceError
from index.generation import MANIFEST, RECORD, STAGING, Generation, Manifest
from index.lock import hold
from index.record import Record
from index.repair import NamedOnly
from index.service import generations, open_sound, sync
from index.staging import BASE, Staging

BLOCK = 1 << 20
MAX_MANIFEST_BYTES = 1_000_000

OnCount = Callable[[int, int], None]  # done, total


def export_index(index_dir: Path, file: Path) -> Generation:
    """Write the index in service into `file`, all of it or nothing; return which generation it was.

    Raises:
        IndexMissingError: If there is no index.
        SourceError: If the file cannot be written.
        DiskFullError: If there is no room.
    """
    generation = open_sound(index_dir)
    partial = file.with_name(f"{file.name}.partial")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
            archive.write(generation.path / MANIFEST, MANIFEST)
            archive.write(generation.record_path, RECORD)
        sync(partial)
        partial.replace(file)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise _named(error, file) from error
    return generation


def import_index(
    file: Path,
    index_dir: Path,
    *,
    replace_it: bool = False,
    on_count: OnCount = lambda done, total: None,
) -> Generation:
    """Put the index in `file` in service at `index_dir`, checked as a build is.

    Args:
        file: What `export_index` wrote.
        index_dir: The folder of the index; created if missing.
        replace_it: Whether an index that is there may be replaced; it stays to be rolled back to.
        on_count: Told how many vectors of how many are indexed.

    Raises:
        SourceError: If the file cannot be read or is no exported index, or there is an index.
        IndexDamagedError: If it is not what its manifest says, or of another format.
        IndexLockedError, DiskFullError, ReadOnlyIndexError: As for a build.
    """
    with hold(index_dir):
        there = generations(index_dir)
        if there and not replace_it:
            raise SourceError(
                f"There is an index at {index_dir} already. Add --replace to put the one in {file} "
                "in its place, or choose another folder with --index DIR."
            )
        shutil.rmtree(index_dir / STAGING, ignore_errors=True)
        try:
            return _publish(file, index_dir, there[0] if there else None, on_count)
        except BaseException:
            shutil.rmtree(index_dir / STAGING, ignore_errors=True)
            raise


def _publish(
    file: Path, index_dir: Path, before: Generation | None, on_count: OnCount
) -> Generation:
    record_path = index_dir / STAGING / RECORD
    record_path.parent.mkdir()
    manifest = _unpack(file, record_path)
    Record.open(record_path).close()  # of a format that can be read
    record = EditableRecord.edit(record_path)
    try:
        record.put_setting(BASE, "0")
        embedder = NamedOnly(manifest.settings["embedder"])
        staging = Staging(index_dir, before, record, embedder)  # type: ignore[arg-type]
        staging.build_vectors(on_count, from_base=False)
        return staging.publish()
    finally:
        record.close()


def _unpack(file: Path, target: Path) -> Manifest:
    """Write the record to `target`, counting and hashing real bytes; return its manifest."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = sorted(archive.namelist())
            if names != sorted([MANIFEST, RECORD]):
                raise SourceError(f"{file} is not an index that article-qa exported.")
            with archive.open(MANIFEST) as stream:
                text = stream.read(MAX_MANIFEST_BYTES)
            (target.parent / MANIFEST).write_bytes(text)
            manifest = Manifest.read(target.parent)
            (target.parent / MANIFEST).unlink()
            digest = hashlib.sha256()
            with archive.open(RECORD) as stream, target.open("wb") as out:
                while block := stream.read(BLOCK):
                    digest.update(block)
                    out.write(block)
    except (zipfile.BadZipFile, EOFError, ValueError, RuntimeError) as error:
        raise SourceError(f"{file} is not an index that article-qa exported ({error}).") from error
    except OSError as error:
        raise _named(error, file) from error
    if digest.hexdigest() != manifest.files.get(RECORD):
        raise IndexDamagedError(file, f"{RECORD} in it is not as it was exported")
    return manifest


def _named(error: OSError, file: Path) -> Exception:
    if error.errno == errno.ENOSPC:
        return DiskFullError(file)
    return SourceError(f"{file} cannot be used: {error.strerror or error}.")
