"""A damaged index → a sound one, without embedding anything again where that can be had."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from index.errors import IndexDamagedError
from index.generation import Generation, open_current
from index.lock import hold
from index.record import Record
from index.service import open_sound, repair_pointer
from index.staging import Staging
from index.verify import verify


@dataclass(frozen=True, slots=True)
class Repair:
    """What a repair found and did."""

    problems: tuple[str, ...]  # of what was in service
    done: str  # in words
    generation: Generation  # in service now


def find_problems(index_dir: Path) -> list[str]:
    """Return everything wrong with the generation in service; empty when it is sound.

    Raises:
        IndexMissingError: If there is no index.
    """
    try:
        return verify(open_current(index_dir))
    except IndexDamagedError as error:
        return [error.problem]


def repair(index_dir: Path) -> Repair:
    """Put a sound generation in service.

    Chroma's files are made anew from the record. If the record itself is damaged, the newest
    generation with a sound one takes its place.

    Raises:
        IndexMissingError: If there is no index.
        IndexDamagedError: If no generation has a sound record: it must be rebuilt.
        IndexLockedError: If a build is running.
        BuildFailedError: If what was made anew is not sound either.
    """
    with hold(index_dir):
        problems = find_problems(index_dir)
        found = open_sound(index_dir)
        done = "nothing had to be done"
        if found.notice:
            found = repair_pointer(index_dir, found)
            done = f"generation {found.manifest.number} is in service now"
        if verify(found):
            found = _with_new_vectors(index_dir, found)
            done = f"the vector index was made anew as generation {found.manifest.number}"
        return Repair(tuple(problems), done, found)


def _with_new_vectors(index_dir: Path, base: Generation) -> Generation:
    with closing(Record.open(base.record_path)) as record:
        embedder = record.settings()["embedder"]
    staging = Staging.start(index_dir, NamedOnly(embedder), base, "update")  # type: ignore[arg-type]
    staging.build_vectors(lambda done, total: None, from_base=False)
    return staging.publish()


@dataclass(frozen=True, slots=True)
class NamedOnly:
    """Stands for an embedder where nothing is to be embedded."""

    model_id: str
