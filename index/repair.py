"""A damaged index → a sound one, without embedding anything again where that can be had."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from index.errors import ArticleQAError, IndexDamagedError
from index.generation import CURRENT, NAME, RECORD, Generation, Manifest, now
from index.lock import hold
from index.record import Record
from index.service import generations, in_service, is_sound, open_sound, repair_pointer
from index.space import failure_named
from index.staging import Staging, batched, embedded_digest
from index.verify import verify, verify_record

PASSAGES_AT_ONCE = 1_000  # a few MB
SINCE = "what was indexed after it comes in again with: article-qa index"


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
        return verify(in_service(index_dir))
    except IndexDamagedError as error:
        return [error.problem]


def repair(index_dir: Path) -> Repair:
    """Put a sound generation in service.

    Chroma's files and the manifest are made anew from the record. If the record itself is damaged,
    the newest generation with a sound one takes its place.

    Raises:
        IndexMissingError: If there is no index.
        IndexDamagedError: If no generation has a sound record: it must be rebuilt.
        IndexLockedError: If a build is running.
        DiskFullError: If there is no room.
        BuildFailedError: If what was made anew is not sound either, or cannot be written.
    """
    with failure_named(index_dir), hold(index_dir):
        problems = find_problems(index_dir)
        if (found := with_new_manifest(index_dir)) is not None:
            done = f"the manifest was made anew as generation {found.manifest.number}"
            return Repair(tuple(problems), done, found)
        found, done = open_sound(index_dir), "nothing had to be done"
        if found.notice:
            found = repair_pointer(index_dir, found)
            done = f"generation {found.manifest.number} is in service now; {SINCE}"
        if verify(found):
            found = _made_anew(index_dir, found, kept=found)
            done = f"the vector index was made anew as generation {found.manifest.number}"
        return Repair(tuple(problems), done, found)


def with_new_manifest(index_dir: Path) -> Generation | None:
    """Return a new generation from the record that `CURRENT` names, if only its manifest is lost.

    The caller holds the lock.

    Without the manifest no hash tells that the record is as published, so its content is checked
    and its word index, which no check covers, made anew. Going back instead would lose the articles
    that no source holds.
    """
    name = _named_in(index_dir / CURRENT)
    path = index_dir / name
    if not name or not path.is_dir() or path in {item.path for item in generations(index_dir)}:
        return None
    try:
        settings = _settings_of(path / RECORD)
        _ = settings["embedder"]
    except (ArticleQAError, KeyError, TypeError, ValueError):  # damaged as well
        return None
    manifest = Manifest(
        number=int(name.rpartition("-")[2]),
        built_at=now(),
        settings=settings,
        n_articles=0,
        n_passages=0,
        first_published=None,
        last_published=None,
        files={},
    )
    kept = next((item for item in generations(index_dir) if is_sound(item.path)), None)
    return _made_anew(index_dir, Generation(path, manifest), kept=kept, with_words=True)


def _named_in(pointer: Path) -> str:
    try:
        name = pointer.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return name if NAME.fullmatch(name) else ""


def _settings_of(record_path: Path) -> dict[str, str]:
    """Return the settings of a record whose content is sound.

    Raises:
        IndexDamagedError: If it is not.
        KeyError, TypeError, ValueError: If a row of it makes no article.
    """
    if problems := verify_record(record_path):
        raise IndexDamagedError(record_path.parent, problems[0])
    with closing(Record.open(record_path)) as record:
        digests = dict(record.raw("SELECT number, embedded FROM passage"))
        for batch in batched(digests, PASSAGES_AT_ONCE):
            for number, (passage, article) in record.passages(batch).items():
                if digests[number] != embedded_digest(article, passage):
                    problem = f"article {article.id}: a passage is not the one that was embedded"
                    raise IndexDamagedError(record_path.parent, problem)
        return record.settings()


def _made_anew(
    index_dir: Path, base: Generation, *, kept: Generation | None, with_words: bool = False
) -> Generation:
    """Return a new generation in service with the record of `base`; `kept` stays beside it."""
    embedder = NamedOnly(base.manifest.settings["embedder"])
    staging = Staging.start(index_dir, embedder, base, "update")  # type: ignore[arg-type]
    try:
        staging.base = kept
        if with_words:
            staging.record.index_words()
        staging.build_vectors(lambda done, total: None, from_base=False)
        return staging.publish()
    finally:
        staging.record.close()


@dataclass(frozen=True, slots=True)
class NamedOnly:
    """Stands for an embedder where nothing is to be embedded."""

    model_id: str
