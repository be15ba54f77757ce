"""Addresses as roots: a feed and its pages on loopback, indexed, asked again, changed, failing."""

from __future__ import annotations

from contextlib import closing

import pytest

from index.generation import open_current
from index.record import Record
from index.verify import verify
from tests.index.web_server import Answer, WebServer

pytestmark = pytest.mark.filterwarnings(
    "ignore:legacy embedding function config:DeprecationWarning"  # Chroma's own
)
FEED = {"Content-Type": "application/rss+xml"}


def page(number, extra=""):
    sentence = f"The harbour of story {number} was closed on Monday, said its master {number}."
    paragraphs = "".join(f"<p>{sentence} {extra} Part {part} of it.</p>" for part in range(4))
    html = f"<html><head><title>Story {number}</title></head><body><article>{paragraphs}</article>"
    return Answer(html.encode(), headers={"ETag": f'"{number}{extra}"'})


def feed(server, numbers, tag="1"):
    items = "".join(
        f"<item><title>Story {n}</title><link>{server.url}/{n}.html</link>"
        f"<pubDate>Mon, 22 May 2023 10:0{n}:00 GMT</pubDate></item>"
        for n in numbers
    )
    body = (
        f'<?xml version="1.0"?><rss version="2.0"><channel><title>Meridian Wire</title>'
        f"<link>{server.url}/</link>{items}</channel></rss>"
    )
    return Answer(body.encode(), headers={**FEED, "ETag": f'"{tag}"'})


@pytest.fixture
def server():
    with closing(WebServer()) as opened:
        opened.pages["/feed.xml"] = feed(opened, range(3))
        for number in range(5):
            opened.pages[f"/{number}.html"] = page(number)
        yield opened


@pytest.fixture
def build(build_here, tmp_path):
    def build_it(*urls, **options):
        return build_here(tmp_path / "index", urls=urls, allow_loopback=True, **options)

    return build_it


@pytest.fixture
def articles(tmp_path):
    def read():
        record = Record.open(open_current(tmp_path / "index").record_path)
        with closing(record):
            return {article.title: article for article in record.articles()}

    return read


def asked(server):
    targets = [item.target for item in server.requests if item.target != "/robots.txt"]
    server.requests.clear()
    return targets


def test_a_feed_is_indexed_and_the_second_time_nothing_is_fetched(server, build, articles):
    url = f"{server.url}/feed.xml"
    report = build(url)
    assert (report.n_articles, report.problems) == (3, ())
    assert asked(server) == ["/feed.xml", "/0.html", "/1.html", "/2.html"]
    found = articles()["Story 1"]
    assert (found.outlet, str(found.published)) == ("Meridian Wire", "2023-05-22")
    assert found.url == f"{server.url}/1.html"
    assert "feed" in found.origins["published"]
    assert "said its master 1" in found.text
    again = build(url)
    assert asked(server) == ["/feed.xml"]  # answered "not modified"
    assert (again.changed, again.n_articles) == (False, 3)
    assert build().changed is False  # all that the index knows
    assert asked(server) == ["/feed.xml"]


def test_new_pages_come_in_and_unlisted_ones_stay(server, build, articles):
    build(f"{server.url}/feed.xml")
    asked(server)
    server.pages["/feed.xml"] = feed(server, (2, 3), tag="2")
    report = build()
    assert asked(server) == ["/feed.xml", "/3.html"]
    assert (report.added, report.removed, report.n_articles) == (1, 0, 4)
    assert sorted(articles()) == [f"Story {number}" for number in range(4)]


def test_a_page_that_changed_becomes_a_new_version(server, build, articles, tmp_path):
    url = f"{server.url}/1.html"
    build(url)
    old = articles()["Story 1"]
    server.pages["/1.html"] = page(1, "Correction: it was Tuesday.")
    report = build(url)
    new = articles()["Story 1"]
    assert (report.updated, new.id, new.version != old.version) == (1, old.id, True)
    with closing(Record.open(open_current(tmp_path / "index").record_path)) as record:
        (past,) = record.past_versions(old.id)
    assert past.article == old
    assert verify(open_current(tmp_path / "index")) == []


def test_a_page_that_fails_is_a_problem_and_is_tried_again(server, build, articles):
    server.pages["/1.html"] = [Answer(status=404), page(1)]
    report = build(f"{server.url}/feed.xml")
    assert report.n_articles == 2
    assert [item.source for item in report.problems] == [f"{server.url}/1.html"]
    report = build()
    assert (report.n_articles, report.problems) == (3, ())


def test_a_server_that_is_away_keeps_its_articles(server, build, articles):
    build(f"{server.url}/feed.xml")
    server.pages["/feed.xml"] = Answer(status=404)
    report = build()
    assert (report.changed, report.n_articles) == (False, 3)
    assert "404" in report.problems[0].reason


def test_a_rebuild_fetches_again_and_keeps_what_it_cannot_fetch(server, build, articles):
    build(f"{server.url}/feed.xml")
    asked(server)
    server.pages["/2.html"] = Answer(status=404)
    report = build(rebuild=True)
    assert asked(server) == ["/feed.xml", "/0.html", "/1.html", "/2.html"]
    assert sorted(articles()) == ["Story 0", "Story 1", "Story 2"]
    assert len(report.problems) == 1


def test_another_embedder_fetches_nothing_that_did_not_change(server, build, embedder_class):
    build(f"{server.url}/feed.xml")
    asked(server)
    report = build(embedder=embedder_class("other@2", dim=32))
    assert asked(server) == ["/feed.xml"]
    assert (report.n_articles, report.embedded) == (3, report.n_passages)


def test_a_root_on_the_web_can_be_removed(server, build, articles):
    url = f"{server.url}/feed.xml"
    build(url, f"{server.url}/4.html")
    report = build(remove=(url,))
    assert (report.removed, list(articles())) == (3, ["Story 4"])


def listed_twice(server):
    """Two feeds that both list page 1."""
    server.pages["/a.xml"], server.pages["/b.xml"] = feed(server, (0, 1)), feed(server, (1, 2))
    return f"{server.url}/a.xml", f"{server.url}/b.xml"


@pytest.mark.parametrize("at_once", [True, False])
def test_a_page_of_two_feeds_stays_when_one_of_them_goes(server, build, articles, at_once):
    one, two = listed_twice(server)
    for urls in [(one, two)] if at_once else [(one,), (two,)]:
        build(*urls)
    asked(server)
    # regression: it went with the first feed, and never came back: the other was unchanged
    report = build(remove=(one,))
    assert (report.removed, sorted(articles())) == (1, ["Story 1", "Story 2"])
    build()
    assert (asked(server), sorted(articles())) == (["/b.xml"], ["Story 1", "Story 2"])
    assert (build(remove=(two,)).removed, articles()) == (2, {})


def test_a_page_that_an_older_index_knows_by_one_feed_comes_back(
    server, build, articles, monkeypatch
):
    one, two = listed_twice(server)
    with monkeypatch.context() as older:
        older.setattr("index.sources.remote.RemoteRoots._shared", lambda *_: iter(()))
        build(one, two)
    assert build(remove=(one,)).removed == 2
    asked(server)
    assert (build().added, sorted(articles())) == (1, ["Story 1", "Story 2"])
    assert asked(server) == ["/b.xml", "/1.html"]


def test_a_page_that_failed_below_one_feed_is_not_held_for_the_other(server, build, articles):
    one, two = listed_twice(server)
    server.pages["/1.html"] = [Answer(status=404), page(1)]
    build(one, two)
    server.pages["/a.xml"] = feed(server, (0,), tag="2")
    assert (build().added, sorted(articles())) == (1, ["Story 0", "Story 1", "Story 2"])


def test_a_page_that_is_a_root_and_in_a_feed_stays_without_the_feed(server, build, articles):
    one, _ = listed_twice(server)
    build(one, f"{server.url}/1.html")
    assert (build(remove=(one,)).removed, list(articles())) == (1, ["Story 1"])


@pytest.mark.parametrize("below", ["/1.html", "/#top", "id"])
def test_pages_are_removed_and_let_in_again_though_nothing_changed(server, build, articles, below):
    build(f"{server.url}/feed.xml")
    name = articles()["Story 1"].id if below == "id" else server.url + below
    n_named = 3 if below == "/#top" else 1
    assert build(remove=(name,)).removed == n_named
    assert build().n_articles == 3 - n_named
    asked(server)
    # regression: one was not fetched again, since its feed had not changed
    assert build(readmit=(name,)).added == n_named
    assert len(asked(server)) == 1 + n_named
    assert build().changed is False


def test_a_page_is_let_in_again_by_another_embedder(server, build, embedder_class):
    build(f"{server.url}/feed.xml")
    build(remove=(f"{server.url}/1.html",))
    other = embedder_class("other@2", dim=32)
    assert build(readmit=(f"{server.url}/1.html",), embedder=other).n_articles == 3


def test_a_page_that_is_a_root_comes_back_when_it_is_indexed_again(server, build, articles):
    url = f"{server.url}/1.html"
    build(url)
    assert build(remove=(url,)).removed == 1
    assert (build(url).added, list(articles())) == (1, ["Story 1"])


def test_a_page_that_is_a_root_and_in_a_feed_goes_when_it_is_named(server, build, articles):
    build(f"{server.url}/feed.xml", f"{server.url}/1.html")
    assert build(remove=(f"{server.url}/1.html",)).removed == 1
    assert sorted(articles()) == ["Story 0", "Story 2"]


def test_loopback_is_refused_without_the_setting(server, build_here, tmp_path):
    with pytest.raises(Exception, match="is this machine. .*ARTICLE_QA_ALLOW_LOOPBACK=1"):
        build_here(tmp_path / "index", urls=(f"{server.url}/feed.xml",))
    assert server.n_connections == 0


def test_a_list_of_feeds_on_the_disk(server, build_here, tmp_path, articles):
    opml = tmp_path / "feeds.opml"
    opml.write_text(
        f'<opml version="2.0"><body><outline xmlUrl="{server.url}/feed.xml"/></body></opml>'
    )
    report = build_here(tmp_path / "index", opml, allow_loopback=True)
    assert (report.n_articles, report.problems) == (3, ())
    report = build_here(tmp_path / "index", allow_loopback=True)
    assert (report.n_articles, report.changed) == (3, False)


def test_a_list_of_feeds_in_a_folder_that_is_indexed(
    server, build_here, tmp_path, write_story, articles
):
    write_story(tmp_path / "news" / "7.txt", 7)
    assert build_here(tmp_path / "index", tmp_path / "news").n_articles == 1
    opml = tmp_path / "news" / "feeds.opml"
    opml.write_text(f'<opml><body><outline xmlUrl="{server.url}/feed.xml"/></body></opml>')
    assert build_here(tmp_path / "index", opml, allow_loopback=True).added == 3
    assert build_here(tmp_path / "index", tmp_path / "news").changed is False
