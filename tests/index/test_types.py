import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.types import Article, Passage, Span, article_id, normalize_text, text_version

TEXT = st.text(st.characters(codec=None), max_size=200)  # lone surrogates and controls included
LINE = st.none() | st.text(st.characters(codec=None), min_size=1, max_size=30)
ARTICLES = st.builds(
    Article.create,
    text=TEXT,
    title=TEXT,
    captions=st.lists(TEXT, max_size=3),
    url=LINE,
    source=TEXT,
    id=LINE,
    outlet=LINE,
    byline=LINE,
    section=LINE,
    tags=st.lists(TEXT, max_size=3),
    published=st.none() | st.dates() | st.datetimes(),
    retrieved=st.none() | st.datetimes(timezones=st.just(UTC)),
    language=st.sampled_from([None, "en", "pt-BR"]),
)


@given(TEXT)
def test_normalising_twice_is_normalising_once(text):
    once = normalize_text(text)
    assert normalize_text(once) == once
    assert "\r" not in once
    once.encode("utf-8")  # can be stored and hashed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\nb\rc\u2028d\u2029e\x85f\x0bg\x0ch", "a\nb\nc\nd\ne\nf\ng\nh"),
        ("cafe\u0301", "café"),
        ("a\x00b\x1bc\ud800d", "a b c d"),
        ("\n\n  one \t\n\n two\u00a0\n\n", "  one\n\n two"),
        ("", ""),
        (" \n\t", ""),
    ],
)
def test_known_texts(text, expected):
    assert normalize_text(text) == expected


@given(ARTICLES)
def test_an_article_survives_json(article):
    assert Article.from_dict(json.loads(json.dumps(article.to_dict()))) == article


@given(ARTICLES)
def test_an_article_is_normalised_hashed_and_can_be_stored(article):
    assert article.text == normalize_text(article.text)
    assert article.version == text_version(article.text)
    assert article.id
    fields = (article.id, article.title, article.url, article.source, article.outlet, *article.tags)
    for field in fields:
        (field or "").encode("utf-8")


@given(body=TEXT, captions=st.lists(TEXT, max_size=4))
def test_caption_spans_are_the_captions(body, captions):
    article = Article.create(text=body, captions=captions)
    kept = [text for text in map(normalize_text, captions) if text]
    assert [article.text[span.start : span.end] for span in article.captions] == kept
    assert article.text == "\n\n".join(filter(None, [normalize_text(body), *kept]))


def test_the_id_comes_from_the_url_else_the_source_else_the_text():
    url, source = "https://example.org/a", "news/a.txt"
    assert Article.create(text="x", url=url, source=source).id == article_id(url)
    assert Article.create(text="x", source=source).id == article_id(source)
    assert Article.create(text="x").id == article_id("x")
    assert Article.create(text="x", url=url, id="mine").id == "mine"


def test_a_new_text_is_a_new_version_of_the_same_article():
    old, new = (Article.create(text=text, source="a") for text in ("one", "two"))
    assert old.id == new.id
    assert old.version != new.version


def test_a_time_of_publication_is_stored_as_its_day():
    article = Article.create(text="x", published=datetime(2023, 5, 22, 13, 5, tzinfo=UTC))
    assert article.published == date(2023, 5, 22)
    assert type(article.published) is date


def test_an_unknown_field_is_refused():
    with pytest.raises(TypeError, match="headline"):
        Article.create(text="x", headline="y")
    values = Article.create(text="x").to_dict()
    with pytest.raises(TypeError, match="headline"):
        Article.from_dict({**values, "headline": "y"})
    del values["published"]
    with pytest.raises(KeyError, match="published"):
        Article.from_dict(values)


def test_a_passage_must_fit_its_span():
    fields = {"article_id": "a", "version": "v", "ordinal": 0, "n_tokens": 1}
    Passage(**fields, start=2, end=5, text="abc")
    with pytest.raises(ValueError, match="3 characters"):
        Passage(**fields, start=2, end=6, text="abc")


def test_a_span_is_a_pair():
    start, end = Span(1, 4)
    assert "abcdef"[start:end] == "bcd"
