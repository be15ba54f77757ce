import io
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader, PdfWriter

from index.errors import ParseError
from index.parsing import parse_source

Line = tuple[float, float, float, str]  # x, y, font size, text


def pdf(pages: Sequence[Sequence[Line]], *, info: str = "", image: bool = False) -> bytes:
    """Return a PDF whose pages show `pages`; Helvetica, US letter, points from the lower left."""
    objects: list[bytes] = []

    def add(body: bytes) -> int:
        objects.append(body)
        return len(objects)

    catalog, tree, font = add(b""), add(b""), add(b"")
    objects[font - 1] = (
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    )
    picture = add(
        b"<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray"
        b" /BitsPerComponent 8 /Length 1 >>\nstream\n\x00\nendstream"
    )
    kids = []
    for lines in pages:
        shown = "\n".join(
            f"BT /F1 {size} Tf 1 0 0 1 {x} {y} Tm ({_escaped(text)}) Tj ET"
            for x, y, size, text in lines
        )
        content = (shown + ("\nq 600 0 0 700 0 0 cm /Im1 Do Q" if image else "")).encode("cp1252")
        stream = add(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
        kids.append(
            add(
                b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 612 792] /Contents %d 0 R"
                b" /Resources << /Font << /F1 %d 0 R >> /XObject << /Im1 %d 0 R >> >> >>"
                % (tree, stream, font, picture)
            )
        )
    objects[catalog - 1] = b"<< /Type /Catalog /Pages %d 0 R /Lang (en-GB) >>" % tree
    refs = b" ".join(b"%d 0 R" % kid for kid in kids)
    objects[tree - 1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (refs, len(kids))
    about = add(f"<< {info} >>".encode("cp1252"))
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root %d 0 R /Info %d 0 R >>\n" % (
        len(objects) + 1,
        catalog,
        about,
    )
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def column(text: Sequence[str], *, x: float = 72, top: float = 700, size: float = 10) -> list[Line]:
    """Return lines below each other, 12 points apart; an empty one leaves a gap."""
    return [(x, top - 12 * number, size, line) for number, line in enumerate(text) if line]


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


LEFT = [
    "The first crossing since April left the harbor",
    "at dawn on Thursday, the company said after a",
    "long night of prepa-",
    "rations at the quay.",
    "",
    "It took two hours, half an hour longer than it",
    "was planned, because of a strong wind from the",
    "west and the",
]
RIGHT = [
    "high waves of a well-known kind, and of a well-",
    "known cause.",
    "",
    "By Monday the timetable will be complete again,",
    "and tickets will cost as much as before.",
    "",
    "Nobody was hurt, and the captain praised the",
    "crew and the passengers for their patience.",
]
TEXT = (
    "The first crossing since April left the harbor at dawn on Thursday, the company said after a "
    "long night of preparations at the quay.\n\n"
    "It took two hours, half an hour longer than it was planned, because of a strong wind from the "
    "west and the high waves of a well-known kind, and of a well-known cause.\n\n"
    "By Monday the timetable will be complete again, and tickets will cost as much as before.\n\n"
    "Nobody was hurt, and the captain praised the crew and the passengers for their patience."
)


def only(data, name="a.pdf"):
    (article,) = parse_source(name, data).articles
    return article


def test_two_columns_are_read_one_after_the_other_with_whole_words():
    page = [(72, 740, 20, "Ferry service resumes"), *column(LEFT), *column(RIGHT, x=330)]
    article = only(pdf([page]))
    assert article.title == "Ferry service resumes"
    assert article.text == TEXT
    assert article.language == "en-GB"
    assert article.origins["title"] == "largest line of the first page"


def test_columns_written_line_by_line_across_the_page():
    rows = sorted([*column(LEFT), *column(RIGHT, x=330)], key=lambda line: (-line[1], line[0]))
    assert only(pdf([rows])).text == TEXT


def test_running_heads_and_page_numbers_are_not_in_the_text():
    pages = [
        [
            (72, 770, 9, "North Sea Post"),
            *column([f"Sentence {name} stands on a page of its own, as it should."]),
            (300, 30, 9, f"Page {number} of 3"),
        ]
        for number, name in enumerate(("one", "two", "three"), start=1)
    ]
    text = only(pdf(pages)).text
    assert "North Sea Post" not in text
    assert "Page" not in text
    assert [f"Sentence {name}" in text for name in ("one", "two", "three")] == [True] * 3


def test_a_paragraph_goes_on_over_the_page():
    pages = [
        column(["The first half of a sentence that ends on", "the page that"]),
        column(["follows it."]),
    ]
    assert (
        only(pdf(pages)).text
        == "The first half of a sentence that ends on the page that follows it."
    )


@pytest.mark.parametrize(
    ("info", "title", "byline"),
    [
        ("/Title (Ferry service resumes) /Author (Jane Doe)", "Ferry service resumes", "Jane Doe"),
        ("/Title (Microsoft Word - ferry.doc) /Author (admin)", "", None),
        ("/Title (untitled) /Author (jdoe@post.example)", "", None),
        ("/Title () /CreationDate (D:20210304120000Z)", "", None),
    ],
)
def test_properties_are_used_if_a_person_wrote_them(info, title, byline):
    article = only(pdf([column(LEFT)], info=info))
    assert (article.title, article.byline, article.published) == (title, byline, None)


def test_pictures_of_text_need_ocr():
    with pytest.raises(ParseError, match=r"^no text in it: it needs OCR first$"):
        parse_source("a.pdf", pdf([[], []], image=True))


def locked(data, user):
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(data)))
    writer.encrypt(user, "owner", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_encrypted_files():
    data = pdf([column(LEFT)])
    with pytest.raises(ParseError, match=r"^encrypted: remove the password first$"):
        parse_source("a.pdf", locked(data, "secret"))
    assert only(locked(data, "")).text == only(data).text  # only printing is forbidden


def test_a_page_under_a_pdf_name_is_read_as_the_page_it_is():
    page = f"<!DOCTYPE html><html><body><article><p>{LEFT[0]}</p></article></body></html>"
    assert only(page.encode()).text == LEFT[0]
    assert only(pdf([column(LEFT[:2])]), "a.html").text == " ".join(LEFT[:2])


@pytest.mark.parametrize("share", [0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_truncated_files_give_a_reason_or_text(share):
    data = pdf([column(LEFT)])
    try:
        assert only(data[: int(share * len(data))]).text
    except ParseError as error:
        reason = str(error)
        assert len(reason) < 80  # noqa: PT017


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, 2000), put=st.binary(min_size=1, max_size=20))
def test_damaged_files_give_a_reason_or_text(at, put):
    data = pdf([column(LEFT)])
    try:
        parse_source("a.pdf", data[:at] + put + data[at + len(put) :])
    except ParseError as error:
        reason = str(error)
        assert len(reason) < 80  # noqa: PT017


def test_pages_that_contain_themselves():
    data = pdf([column(LEFT)]).replace(b"/Kids [6 0 R]", b"/Kids [2 0 R]")
    with pytest.raises(ParseError):
        parse_source("a.pdf", data)


WORD = st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=9)


@settings(max_examples=40, deadline=None)
@given(words=st.lists(WORD, min_size=1, max_size=60))
def test_no_word_is_lost(words):
    lines, line = [], ""
    for word in words:
        if len(line) + len(word) > 60:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    text = only(pdf([column(["Intro it is.", *lines, line])])).text
    assert text.split() == ["Intro", "it", "is.", *words]


FILLER = [f"Sentence {n} of the story fills a line that nothing repeats." for n in range(6)]


def two_pages(first, second):
    """Return the text of two pages whose uppermost lines are given."""
    return only(
        pdf([[(72, 770, 10, line), *column(FILLER)] for line in (first, second)])
    ).text.split("\n")


def test_lines_of_two_pages_that_differ_in_figures_are_text():
    # regression: both were taken for a running head
    text = " ".join(two_pages("The fare rose to 12 euros.", "The fare rose to 14 euros."))
    assert "12 euros" in text
    assert "14 euros" in text
    assert "North Sea Post" not in " ".join(two_pages("North Sea Post", "North Sea Post"))


def test_figures_of_a_table_on_the_edge_of_a_page_are_text():
    # regression: each was taken for a page number
    rows = [[("Ano", 120 + 7 * page), ("Bar", 340 + 9 * page)] for page in range(4)]
    pages = [
        [
            (72, 770, 9, "North Sea Post, issue 12"),
            (400, 770, 9, f"{page + 31}"),
            *[
                (x, 700 - 12 * row, 10, str(cell))
                for row, cells in enumerate(table * 4)
                for x, cell in zip((72, 300), cells, strict=True)
            ],
        ]
        for page, table in enumerate(rows)
    ]
    words = only(pdf(pages)).text.split()
    assert "Post," not in words
    assert [words.count(str(n)) for n in (120, 340, 147, 31, 32, 34)] == [4, 4, 0, 0, 0, 0]
    assert [words.count(str(number)) for (_, number), _ in rows] == [4] * 4


def test_heads_that_count_are_no_text():
    pages = [[(72, 770, 9, f"Post of May {n}, sheet {n + 3}"), *column(FILLER)] for n in range(3)]
    assert "sheet" not in only(pdf(pages)).text


HEADLINE = (72, 740, 20, "Ferry service resumes")


@pytest.mark.parametrize(
    ("lines", "byline", "published"),
    [
        (["By Jane Doe", "22 May 2023"], "Jane Doe", "2023-05-22"),
        (
            ["Date: May 22, 2023", "By Ana de la Cruz and JO DOE"],
            "Ana de la Cruz and JO DOE",
            "2023-05-22",
        ),
        (["22 May 2023"], None, "2023-05-22"),
        (["By Monday the ferries will be complete"], None, None),
        (["By Friday Morning"], None, None),
        (["By noon"], None, None),
        (["22 May 2023", "The quay opens.", "23 May 2023", "The quay closes."], None, None),
    ],
)
def test_by_line_and_date_below_the_headline(lines, byline, published):
    article = only(pdf([[HEADLINE, *column([*lines, "", *LEFT])]], info="/Author (Al Roe)"))
    assert article.title == "Ferry service resumes"
    assert article.byline == (byline or "Al Roe")
    assert (article.published and article.published.isoformat()) == published
    taken = bool(byline) + bool(published)
    assert all((line in article.text.replace("\n\n", " ")) == (not taken) for line in lines)
    assert article.origins["byline"] == ("line “By”" if byline else "document property author")
    if published:
        dated = "line “Date:”" if lines[0].startswith("Date") else "line with the day"
        assert article.origins["published"] == dated
