import json
import shutil
import sqlite3
import warnings
from contextlib import closing

import pytest

from index.errors import IndexDamagedError
from index.generation import MANIFEST, open_current
from index.vectors import ChromaVectors
from index.verify import verify, verify_record, verify_vectors

pytestmark = pytest.mark.filterwarnings(
    "ignore:legacy embedding function config:DeprecationWarning"  # Chroma's own
)


def edit(generation, statement, *parameters):
    with closing(sqlite3.connect(generation.record_path)) as database, database:
        database.execute(statement, parameters)


def test_a_sound_index_has_no_problems(library):
    generation = open_current(library)
    assert verify(generation) == []
    assert verify(generation) == []  # and checking it does not change it


@pytest.mark.parametrize("name", ["record.db", "data_level0.bin", "link_lists.bin", "header.bin"])
@pytest.mark.parametrize("damage", ["flip", "truncate", "delete"])
def test_each_file_is_checked(own_library, name, damage):
    generation = open_current(own_library)
    (path,) = generation.path.rglob(name)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    if damage == "delete":
        path.unlink()
    else:
        path.write_bytes(data if damage == "flip" else data[: len(data) // 2])
    assert verify(generation) == [
        f"{path.relative_to(generation.path).as_posix()} is missing or altered"
    ]


def test_a_missing_chroma_folder(own_library):
    generation = open_current(own_library)
    shutil.rmtree(generation.chroma_path)
    problems = verify(generation)
    assert problems
    assert all("chroma/" in problem for problem in problems)
    assert not generation.chroma_path.exists()


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"nonsense"])
def test_chromas_database(own_library, content):
    generation = open_current(own_library)
    (generation.chroma_path / "chroma.sqlite3").write_bytes(content)
    assert verify(generation) == ["chroma/chroma.sqlite3 is missing or altered"]
    with pytest.raises(IndexDamagedError, match="Chroma cannot read its files"):
        verify_vectors(generation.record_path, generation.chroma_path, published=True)


def test_chroma_lost_a_passage(own_library):
    generation = open_current(own_library)
    with closing(ChromaVectors.open(generation.chroma_path)) as index:
        index.delete([min(index.numbers())])
    problems = verify_vectors(generation.record_path, generation.chroma_path, published=True)
    assert problems == ["Chroma and the record hold different passages"]


def test_chroma_holds_other_vectors(own_library, tiny):
    generation = open_current(own_library)
    with warnings.catch_warnings(), closing(ChromaVectors.open(generation.chroma_path)) as index:
        numbers = sorted(index.numbers())
        index.delete(numbers)
        index.add(numbers, tiny.embed_passages([f"nothing {number}" for number in numbers]))
    problems = verify_vectors(generation.record_path, generation.chroma_path)
    assert problems == ["Chroma and the record hold different vectors"]


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE article SET text = text || ' Added.' WHERE number = 1", "not the one that was"),
        ("UPDATE article SET version = 'x' WHERE number = 2", "not the one that was hashed"),
        ("UPDATE passage SET end = 9999999 WHERE number = 3", "no slice of its text"),
        ("UPDATE passage SET start = -1 WHERE number = 3", "no slice of its text"),
        ("DELETE FROM passage WHERE number = 1", "some of its text is in no passage"),
        ("UPDATE passage SET start = start + 40 WHERE number = 1", "is in no passage"),
    ],
)
def test_what_is_wrong_inside_a_record(own_library, statement, problem):
    generation = open_current(own_library)
    edit(generation, statement)
    found = verify_record(generation.record_path)
    assert len([item for item in found if problem in item]) == 1
    assert verify(generation) == ["record.db is missing or altered"]


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("DELETE FROM vector WHERE embedded = (SELECT min(embedded) FROM vector)", "no vector"),
        ("UPDATE vector SET value = zeroblob(128)", "not of length 1"),
    ],
)
def test_what_is_wrong_with_the_vectors_of_a_record(own_library, statement, problem):
    generation = open_current(own_library)
    edit(generation, statement)
    (found,) = verify_vectors(generation.record_path, generation.chroma_path)
    assert problem in found


def test_vectors_of_two_lengths(own_library):
    generation = open_current(own_library)
    edit(
        generation,
        "UPDATE vector SET value = zeroblob(60) "
        "WHERE embedded = (SELECT min(embedded) FROM vector)",
    )
    with pytest.raises(IndexDamagedError, match="not of one length"):
        verify_vectors(generation.record_path, generation.chroma_path)


def test_a_hash_in_the_manifest(own_library):
    path = open_current(own_library).path / MANIFEST
    values = json.loads(path.read_text())
    values["files"]["record.db"] = "0" * 64
    path.write_text(json.dumps(values))
    assert verify(open_current(own_library)) == ["record.db is missing or altered"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("n_articles", 4_600), ("n_passages", 7), ("first_published", "1999-01-01"), ("files", {})],
)
def test_a_manifest_that_does_not_describe_the_index(own_library, field, value):
    path = open_current(own_library).path / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    assert verify(open_current(own_library))
