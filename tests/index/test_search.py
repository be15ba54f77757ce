import math
import random
import shutil
import threading
import unicodedata
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import IndexDamagedError, IndexMissingError, ModelMismatchError
from index.generation import CURRENT, open_current
from index.search import (
    CANDIDATES,
    DIVERSE_HEAD,
    PER_ARTICLE,
    RRF_K,
    STOP_WORDS,
    ExactVectors,
    Searcher,
    fuse,
    spread,
)
from index.types import Article, Passage, RankedPassage
from index.vectors import ChromaVectors

pytestmark = pytest.mark.filterwarnings(
    "ignore:legacy embedding function config:DeprecationWarning"  # Chroma's own
)
RANKINGS = st.lists(st.lists(st.integers(0, 12), unique=True, max_size=8), max_size=4)
FTS_SYNTAX = 'ferry" OR NEAR(a b) AND NOT title : * ^ - + ( ) { } \' ; \\ "" AND AND a:b'


@pytest.fixture(scope="module")
def searcher(library, tiny):
    searcher = Searcher.open(library, tiny)
    yield searcher
    searcher.close()


@pytest.fixture(scope="module")
def chroma_searcher(library, tiny):
    searcher = Searcher.open(library, tiny, dense="chroma")
    yield searcher
    searcher.close()


# Pure parts


@given(RANKINGS)
def test_fusing_is_the_formula(rankings):
    items = list(dict.fromkeys(item for ranking in rankings for item in ranking))
    score = {
        item: sum(1 / (RRF_K + r.index(item) + 1) for r in rankings if item in r) for item in items
    }
    fused = fuse(rankings)
    assert fused.keys() == score.keys()
    assert all(math.isclose(fused[item], score[item]) for item in items)
    assert list(fused) == sorted(items, key=lambda item: -fused[item])  # stable: first seen first


def test_fusing_by_hand():
    assert fuse([[7, 8], [8]]) == {8: 1 / 62 + 1 / 61, 7: 1 / 61}


def ranked(article_ids):
    return [
        RankedPassage(
            passage=Passage(
                article_id=item, version="v", ordinal=n, start=0, end=1, text="x", n_tokens=1
            ),
            article=Article.create(text="x", id=item),
            fused=1 / (n + 1),
        )
        for n, item in enumerate(article_ids)
    ]


@given(st.lists(st.sampled_from("abcdef"), max_size=40))
def test_spreading_loses_nothing_and_limits_the_head(article_ids):
    before = ranked(article_ids)
    after = spread(before)
    assert sorted(item.passage.ordinal for item in after) == list(range(len(before)))
    # Within one article nothing changes places.
    for name in set(article_ids):
        ordinals = [item.passage.ordinal for item in after if item.passage.article_id == name]
        assert ordinals == sorted(ordinals)
    # The head is as long as the articles allow, and no article has more than its part of it.
    possible = sum(min(count, PER_ARTICLE) for count in Counter(article_ids).values())
    head = Counter(item.passage.article_id for item in after[: min(DIVERSE_HEAD, possible)])
    assert all(count <= PER_ARTICLE for count in head.values())


def test_spreading_by_hand():
    after = spread(ranked("aaabac"))
    assert [(item.passage.article_id, item.passage.ordinal) for item in after] == [
        ("a", 0),
        ("a", 1),
        ("b", 3),
        ("c", 5),
        ("a", 2),
        ("a", 4),
    ]


# Queries


@given(query=st.text(st.characters(codec=None), max_size=100))
def test_any_string_is_a_query(searcher, query):
    for item in searcher.search(query, n=5):
        assert item.passage.text == item.article.text[item.passage.start : item.passage.end]
        assert item.similarity is None or -1.001 <= item.similarity <= 1.001
        assert item.bm25 is None or item.bm25 > 0


@pytest.mark.parametrize(
    "query",
    ["", " ", "\0", "ferry\0harbour", "\ud800", FTS_SYNTAX, "_", "___ ²", "🚢🚢", "'; DROP TABLE"]
    + ["the of and", "word " * 20_000, " ".join(map(str, range(5_000))), "a" * 100_000],
    ids=range(14),
)
def test_odd_queries(searcher, chroma_searcher, query):
    for one in (searcher, chroma_searcher):
        assert len(one.search(query, n=5)) <= 5


@given(words=st.text(st.characters(codec=None), max_size=40))
def test_a_word_beside_junk_is_found(searcher, words):
    junk = " ".join(word for word in words.split() if not any(map(str.isalnum, word)))
    (plain,) = {item.article.id for item in searcher.search("witness 17 story", n=1)}
    found = searcher.search(f"{junk} witness 17 story", n=3)
    assert plain in {item.article.id for item in found}


def test_what_is_asked_for_comes_first(searcher):
    first = searcher.search("What did witness 23 say about story 23?")[0]
    assert first.article.title == "Story 23"
    assert first.similarity > 0
    assert first.bm25 > 0


def test_no_passage_comes_twice_and_fewer_are_the_first_of_more(searcher):
    found = [item.passage for item in searcher.search("ferry harbour museum", n=100)]
    assert len({(item.article_id, item.ordinal) for item in found}) == len(found) >= CANDIDATES
    assert [item.passage for item in searcher.search("ferry harbour museum", n=4)] == found[:4]


def test_stop_words_do_not_count_unless_there_is_nothing_else(searcher):
    assert searcher.expression("Where is the Ferry of the ferry?") == '"ferry"'
    assert searcher.expression("who was it") == '"who" OR "was" OR "it"'
    assert searcher.expression("?!") == ""
    assert "ferry" not in STOP_WORDS


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_composed_and_decomposed_letters_are_the_same(searcher, form):
    # regression: a decomposed "mañana" was searched as "man" and "ana"
    query = unicodedata.normalize(form, "mañana café")
    assert searcher.expression(query) == '"mañana" OR "café"'


def test_rarity(searcher):
    assert searcher.rarity("no-such-word") == 1.0
    rare, common = searcher.rarity("17"), searcher.rarity("witness")
    assert 0 <= common < rare < 1
    assert math.isclose(common, 0.0, abs_tol=0.05)  # in every passage
    for odd in ("", '"', "a\0b", "\ud800", "NEAR("):
        assert 0 <= searcher.rarity(odd) <= 1


def test_exact_and_chroma_rank_alike(searcher, chroma_searcher):
    draw = random.Random(3)
    words = searcher.search("ferry")[0].article.text.split()
    for _ in range(20):
        query = " ".join(draw.sample(words, 4))
        exact, chroma = (one.search(query, n=10) for one in (searcher, chroma_searcher))
        assert {i.passage for i in exact[:5]} <= {i.passage for i in chroma}
        near = {i.passage: i.similarity for i in chroma if i.similarity is not None}
        for item in exact:
            if item.similarity is not None and item.passage in near:
                assert math.isclose(item.similarity, near[item.passage], abs_tol=1e-3)
    assert isinstance(chroma_searcher._dense_index, ChromaVectors)


def test_threads_may_share_a_searcher(library, open_searcher):
    for dense in ("exact", "chroma"):
        shared = open_searcher(library, dense=dense)
        wrong = []

        def ask(number, shared=shared, wrong=wrong):
            for _ in range(5):
                first = shared.search(f"witness {number} story {number}")[0]
                if first.article.title != f"Story {number}":
                    wrong.append(number)

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(20, 28)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


def test_an_index_may_be_opened_by_several_threads_at_once(library, tiny):
    results = []

    def open_and_ask():
        searcher = Searcher.open(library, tiny, dense="chroma")
        results.append(searcher.search("witness 31 story 31")[0].article.title)
        searcher.close()

    threads = [threading.Thread(target=open_and_ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["Story 31"] * 4


# Opening


def test_closing_lets_go_of_the_files(own_library, open_searcher):
    # regression: Chroma was left open
    searcher = open_searcher(own_library, dense="chroma")
    searcher.search("ferry")
    searcher.close()
    with pytest.raises(Exception, match=r"(?i)clos|stopped|bindings"):
        searcher._dense_index.nearest(searcher.embedder.embed_query("ferry"), 1)


def test_another_embedder_is_refused(library, embedder_class):
    with pytest.raises(ModelMismatchError, match=r"'bag-of-words@1' but 'other@2' is loaded"):
        Searcher.open(library, embedder_class("other@2"))


def test_no_index(tmp_path, tiny):
    with pytest.raises(IndexMissingError):
        Searcher.open(tmp_path, tiny)


def hnsw_files(index_dir):
    return sorted(path for path in open_current(index_dir).chroma_path.glob("*/*.*"))


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete", "folder", "database", "header"])
def test_damaged_chroma_files_fall_back_to_exact_search(
    own_library, open_searcher, caplog, searcher, damage
):
    chroma = open_current(own_library).chroma_path
    if damage == "folder":
        for path in sorted(chroma.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        chroma.rmdir()
    elif damage == "database":
        (chroma / "chroma.sqlite3").write_bytes(b"\0" * 5000)
    elif damage == "header":
        next(p for p in hnsw_files(own_library) if p.name == "header.bin").write_bytes(b"")
    else:
        for path in hnsw_files(own_library):
            data = bytearray(path.read_bytes())
            if damage == "flip":
                for at in range(0, len(data), 50):
                    data[at] ^= 0xFF
                path.write_bytes(data)
            elif damage == "truncate":
                path.write_bytes(data[: len(data) // 2])
            else:
                path.unlink()
    damaged = open_searcher(own_library, dense="chroma")
    query = "witness 5 story 5"
    assert damaged.search(query) == searcher.search(query)
    assert isinstance(damaged._dense_index, ExactVectors)
    assert "Searching the record's own vectors instead" in caplog.text


def test_a_chroma_that_lost_passages_is_not_used(own_library, open_searcher):
    # regression: a shorter answer is no error to Chroma
    generation = open_current(own_library)
    index = ChromaVectors.open(generation.chroma_path)
    index.delete(sorted(index.numbers())[:10])
    index.close()
    damaged = open_searcher(own_library, dense="chroma")
    assert damaged.search("witness 0 story 0")[0].article.title == "Story 0"
    assert isinstance(damaged._dense_index, ExactVectors)


@pytest.mark.parametrize("keep", [0, 10, 3, 2, 1.2])
def test_a_truncated_record_is_a_clear_error(own_library, tiny, keep):
    path = open_current(own_library).record_path
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) / keep)] if keep else b"")
    with pytest.raises(IndexDamagedError, match="record.db is missing or altered.*--rebuild"):
        Searcher.open(own_library, tiny)


def test_a_missing_generation_is_a_clear_error(own_library, tiny):
    shutil.rmtree(open_current(own_library).path)
    with pytest.raises(IndexDamagedError, match="gen-000001"):
        Searcher.open(own_library, tiny)


def test_a_sound_generation_answers_for_a_missing_one(own_library, open_searcher, searcher):
    (own_library / CURRENT).write_text("gen-000077")
    opened = open_searcher(own_library)
    assert opened.search("witness 5 story 5") == searcher.search("witness 5 story 5")
    assert "'gen-000077', which is not there" in opened.generation.summary.notice
    assert "--repair" in opened.generation.summary.notice


def test_an_open_searcher_outlives_its_files(own_library, open_searcher, searcher):
    lasting = open_searcher(own_library, dense="chroma")
    for path in sorted(own_library.rglob("*"), reverse=True):  # as two later builds would
        path.rmdir() if path.is_dir() else path.unlink()
    assert lasting.search("witness 5 story 5") == searcher.search("witness 5 story 5")


def test_an_index_without_a_matching_word_is_still_searched_by_vector(searcher):
    only_dense = searcher.search("zzzz qqqq", n=3)
    assert all(item.bm25 is None for item in only_dense)


def test_frequent_words_are_passed_over_in_a_large_index(searcher, monkeypatch):
    monkeypatch.setattr("index.search.FREQUENT_MIN", 3)
    assert searcher.expression("witness 17") == '"17"'
    assert searcher.expression("witness") == '"witness"'


def test_a_generation_without_passages_finds_nothing(searcher, tmp_path):
    manifest = replace(searcher.generation.manifest, n_passages=0)
    empty = Searcher(replace(searcher.generation, manifest=manifest), searcher.embedder)
    assert empty.rarity("ferry") == 1.0
    empty.close()
