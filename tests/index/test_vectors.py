import sqlite3
from contextlib import closing

import numpy as np
import pytest

from index.errors import IndexDamagedError
from index.search import ExactVectors
from index.vectors import BATCH, ChromaVectors, finalise, is_searchable

pytestmark = pytest.mark.filterwarnings(
    "ignore:legacy embedding function config:DeprecationWarning"  # Chroma's own
)


def unit_rows(n, dim=48, seed=0):
    rows = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Chroma and the exact reference over the same vectors, after additions and deletions."""
    path = tmp_path_factory.mktemp("vectors") / "chroma"
    rows = unit_rows(1_600)  # more than one batch
    numbers = np.arange(10, 10 + len(rows))
    with closing(ChromaVectors.create(path)) as index:
        index.add(numbers.tolist(), rows)
        index.delete([*range(10, 310), 99_999])
    finalise(path)
    with closing(ChromaVectors.open(path)) as index:
        yield index, ExactVectors(numbers[300:], rows[300:])


def test_chroma_agrees_with_exact_search(pair):
    chroma, exact = pair
    found = 0
    for query in unit_rows(40, seed=1):
        expected = exact.nearest(query, 10)
        answer = chroma.nearest(query, 10)
        similarities = [similarity for _, similarity in answer]
        assert similarities == sorted(similarities, reverse=True)
        found += len({n for n, _ in answer} & {n for n, _ in expected})
        in_both = dict(expected).keys() & dict(answer).keys()
        assert all(abs(dict(answer)[n] - dict(expected)[n]) < 1e-5 for n in in_both)
    assert found >= 0.97 * 400  # HNSW is approximate


def test_every_vector_finds_itself(pair):
    chroma, exact = pair
    hits = [chroma.nearest(row, 1)[0] for row in unit_rows(1_600)[300::25]]
    assert [number for number, _ in hits] == list(range(310, 1610, 25))
    assert min(similarity for _, similarity in hits) > 0.999
    assert exact.nearest(unit_rows(1_600)[300], 1)[0][0] == 310


def test_what_was_deleted_is_gone(pair):
    chroma, _ = pair
    assert chroma.numbers() == set(range(310, 1610))
    assert chroma.count() == 1_300 > BATCH
    for row in unit_rows(1_600)[:300:30]:
        assert all(number >= 310 for number, _ in chroma.nearest(row, 20))


@pytest.mark.parametrize(
    "query",
    [np.zeros(48), np.full(48, np.nan), np.array([np.inf] + [0.0] * 47)],
    ids=["zeros", "nan", "inf"],
)
def test_a_vector_without_direction_finds_nothing(pair, query):
    query = query.astype(np.float32)
    assert not is_searchable(query)
    assert [index.nearest(query, 5) for index in pair] == [[], []]


def test_how_many(pair):
    query = unit_rows(1, seed=2)[0]
    for index in pair:
        assert index.nearest(query, 0) == index.nearest(query, -1) == []
        assert len(index.nearest(query, 7)) == 7
    assert len(pair[0].nearest(query, 10_000)) == 100  # MAX_NEIGHBOURS
    assert len(pair[1].nearest(query, 10_000)) == 1_300


def test_exact_ties_go_to_the_lower_number():
    rows = np.eye(1, 4, dtype=np.float32).repeat(5, axis=0)
    exact = ExactVectors(np.array([9, 3, 7, 1, 5]), rows)
    assert [number for number, _ in exact.nearest(rows[0], 3)] == [1, 3, 5]


def test_exact_search_of_nothing():
    exact = ExactVectors(np.zeros(0, np.int64), np.zeros((0, 0), np.float32))
    assert exact.nearest(unit_rows(1)[0], 3) == []


def test_finalising_leaves_nothing_to_replay(tmp_path):
    path = tmp_path / "chroma"
    with closing(ChromaVectors.create(path)) as index:
        index.add([1, 2, 3], unit_rows(3))
    assert logged_rows(path) == 3
    finalise(path)
    assert logged_rows(path) <= 1
    before = {file: file.read_bytes() for file in path.glob("*/*")}
    with closing(ChromaVectors.open(path)) as index:
        assert [number for number, _ in index.nearest(unit_rows(3)[1], 1)] == [2]
    assert {file: file.read_bytes() for file in path.glob("*/*")} == before


def logged_rows(path):
    with closing(sqlite3.connect(path / "chroma.sqlite3")) as database:
        return database.execute("SELECT count(*) FROM embeddings_queue").fetchone()[0]


def test_a_missing_folder_is_damage_and_is_not_made(tmp_path):
    # regression: Chroma made an empty database in a published generation
    with pytest.raises(IndexDamagedError, match="is missing"):
        ChromaVectors.open(tmp_path / "chroma")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["empty", "half", "zeros", "text"])
def test_a_database_that_is_none(tmp_path, damage):
    path = tmp_path / "chroma"
    with closing(ChromaVectors.create(path)) as index:
        index.add([1, 2, 3], unit_rows(3))
    file = path / "chroma.sqlite3"
    data = file.read_bytes()
    file.write_bytes(
        {
            "empty": b"",
            "half": data[: len(data) // 2],
            "zeros": bytes(200) + data[200:],
            "text": b"hello " * 5000,
        }[damage]
    )
    # regression: the second time, Chroma handed out the connection that had failed to start
    for _ in range(2):
        with pytest.raises(IndexDamagedError, match="Chroma cannot read"):
            ChromaVectors.open(path)
    file.write_bytes(data)
    with closing(ChromaVectors.open(path)) as index:
        assert index.numbers() == {1, 2, 3}


@pytest.mark.parametrize(
    "names",
    [("data_level0.bin", "header.bin", "length.bin", "link_lists.bin"), ("data_level0.bin",)],
)
def test_vectors_that_a_failed_write_kept_out_of_the_graph(tmp_path, names):
    """Chroma opens such files, and counts all rows."""
    rows = unit_rows(2_200, dim=8)
    with closing(ChromaVectors.create(tmp_path / "chroma")) as index:
        index.add(range(2_050), rows[:2_050])
    (segment,) = (path for path in (tmp_path / "chroma").iterdir() if path.is_dir())
    before = {name: (segment / name).read_bytes() for name in names}
    with closing(ChromaVectors.open(tmp_path / "chroma")) as index:
        index.add(range(2_050, 2_200), rows[2_050:])
    finalise(tmp_path / "chroma")
    with closing(ChromaVectors.open(tmp_path / "chroma")) as index:
        held = index.vectors(range(2_200))
        assert np.allclose([held[number] for number in range(2_200)], rows, atol=1e-6)
    for name, data in before.items():
        (segment / name).write_bytes(data)
    with closing(ChromaVectors.open(tmp_path / "chroma")) as index:
        assert index.count() == 2_200
        with pytest.raises(IndexDamagedError):
            index.vectors(range(2_200))
