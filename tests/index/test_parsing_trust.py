from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import ParseError
from index.parsing import parse_source
from index.parsing.options import Hints, ParseOptions
from index.types import article_id

BODY = (
    "<article><p>The first crossing since April left the harbor at dawn on Thursday.</p></article>"
)
URL = "https://post.example.org/ferry"
HINTS = Hints(
    url=URL,
    title="Feed title",
    byline="Feed Author",
    outlet="Feed Post",
    section="Feed section",
    language="en",
    published=date(2021, 3, 1),
    updated=date(2021, 3, 2),
    tags=("feed",),
    retrieved=datetime(2021, 3, 3, tzinfo=UTC),
    via="feed",
    content_type="text/html; charset=utf-8",
)
# The claims of one page about its day, the most trustworthy first.
CLAIMS = [
    '<script type="application/ld+json">{"@type": "NewsArticle", "datePublished": "2021-01-01"}'
    "</script>",
    '<meta property="article:published_time" content="2021-01-02T00:00:00Z">',
    '<time itemprop="datePublished" datetime="2021-01-03"></time>',
]
ORIGINS = ["JSON-LD datePublished", "meta article:published_time", "time element"]


NO_HINTS = Hints()


def only(name, text, hints=NO_HINTS):
    (article,) = parse_source(name, text.encode(), ParseOptions(hints=hints)).articles
    return article


@pytest.mark.parametrize("first", range(4))
def test_the_first_place_with_a_usable_day_gives_it(first):
    page = f"<html><body>{''.join(CLAIMS[first:])}{BODY}</body></html>"
    article = only("2021-01-05.html", page, Hints(published=date(2021, 1, 4), via="feed"))
    assert article.published == date(2021, 1, first + 1)
    assert article.origins["published"] == [*ORIGINS, "feed published"][first]


def test_the_file_name_comes_last_and_nothing_is_made_up():
    page = f"<html><body>{BODY}</body></html>"
    article = only("x/2021-01-05-a.html", page)
    assert (article.published, article.origins["published"]) == (date(2021, 1, 5), "file name")
    assert only("x/a.html", page).published is None
    assert only("x/a.html", page).origins == {}


def test_updated_days():
    page = f'<meta property="og:updated_time" content="2021-02-02">{BODY}'
    assert only("a.html", page).updated == date(2021, 2, 2)
    data = '{"@type": "Article", "dateModified": "2021-02-01"}'
    linked = f'<script type="application/ld+json">{data}</script>'
    article = only("a.html", linked + page)
    assert (article.updated, article.published) == (date(2021, 2, 1), None)
    assert article.origins["updated"] == "JSON-LD dateModified"
    assert only("a.md", "---\nlastmod: 2021-02-03\n---\nText.").updated == date(2021, 2, 3)
    assert only("a.json", '{"text": "x", "modified": "2021-02-04"}').updated == date(2021, 2, 4)


@pytest.mark.parametrize(
    ("name", "text", "origins"),
    [
        (
            "a.txt",
            " date 2021-03-04 Europe\n\nHeadline\n\nBy\nEurope Sea\n\nText of it.\n\n© 2021 Post",
            {
                "published": "newswire date line",
                "section": "newswire date line",
                "title": "newswire headline",
                "tags": "newswire by-line",
                "outlet": "copyright line",
            },
        ),
        (
            "a.txt",
            "Headline\n\nBy Jane Doe\n4 March 2021\nSection: Europe\n\nText of it.",
            {
                "title": "first line",
                "byline": "line “By”",
                "published": "line with the day",
                "section": "line “Section:”",
            },
        ),
        (
            "a.md",
            "---\ndate: 2021-03-04\n---\n# Headline\n\nText of it.",
            {"published": "front matter date", "title": "first heading"},
        ),
    ],
)
def test_origins_of_text_files(name, text, origins):
    article = only(name, text)
    assert article.origins == origins
    assert all(getattr(article, field) for field in origins)


def test_hints_fill_in_what_the_source_does_not_say():
    article = only("https://post.example.org/story.php?id=1.txt", f"<html>{BODY}</html>", HINTS)
    assert (article.url, article.id) == (URL, article_id(URL))
    assert (article.title, article.byline, article.outlet) == (
        "Feed title",
        "Feed Author",
        "Feed Post",
    )
    assert (article.published, article.updated) == (date(2021, 3, 1), date(2021, 3, 2))
    assert (article.tags, article.language, article.section) == (("feed",), "en", "Feed section")
    assert article.retrieved == HINTS.retrieved
    assert article.origins["title"] == "feed title"
    said = only("a.html", f'<html lang="de"><h1>Own title</h1>{BODY}</html>', HINTS)
    assert (said.title, said.language) == ("Own title", "de")
    assert said.origins["title"] == "heading of the page"


@pytest.mark.parametrize(
    ("claimed", "kept"),
    [
        ("https://post.example.org/canonical", True),
        ("https://www.post.example.org/canonical", True),
        ("https://other.example.org/their-article", False),
        ("https://post.example.org/", False),
    ],
)
def test_a_page_may_not_take_the_address_of_another_outlets_article(claimed, kept):
    page = f'<html><head><link rel="canonical" href="{claimed}"></head>{BODY}</html>'
    assert only("a.html", page).url == claimed  # saved by hand: nothing denies it
    article = only("a.html", page, HINTS)
    assert article.url == (claimed if kept else URL)
    assert article.id == article_id(article.url)


def test_unusable_hints_are_not_used():
    hints = Hints(url="javascript:alert(1)", title="x" * 5_000, language="??", tags=("",))
    article = only("a.txt", "Text of it.", hints)
    assert (article.url, article.title, article.language, article.tags) == (None, "", None, ())


@pytest.mark.parametrize(
    ("content_type", "data", "text"),
    [
        ("text/plain", "Text of it.", "Text of it."),
        ("application/json", '{"text": "Text of it."}', "Text of it."),
        ("TEXT/HTML; charset=x", f"<html>{BODY}</html>", "The first crossing"),
    ],
)
def test_the_content_type_chooses_where_the_name_does_not(content_type, data, text):
    article = only("https://post.example.org/a", data, Hints(content_type=content_type))
    assert article.text.startswith(text)
    with pytest.raises(ParseError, match="unknown kind of file"):
        only("https://post.example.org/a", data, Hints(content_type="video/mp4"))


LINE = st.none() | st.text(max_size=20)


@given(
    hints=st.builds(
        Hints,
        url=LINE,
        title=LINE,
        outlet=LINE,
        published=st.none() | st.dates(),
        tags=st.lists(st.text(max_size=9)).map(tuple),
        retrieved=st.none() | st.datetimes(),
        via=st.text(max_size=9),
    ),
    fields=st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=3),
)
def test_options_survive_json(hints, fields):
    options = ParseOptions(hints=hints, fields=fields)
    assert ParseOptions.from_dict(options.to_dict()) == options
    try:
        article = parse_source("a.txt", b"Text of it.", options).articles[0]
    except ParseError:
        pytest.fail("hints never cost an article")
    assert set(article.origins) <= set(article.to_dict())
