import csv
import io
import json
import time
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import ParseError
from index.parsing import parse_source
from index.parsing.options import ParseOptions


def table(rows, delimiter=","):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue().encode()


def mapped(**fields):
    return ParseOptions(fields=fields)


@pytest.mark.parametrize(
    ("suffix", "mark"), [("csv", ","), ("csv", ";"), ("tsv", "\t"), ("csv", "|")]
)
def test_a_table(suffix, mark):
    rows = [
        ["Title", "Text", "Date", "Author", "Views"],
        ["Ferry, again", "The first; crossing,\nit said.", "2021-03-04", "Jane Doe", "7"],
        [],
        ["Other", "", "", "", ""],
        ["Third", "More | text\tof it.", "last week", "", "8"],
    ]
    parsed = parse_source(f"a.{suffix}", table(rows, mark))
    first, third = parsed.articles
    assert (first.title, first.byline) == ("Ferry, again", "Jane Doe")
    assert first.published == date(2021, 3, 4)
    assert first.text == "The first; crossing,\nit said."
    assert (first.source, third.source) == (f"a.{suffix}#1", f"a.{suffix}#3")
    assert first.origins["published"] == "record key date"
    assert third.published is None
    assert parsed.problems == (
        "row 2 (line 5): has no text (Text is empty)",
        "row 3 (line 6): date is not a date such as 2023-05-22: last week",
    )


def test_columns_are_mapped():
    data = table([["Kopf", "Inhalt", "text"], ["T", "<p>One.</p><p>Two &amp; three.</p>", "no"]])
    (article,) = parse_source("a.csv", data, mapped(title="Kopf", text="Inhalt")).articles
    assert (article.title, article.text) == ("T", "One.\n\nTwo & three.")
    with pytest.raises(ParseError, match="articles have no field headline"):
        parse_source("a.csv", data, mapped(headline="Kopf"))
    (article,) = parse_source("a.csv", data, mapped(title="Wrong", text="Wrong")).articles
    assert article.text == "no"
    stories = table([["Headline", "Story"], ["T", "A long story."]])
    with pytest.raises(ParseError) as caught:
        parse_source("a.csv", stories, mapped(text="Wrong"))
    assert str(caught.value).endswith(
        "its first row names no column Wrong, text, body or content (it has: Headline, Story); "
        "map one with --field text=Story"
    )
    with pytest.raises(ParseError, match=r"has no text \(Story is empty\)"):
        parse_source("a.csv", table([["Story", "text"], ["", "no"]]), mapped(text="Story"))


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_keys_of_inner_objects_are_mapped(suffix):
    record = {
        "meta": {"date": "2021-03-04", "a.b": 1},
        "x.y": "Post",
        "body": "The text.",
        "title": "A",
    }
    options = mapped(published="meta.date", outlet="x.y", title="meta.title")
    (article,) = parse_source(f"a.{suffix}", json.dumps(record).encode(), options).articles
    assert (article.published, article.outlet) == (date(2021, 3, 4), "Post")
    assert article.title == "A"  # the mapping is for records that have its key
    assert article.origins == {
        "published": "record key meta.date",
        "outlet": "record key x.y",
        "title": "record key title",
    }


def test_an_open_quotation_mark_costs_what_follows_it(monkeypatch):
    monkeypatch.setattr("index.parsing.table.MAX_FIELD_CHARACTERS", 1_000)
    data = b'text\nGood text.\n"' + b"x\n" * 5_000
    parsed = parse_source("a.csv", data)
    assert [article.text for article in parsed.articles] == ["Good text."]
    assert parsed.problems[0].startswith("row 2 (line 3): cannot be read")
    assert csv.field_size_limit() == 131_072


CELL = st.text(alphabet="ab ,;\"\n'漢", min_size=1, max_size=30).map(
    lambda text: f"x{text.strip()}y"
)


@given(rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=10))
def test_round_trip(rows):
    parsed = parse_source("a.csv", table([("title", "text"), *rows]))
    assert [article.text for article in parsed.articles] == [
        "\n".join(line.rstrip() for line in text.split("\n")) for _, text in rows
    ]


@pytest.mark.parametrize("data", [b"A,Some text.\nB,More.\n", b"Lines\nSome text.\n"])
def test_a_table_that_names_no_text_says_so(data):
    with pytest.raises(ParseError, match="its first row names no column text, body or content"):
        parse_source("a.csv", data)


def test_a_row_with_too_many_cells_is_not_cut_to_its_first_ones():
    data = b"title,text\nA,The ferry, it said, sailed.\nB,Fine.,,\n"
    parsed = parse_source("a.csv", data)
    assert [article.text for article in parsed.articles] == ["Fine."]
    assert parsed.problems == (
        "row 1 (line 2): has 4 cells for 2 columns (put quotation marks around its text)",
    )


@pytest.mark.parametrize(
    "data",
    [
        b"title,text\rA,One.\rB,Two.\r",
        b'\xef\xbb\xbf"title",text\r\nA,One.\r\nB,Two.\r\n',
        b"sep=;\ntitle;text\nA;One.\nB;Two.\n",
        b'"x, y, z";text\nA;One.\nB;Two.\n',
    ],
    ids=["old newlines", "mark", "delimiter named", "delimiter quoted"],
)
def test_what_programs_write(data):
    assert [article.text for article in parse_source("a.csv", data).articles] == ["One.", "Two."]


def test_a_table_of_bad_rows_is_not_read_to_its_end():
    # regression: 2 million rows with a cell too many took 30 s
    good, bad = "Ferry,The ferry sailed.\n", "Ferry,The ferry, it sailed.\n"
    text = "title,text\n" + good + bad * 300_000 + good
    start = time.process_time()
    found = parse_source("a.csv", text.encode())
    assert time.process_time() - start < 3
    assert len(found.articles) == 1
    assert found.problems[0] == (
        "the rest, from row 10002 (line 10003) on, is not read: 10,000 records are no articles"
    )
    assert len(found.problems) == 22


def test_bad_rows_among_more_good_ones_stop_nothing(monkeypatch):
    monkeypatch.setattr("index.parsing.records.MAX_FAILED", 100)
    good, bad = "Ferry,The ferry sailed.\n", "Ferry,The ferry, it sailed.\n"
    found = parse_source("a.csv", ("title,text\n" + (good * 3 + bad * 2) * 60).encode())
    assert len(found.articles) == 180
    assert found.problems[-1] == "and 100 more problems"
