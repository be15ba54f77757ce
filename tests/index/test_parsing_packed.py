"""Formats that are zip files: Word documents, books, archives."""

import io
import json
import time
import zipfile
from datetime import date

import pytest
from docx import Document
from docx.oxml.ns import qn
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import ParseError
from index.parsing import archive, parse_source
from index.parsing.options import Hints, ParseOptions

SENTENCES = (
    "The first crossing since April left the harbor at dawn on Thursday, the company said.",
    "It took two hours, half an hour longer than planned, because of a strong wind.",
    "By Monday the timetable will be complete.",
)
LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">
<!ENTITY x SYSTEM "file:///etc/passwd">]>"""


def packed(members, compression=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as target:
        for name, content in members:
            target.writestr(name, content)
    return out.getvalue()


def repacked(data, changes):
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        members = [(name, source.read(name)) for name in source.namelist()]
    return packed([(name, changes.get(name, content)) for name, content in members])


def only(name, data):
    (article,) = parse_source(name, data).articles
    return article


def docx(build):
    document = Document()
    build(document)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def saved(document):
    document.core_properties.title = "Ferry service resumes"
    document.core_properties.author = "Jane Doe"
    document.add_paragraph("Ferry service resumes", style="Title")
    document.add_paragraph(SENTENCES[0])
    document.add_paragraph("Prices", style="Heading 1")
    document.add_paragraph("adults", style="List Bullet")
    document.add_paragraph("children", style="List Bullet")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(table._cells, ("from", "to", "Ano", "Bar"), strict=True):
        cell.text = text
    hidden = document.add_paragraph(SENTENCES[1]).add_run(" Nobody may read this.")
    hidden.font.hidden = True


def test_a_word_document():
    article = only("a.docx", docx(saved))
    assert (article.title, article.byline) == ("Ferry service resumes", "Jane Doe")
    assert article.published is None  # the day it was made says nothing
    assert article.text.split("\n\n") == [
        SENTENCES[0],
        "Prices",
        "adults\nchildren",
        "from | to\nAno | Bar",
        SENTENCES[1],
    ]
    assert article.origins == {
        "title": "title paragraph",
        "byline": "document property author",
        "tags": "document property keywords",
    } or article.origins == {"title": "title paragraph", "byline": "document property author"}


def test_inserted_words_are_read_and_deleted_ones_are_not():
    def build(document):
        paragraph = document.add_paragraph("The ferry ")
        for tag, text_tag, text in (("ins", "t", "sails"), ("del", "delText", "sank")):
            change = paragraph._p.makeelement(qn(f"w:{tag}"), {})
            run = change.makeelement(qn("w:r"), {})
            words = run.makeelement(qn(f"w:{text_tag}"), {})
            words.text = text
            run.append(words)
            change.append(run)
            paragraph._p.append(change)

    assert only("a.docx", docx(build)).text == "The ferry sails"


@settings(max_examples=25, deadline=None)
@given(
    texts=st.lists(
        st.text(alphabet="abc äжЯ漢'", min_size=1, max_size=40).map(str.strip).filter(bool),
        min_size=1,
        max_size=8,
    )
)
def test_word_round_trip(texts):
    def build(document):
        for text in texts:
            document.add_paragraph(text)

    words = [" ".join(text.split()) for text in only("a.docx", docx(build)).text.split("\n\n")]
    assert words == [" ".join(text.split()) for text in texts]


def test_hostile_word_documents():
    good = docx(saved)
    xml = zipfile.ZipFile(io.BytesIO(good)).read("word/document.xml")
    body = xml[xml.index(b"<w:document") :]
    with pytest.raises(ParseError, match="refused: its XML declares a document type"):
        parse_source("a.docx", repacked(good, {"word/document.xml": LAUGHS + body}))
    with pytest.raises(ParseError, match="refused: more than 64,000,000 bytes"):
        parse_source("a.docx", repacked(good, {"word/document.xml": b" " * 65_000_000}))
    with pytest.raises(ParseError, match="an old Word file"):
        parse_source("a.docx", b"\xd0\xcf\x11\xe0 old")
    with pytest.raises(ParseError, match="not a Word document"):
        parse_source("a.docx", packed([("a.txt", "text")]))
    for share in (0.2, 0.6, 0.95):
        with pytest.raises(ParseError, match="not a zip file, or a damaged one"):
            parse_source("a.docx", good[: int(share * len(good))])


def book(chapters, head="", opf_start=b""):
    items = "".join(f'<item id="i{n}" href="c%20{n}.xhtml"/>' for n in range(len(chapters)))
    spine = "".join(f'<itemref idref="i{n}"/>' for n in range(len(chapters)))
    opf = f"""<package xmlns="http://www.idpf.org/2007/opf"
        xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>Ferries</dc:title>
        <dc:creator>Jane Doe</dc:creator><dc:creator>Max Roe</dc:creator>
        <dc:language>en-GB</dc:language><dc:publisher>North Sea Press</dc:publisher>
        <dc:date>2021-03-04</dc:date>{head}</metadata>
        <manifest>{items}</manifest><spine>{spine}</spine></package>"""
    container = """<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
        <rootfile full-path="OPS/book.opf"/></rootfiles></container>"""
    pages = [
        (f"OPS/c {n}.xhtml", f"<html><body>{page}</body></html>") for n, page in enumerate(chapters)
    ]
    return packed(
        [
            ("mimetype", "application/epub+zip"),
            ("META-INF/container.xml", container),
            ("OPS/book.opf", opf_start + opf.encode()),
            *pages,
        ]
    )


def test_a_book_of_chapters():
    long = "".join(f"<p>{sentence} {n}</p>" for n in range(10) for sentence in SENTENCES)
    data = book(
        ["<p>For my mother.</p>", f"<h1>One</h1>{long}", f"<h2>Two</h2>{long}", "<p>End</p>"]
    )
    front, one, two = parse_source("b.epub", data).articles
    assert (front.title, front.text) == ("Ferries", "For my mother.")
    assert (one.title, one.source) == ("Ferries: One", "b.epub#OPS/c 1.xhtml")
    assert (two.title, two.text.split("\n\n")[-1]) == ("Ferries: Two", "End")
    assert (one.byline, one.outlet) == ("Jane Doe, Max Roe", "North Sea Press")
    assert (one.published, one.language) == (date(2021, 3, 4), "en-GB")
    assert one.origins["published"] == "document property dc:date"
    assert len({front.id, one.id, two.id}) == 3


def test_a_short_book_is_one_article():
    article = only("b.epub", book([f"<h1>One</h1><p>{SENTENCES[0]}</p>", f"<p>{SENTENCES[1]}</p>"]))
    assert article.text == f"One\n\n{SENTENCES[0]}\n\n{SENTENCES[1]}"


def test_hostile_books():
    page = f"<p>{SENTENCES[0]}</p>"
    with pytest.raises(ParseError, match="refused: its XML declares a document type"):
        parse_source("b.epub", book([page], head="<x>&b;</x>", opf_start=LAUGHS))
    with pytest.raises(ParseError, match="refused: its XML declares|its XML is damaged"):
        parse_source("b.epub", book([page], head="<dc:title>&x;</dc:title>"))
    declared = f'<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/passwd">]><p>&x;</p>{page}'
    text = only("b.epub", book([declared])).text
    assert "root:" not in text
    assert SENTENCES[0] in text
    parsed = parse_source("b.epub", book([page, " " * 21_000_000]))
    assert "too many bytes" in parsed.problems[0]
    with pytest.raises(ParseError, match="missing in it"):
        parse_source("b.epub", packed([("mimetype", "application/epub+zip")]))


def test_an_archive_of_everything():
    members = [
        ("a.txt", "Headline\n\n" + SENTENCES[0]),
        ("deep/2021-03-04-b.md", SENTENCES[1]),
        ("../../etc/c.html", f"<article><p>{SENTENCES[2]}</p></article>"),
        ("d.jsonl", json.dumps({"text": "one"}) + "\n" + json.dumps({"text": "two"}) + "\nbad"),
        ("e.docx", docx(saved)),
        ("f.pdf", b"no pdf"),
        ("inner.zip", packed([("x.txt", "text")])),
        ("photo.jpg", b"\xff\xd8"),
        ("__MACOSX/._a.txt", b"\x00"),
        (".hidden.txt", "text"),
        ("line\nbreak\u202e.txt", "Odd name."),
    ]
    parsed = parse_source("x/y.zip", packed(members))
    assert [article.source for article in parsed.articles] == [
        "x/y.zip/a.txt",
        "x/y.zip/deep/2021-03-04-b.md",
        "x/y.zip/../../etc/c.html",
        "x/y.zip/d.jsonl#1",
        "x/y.zip/d.jsonl#2",
        "x/y.zip/e.docx",
        "x/y.zip/line\\nbreak\\u202e.txt",
    ]
    assert parsed.articles[1].published == date(2021, 3, 4)
    assert parsed.problems == (
        "d.jsonl: line 3 is not JSON: Expecting value at character 1",
        "f.pdf: not a PDF file",
        "inner.zip: an archive within an archive is not opened",
        "files of other kinds passed over: 1 (.jpg 1)",
    )


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_of_one_name_are_kept_apart():
    data = packed([("a.txt", "First."), ("a.txt", "Second."), ("a (2).txt", "Third.")])
    articles = parse_source("a.zip", data).articles
    assert [article.text for article in articles] == ["First.", "Second.", "Third."]
    assert len({article.id for article in articles}) == 3


def test_bytes_are_counted_as_they_come_out(monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBER_BYTES", 1_000)
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 2_500)
    members = [("a.txt", "a" * 1_001), ("b.txt", "b" * 900), ("c.txt", "c" * 900), ("d.txt", "d")]
    data = bytearray(packed(members))
    for mark, at in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):  # say that the first one is empty
        start = data.index(mark) + at
        data[start : start + 4] = bytes(4)
    parsed = parse_source("a.zip", bytes(data))
    assert [article.text[0] for article in parsed.articles] in (["b"], ["b", "c", "d"])
    assert parsed.problems[0].startswith("a.txt: ")


def test_encrypted_and_damaged_members():
    data = bytearray(packed([("a.txt", "Secret."), ("b.txt", "Open."), ("c.txt", "Broken " * 50)]))
    for mark, at in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        data[data.index(mark) + at] |= 1
    start = data.index(b"c.txt") + 5
    data[start : start + 4] = b"\xff\xff\xff\xff"
    parsed = parse_source("a.zip", bytes(data))
    assert [article.text for article in parsed.articles] == ["Open."]
    assert parsed.problems == ("a.txt: encrypted: remove the password first", "c.txt: damaged")


def test_too_many_members(monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    with pytest.raises(ParseError, match="more than 3 files"):
        parse_source("a.zip", packed([(f"{n}.txt", "x") for n in range(4)]))


def test_hints_of_an_archive_are_true_of_its_members_only_in_part():
    hints = Hints(url="https://post.example.org/a.zip", title="All", outlet="Post", via="feed")
    parsed = parse_source(
        "a.zip", packed([("a.txt", "One."), ("b.txt", "Two.")]), ParseOptions(hints=hints)
    )
    assert {(article.url, article.title, article.outlet) for article in parsed.articles} == {
        (None, "", "Post")
    }


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(alphabet="abc dé\n漢", max_size=60), min_size=1, max_size=12))
def test_an_archive_loses_no_text(texts):
    members = [
        (f"{n}.txt", f"Start of it. {text.strip()} the end.") for n, text in enumerate(texts)
    ]
    parsed = parse_source("a.zip", packed(members))
    assert parsed.problems == ()
    assert len(parsed.articles) == len(texts)
    for article, (name, content) in zip(parsed.articles, members, strict=True):
        assert article.source == f"a.zip/{name}"
        whole = f"{article.title} {article.text}"
        assert whole.split() == content.split()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_are_no_names():
    members = [(".", "x"), (".", "y"), ("n" * 60_000 + ".txt", "Long."), ("a.txt", "Short.")]
    parsed = parse_source("a.zip", packed(members))
    assert [article.text for article in parsed.articles] == ["Long.", "Short."]
    assert all(len(article.source) < 250 for article in parsed.articles)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_thousands_of_one_name_take_no_time_to_tell_apart():
    data = packed([("a.txt", f"Text {n}.") for n in range(3_000)])
    start = time.process_time()
    assert len({article.source for article in parse_source("a.zip", data).articles}) == 3_000
    assert time.process_time() - start < 20  # 50 s when each is counted from the first


def test_an_archive_under_another_name_is_not_opened():
    inner = packed([("b.txt", "Deep text.")])
    parsed = parse_source("a.zip", packed([("a.txt", inner), ("c.txt", "Text.")]))
    assert [article.text for article in parsed.articles] == ["Text."]
    assert parsed.problems == ("a.txt: an archive within an archive is not opened",)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_what_can_be_counted_is_inflated(compression):
    with pytest.raises(ParseError, match="packed in a way that is not read"):
        parse_source("a.zip", packed([("a.txt", b"a" * 1_000)], compression))


def test_names_in_utf_8_that_do_not_say_so():
    data = bytearray(packed([("fähre.txt", "Text.")]))
    for mark, at in ((b"PK\x01\x02", 9), (b"PK\x03\x04", 7)):
        data[data.index(mark) + at] &= ~8
    assert only("a.zip", bytes(data)).source == "a.zip/fähre.txt"


def test_problems_of_members_are_listed_up_to_a_number():
    members = [(f"{n}.pdf", "no pdf") for n in range(50)]
    parsed = parse_source("a.zip", packed([*members, ("a.txt", "Text.")]))
    assert len(parsed.problems) == 21
    assert parsed.problems[-1] == "and 30 more problems"


def test_what_comes_out_of_damaged_members_counts(monkeypatch):
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 250_000)
    data = bytearray(packed([(f"{n}.txt", b"a" * 100_000) for n in range(4)]))
    for start in [n for n in range(len(data)) if data.startswith(b"PK\x01\x02", n)]:
        data[start + 16] ^= 1  # the checksum
    with pytest.raises(ParseError):
        parse_source("a.zip", bytes(data))
    members = archive._Members("a.zip", ParseOptions(), parse_source)
    with archive.open_zip(bytes(data)) as opened:
        read_on = [members.add(opened, item) for item in opened.infolist()]
    assert read_on == [True, True, True, False]
