"""An index ↔ one file that can be taken to another machine.

The file is a zip of the record and the manifest. Chroma's files are left out: they are derived, may
hold what runs as code, and are made anew where the file is read.
"""

from __future__ import annotations

import errno
import hashlib
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED

from index.editing import EditableRecord
from index.errors import DiskFullError, IndexDamagedError, SourceError
from index.generation import CURRENT, MANIFEST, RECORD, STAGING, Generation, Manifest
from index.lock import hold
from index.record import Record
from index.repair import NamedOnly
from index.service import open_sound, sync
from index.space import MIN_ROOM, failure_named
from index.staging import BASE, Staging, current_or_none, discard

INCOMING = "incoming"  # in staging, until it is known to be an index
BLOCK = 1 << 20
MAX_MANIFEST_BYTES = 1_000_000
MAX_RATIO = 100  # of a record to its zip file, in which it takes half to a tenth (measured)
SMALL_BYTES = 10_000_000  # any record may be as large as this
COPIES = 2  # of a record's size, that it and Chroma's files take

OnCount = Callable[[int, int], None]  # done, total
# What zipfile raises for bytes that are no zip, or not the one that was written.
NO_ZIP = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(EOFError, OverflowError, RuntimeError, ValueError),
)


@dataclass(frozen=True, slots=True)
class _Exported:
    """An exported file that has been opened, and what it says of itself."""

    file: Path
    archive: zipfile.ZipFile
    manifest: Manifest
    n_bytes: int  # of the record


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
        # strict_timestamps: a file of 1970, as images of containers hold them, is none to zip.
        with zipfile.ZipFile(
            partial, "w", ZIP_DEFLATED, compresslevel=3, strict_timestamps=False
        ) as archive:
            archive.write(generation.path / MANIFEST, MANIFEST)
            archive.write(generation.record_path, RECORD)
        sync(partial)
        partial.replace(file)
    except BaseException as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _named(error, file) from error
        raise
    return generation


def import_index(
    file: Path,
    index_dir: Path,
    *,
    replace_it: bool = False,
    on_count: OnCount = lambda done, total: None,
) -> Generation:
    """Put the index in `file` in service at `index_dir`, checked as a build is.

    What a build that was stopped has left is given up only for a file that is whole.

    Args:
        file: What `export_index` wrote.
        index_dir: The folder of the index; created if missing.
        replace_it: Whether an index that is there may be replaced; it stays to be rolled back to.
        on_count: Told how many vectors of how many are indexed.

    Raises:
        SourceError: If the file cannot be read, is no exported index, is not as it was exported or
            of another format, or if there is an index.
        BuildFailedError: If what it holds does not pass the check, or cannot be written.
        IndexLockedError, DiskFullError, ReadOnlyIndexError: As for a build.
    """
    with _opened(file) as exported, failure_named(index_dir), hold(index_dir):
        # Also one that is too damaged to be opened: its record may be all that is left of it.
        is_there = (index_dir / CURRENT).exists() or any(index_dir.glob("gen-*"))
        if is_there and not replace_it:
            raise SourceError(
                f"There is an index at {index_dir} already. Add --replace to put the one in {file} "
                "in its place, or choose another folder with --index DIR."
            )
        _require_room(index_dir, exported.n_bytes)
        _take_in(exported, index_dir / STAGING)
        try:
            return _publish(exported.manifest, index_dir, on_count)
        except IndexDamagedError as error:
            raise SourceError(f"{file} cannot be imported: {error.problem}.") from error
        finally:
            discard(index_dir)


def _publish(manifest: Manifest, index_dir: Path, on_count: OnCount) -> Generation:
    try:
        before = current_or_none(index_dir)
    except IndexDamagedError:
        before = None
    with closing(EditableRecord.edit(index_dir / STAGING / RECORD)) as record:
        record.put_setting(BASE, "0")
        embedder = NamedOnly(manifest.settings["embedder"])
        staging = Staging(index_dir, before, record, embedder)  # type: ignore[arg-type]
        staging.build_vectors(on_count, from_base=False)
        return staging.publish()


@contextmanager
def _opened(file: Path) -> Iterator[_Exported]:
    """Yield the exported file, if its list of contents and its manifest are those of one."""
    with ExitStack() as stack:
        with _damage_named(file):
            archive = stack.enter_context(zipfile.ZipFile(file))
            sizes = {item.filename: item.file_size for item in archive.infolist()}
            kinds = {item.compress_type for item in archive.infolist()}
            names = sorted(archive.namelist())
            if names != sorted([MANIFEST, RECORD]) or not kinds <= {ZIP_STORED, ZIP_DEFLATED}:
                raise SourceError(f"{file} is not an index that article-qa exported.")
            if sizes[RECORD] > max(SMALL_BYTES, MAX_RATIO * file.stat().st_size):
                raise SourceError(
                    f"{file} is not an index that article-qa exported: it would unpack to "
                    f"{sizes[RECORD] / 1e6:,.0f} MB."
                )
            with archive.open(MANIFEST) as stream:
                text = stream.read(MAX_MANIFEST_BYTES).decode("utf-8")
            try:
                manifest = Manifest.parse(text, file)
            except IndexDamagedError as error:
                raise SourceError(f"{file} cannot be imported: {error.problem}.") from error
        yield _Exported(file, archive, manifest, sizes[RECORD])


def _take_in(exported: _Exported, staging: Path) -> None:
    """Let the record be the only thing in the staging folder, once it is known to be whole."""
    incoming = staging / INCOMING
    shutil.rmtree(incoming, ignore_errors=True)
    incoming.mkdir(parents=True)
    try:
        _unpack(exported, incoming / RECORD)
        _check(exported, incoming / RECORD)
        for item in staging.iterdir():
            if item.is_dir() and item != incoming:
                shutil.rmtree(item)
            elif item.is_file():
                item.unlink()
        (incoming / RECORD).rename(staging / RECORD)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
        with suppress(OSError):  # there is something in it
            staging.rmdir()


def _unpack(exported: _Exported, target: Path) -> None:
    """Write the record to `target`, counting and hashing real bytes."""
    digest, n_bytes = hashlib.sha256(), 0
    with target.open("wb") as out:
        for block in _blocks(exported):
            n_bytes += len(block)
            if n_bytes > exported.n_bytes:
                raise SourceError(f"{exported.file} unpacks to more than it says.")
            digest.update(block)
            out.write(block)
    if digest.hexdigest() != exported.manifest.files.get(RECORD):
        raise SourceError(
            f"{exported.file} is damaged: {RECORD} in it is not as it was exported. "
            "Copy it again, or export it again where it came from."
        )


def _blocks(exported: _Exported) -> Iterator[bytes]:
    with _damage_named(exported.file), exported.archive.open(RECORD) as stream:
        while block := stream.read(BLOCK):
            yield block


def _check(exported: _Exported, path: Path) -> None:
    """Check that the record is one, and is that of the manifest; nothing of it runs here.

    Raises:
        SourceError: If not.
    """
    manifest = exported.manifest
    try:
        with closing(Record.open(path)) as record:
            # A record has one view and no trigger, which would run as soon as it is written to.
            odd = record.raw(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' "
                "OR (type = 'view' AND name <> 'passage_text')"
            )
            if odd or record.settings() != manifest.settings:
                raise SourceError(f"{exported.file} is not an index that article-qa exported.")
    except IndexDamagedError as error:
        raise SourceError(
            f"{exported.file} cannot be imported: {error.problem}. "
            "Export it again with this version of article-qa."
        ) from error


def _require_room(index_dir: Path, n_bytes: int) -> None:
    needed, free = COPIES * n_bytes + MIN_ROOM, shutil.disk_usage(index_dir).free
    if free < needed:
        raise DiskFullError(index_dir, needed, free)


@contextmanager
def _damage_named(file: Path) -> Iterator[None]:
    """Say of any fault met while reading the file that it is the file's."""
    try:
        yield
    except NO_ZIP as error:
        raise SourceError(f"{file} is not an index that article-qa exported ({error}).") from error
    except OSError as error:
        raise _named(error, file) from error


def _named(error: OSError, file: Path) -> Exception:
    if error.errno == errno.ENOSPC:
        return DiskFullError(file)
    return SourceError(f"{file} cannot be used: {error.strerror or error}.")
