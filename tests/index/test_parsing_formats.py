"""Any bytes in any format, and the sample articles as a whole."""

import json
import logging
import re
from datetime import date
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import ParseError
from index.parsing import PARSER_ID, ParsedSource, formats, parse_source
from index.sources.folder import ARTICLE_SUFFIXES, find_sources, read_source

ROOT = Path(__file__).parents[2]
SEEDS = ROOT / "seeds"
SAMPLE = (
    ROOT.parent / "shared" / "seeds"
)  # an article in the newswire layout, not in this repository
SEED_FILES = find_sources(SEEDS)

PIECES = [
    b"---\n",
    b"title: x\n",
    b"# ",
    b"<p>",
    b"</p>",
    b"<article>",
    b"<div hidden>",
    b"<!--",
    b"-->",
    b"<script type=application/ld+json>",
    b'{"@type":"NewsArticle","datePublished":[]}',
    b"</script>",
    b'{"text": "',
    b'"}',
    b"[",
    b"\n",
    b"\n\n",
    b"\r",
    b" date 2023-05-22 World\n\n",
    b"By\n",
    b"\xc2\xa9 2023 X LLC",
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\x80",
    b"\xc3\xa9\xe2\x80\xa8",
    b"words",
    b"A sentence that ends. JO DOE/AFP",
    b"![a](b)",
    b"<h1>",
    b"<figcaption>",
    b"<meta charset=utf-7>",
]


def test_the_folder_lists_what_can_be_parsed():
    assert set(formats.FORMATS) == ARTICLE_SUFFIXES


def test_the_parser_has_a_name():
    assert re.fullmatch(r"[a-z]+-\d+", PARSER_ID)


NOT_IT = {
    **dict.fromkeys((".docx", ".epub", ".zip"), "not a zip file, or a damaged one"),
    **dict.fromkeys((".mhtml", ".mht"), "no page in it: expected a part of the type text/html"),
    ".eml": "not a message: it has no headers",
    ".pdf": "not a PDF file",
}


@pytest.mark.parametrize("suffix", sorted(formats.FORMATS))
def test_empty_and_binary_files(suffix):
    with pytest.raises(ParseError, match=r"^empty file$"):
        parse_source(f"a{suffix}", b" \n\t")
    reason = NOT_IT.get(suffix, "not text (binary data)")
    with pytest.raises(ParseError, match=f"^{re.escape(reason)}$"):
        parse_source(f"a{suffix}", b"\x89PNG\r\n\x1a\n" + bytes(range(32)) * 10)


def test_an_unknown_format_names_the_known_ones():
    with pytest.raises(ParseError, match=r"unknown kind of file \(known: .*\.txt"):
        parse_source("a.exe", b"text")
    assert parse_source("A.TXT", b"Some text.").articles[0].text == "Some text."


@pytest.mark.parametrize("suffix", [".txt", ".md", ".html", ".jsonl", ".json"])
def test_byte_order_marks_and_newlines_do_not_matter(suffix):
    texts = {
        ".html": "<html><body><article><p>Some text.</p><p>More text.</p></article></body></html>",
        ".md": "Some text.\n\nMore text.",
        ".txt": "Some text.\n\nMore text.",
    }
    text = texts.get(suffix, json.dumps({"text": "Some text.\n\nMore text."}))
    for data in (
        text.encode(),
        text.encode("utf-8-sig"),
        text.replace("\n", "\r\n").encode("utf-16"),
    ):
        assert parse_source(f"a{suffix}", data).articles[0].text == "Some text.\n\nMore text."
    assert len(parse_source(f"a{suffix}", text.encode()).articles) == 1


def test_articles_beyond_the_limit_are_left_out(monkeypatch):
    monkeypatch.setattr(formats, "MAX_ARTICLE_CHARACTERS", 10)
    with pytest.raises(ParseError, match=r"a\.txt is longer than 10 characters"):
        parse_source("a.txt", b"Eleven letters.")
    parsed = parse_source("a.jsonl", b'{"text": "short"}\n{"text": "much too long"}')
    assert len(parsed.articles) == 1
    assert parsed.problems == ("a.jsonl#2 is longer than 10 characters",)


def check(name: str, data: bytes) -> None:
    try:
        parsed = parse_source(name, data)
    except ParseError as error:
        reason = str(error)
        assert "\n" not in reason and len(reason) < 200, reason  # noqa: PT018
        return
    assert isinstance(parsed, ParsedSource)
    assert parsed.articles
    for article in parsed.articles:
        assert article.text.strip()
        assert article.source.startswith(name)
        for start, end in article.captions:
            assert 0 <= start < end <= len(article.text)


SUFFIX = st.sampled_from(sorted(formats.FORMATS))


@given(suffix=SUFFIX, data=st.binary(max_size=300))
def test_any_bytes_give_articles_or_a_reason(suffix, data):
    check(f"a{suffix}", data)


@given(suffix=SUFFIX, pieces=st.lists(st.sampled_from(PIECES), max_size=25))
def test_any_mixture_of_marks_gives_articles_or_a_reason(suffix, pieces):
    check(f"a{suffix}", b"".join(pieces))


def test_a_page_without_text_logs_nothing(caplog):
    with caplog.at_level(logging.WARNING), pytest.raises(ParseError):
        parse_source("a.html", b"<html><body><nav>Home</nav></body></html>")
    assert not caplog.records


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the sample article is not on this computer")
def test_the_sample_article():
    (file,) = find_sources(SAMPLE)
    parsed = parse_source(file.name, read_source(file))
    (article,) = parsed.articles
    assert parsed.problems == ()
    assert article.title.startswith("Putin Defectors Say They've Seized Belgorod Towns")
    assert article.published == date(2023, 5, 22)
    assert (article.section, article.outlet, article.byline) == ("World", "Newsweek", None)
    ((start, end),) = article.captions
    assert article.text[start:end].startswith("Tikhiy, 41-year-old")
    assert article.text[start:end].endswith("Belarusian volunteers.")
    body = article.text[:start]
    assert "Tikhiy" not in body
    assert body.rstrip().endswith("he said on his Telegram channel.")
    for gone in ("By\n", "Getty", "AFP", "©", "LLC", "developing story", article.title):
        assert gone not in article.text


@pytest.mark.parametrize("file", SEED_FILES, ids=lambda file: file.name)
def test_seeds_parse_completely(file):
    parsed = parse_source(file.name, read_source(file))
    assert parsed.problems == ()
    for article in parsed.articles:
        assert article.title
        assert article.published is not None
        assert article.published.isoformat() in file.name or file.name.endswith(".jsonl")
        assert article.outlet
        assert article.section
        assert file.path.suffix == ".txt" or (article.url or "").startswith("https://")
        assert len(article.text.split()) > 100
        assert article.title not in article.text
        boilerplate = r"cookie|newsletter|[Ss]ubscribe|Sign up|Most read|Related|Copy link|Terms|©"
        assert not re.search(rf"{boilerplate}|developing story|^By$|Getty|^#", article.text, re.M)


@pytest.mark.parametrize("file", [f for f in SEED_FILES if f.path.suffix == ".html"], ids=str)
def test_seed_pages_lose_no_paragraph(file):
    source = file.path.read_text(encoding="utf-8")
    inside = source.partition("<article")[2].partition("</article>")[0]
    inside = re.sub(r"<(section|aside|figure) ?.*?</\1>", "", inside, flags=re.DOTALL)
    written = [unescape(re.sub(r"<[^>]+>", "", p)) for p in re.findall(r"<p>(.*?)</p>", inside)]
    (article,) = parse_source(file.name, read_source(file)).articles
    start = article.captions[0].start if article.captions else len(article.text)
    assert article.text[:start].strip().split("\n\n") == written


def test_seeds_are_the_articles_and_nothing_else():
    names = {file.name for file in SEED_FILES}
    assert "seeds/war/2023-05-22-belgorod-two-settlements.txt" in names
    assert not names & {"seeds/README.md", "seeds/questions.jsonl"}
