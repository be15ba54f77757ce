import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.assemble import assemble
from index.errors import IndexDamagedError, IndexLockedError, IndexMissingError
from index.generation import CURRENT, MANIFEST, RECORD, files_of, open_current
from index.job import Job
from index.lock import hold
from index.record import Record
from index.repair import find_problems, repair
from index.search import Searcher
from index.service import generations
from index.types import Article
from index.verify import verify

pytestmark = pytest.mark.filterwarnings(
    "ignore:legacy embedding function config:DeprecationWarning"  # Chroma's own
)
ROOT = Path(__file__).parents[2]
EARLIER, LATER = 8, 11  # articles of the two generations


@pytest.fixture(scope="module")
def two(tmp_path_factory, tiny):
    """An index of two generations, of articles that no source holds; to be read only."""
    from tests.index.conftest import story

    index_dir = tmp_path_factory.mktemp("two") / "index"
    for n in (EARLIER, LATER):
        articles = [
            Article.create(text=story(number), title=f"Story {number}", source=f"s{number}")
            for number in range(n)
        ]
        assemble(Job(index_dir=index_dir), tiny, articles, lambda _: None)
    return index_dir


@pytest.fixture
def own_two(two, tmp_path):
    return Path(shutil.copytree(two, tmp_path / "two"))


@pytest.fixture(scope="module")
def asked(tiny):
    """Return what an index says to a few questions, by words, by exact vectors and by Chroma."""

    def ask(index_dir):
        answers = []
        for dense in ("exact", "chroma"):
            with closing(Searcher.open(index_dir, tiny, dense=dense)) as searcher:
                assert type(searcher._dense_index).__name__.lower().startswith(dense)
                answers += [
                    [(item.article.id, item.passage.start, item.bm25 is None) for item in found]
                    for query in ("ferry in Tartu", "witness 10", "who repaired a bridge")
                    if (found := searcher.search(query, n=5))
                ]
        return answers

    return ask


@pytest.fixture(scope="module")
def sound(two, asked):
    """What the sound index says."""
    return asked(two)


def n_articles(index_dir):
    with closing(Record.open(open_current(index_dir).record_path)) as record:
        return record.counts()[0]


def only(index_dir, number=2):
    """Leave one generation."""
    for found in generations(index_dir):
        if found.manifest.number != number:
            shutil.rmtree(found.path)
    return index_dir


def garbage(path):
    path.write_bytes(b"nonsense" * 99)


def flipped(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0x40
    path.write_bytes(data)


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


DAMAGES = (garbage, flipped, cut, Path.unlink)


def test_nothing_is_wrong(own_two, tree):
    before = tree(own_two)
    done = repair(own_two)
    assert (done.problems, done.done) == ((), "nothing had to be done")
    assert done.generation.manifest.number == 2
    assert tree(own_two) == before


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("chroma.sqlite3", garbage),
        ("chroma.sqlite3", cut),
        ("data_level0.bin", flipped),
        ("link_lists.bin", garbage),
        ("header.bin", Path.unlink),
        ("chroma", shutil.rmtree),
    ],
)
def test_chromas_files(own_two, asked, sound, name, damage):
    (path,) = open_current(own_two).path.rglob(name)
    damage(path)
    problems = find_problems(own_two)
    assert problems
    assert all(item.startswith("chroma/") and "missing or altered" in item for item in problems)
    done = repair(own_two)
    assert (list(done.problems), done.done) == (
        problems,
        "the vector index was made anew as generation 3",
    )
    assert find_problems(own_two) == []
    assert asked(own_two) == sound
    assert [item.manifest.number for item in generations(own_two)] == [3, 2]


def test_a_file_too_many(own_two, asked, sound):
    (open_current(own_two).path / "chroma" / "stray").touch()
    assert find_problems(own_two) == ["chroma/stray is not in the manifest"]
    repair(own_two)
    assert (find_problems(own_two), asked(own_two)) == ([], sound)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_record_beside_an_earlier_one(own_two, damage):
    damage(open_current(own_two).record_path)
    assert find_problems(own_two) == ["record.db is missing or altered"]
    done = repair(own_two)
    assert done.done.startswith("generation 1 is in service now; ")
    assert (find_problems(own_two), n_articles(own_two)) == ([], EARLIER)


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_only_record(own_two, tree, damage):
    damage(open_current(only(own_two)).record_path)
    before = tree(own_two)
    with pytest.raises(IndexDamagedError, match="--rebuild"):
        repair(own_two)
    assert tree(own_two) == before
    assert find_problems(own_two) == ["record.db is missing or altered"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE vector SET value = zeroblob(128)",
        "DELETE FROM vector",
        "INSERT INTO word_index (word_index) VALUES ('delete-all')",
        "UPDATE word_index_data SET block = x'00'",
        "UPDATE article SET text = 'Another text.' WHERE number = 1",
        "DELETE FROM passage WHERE number = 1",
        "DROP TABLE passage",
    ],
)
def test_what_a_record_holds(own_two, statement):
    """Of each table one damage: the hash tells, and with the manifest lost, the content."""
    generation = open_current(own_two)
    with closing(sqlite3.connect(generation.record_path)) as database, database:
        database.execute(statement)
    assert find_problems(own_two) == ["record.db is missing or altered"]
    assert repair(own_two).generation.manifest.number == 1
    assert (find_problems(own_two), n_articles(own_two)) == ([], EARLIER)


# The manifest


@pytest.mark.parametrize("n_left", [1, 2])
@pytest.mark.parametrize("damage", [garbage, cut, Path.unlink])
def test_a_lost_manifest_is_made_anew_and_no_article_lost(own_two, asked, sound, damage, n_left):
    if n_left == 1:
        only(own_two)
    damage(open_current(own_two).path / MANIFEST)
    (problem,) = find_problems(own_two)
    assert "manifest.json cannot be read" in problem
    done = repair(own_two)
    assert done.done == "the manifest was made anew as generation 3"
    assert (find_problems(own_two), n_articles(own_two)) == ([], LATER)
    assert asked(own_two) == sound
    sound_ones = [item for item in generations(own_two) if verify(item) == []]
    assert [item.manifest.number for item in sound_ones] == [3, 1][:n_left]


@pytest.mark.parametrize("n_new", [0, 1])
def test_a_build_over_a_lost_manifest_loses_no_article(own_two, tiny, n_new):
    """It would, built on the generation before: no source holds them any more."""
    (open_current(own_two).path / MANIFEST).write_text("{")
    new = [Article.create(text="It rained in Tartu.", source="rain")][:n_new]
    report = assemble(Job(index_dir=own_two, additive=True), tiny, new, lambda _: None)
    assert "made anew as generation 3" in report.notice
    assert (report.removed, n_articles(own_two)) == (0, LATER + n_new)
    assert find_problems(own_two) == []


def test_a_lost_manifest_and_chroma_and_words(own_two, asked, sound):
    generation = open_current(only(own_two))
    (generation.path / MANIFEST).unlink()
    shutil.rmtree(generation.chroma_path)
    with closing(sqlite3.connect(generation.record_path)) as database, database:
        database.execute("INSERT INTO word_index (word_index) VALUES ('delete-all')")
    repair(own_two)
    assert (find_problems(own_two), asked(own_two)) == ([], sound)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE article SET text = 'Another text.' WHERE number = 10",
        "UPDATE passage SET start = start - 9 WHERE ordinal = 1",
        "UPDATE article SET title = 'Another title' WHERE number = 10",
        "DROP TABLE setting",
        "UPDATE setting SET value = '1' WHERE key = 'format'",
        "DELETE FROM setting WHERE key = 'embedder'",
        "UPDATE article SET published = 'someday'",
    ],
)
def test_a_lost_manifest_of_a_record_that_is_damaged(own_two, statement):
    generation = open_current(own_two)
    (generation.path / MANIFEST).unlink()
    with closing(sqlite3.connect(generation.record_path)) as database, database:
        database.execute(statement)
    assert repair(own_two).done.startswith("generation 1 is in service now")
    assert (find_problems(own_two), n_articles(own_two)) == ([], EARLIER)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("n_articles", 4_600, "counts other articles"),
        ("n_passages", 7, "counts other articles"),
        ("first_published", "1999-01-01", "other dates"),
        ("settings", {"embedder": "bag-of-words@1"}, "other models"),
    ],
)
def test_a_manifest_that_tells_lies(own_two, asked, sound, field, value, problem):
    path = open_current(own_two).path / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    assert [problem in item for item in find_problems(own_two)] == [True]
    repair(own_two)
    assert (find_problems(own_two), asked(own_two)) == ([], sound)


# The pointer


@pytest.mark.parametrize("content", [None, b"", b"gen-000009", b"\xff", b"../gen-000002"])
def test_the_pointer(own_two, asked, sound, content):
    if content is None:
        (own_two / CURRENT).unlink()
    else:
        (own_two / CURRENT).write_bytes(content)
    (problem,) = find_problems(own_two)
    assert CURRENT in problem
    done = repair(own_two)
    assert done.done.startswith("generation 2 is in service now")
    assert (find_problems(own_two), asked(own_two)) == ([], sound)


def test_there_is_no_index(tmp_path):
    for act in (find_problems, repair):
        with pytest.raises(IndexMissingError, match="Build one first"):
            act(tmp_path / "index")


# While others are at work, and when it fails


def test_a_build_is_running(own_two, tree):
    shutil.rmtree(open_current(own_two).chroma_path)
    with hold(own_two):
        before = tree(own_two)
        with pytest.raises(IndexLockedError) as refused:
            repair(own_two)
        assert refused.value.exit_status == 75
        assert tree(own_two) == before
        assert find_problems(own_two)  # looking needs no lock


def test_a_write_that_fails(own_two, asked):
    """In a process that may write small files only: the record is larger."""
    generation = open_current(own_two)
    shutil.rmtree(generation.chroma_path)
    limit = generation.record_path.stat().st_size // 2
    done = subprocess.run(
        [sys.executable, "-m", "ui.cli", "verify", "--repair", "--index", own_two],
        capture_output=True,
        text=True,
        cwd=own_two,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        check=False,
    )
    assert (done.returncode, "File too large" in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr
    assert open_current(own_two).manifest.number == 2
    assert repair(own_two).generation.manifest.number == 3
    assert find_problems(own_two) == []


@given(st.data())
@settings(max_examples=8, suppress_health_check=list(HealthCheck))
def test_any_damage_of_any_files(two, tmp_path_factory, content, data):
    index_dir = Path(shutil.copytree(two, tmp_path_factory.mktemp("any") / "index"))
    whole = {n: content_of(content, index_dir, n) for n in (1, 2)}
    files = [*files_of(index_dir / "gen-000002"), index_dir / CURRENT]
    damaged = data.draw(st.lists(st.sampled_from(files), min_size=1, max_size=2, unique=True))
    for path in damaged:
        data.draw(st.sampled_from(DAMAGES))(path)
    assert find_problems(index_dir)
    repair(index_dir)
    assert find_problems(index_dir) == []
    is_lost = index_dir / "gen-000002" / RECORD in damaged
    assert content(index_dir) == whole[1 if is_lost else 2]


def content_of(content, index_dir, number):
    before = (index_dir / CURRENT).read_text()
    (index_dir / CURRENT).write_text(f"gen-{number:06d}")
    found = content(index_dir)
    (index_dir / CURRENT).write_text(before)
    return found
