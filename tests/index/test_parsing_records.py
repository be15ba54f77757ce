import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import ParseError
from index.parsing.records import MAX_PROBLEMS, parse_json, parse_jsonl
from index.types import normalize_text

RECORD = {
    "id": "f-1",
    "title": "Ferry service resumes",
    "text": "The first crossing left at dawn.\n\nIt took two hours.",
    "url": "https://post.example.org/ferry",
    "outlet": "North Sea Post",
    "published": "2021-03-04",
    "author": "Jane Doe",
    "section": "Europe",
    "tags": ["ferries", "North Sea"],
    "language": "en",
    "captions": ["The ferry. Jo Doe/AFP"],
}


def test_a_record():
    (article,) = parse_jsonl("a/b.jsonl", json.dumps(RECORD)).articles
    assert article.source == "a/b.jsonl#f-1"
    assert article.title == "Ferry service resumes"
    assert article.text == f"{RECORD['text']}\n\nThe ferry."
    assert article.url == "https://post.example.org/ferry"
    assert (article.outlet, article.byline) == ("North Sea Post", "Jane Doe")
    assert (article.published, article.section) == (date(2021, 3, 4), "Europe")
    assert (article.tags, article.language) == (("ferries", "North Sea"), "en")
    assert [article.text[start:end] for start, end in article.captions] == ["The ferry."]


def test_other_names_of_the_same_things():
    record = {
        "Title": "T",
        "body": "B",
        "link": "http://x.org/",
        "source": "S",
        "date": "5 May 2021",
    }
    (article,) = parse_json(
        "a.json", json.dumps({**record, "byline": "J", "tags": "a, b"})
    ).articles
    assert (article.title, article.text, article.url) == ("T", "B", "http://x.org/")
    assert (article.outlet, article.byline, article.tags) == ("S", "J", ("a", "b"))
    assert (article.published, article.source) == (date(2021, 5, 5), "a.json#1")


@pytest.mark.parametrize("shape", [lambda r: r, lambda r: [r], lambda r: {"articles": [r]}])
def test_shapes_of_json_files(shape):
    assert len(parse_json("a.json", json.dumps(shape(RECORD))).articles) == 1


def test_good_lines_survive_bad_ones():
    lines = [
        json.dumps(RECORD),
        "{not json",
        "",
        "[1, 2]",
        '{"title": "no text"}',
        '{"text": 5}',
        '{"text": "   "}',
        '{"title": 7, "text": "good", "url": "javascript:x", "date": 1684713600, '
        '"tags": {}, "captions": 1}',
        json.dumps({**RECORD, "text": "other"}),
    ]
    parsed = parse_jsonl("a.jsonl", "\r\n".join(lines))
    assert [article.source for article in parsed.articles] == ["a.jsonl#f-1", "a.jsonl#8"]
    assert parsed.articles[1].published is None
    assert parsed.problems == (
        "line 2 is not JSON: Expecting property name enclosed in double quotes at character 2",
        "line 4: not an object with title and text",
        "line 5: has no text, body or content (it has: title); map one with --field text=title",
        "line 6: its text is not text",
        "line 7: has no text (text is empty)",
        "line 8: title is not text: 7",
        "line 8: url is not a web address: javascript:x",
        "line 8: date is not text: 1684713600",
        "line 8: tags is not a list of words: {}",
        "line 8: captions are not a list of texts",
        "line 9: has the url or id of an article above, which is kept",
    )


def test_a_mapped_key_counts_where_a_record_has_it():
    # regression: one mapping is kept for all sources, and records with the usual keys were dropped
    lines = [
        {"Story": "Mapped.", "text": "no", "When": "2021-03-04", "date": "2020-01-01"},
        {"body": "Usual.", "date": "2022-05-06", "id": "u"},
        {"Story": "", "text": "no"},
        {"Headline": "H", "Tale": "It is longer."},
    ]
    keys = {"text": "Story", "published": "When", "id": "number"}
    parsed = parse_jsonl("a.jsonl", "\n".join(map(json.dumps, lines)), keys)
    assert [(a.text, a.published, a.source) for a in parsed.articles] == [
        ("Mapped.", date(2021, 3, 4), "a.jsonl#1"),
        ("Usual.", date(2022, 5, 6), "a.jsonl#u"),
    ]
    assert parsed.problems == (
        "line 3: has no text (Story is empty)",
        "line 4: has no Story, text, body or content (it has: Headline, Tale); "
        "map one with --field text=Tale",
    )


def test_a_string_without_an_end_is_named_in_good_english():
    with pytest.raises(ParseError, match="Unterminated string starting at character 11"):
        parse_json("a.json", '{"text":  "abc')


def test_the_number_of_problems_is_limited():
    parsed = parse_jsonl("a.jsonl", "x\n" * 1000 + json.dumps(RECORD))
    assert len(parsed.problems) == MAX_PROBLEMS + 1
    assert parsed.problems[-1] == "and 980 more problems"


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "5", '"text"', "[" * 100_000, "9" * 10_000, '{"text": null}', "NaN"]
)
def test_nothing_to_read(text):
    for parse in (parse_json, parse_jsonl):
        with pytest.raises(ParseError):
            parse("a.json", text)


@given(title=st.text(max_size=60), text=st.text(max_size=200), ascii_only=st.booleans())
def test_any_text_comes_out_normalised_and_nothing_else(title, text, ascii_only):
    line = json.dumps({"title": title, "text": text}, ensure_ascii=ascii_only)
    if not normalize_text(text).strip():
        with pytest.raises(ParseError):
            parse_jsonl("a.jsonl", line)
        return
    (article,) = parse_jsonl("a.jsonl", line).articles
    assert article.text == normalize_text(text)
    assert article.title == " ".join(normalize_text(title).split())


@given(text=st.text(max_size=80), captions=st.lists(st.text(max_size=40), max_size=4))
def test_captions_are_slices(text, captions):
    try:
        parsed = parse_jsonl("a.jsonl", json.dumps({"text": text, "captions": captions}))
    except ParseError:
        return
    (article,) = parsed.articles
    position = 0
    for start, end in article.captions:
        assert position <= start < end <= len(article.text)
        assert normalize_text(article.text[start:end]) == article.text[start:end]
        position = end


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = st.sampled_from([*RECORD, "body", "date", "source", "headline", "articles"])


@given(st.dictionaries(KEYS, JSON, max_size=8))
def test_values_of_any_type_are_problems_at_most(record):
    try:
        parsed = parse_json("a.json", json.dumps(record))
    except ParseError:
        return
    assert parsed.articles
