import io
import json
import random
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.errors import SourceError
from index.parsing.pool import ParserPool
from index.report import Problem
from index.sources import stream
from index.sources.stream import read_articles
from index.types import article_id, normalize_text

ONE = {"title": "One", "text": "The first text of all."}
TWO = {"title": "Two", "text": "Another text, not the first."}


@pytest.fixture(scope="module", autouse=True)
def one_pool():
    """One real pool for all: its child takes a second to start."""
    with ParserPool(1) as pool, pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "ParserPool", lambda _: Kept(pool))
        yield


class Kept:
    def __init__(self, pool):
        self.pool = pool

    def __enter__(self):
        return self.pool

    def __exit__(self, *_):
        pass


def read(data, fields=None):
    """Return the articles on a stream, and the problems by line."""
    problems = []
    if not isinstance(data, bytes):
        data = "\n".join(item if isinstance(item, str) else json.dumps(item) for item in data)
        data = data.encode()
    articles = list(read_articles(io.BytesIO(data), problems, fields))
    return articles, {item.source.removeprefix("stdin, "): item.reason for item in problems}


def test_an_article_with_all_that_is_known_of_it():
    line = {
        **ONE,
        "url": "https://post.example.org/one",
        "outlet": "North Sea Post",
        "published": "2021-03-04",
        "author": "Jane Doe",
        "tags": ["ferries"],
        "captions": ["The ferry."],
    }
    (article,), problems = read([line])
    assert problems == {}
    assert article.text == "The first text of all.\n\nThe ferry."
    assert [article.text[start:end] for start, end in article.captions] == ["The ferry."]
    assert (article.url, article.id) == (line["url"], article_id(line["url"]))
    assert (article.outlet, article.published) == ("North Sea Post", date(2021, 3, 4))
    assert (article.byline, article.tags) == ("Jane Doe", ("ferries",))
    assert article.source == "stdin.jsonl"
    assert article.origins["published"] == "record key published"


def test_keys_that_are_mapped():
    line = {"headline": "One", "meta": {"day": "2021-03-04"}, "story": "The text.", "text": "No."}
    fields = {"title": "headline", "published": "meta.day", "text": "story", "id": "headline"}
    (article,), problems = read([line], fields)
    assert (article.title, article.text, article.published) == (
        "One",
        "The text.",
        date(2021, 3, 4),
    )
    assert (article.source, problems) == ("stdin.jsonl#One", {})


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n", b"\n \t\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("last", [b"", b"\r\n"])
def test_ends_of_lines_and_a_byte_order_mark(end, mark, last):
    lines = [json.dumps(item).encode() for item in (ONE, TWO)]
    articles, problems = read(mark + end.join(lines) + last)
    assert ([item.title for item in articles], problems) == (["One", "Two"], {})


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n \n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n"])
def test_nothing(data):
    assert read(data) == ([], {})


def test_what_is_wrong_has_the_number_of_its_line():
    articles, problems = read(
        [
            "nonsense",
            "",
            "{",
            ONE,
            "[1, 2]",
            {"title": "No text"},
            {**TWO, "published": "someday"},
            '{"text": NaN}',
            '{"a":' * 3000,
            "# a comment",
            {"text": 7},
        ]
    )
    assert [item.title for item in articles] == ["One", "Two"]
    assert problems == {
        "line 1": "is not a JSON object",
        "line 3": "is not JSON: Expecting property name enclosed in double quotes at character 2",
        "line 5": "is not a JSON object",
        "line 6": "has no text, body or content (it has: title); map one with --field text=title",
        "line 7": "published is not a date such as 2023-05-22: someday",
        "line 8": "its text is not text",
        "line 9": "is not JSON that can be read: a number too long, or nested too deep",
        "line 10": "is not a JSON object",
        "line 11": "its text is not text",
    }


@pytest.mark.parametrize(
    "line",
    [
        b"<!DOCTYPE html><html><body><p>" + b"A page is no line of JSON. " * 20,
        b"PK\x03\x04" + bytes(60),
        b"%PDF-1.7 1 0 obj <<>> endobj",
        b"\x00\x01\x02",
        b"\xff\xd8\xff\xe0",
    ],
)
def test_other_kinds_of_file_are_not_opened(line):
    articles, problems = read(line + b"\n" + json.dumps(ONE).encode())
    assert ([item.title for item in articles], problems) == (
        ["One"],
        {"line 1": "is not a JSON object"},
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_said(encoding):
    mark = {"utf-16-le": "\ufeff", "utf-16-be": "\ufeff"}.get(encoding, "")
    data = (mark + json.dumps(ONE) + "\n" + json.dumps(TWO)).encode(encoding)
    with pytest.raises(SourceError, match="iconv -f UTF-16"):
        read(data)


def test_an_article_twice_is_kept_once():
    address = {"url": "https://post.example.org/one"}
    lines = [{**ONE, **address}, {**TWO, **address}, ONE, TWO, TWO, {**ONE, "id": 5}]
    articles, problems = read([*lines, {**TWO, "id": 5}])
    assert [item.title for item in articles] == ["One", "One", "Two", "One"]
    same = "has the url or id of an article above, which is kept"
    assert problems == {"line 2": same, "line 5": same, "line 7": same}


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_line_that_is_too_long_and_the_one_after_it(monkeypatch, end):
    monkeypatch.setattr(stream, "MAX_LINE_BYTES", 500)

    def line_of(size):
        empty = json.dumps({"text": "", "id": size})
        return json.dumps({"text": "x" * (size - len(empty)), "id": size}).encode()

    sizes = [501, 500, 502, 503, 1_000, 1_004, 5_000, 499]
    articles, problems = read(end.join([*map(line_of, sizes), json.dumps(ONE).encode()]))
    assert [len(item.text) > 100 for item in articles] == [True, True, False]
    assert list(problems) == [f"line {number}" for number in (1, 3, 4, 5, 6, 7)]
    assert set(problems.values()) == {"longer than 0.0005 MB"}


def test_a_stream_without_an_end_is_not_held():
    class Endless(io.RawIOBase):
        def __init__(self):
            self.lines = 0

        def readline(self, _=-1):
            self.lines += 1
            return json.dumps({**ONE, "id": self.lines}).encode() + b"\n"

    endless = Endless()
    articles = read_articles(endless, [])
    assert [next(articles).source for _ in range(20)][-1] == "stdin.jsonl#20"
    assert endless.lines < 30  # read as it is needed
    articles.close()


def test_a_flood_of_problems_is_counted():
    articles, problems = read(["x"] * 1500)
    assert (articles, len(problems)) == ([], 1001)
    assert problems["stdin"] == "and 500 more problems"


def test_an_id_of_its_own_is_not_mistaken_for_a_place():
    first, _ = read([{**ONE, "id": 1}, {**TWO, "id": "2"}])
    second, _ = read([TWO, {**ONE, "id": 1, "text": "Changed meanwhile."}])
    assert first[0].id == second[1].id == article_id("stdin.jsonl#1")
    assert first[0].version != second[1].version
    assert first[1].id == article_id("stdin.jsonl#2")
    assert second[0].id not in {first[0].id, first[1].id}


LINES = st.one_of(
    st.fixed_dictionaries(
        {"text": st.text()},
        optional={
            "title": st.text(),
            "id": st.one_of(st.integers(-9, 9), st.text(max_size=3), st.none()),
            "url": st.sampled_from(["https://a.example/1", "https://a.example/2", "", "nowhere"]),
        },
    ),
    st.recursive(st.none() | st.integers() | st.text(), lambda of: st.lists(of, max_size=2)),
)


@given(st.lists(LINES, max_size=6), st.randoms(use_true_random=False), st.booleans())
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
def test_any_lines_in_any_order(lines, order: random.Random, escaped):
    def spelled(items):
        return "\n".join(json.dumps(item, ensure_ascii=escaped) for item in items)

    def told(items):
        articles, problems = read(spelled(items).encode("utf-8", "surrogatepass"))
        return {item.id: item for item in articles}, articles, problems

    by_id, articles, problems = told(lines)
    assert len(by_id) == len(articles)  # no two are the same article
    texts = [normalize_text(item["text"]) for item in lines if isinstance(item, dict)]
    assert all(item.text in texts for item in articles if "<" not in item.text)
    assert {*problems} <= {f"line {number}" for number in range(1, len(lines) + 1)}
    assert len(articles) + len(problems) >= len(lines)
    shuffled = list(lines)
    order.shuffle(shuffled)
    again, _, _ = told(shuffled)
    assert again.keys() == by_id.keys()  # whatever the order, the same ids


@given(st.binary(max_size=200))
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
def test_any_bytes(data):
    try:
        articles, problems = read(data)
    except SourceError:
        assert data.startswith((b"\xff\xfe", b"\xfe\xff"))
        return
    assert articles == []
    assert all(reason and "\n" not in reason for reason in problems.values())


def test_problems_are_of_the_kind_that_reports_hold():
    problems = []
    list(read_articles(io.BytesIO(b"x"), problems))
    assert problems == [Problem("stdin, line 1", "is not a JSON object")]
