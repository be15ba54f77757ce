"""Whatever is in an article, a question or an answer is shown as text, and quotes are exact."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.filters import Filters
from index.types import Article, Copy, IndexSummary, Span
from qa.types import Answer, Citation, Related, StageEvent, StoredArticle, Value
from ui import article, escape, render
from ui.article import Mark
from ui.card import also_in

REASONS = ["nothing_relevant", "not_said", "filtered_out", "empty_index"]
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

ATTACKS = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "</mark></p></section><b>out</b>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "![pixel](https://evil.example/p.png)",
    "[click](javascript:alert(1))",
    "[ref]\n\n[ref]: https://evil.example",
    "https://evil.example www.evil.example a@evil.example",
    "```mermaid\ngraph TD\n```",
    "$$\\href{javascript:alert(1)}{x}$$ ${alert(1)} {{constructor}}",
    "# heading\n* list\n> quote\n    code\n---\n| a | b |\n|---|---|",
    "&lt;b&gt; &amp;amp; &#60; &copy",
    "\x1b[31mred\x1b]0;title\x07 \x00 \ud800",
    "abc\u202edcba\u2066 \U000e0041 a\u200bb\ufeff",
]
TEXT = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="<>&\"'`[]()!#*_$\\{}:/.=|~-\n ab1", max_size=60),
    st.builds("".join, st.lists(st.sampled_from(ATTACKS), max_size=3)),
)
LINE = TEXT.map(lambda text: " ".join(text.split()))
OPTIONAL = st.none() | LINE

TAGS = set("section div span p a button details summary ol li".split())
TAGS |= set("article h1 h2 h3 blockquote mark header strong table thead tbody tr th td".split())
PAGE_TAGS = TAGS | set("html head meta title link body main dl dt dd".split())
ATTRIBUTES = {"class", "id", "dir", "href", "title", "type", "tabindex", "style", "target", "rel"}
ATTRIBUTES |= {"scope"}
HREF = re.compile(r"#cite-\d+-\d+|/article/[^/?#]+\?[^#]*#mark(-\d+)?|https?://.+", re.DOTALL)
SUMMARY = IndexSummary(
    n_articles=2_210,
    n_passages=12_431,
    generation=3,
    built_at=datetime(2026, 11, 22, tzinfo=UTC),
    first_published=date(2023, 5, 3),
    last_published=date(2023, 8, 31),
    embedder="minilm",
)


class Page(HTMLParser):
    """What a browser makes of a piece of HTML: its elements and its text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []  # open elements, text
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in {"meta", "link"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        self.texts.append((tuple(self.open), data))

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data!r}")

    handle_pi = unknown_decl = handle_comment

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.texts)

    def inside(self, tag: str) -> str:
        return "".join(text for open_, text in self.texts if tag in open_)

    def attributes(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.elements if name in attributes]


def check_harmless(html: str) -> Page:
    """Assert that the page holds only what the renderer itself writes."""
    for block in html.split("\n\n"):
        assert "\n" not in block, "a block of more than one line is open to Markdown"
    page = Page(html)
    assert not page.open
    assert {tag for tag, _ in page.elements} <= TAGS
    assert {name for _, attributes in page.elements for name in attributes} <= ATTRIBUTES
    assert all(HREF.fullmatch(href) for href in page.attributes("href"))
    assert all(re.fullmatch(r"width:\d{1,3}%", style) for style in page.attributes("style"))
    return page


def squeezed(text: str) -> str:
    """Return the text without what may differ around a quote: blanks and ellipses."""
    return re.sub(r"[\s…]", "", text)


@st.composite
def citations(draw, number=1):
    """A citation of a random span of random text."""
    text = draw(TEXT.filter(bool))
    start = draw(st.integers(0, len(text) - 1))
    end = draw(st.integers(start + 1, len(text)))
    answer = sorted(draw(st.tuples(*[st.integers(99 + start, 101 + end)] * 2)))
    has_answer = draw(st.booleans())
    return Citation(
        answer_start=answer[0] if has_answer else None,
        answer_end=answer[1] if has_answer else None,
        number=number,
        article_id=draw(LINE.filter(bool)),
        version="0123456789abcdef",
        title=draw(LINE),
        outlet=draw(OPTIONAL),
        published=draw(st.none() | st.dates()),
        url=draw(OPTIONAL | st.just("https://example.org/a?b=c&d=e")),
        source=draw(LINE),
        start=100 + start,
        end=100 + end,
        quote=text[start:end],
        context_start=100,
        context_end=100 + len(text),
        context=text,
        kind=draw(st.sampled_from(["body", "caption"])),
        speaker=draw(OPTIONAL),
        is_claim=draw(st.booleans()),
        confidence=draw(st.floats(0, 1)),
    )


@st.composite
def answers(draw):
    """An answer with citations, or one without and related passages."""
    found = draw(st.booleans())
    cited = tuple(draw(citations(number)) for number in (1, 2)) if found else ()
    related = Related(
        article_id="r",
        title=draw(LINE),
        outlet=draw(OPTIONAL),
        published=None,
        url=draw(OPTIONAL),
        source=draw(LINE),
        start=3,
        end=9,
        text=draw(TEXT),
    )
    value = st.builds(
        Value,
        text=LINE,
        citations=st.just((1,)) | st.just((2, 7)),
        is_claim=st.booleans(),
        speaker=OPTIONAL,
        outlet=OPTIONAL,
        published=st.none() | st.dates(),
    )
    values = tuple(draw(st.lists(value, max_size=3))) if found else ()
    differ = bool(values) and draw(st.booleans())
    lines = [f"{item.text} {draw(LINE)}" for item in values]
    short = "\n".join([*(["Differ:"] * differ), *lines]) + "\n\n" if values else ""
    return Answer(
        question=draw(TEXT),
        understood=draw(TEXT),
        text=short + draw(TEXT) + " [1][2] [7]",
        values=values,
        differ=differ,
        found=found,
        citations=cited,
        confidence=draw(st.floats(0, 1)),
        reason=None if found else draw(st.sampled_from(REASONS)),
        absent_words=() if found else (draw(LINE),),
        topic=() if found else (draw(LINE),),
        n_on_topic=1,
        filters=Filters(outlets=(f"x{draw(LINE)}",)),
        excluded_by=Filters(outlets=(f"x{draw(LINE)}",)),
        related=() if found else (related,),
        generation=1,
    )


@UNHURRIED
@given(text=TEXT)
def test_escaped_text_shows_its_visible_characters_and_nothing_else(text):
    html = escape.escape(text)
    assert Page(html).text == escape.visible(text)
    assert re.fullmatch(r"[A-Za-z0-9 ,&#;\u0080-\U0010ffff]*", html), (
        "Markdown could find something"
    )


@UNHURRIED
@given(answer=answers(), question=TEXT, detail=LINE)
def test_an_answer_of_anything_is_harmless(answer, question, detail):
    stages = (StageEvent("understood", detail, 1.0), StageEvent("read", detail, 250.0))
    item = render.Exchange(number=4, question=question, stages=stages, answer=answer)
    message = check_harmless(render.conversation([item], SUMMARY))
    panel = check_harmless(render.sources([item]))
    assert escape.visible(question.strip()) in message.text
    assert escape.visible(detail) in message.text
    assert ("aq-missing" in "".join(message.attributes("class"))) != answer.found
    links = [href for href in message.attributes("href") if "-7" in href]
    assert not links, "[7] cites nothing, so it is no link"
    if answer.found:
        assert {"#cite-4-1", "#cite-4-2"} <= set(message.attributes("href"))
        assert {"cite-4-1", "cite-4-2"} <= set(panel.attributes("id"))
    else:
        assert "mark" not in {tag for tag, _ in panel.elements}


@UNHURRIED
@given(text=TEXT, detail=LINE, error=TEXT)
def test_every_unfinished_state_is_harmless(text, detail, error):
    stages = (StageEvent("searched", detail, 1.0),)
    exchanges = [
        render.Exchange(number=1, question=text),
        render.Exchange(number=2, question=text, stages=stages, text=text + "[1]"),
        render.Exchange(number=3, question=text, stages=stages, text=text, stopped=True),
        render.Exchange(number=4, question=text, error=error or "x"),
    ]
    page = check_harmless(render.conversation(exchanges, SUMMARY))
    check_harmless(render.sources(exchanges))
    assert not page.attributes("href"), "nothing can be cited yet"


@UNHURRIED
@given(citation=citations())
def test_a_card_marks_the_exact_quote_in_its_context(citation):
    page = check_harmless(render.card(1, citation))
    assert page.inside("mark") == escape.visible(citation.quote)
    assert squeezed(page.inside("blockquote")) in squeezed(escape.visible(citation.context))
    originals = [href for href in page.attributes("href") if not href.startswith("/article/")]
    assert originals in ([], [citation.url])


@UNHURRIED
@given(citation=citations(), outside=st.text(min_size=1, max_size=5))
def test_a_quote_that_is_not_in_its_context_is_shown_alone(citation, outside):
    moved = {**{name: getattr(citation, name) for name in citation.__slots__}, "context": outside}
    wrong = Citation(**{**moved, "context_start": citation.start + 1})
    page = check_harmless(render.card(1, wrong))
    assert page.inside("blockquote") == page.inside("mark") == escape.visible(citation.quote)


@UNHURRIED
@given(text=TEXT, title=LINE, byline=OPTIONAL, data=st.data())
def test_an_article_is_whole_and_its_marks_are_exact(text, title, byline, data):
    stored = Article.create(text=text, title=title, byline=byline, source="s", captions=["A boat"])
    points = st.integers(0, len(stored.text) + 5)
    spans = data.draw(st.lists(st.tuples(points, points), max_size=4))
    marks = [Mark(Span(*span), number) for number, span in enumerate(spans, 1)]
    page = Page(article.article_page(StoredArticle(article=stored), marks))
    assert not page.open
    assert squeezed(page.inside("p")).endswith(squeezed(escape.visible(stored.text)))
    assert {tag for tag, _ in page.elements} <= PAGE_TAGS
    covered = sorted({i for s, e in spans for i in range(s, min(e, len(stored.text)))})
    expected = "".join(stored.text[i] for i in covered)
    assert squeezed(page.inside("mark")) == squeezed(escape.visible(expected))


def test_one_mark_is_the_quote_and_can_be_linked_to():
    text = "First paragraph.\n\nThe group said it had “liberated” Kozinka.\n\nLast."
    start = text.index("it had")
    stored = Article.create(text=text, title="T", source="s")
    mark = Mark(Span(start, start + len("it had “liberated”")), 2)
    page = Page(article.article_page(StoredArticle(article=stored), [mark]))
    assert page.inside("mark") == "it had “liberated”"
    assert ("mark", {"id": "mark-2", "data-number": "2"}) in page.elements
    link = article.article_link("a/b c", [mark], version="v1")
    assert link == f"/article/a%2Fb%20c?version=v1&mark=2%3A{start}-{mark.span.end}#mark-2"


SPANS = st.builds(Span, st.integers(0, 999), st.integers(0, 999))


@UNHURRIED
@given(marks=st.lists(st.builds(Mark, SPANS, st.none() | st.integers(0, 999), st.none() | SPANS)))
def test_marks_survive_the_address(marks):
    assert article.parse_marks([str(mark) for mark in marks]) == marks[: article.MAX_MARKS]


@UNHURRIED
@given(texts=st.lists(TEXT))
def test_a_strange_address_marks_nothing(texts):
    assert all(mark.span.end >= 0 for mark in article.parse_marks(texts))


def test_nothing_is_marked_in_another_version_of_the_article():
    stored = Article.create(text="It changed.", title="T", source="s")
    present = StoredArticle(article=stored)
    html = article.article_page(present, [Mark(Span(0, 2), 1)], version="another")
    assert "<mark" not in html
    assert article.CHANGED in html
    assert article.GONE in article.article_page(None)


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://example.org/a?b=c#d", True),
        ("http://example.org:8080/", True),
        ("javascript:alert(1)", False),
        ("java\tscript:alert(1)", False),
        ("JaVaScRiPt:alert(1)", False),
        (" https://example.org", False),
        ("https:\\\\evil.example", False),
        ("data:text/html,<script>", False),
        ("file:///etc/passwd", False),
        ("//example.org", False),
        ("https://", False),
        ("http://[", False),
        ("https://example.org/\u202egnp.exe", False),
        ("", False),
        (None, False),
    ],
)
def test_only_web_addresses_become_links(url, safe):
    assert (escape.web_link(url) == url) if safe else escape.web_link(url) is None
    assert ("href" in escape.original_link(url)) == safe


def test_the_original_opens_outside_and_tells_nothing():
    ((_, attributes),) = Page(escape.original_link("https://example.org/?a=1&b=2")).elements
    assert attributes["href"] == "https://example.org/?a=1&b=2"
    assert attributes["rel"] == "noopener noreferrer nofollow"
    assert attributes["target"] == "_blank"


def test_dates_durations_and_counts_read_well():
    assert escape.day(date(2023, 5, 22)) == "22 May 2023"
    assert escape.day(None) == "date unknown"
    assert escape.duration(312) == "0.3 s"
    assert escape.duration(45.4) == "45 ms"
    assert escape.count(1, "article") == "1 article"
    assert render.index_line(SUMMARY) == (
        "12,431 passages · 2,210 articles · index built 22 Nov 2026 · generation 3"
    )


@UNHURRIED
@given(answer=answers(), width=st.integers(40, 120))
def test_a_terminal_gets_plain_lines_within_its_width(answer, width):
    lines = render.answer_as_text(answer, width).split("\n")
    assert not any(re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e]", line) for line in lines)
    too_long = [line for line in lines if len(line) > width and " " in line.strip()]
    assert not [line for line in too_long if max(map(len, line.split())) < width - 4]
    for citation in answer.citations:
        assert f"“{squeezed(escape.visible(citation.quote))}”" in squeezed("".join(lines))


def cited(text: str, words: str, number: int = 1) -> Citation:
    return Citation(
        number=number,
        article_id=f"a{number}",
        version="v",
        title="Flood",
        outlet="Wire",
        published=date(2023, 5, 22),
        url=None,
        source="a.txt",
        start=10,
        end=10 + len(text),
        quote=text,
        context_start=10,
        context_end=10 + len(text),
        context=text,
        answer_start=10 + text.index(words),
        answer_end=10 + text.index(words) + len(words),
    )


def one_value() -> Answer:
    return Answer(
        question="q",
        understood="q",
        text="Eight <b>, according to Roe [1]\n\nRoe said Eight <b> died. [1]",
        found=True,
        citations=(cited("Roe said Eight <b> died.", "Eight <b>"),),
        values=(Value(text="Eight <b>", citations=(1,), is_claim=True, speaker="Roe"),),
    )


def two_values() -> Answer:
    return Answer(
        question="q",
        understood="q",
        text="The articles differ:\n45 — Wire, 22 May 2023 [1]\nEight — Flood, date unknown [2]\n\n"
        "45 died. [1]\nEight died. [2]",
        found=True,
        citations=(cited("45 died.", "45"), cited("Eight died.", "Eight", 2)),
        values=(
            Value(text="45", citations=(1,), outlet="Wire", published=date(2023, 5, 22)),
            Value(text="Eight", citations=(2,)),
        ),
        differ=True,
    )


def test_the_short_answer_stands_out_and_is_marked_in_its_quote():
    item = render.Exchange(number=1, question="q", answer=one_value())
    page = check_harmless(render.conversation([item], SUMMARY))
    assert page.inside("strong") == "Eight <b>"
    assert "Eight <b>, according to Roe [1]" in page.text
    assert page.attributes("class").count("aq-short") == 1
    panel = check_harmless(render.sources([item]))
    assert panel.inside("mark") == "Roe said Eight <b> died."
    assert panel.inside("strong") == "Eight <b>"
    assert "mark=1%3A10-34~19-28#mark-1" in "".join(panel.attributes("href"))


def test_values_that_differ_are_a_table():
    item = render.Exchange(number=1, question="q", answer=two_values())
    page = check_harmless(render.conversation([item], SUMMARY))
    assert page.inside("thead") == "AnswerOutletPublishedSource"
    assert page.inside("tbody") == "45Wire22 May 2023[1]EightFlooddate unknown[2]"
    assert page.inside("strong") == "45Eight"
    assert page.attributes("href") == ["#cite-1-1", "#cite-1-2"] * 2


def test_what_has_come_of_a_short_answer_stands_apart():
    item = render.Exchange(number=1, question="q", text=one_value().text)
    page = check_harmless(render.reply(item))
    assert page.attributes("class").count("aq-short") == 1
    assert page.attributes("href") == []


def test_the_words_that_answer_are_strong_in_the_article():
    stored = Article.create(text="They came.\n\nEight of them. Then more.", title="T", source="s")
    mark = Mark(Span(12, 26), 1, Span(12, 17))
    page = Page(article.article_page(StoredArticle(article=stored), [mark]))
    assert (page.inside("mark"), page.inside("strong")) == ("Eight of them.", "Eight")
    beyond = Mark(Span(0, 17), None, Span(5, 99))
    beyond_page = Page(article.article_page(StoredArticle(article=stored), [beyond]))
    assert beyond_page.inside("strong") == "came.Eight"


def test_the_short_answer_is_strong_in_a_terminal():
    lines = render.answer_as_text(two_values(), 60, strong=lambda text: f"*{text}*").split("\n")
    assert lines[:6] == [
        "*The articles differ:*",
        "*45 — Wire, 22 May 2023 [1]*",
        "*Eight — Flood, date unknown [2]*",
        "",
        "45 died. [1]",
        "Eight died. [2]",
    ]


def test_the_text_of_an_answer_in_a_terminal():
    text = 'Members of the "legion" say so.'
    citation = Citation(
        number=1,
        article_id="a",
        version="v",
        title="Defectors Say They Have Towns",
        outlet="Newsweek",
        published=date(2023, 5, 22),
        url="https://example.org/1",
        source="seeds/1.txt",
        start=0,
        end=len(text),
        quote=text,
        context_start=0,
        context_end=len(text),
        context=text,
        speaker="Ilya Ponomarev",
        is_claim=True,
    )
    answer = Answer(
        question="q", understood="q", text="They say so. [1]", found=True, citations=(citation,)
    )
    assert render.answer_as_text(answer, 60) == (
        "They say so. [1]\n\n"
        "[1] Defectors Say They Have Towns (Newsweek · 22 May 2023)\n"
        '    “Members of the "legion" say so.”\n'
        "    claim by Ilya Ponomarev\n"
        "    https://example.org/1"
    )


COPIES = st.builds(
    Copy,
    article_id=LINE.filter(bool),
    title=LINE,
    outlet=OPTIONAL,
    url=OPTIONAL,
    published=st.none() | st.dates(),
)


@UNHURRIED
@given(citation=citations(), copies=st.lists(COPIES, max_size=8).map(tuple))
def test_a_card_names_the_outlets_of_the_copies(citation, copies):
    citation = replace(citation, copies=copies)
    page = check_harmless(render.card(1, citation))
    links = [href for href in page.attributes("href") if href.startswith("/article/")]
    assert len(links) == 1, "a click on the card opens the article that is quoted"
    assert ("The same story in: " in page.text) == bool(copies)
    answer = Answer(question="q", understood="q", text="t", found=True, citations=(citation,))
    assert ("The same story in:" in render.answer_as_text(answer, 60)) >= bool(copies)


def test_the_copies_are_named_with_their_days_and_counted():
    copies = [
        Copy(f"c{number}", "T", outlet, None, day)
        for number, (outlet, day) in enumerate(
            [("Courier", date(2023, 5, 23)), (None, None), *[("Post", None)] * 5]
        )
    ]
    assert also_in(copies) == "The same story in: Courier (23 May 2023), T, Post, Post and 3 more"
    assert also_in(copies[:1]) == "The same story in: Courier (23 May 2023)"
    assert also_in([]) == ""


def earlier(**known: object) -> StoredArticle:
    old = Article.create(text="It rained.", title="Weather", source="s", id="a/1", language="en")
    when = datetime(2023, 5, 23, 9, tzinfo=UTC)
    return StoredArticle(article=old, superseded=when, **known)


def test_an_earlier_version_is_marked_and_says_what_it_is():
    old = earlier()
    html = article.article_page(old, [Mark(Span(3, 9), 1)], version=old.article.version)
    page = Page(html)
    assert page.inside("mark") == "rained"
    assert "This is an earlier version, replaced on 23 May 2023." in page.text
    assert "/article/a%2F1" in page.attributes("href")
    assert article.CHANGED not in page.text
    gone = Page(article.article_page(earlier(is_indexed=False), [Mark(Span(3, 9), 1)]))
    assert f"{article.GONE} It is shown as it was until 23 May 2023." in gone.text
    assert "/article/a%2F1" not in gone.attributes("href")


@UNHURRIED
@given(
    words=st.dictionaries(st.sampled_from([*article.FACTS, "other"]), TEXT),
    copies=st.lists(COPIES, max_size=3).map(tuple),
    outlet=OPTIONAL,
    tags=st.lists(LINE, max_size=2),
)
def test_what_is_known_of_an_article_is_text(words, copies, outlet, tags):
    known = Article.create(
        text="It rained.", title="Weather", source="s", outlet=outlet, tags=tags, origins=words
    )
    page = Page(article.article_page(StoredArticle(article=known, copies=copies)))
    assert not page.open
    assert {tag for tag, _ in page.elements} <= PAGE_TAGS
    assert {name for _, attributes in page.elements for name in attributes} <= ATTRIBUTES | {
        *("lang", "charset", "name", "content")
    }
    assert ("The same story in: " in page.text) == bool(copies)
    if words.get("title"):
        assert f"from {escape.visible(known.origins['title'])}" in page.text


def test_where_a_value_was_found_stands_beside_it():
    known = Article.create(
        text="It rained.",
        source="s",
        published=date(2023, 5, 22),
        origins={"published": "JSON-LD datePublished"},
    )
    page = Page(article.article_page(StoredArticle(article=known)))
    assert "Published22 May 2023 from JSON-LD datePublished" in page.text
    assert "By" not in page.inside("dt"), "what is not known is not listed"


def test_the_header_says_what_a_reader_should_know():
    notice = "The index in service is damaged (<b>), so generation 6 answers."
    page = check_harmless(render.header(replace(SUMMARY, notice=notice)))
    assert notice in page.text
    assert "damaged" not in Page(render.header(SUMMARY)).text
