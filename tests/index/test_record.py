import random
import sqlite3
import threading
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.chunk import chunk
from index.editing import EditableRecord
from index.errors import IndexDamagedError
from index.generation import open_current
from index.record import Record, Source, quoted
from index.types import Article

WORDS = (
    "ferry harbour museum bridge café naïve mañana Ünal running runs ran 2023 U.S. don't".split()
)
SENTENCE = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join)
# Source → the texts of its articles, or None to remove it.
STEPS = st.lists(
    st.tuples(st.sampled_from("abc"), st.none() | st.lists(SENTENCE, max_size=3)), max_size=8
)


def put(record, name, texts, root="/r"):
    articles = [
        Article.create(text=text, title=f"T {name}", source=f"{name}#{number}")
        for number, text in enumerate(texts)
    ]
    source = Source(name, root, repr(texts).encode(), ())
    record.put_source(
        source, [(item, [(p, p.text.encode()) for p in chunk(item)]) for item in articles]
    )
    return articles


@pytest.fixture
def record(tmp_path):
    with closing(EditableRecord.create(tmp_path / "record.db", {"embedder": "e@1"})) as record:
        yield record


@pytest.fixture(scope="module")
def published(library):
    with closing(Record.open(open_current(library).record_path)) as record:
        yield record


@given(STEPS)
@settings(max_examples=40, deadline=None)
def test_after_any_changes_it_holds_what_was_put_last(tmp_path_factory, steps):
    path = tmp_path_factory.mktemp("record") / "record.db"
    with closing(EditableRecord.create(path, {})) as record:
        expected = {}
        for name, texts in steps:
            if texts is None:
                expected.pop(name, None)
                record.remove_source(name)
            else:
                expected[name] = put(record, name, texts)
        articles = {item.id: item for items in expected.values() for item in items}
        assert {item.id: item for item in record.articles()} == articles
        assert record.sources().keys() == expected.keys()
        assert record.counts()[0] == len(articles)
        for name, items in expected.items():
            assert record.articles_of(name) == items
            assert all(record.owner(item.id) == name for item in items)
        for item in articles.values():
            assert record.passages_of(item.id) == chunk(item)
        assert_words_match(record, articles.values())


def assert_words_match(record, articles):
    """Compare the word index with a scan: folded and stemmed words of title and text."""
    with closing(sqlite3.connect(":memory:")) as scan:
        scan.execute("CREATE VIRTUAL TABLE t USING fts5(x, tokenize='porter unicode61')")
        for word in WORDS:
            found = {p.article_id for p, _ in passages(record, record.match(quoted(word), 100))}
            expected = set()
            for article in articles:
                scan.execute("DELETE FROM t")
                scan.execute("INSERT INTO t VALUES (?)", (f"{article.title}\n{article.text}",))
                if scan.execute("SELECT 1 FROM t WHERE t MATCH ?", (quoted(word),)).fetchone():
                    expected.add(article.id)
            assert found == expected
            assert record.document_frequency(word, 100) == len(expected)  # one passage each


def passages(record, matches):
    return record.passages([number for number, _ in matches]).values()


def test_scores_are_positive_and_best_first(published):
    for word in ("ferry", "story", "witness"):
        scores = [score for _, score in published.match(quoted(word), 50)]
        assert scores == sorted(scores, reverse=True)
        assert scores
        assert min(scores) > 0


@given(word=st.text(st.characters(codec=None)))
def test_any_string_can_be_looked_up(published, word):
    assert published.document_frequency(word, 10) >= 0
    published.match(quoted(word), 5)


def test_a_word_is_found_in_the_headline_the_outlet_and_the_tags(record):
    article = Article.create(
        text="Plain words.", title="Headline", outlet="Gazette", tags=["Kraków"], byline="Ana Lima"
    )
    record.put_source(Source("a", "/r", b"", ()), [(article, [(p, b"x") for p in chunk(article)])])
    for word in ("plain", "headlines", "gazette", "krakow", "lima"):
        assert len(record.match(quoted(word), 5)) == 1, word


def test_equal_texts_share_a_vector(record):
    put(record, "a", ["The same words.", "Other words."])
    put(record, "b", ["The same words."])
    missing = record.unembedded()
    assert sorted(missing.values()) == [b"Other words.", b"The same words."]
    record.put_vectors(list(missing.values()), np.eye(2, 3, dtype=np.float32))
    assert record.unembedded() == {}
    numbers, vectors = record.vectors()
    assert list(numbers) == sorted(record.passage_numbers())
    assert (vectors[0] == vectors[2]).all()


def test_vectors_of_some_passages(published):
    numbers, vectors = published.vectors()
    some = [*numbers[::3].tolist(), 10**9]
    found, rows = published.vectors(random.Random(1).sample(some, len(some)))
    assert found.tolist() == numbers[::3].tolist()
    assert (rows == vectors[::3]).all()
    assert published.vectors([])[1].shape == (0, 0)


def test_passages_come_in_the_order_asked(published):
    numbers = random.Random(2).sample(sorted(published.passage_numbers()), 20)
    assert list(published.passages([*numbers, 10**9])) == numbers


def test_sealing_keeps_everything_but_unused_vectors(record, tmp_path):
    put(record, "a", ["One thing.", "Two things."])
    put(record, "b", ["Three things."])
    digests = list(record.unembedded().values())
    record.put_vectors(digests, np.eye(3, dtype=np.float32))
    record.remove_source("b")
    numbers = record.passage_numbers()
    record.seal()
    record.close()
    assert [path.name for path in tmp_path.iterdir()] == ["record.db"]  # no journal beside it
    with closing(Record.open(tmp_path / "record.db")) as opened:
        assert opened.passage_numbers() == numbers
        assert len(opened.vectors()[0]) == 2
        assert len(opened.match(quoted("thing"), 5)) == 2
        assert opened.match(quoted("three"), 5) == []
        assert opened.integrity() == []


def test_passage_numbers_are_never_used_again(record):
    put(record, "a", ["One."])
    first = record.passage_numbers()
    record.remove_source("a")
    put(record, "a", ["One."])
    assert not first & record.passage_numbers()


def test_nothing_of_a_failed_source_is_kept(record):
    put(record, "a", ["One."])
    article = Article.create(text="Two.")
    twice = [(article, [(p, b"") for p in chunk(article)])] * 2
    with pytest.raises(sqlite3.IntegrityError):
        record.put_source(Source("a", "/r", b"", ()), twice)
    assert [item.text for item in record.articles()] == ["One."]
    assert len(record.match(quoted("one"), 5)) == 1
    assert record.match(quoted("two"), 5) == []


def test_threads_may_share_a_reader(published):
    ids = list(published.versions())
    wrong = []

    def read(seed):
        draw = random.Random(seed)
        for _ in range(150):
            wanted = draw.choice(ids)
            article = published.article(wanted)
            title = article.title.split()[-1]
            found = {p.article_id for p, _ in passages(published, published.match(f'"{title}"', 9))}
            if article.id != wanted or wanted not in found:
                wrong.append(wanted)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("damage", ["missing", "empty", "text", "other", "format", "folder"])
def test_a_file_that_is_no_record(tmp_path, damage):
    path = tmp_path / "record.db"
    if damage == "empty":
        path.touch()
    elif damage == "text":
        path.write_text("not a database " * 1000)
    elif damage == "other":
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE t (x)")
    elif damage == "format":
        with closing(EditableRecord.create(path, {})) as record:
            record.put_setting("format", "0")
            record.seal()
    elif damage == "folder":
        path.mkdir()
    with pytest.raises(IndexDamagedError, match="--rebuild"):
        Record.open(path)


def test_a_truncated_record_is_reported_when_it_is_read(own_library):
    # regression: sqlite3.DatabaseError came out of searching
    path = open_current(own_library).record_path
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    outcomes = []
    for read in (Record.articles, Record.vectors, Record.integrity, Record.passage_numbers):
        try:
            with closing(Record.open(path)) as record:
                outcomes.append(list(read(record)))
        except IndexDamagedError as error:
            outcomes.append(str(error))
    assert any("record.db cannot be read" in outcome for outcome in outcomes)


def test_no_file_handle_is_left_by_a_failure(tmp_path):
    path = tmp_path / "record.db"
    path.write_text("not a database " * 1000)
    for open_it in (Record.open, EditableRecord.edit):
        with pytest.raises(IndexDamagedError):
            open_it(path)
    path.rename(tmp_path / "renamed.db")  # fails on Windows while it is open
    assert [item.name for item in tmp_path.iterdir()] == ["renamed.db"]


def test_a_published_record_cannot_be_written(published):
    with pytest.raises(sqlite3.OperationalError):
        published._db.execute("DELETE FROM article")


def test_rounding_moves_a_cosine_by_little(record):
    # STORED_FLOAT promises 1e-4
    draw = np.random.default_rng(5)
    vectors = draw.normal(size=(200, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    put(record, "a", [f"Text {n}." for n in range(200)])
    record.put_vectors(list(record.unembedded().values()), vectors)
    stored = record.vectors()[1]
    assert np.abs(stored @ vectors.T - vectors @ vectors.T).max() < 1e-4
