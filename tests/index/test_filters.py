"""Filters: what passes, and that a filtered search ranks as an exhaustive one restricted to it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import QuestionError
from index.filters import Filters, outlet_key
from index.job import Job
from index.search import CANDIDATES, Searcher, fuse, spread
from index.types import RankedPassage

from .conftest import assemble_here

FIRST = date(2023, 5, 1)
DAYS = st.integers(-2, 12).map(lambda n: FIRST + timedelta(days=n))
OUTLETS = ("Meridian Wire", "The Ledger", "Ünal Courier", None)
NAMES = st.sampled_from(["meridian  WIRE", "The Ledger", "ÜNAL courier", "U\u0308nal Courier", "?"])
QUERIES = st.lists(
    st.sampled_from("ferry harbour museum story witness 3 17 Kozmin was zzz".split()), max_size=4
).map(" ".join)


@st.composite
def filters(draw):
    first, last = draw(st.none() | DAYS), draw(st.none() | DAYS)
    if first and last:
        first, last = sorted((first, last))
    outlets = tuple(draw(st.lists(NAMES, max_size=2)))
    return Filters(published_from=first, published_to=last, outlets=outlets)


@pytest.fixture(scope="module")
def quarters(embedder_class):
    """An embedder of sixteen quarters: sums of their products are exact, in any order."""

    class Quarters(embedder_class):
        def embed_query(self, text):
            words = super().embed_query(text)
            largest = np.argsort(-np.abs(words), kind="stable")[:16]
            vector = np.zeros_like(words)
            vector[largest] = np.sign(words[largest]) / 4
            return vector

    return Quarters("quarters@1")


@pytest.fixture(scope="module")
def dated(tmp_path_factory, quarters, make_article):
    """An index of articles of eleven days, one in five of no day, of three outlets and none."""
    folder = tmp_path_factory.mktemp("dated") / "index"
    articles = [
        make_article(
            number,
            published=FIRST + timedelta(days=number % 11) if number % 5 else None,
            outlet=OUTLETS[number % 4],
        )
        for number in range(60)
    ]
    assemble_here(Job(index_dir=folder), quarters, articles, lambda _: None)
    return folder


@pytest.fixture(scope="module")
def searcher(dated, quarters):
    searcher = Searcher.open(dated, quarters)
    yield searcher
    searcher.close()


class Everything(dict):
    def __repr__(self):
        return f"{len(self)} passages"  # a failing test shows its arguments


@pytest.fixture(scope="module")
def everything(searcher):
    """Every passage by number, with its article and its vector."""
    numbers, vectors = searcher.record.vectors()
    found = searcher.record.passages(numbers.tolist())
    return Everything({int(n): (*found[int(n)], v) for n, v in zip(numbers, vectors, strict=True)})


def exhaustive(searcher, everything, query, wanted):
    """Return the ranking by the book: all passages scored, those that fail the filter left out."""
    passing = {n for n, (_, a, _) in everything.items() if wanted.passes(a.published, a.outlet)}
    asked = searcher.embedder.embed_query(query)
    similarity = {n: float(v @ asked) for n, (_, _, v) in everything.items()} if asked.any() else {}
    near = sorted(passing & similarity.keys(), key=lambda n: (-similarity[n], n))[:CANDIDATES]
    expression = searcher.expression(query)
    bm25 = dict(searcher.record.match(expression, len(everything))) if expression else {}
    said = [n for n in bm25 if n in passing][:CANDIDATES]
    return spread(
        [
            RankedPassage(
                passage=everything[n][0],
                article=everything[n][1],
                fused=fused,
                similarity=similarity[n] if n in near else None,
                bm25=bm25[n] if n in said else None,
            )
            for n, fused in fuse([near, said]).items()
        ]
    )


def same(found, expected):
    assert [item.passage for item in found] == [item.passage for item in expected]
    assert [item.fused for item in found] == [item.fused for item in expected]
    assert [item.bm25 for item in found] == pytest.approx([item.bm25 for item in expected])
    near = [item.similarity for item in expected]
    assert [item.similarity for item in found] == near


@settings(deadline=None)
@given(query=QUERIES, wanted=filters())
def test_a_filtered_search_is_the_whole_ranking_restricted(searcher, everything, query, wanted):
    found = searcher.search(query, n=1_000, filters=wanted)
    assert all(wanted.passes(item.article.published, item.article.outlet) for item in found)
    same(found, exhaustive(searcher, everything, query, wanted))


@settings(deadline=None)
@given(query=QUERIES)
def test_a_filter_that_everything_passes_changes_nothing(searcher, query):
    assert not Filters()
    assert searcher.search(query, filters=Filters()) == searcher.search(query)


@settings(deadline=None)
@given(wanted=filters())
def test_sqlite_and_python_agree_on_what_passes(searcher, everything, wanted):
    passing = {n for n, (_, a, _) in everything.items() if wanted.passes(a.published, a.outlet)}
    assert searcher.record.passage_numbers(wanted) == passing
    assert len(passing) < len(everything) or not wanted


@pytest.mark.filterwarnings("ignore:legacy embedding function config:DeprecationWarning")
def test_a_filtered_search_does_not_need_chroma_to_be_exact(dated, quarters, searcher):
    wanted = Filters(outlets=("The Ledger",))
    with_chroma = Searcher.open(dated, quarters, dense="chroma")
    query = "What did witness 17 say about the ferry?"
    same(with_chroma.search(query, filters=wanted), searcher.search(query, filters=wanted))
    with_chroma.close()


def test_filters_take_turns(searcher):
    wanted = [Filters(outlets=(name,)) for name in filter(None, OUTLETS)]
    first = [searcher.search("ferry", filters=item) for item in wanted]
    assert [searcher.search("ferry", filters=item) for item in wanted] == first
    for item, found in zip(wanted, first, strict=True):
        assert {one.article.outlet for one in found} == set(item.outlets)


def test_nothing_passes(searcher):
    assert searcher.search("ferry", filters=Filters(outlets=("nobody",))) == []
    assert searcher.search("ferry", filters=Filters(published_from=date(2999, 1, 1))) == []


def test_the_outlets_are_listed(searcher):
    assert searcher.record.outlets() == sorted(filter(None, OUTLETS))


# The value


def test_days_are_inclusive_and_the_unknown_day_passes_no_date_filter():
    may = Filters(published_from=date(2023, 5, 1), published_to=date(2023, 5, 31))
    assert may.passes(date(2023, 5, 1), None)
    assert may.passes(date(2023, 5, 31), None)
    assert not may.passes(date(2023, 6, 1), None)
    assert not may.passes(date(2023, 4, 30), None)
    assert not may.passes(None, None)
    assert Filters(outlets=("the ledger",)).passes(None, " The  LEDGER")
    assert not Filters(outlets=("the ledger",)).passes(None, None)


def test_what_a_filter_fails_by():
    wanted = Filters(published_from=date(2023, 6, 1), outlets=("Ledger",))
    assert wanted.failed_by(date(2023, 5, 1), "ledger") == Filters(published_from=date(2023, 6, 1))
    assert wanted.failed_by(date(2023, 7, 1), "Wire") == Filters(outlets=("Ledger",))
    assert wanted.failed_by(None, None) == wanted
    assert wanted.failed_by(date(2023, 6, 1), "LEDGER") == Filters()


@settings(deadline=None)
@given(wanted=filters())
def test_filters_round_trip(wanted):
    assert Filters.from_dict(wanted.to_dict()) == wanted


def test_a_filter_that_nothing_can_pass_is_an_error():
    with pytest.raises(QuestionError, match="after 2023-06-02 and on or before 2023-06-01"):
        Filters(published_from=date(2023, 6, 2), published_to=date(2023, 6, 1))
    with pytest.raises(QuestionError, match="blank"):
        Filters(outlets=("Ledger", " \n"))
    with pytest.raises(TypeError, match="tuple of names"):
        Filters(outlets="Ledger")
    noon = datetime(2023, 6, 2, 12, tzinfo=UTC)
    assert Filters(published_from=noon).published_from == date(2023, 6, 2)
    assert outlet_key("  The\tLEDGER ") == "the ledger"
