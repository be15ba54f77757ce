"""Word documents: tables within tables, captions, and entities in parts with odd names."""

import io
import zipfile

import pytest
from docx import Document
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import ParseError
from index.parsing import parse_source
from index.parsing.word import parse_docx

SENTENCE = "The first crossing since April left the harbor at dawn on Thursday."
ENTITIES = b'<!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd"><!ENTITY a "haha">]>'


def docx(build):
    document = Document()
    build(document)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        return {name: source.read(name) for name in source.namelist()}


def packed(parts):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in parts.items():
            target.writestr(name, content)
    return out.getvalue()


def only(data):
    (article,) = parse_source("a.docx", data).articles
    return article


def test_a_table_in_a_cell_is_read_once():
    def build(document):
        document.add_paragraph(SENTENCE)
        outer = document.add_table(rows=2, cols=2)
        for cell, text in zip(outer._cells, ("from", "to", "Ano", "Bar"), strict=True):
            cell.text = text
        outer.cell(1, 1).add_table(rows=1, cols=1).cell(0, 0).text = "daily"

    assert only(docx(build)).text == f"{SENTENCE}\n\nfrom | to\nAno | Bar daily"


def test_captions_are_not_paragraphs_and_credits_are_not_captions():
    def build(document):
        document.add_paragraph(SENTENCE)
        document.add_paragraph("The ferry at the quay. JO DOE/AFP", style="Caption")
        document.add_paragraph("Photo: Jo Doe", style="Caption")

    article = only(docx(build))
    assert article.text == f"{SENTENCE}\n\nThe ferry at the quay."
    (span,) = article.captions
    assert article.text[span.start : span.end] == "The ferry at the quay."


def test_entities_are_not_filled_in_whatever_a_part_is_called():
    parts = members(docx(lambda document: document.add_paragraph(f"{SENTENCE} MARK")))
    renamed = {
        name.replace("document.xml", "document.bin"): content.replace(
            b"word/document.xml", b"word/document.bin"
        )
        for name, content in parts.items()
    }
    body = renamed["word/document.bin"]
    start = body.index(b"<w:document")
    renamed["word/document.bin"] = (
        body[:start] + ENTITIES + body[start:].replace(b"MARK", b"&x; &a; end")
    )
    try:
        text = only(packed(renamed)).text
    except ParseError:
        return
    assert "root:" not in text
    assert "haha" not in text


@pytest.mark.parametrize("share", [0, 0.05, 0.3, 0.6, 0.9, 0.999])
def test_truncated_documents_give_a_reason(share):
    data = docx(lambda document: document.add_paragraph(SENTENCE))
    with pytest.raises(ParseError) as caught:
        parse_docx("a.docx", data[: int(share * len(data))])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 80


WORDS = st.text(alphabet="abcäжЯ漢", min_size=1, max_size=12)


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.lists(WORDS, min_size=2, max_size=2), min_size=1, max_size=5))
def test_every_cell_comes_out_once_in_its_row(rows):
    def build(document):
        document.add_paragraph(SENTENCE)
        table = document.add_table(rows=len(rows), cols=2)
        for cell, text in zip(table._cells, [text for row in rows for text in row], strict=True):
            cell.text = text

    assert only(docx(build)).text.split("\n\n")[1].split("\n") == [" | ".join(row) for row in rows]


def test_by_line_and_date_below_the_headline():
    def build(document):
        document.core_properties.author = "Al Roe"
        document.add_paragraph("Ferry service resumes", style="Title")
        document.add_paragraph("By Jane Doe")
        document.add_paragraph("22 May 2023")
        document.add_paragraph(SENTENCE)

    article = only(docx(build))
    assert (article.byline, str(article.published)) == ("Jane Doe", "2023-05-22")
    assert article.text == SENTENCE
    assert article.origins["published"] == "line with the day"


def test_a_chronicle_keeps_its_days():
    def build(document):
        for day in ("22 May 2023", "23 May 2023"):
            document.add_paragraph(day)
            document.add_paragraph(SENTENCE)

    article = only(docx(build))
    assert article.published is None
    assert article.text.count("May 2023") == 2


W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def with_notes(references, **notes):
    """Return a document with references such as "footnote 2", and parts with those notes."""
    parts = members(docx(lambda document: document.add_paragraph(f"{SENTENCE} MARK")))
    marks = "".join(
        f'</w:t></w:r>{before}<w:r><w:{kind}Reference w:id="{number}"/></w:r>{after}<w:r><w:t>'
        for before, kind, number, after in references
    )
    body = parts["word/document.xml"].replace(b" MARK", marks.encode())
    parts["word/document.xml"] = body
    for kind, content in notes.items():
        parts[f"word/{kind}.xml"] = content
        parts["word/_rels/document.xml.rels"] = parts["word/_rels/document.xml.rels"].replace(
            b"</Relationships>",
            f'<Relationship Id="n{kind}" Type="{RELATIONS}/{kind}" Target="{kind}.xml"/>'
            "</Relationships>".encode(),
        )
        parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace(
            b"</Types>",
            f'<Override PartName="/word/{kind}.xml" ContentType="application/xml"/>'
            "</Types>".encode(),
        )
    return packed(parts)


def notes_part(kind, *texts):
    inner = "".join(
        f'<w:{kind} w:id="{number}"><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:{kind}>'
        for number, text in enumerate(texts)
    )
    return f'<w:{kind}s xmlns:w="{W}">{inner}</w:{kind}s>'.encode()


def test_notes_follow_the_text_in_the_order_of_reference():
    data = with_notes(
        [
            ("", "footnote", 2, ""),
            ("", "endnote", 0, ""),
            ("", "footnote", 0, ""),
            ("", "footnote", 2, ""),
            ("<w:del>", "footnote", 3, "</w:del>"),
            ("", "footnote", 77, ""),
        ],
        footnotes=notes_part("footnote", "The company.", "Unseen.", "A note.", "Deleted."),
        endnotes=notes_part("endnote", "An endnote."),
    )
    assert only(data).text == f"{SENTENCE}\n\nA note.\n\nAn endnote.\n\nThe company."


@pytest.mark.parametrize("content", [b"<w:footnotes", b"", b"\0\xff"])
def test_damaged_notes_cost_the_notes_only(content):
    source = parse_source("a.docx", with_notes([("", "footnote", 0, "")], footnotes=content))
    assert source.articles[0].text == SENTENCE
    assert source.problems == ("its footnotes cannot be read",)


def test_entities_in_notes_are_refused():
    content = ENTITIES + notes_part("footnote", "&x;&a;")
    with pytest.raises(ParseError, match="document type or entities"):
        only(with_notes([("", "footnote", 0, "")], footnotes=content))
