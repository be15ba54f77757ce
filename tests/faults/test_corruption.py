"""Published files that are cut, flipped, emptied or gone; files that do not belong together."""

from __future__ import annotations

import json
import pickle
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from index.embed import MODELS, OnnxEmbedder
from index.errors import ModelFileError
from index.generation import CURRENT, MANIFEST, RECORD, generation_name, hash_files
from tests.faults import checks
from tests.faults.harness import Zygote
from tests.faults.tier import TIER
from tests.faults.world import first_world, versions

PATIENCE_S = 120.0  # for all indexes of one test together
DENSE = {"exact": "ExactVectors", "chroma": "ChromaVectors"}
OLD_WORLD, NEW_WORLD = first_world(12), {**first_world(14), 3: 1}
Damage = Callable[[Path], None]


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    draw, data = random.Random(path.name), bytearray(path.read_bytes())
    for _ in range(20 if data else 0):
        data[draw.randrange(len(data))] ^= draw.randrange(1, 256)
    path.write_bytes(data or b"\0")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def delete(path: Path) -> None:
    path.unlink()


DAMAGES: tuple[Damage, ...] = (halve, flip, empty, delete)


@dataclass(frozen=True, slots=True)
class Case:
    """One damaged copy of an index."""

    index_dir: Path
    file: str  # relative to the folder of the index
    damage: str

    @property
    def label(self) -> str:
        return f"{self.damage} {self.file}"


@pytest.fixture(scope="module")
def published(zygote, tmp_path_factory):
    """Two generations; the second is in service."""
    index_dir = tmp_path_factory.mktemp("published") / "index"
    for world in (OLD_WORLD, NEW_WORLD):
        zygote.do("build", index_dir=index_dir, world=world)
    return index_dir


def damaged(published: Path, home: Path) -> Iterator[Case]:
    """Yield a copy of the index for every file in service and every damage that changes it."""
    files = [published / CURRENT]
    files += sorted(p for p in (published / generation_name(2)).rglob("*") if p.is_file())
    for number, (path, damage) in enumerate((path, how) for path in files for how in DAMAGES):
        if not path.stat().st_size and damage in {halve, empty}:
            continue
        file = path.relative_to(published).as_posix()
        index_dir = Path(shutil.copytree(published, home / str(number)))
        damage(index_dir / file)
        yield Case(index_dir, file, damage.__name__)


def served(zygote: Zygote, cases: list[Path], home: Path) -> list[dict[str, Any]]:
    """Open and search all of them in one process, which must come through."""
    lines = home / "lines.jsonl"
    outcome = zygote.start("serve_each", index_dirs=cases, lines=lines).wait(PATIENCE_S)
    found = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    assert outcome.status == 0, f"ended with {outcome.status} at number {len(found)} of the indexes"
    return found


def test_every_published_file_damaged(zygote, tally, published, tmp_path):
    cases = list(damaged(published, tmp_path))
    with tally("R8", "files cut, flipped, emptied, deleted: served all the same") as table:
        answers = served(zygote, [case.index_dir for case in cases], tmp_path)
        for case, answer in zip(cases, answers, strict=True):
            table.note(answer["spent_s"])
            with table.run(case.label):
                expect_served(case, answer)


def expect_served(case: Case, answer: dict[str, Any]) -> None:
    assert "error" not in answer, answer
    assert answer["found"], "found nothing"
    assert answer["spent_s"] <= checks.OPENED_S
    if "chroma/" in case.file:  # the record serves the same generation without it
        assert answer["generation"] == 2
        assert answer["dense"] == DENSE["exact"], "a damaged file of Chroma was loaded"
        name = case.file.partition("/")[2]
        assert any(name in text for text in answer["warnings"]), answer["warnings"]
        return
    # CURRENT can be read from the folder: the newest one. Otherwise the one before serves.
    assert answer["generation"] == (2 if case.file == CURRENT else 1)
    assert answer["notice"], "another generation answers, and nothing is said"
    assert Path(case.file).name in answer["notice"], answer["notice"]
    assert "verify --repair" in answer["notice"]


def test_the_next_build_needs_no_repair(zygote, tally, published, tmp_path):
    with tally("R8", "files damaged: the next build makes it whole") as table:
        cases = list(damaged(published, tmp_path))
        for case in cases[:: -(-len(cases) // TIER.repairs)]:
            with table.run(case.label), table.timed():
                world = {**NEW_WORLD, 99: 0}
                answer = zygote.do("build", index_dir=case.index_dir, world=world)
                assert "report" in answer, answer
                found = checks.sound(zygote, case.index_dir)
                assert found["articles"] == versions(world)
                assert found["notice"] is None


def test_all_generations_damaged(zygote, tally, published, tmp_path):
    with tally("R8", "no generation is sound: refused, then rebuilt") as table:
        for number, damage in enumerate(DAMAGES[: TIER.repairs]):
            index_dir = Path(shutil.copytree(published, tmp_path / str(number)))
            for generation in (1, 2):
                damage(index_dir / generation_name(generation) / RECORD)
            with table.run(damage.__name__), table.timed():
                (answer,) = served(zygote, [index_dir], index_dir)
                assert answer["error"] == "IndexDamagedError", answer
                assert RECORD in answer["message"]
                assert "--rebuild" in answer["message"]
                refused = zygote.do("build", index_dir=index_dir, world=NEW_WORLD)
                assert refused.get("error") == "IndexDamagedError", refused
                zygote.do("build", index_dir=index_dir, world=NEW_WORLD, rebuild=True)
                found = checks.sound(zygote, index_dir)
                assert found["articles"] == versions(NEW_WORLD)


# Files that are whole, but not of one kind


def test_another_embedder_is_refused(zygote, tally, published, tmp_path):
    others = ({"model_id": "bag-of-words@2", "dim": 64}, {"model_id": "wider@1", "dim": 96})
    with tally("R8", "another embedder or width: refused") as table:
        for other in others:
            with table.run(other):
                lines = tmp_path / other["model_id"]
                zygote.do("serve_each", index_dirs=[published], lines=lines, embedder=other)
                answer = json.loads(lines.read_text(encoding="utf-8"))
                assert answer["error"] == "ModelMismatchError", answer
                assert other["model_id"] in answer["message"]
                assert "article-qa index FOLDER --rebuild" in answer["message"]


@pytest.mark.parametrize("setting", ["embedder", "chunker", "parser"])
def test_another_model_builds_anew(zygote, tally, published, tmp_path, setting):
    """A manifest and record that say another model made them: nothing of theirs is used."""
    with tally("R8", f"built with another {setting}: made anew") as table, table.run(setting):
        index_dir = Path(shutil.copytree(published, tmp_path / "index"))
        set_in_published(index_dir, setting, "another@9")
        answer = zygote.do("build", index_dir=index_dir, world=NEW_WORLD)
        assert answer["report"]["changed"]
        assert answer["report"]["n_passages"] == answer["report"]["embedded"] or setting != (
            "embedder"
        ), "vectors of two models"
        assert checks.sound(zygote, index_dir)["articles"] == versions(NEW_WORLD)


@pytest.mark.parametrize("number", ["1", "99"])
def test_another_format_is_not_opened(zygote, tally, published, tmp_path, number):
    with tally("R8", f"a record of format {number}: refused") as table, table.run(number):
        index_dir = Path(shutil.copytree(published, tmp_path / "index"))
        shutil.rmtree(index_dir / generation_name(1))
        set_in_published(index_dir, "format", number)
        (answer,) = served(zygote, [index_dir], index_dir)
        assert answer["error"] == "IndexDamagedError", answer
        assert f"format is {number}" in answer["message"]
        assert "--rebuild" in answer["message"]


def set_in_published(index_dir: Path, key: str, value: str) -> None:
    """Change a setting in the record in service, and sign that in the manifest."""
    path = index_dir / generation_name(2)
    with closing(sqlite3.connect(path / RECORD)) as database, database:
        database.execute("UPDATE setting SET value = ? WHERE key = ?", (value, key))
    manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    manifest["settings"][key] = value
    manifest["files"] = hash_files(path)
    (path / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


# Files that could run code


class Canary:
    """Pickled, this makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self._path,)


def test_a_pickle_in_the_index_is_not_loaded(zygote, tally, published, tmp_path):
    canary = tmp_path / "canary"
    trap = pickle.dumps(Canary(canary))
    pickle.loads(trap)
    assert canary.exists(), "the trap works"
    canary.unlink()
    with tally("F9", "a pickle in place of each file of Chroma: not loaded") as table:
        chroma = published / generation_name(2) / "chroma"
        for number, file in enumerate(p for p in sorted(chroma.rglob("*")) if p.is_file()):
            index_dir = Path(shutil.copytree(published, tmp_path / str(number)))
            (index_dir / file.relative_to(published)).write_bytes(trap)
            (index_dir / generation_name(2) / "chroma" / f"more-{number}.pickle").write_bytes(trap)
            with table.run(file.name), table.timed():
                (answer,) = served(zygote, [index_dir], index_dir)
                assert answer["dense"] == DENSE["exact"]
                assert not canary.exists(), "code from the index was run"


@pytest.mark.parametrize("name", ["embedder.onnx", "tokenizer.json", "manifest.json"])
def test_a_swapped_model_is_refused(tally, tmp_path, name):
    canary = tmp_path / "canary"
    with tally("F9", f"another file in place of {name}: refused") as table:
        for number, data in enumerate((pickle.dumps(Canary(canary)), b"", b"{}")):
            models = Path(shutil.copytree(MODELS, tmp_path / str(number)))
            (models / name).write_bytes(data)
            with table.run(data[:9]), table.timed():
                with pytest.raises(ModelFileError, match="Install article-qa again"):
                    OnnxEmbedder(models).embed_query("a question")
                assert not canary.exists(), "code from a model file was run"
