"""Roots on the web: what is fetched, what is not fetched again, and how far lists lead."""

from __future__ import annotations

from datetime import date

import pytest

from index.errors import ParseError, SourceError
from index.sources.listing import read_listing
from index.sources.remote import MAX_DEPTH, Known, KnownList, Page, RemoteRoots
from index.sources.web import Fetcher, FetchRules, Validators
from tests.index.web_server import Answer, Internet, serving

RULES = FetchRules(allow_loopback=True, delay_s=0.0, max_retries=0)


def feed(base, *names, changed=""):
    items = "".join(
        f"<item><title>Story {name}{changed}</title><link>{base}/{name}</link>"
        "<pubDate>Wed, 22 May 2024 10:00:00 GMT</pubDate></item>"
        for name in names
    )
    return f"<rss version='2.0'><channel><title>Post</title>{items}</channel></rss>".encode()


def opml(*urls):
    outlines = "".join(f"<outline xmlUrl='{url}'/>" for url in urls)
    return f"<opml><body>{outlines}</body></opml>".encode()


def article(text, **headers):
    return Answer(f"<p>{text}</p>".encode(), headers={"ETag": f'"{hash(text)}"', **headers})


def rss(body, etag='"feed-1"'):
    return Answer(body, headers={"Content-Type": "application/rss+xml", "ETag": etag})


@pytest.fixture
def site():
    with serving() as server:
        yield server


def walk(root, known=None, local=None, fetcher=None):
    """Walk a root as a build of its own would."""
    roots = RemoteRoots(fetcher or Fetcher(RULES), read_listing)
    return list(roots.walk(root, known or {}, local))


def remembered(found, known=None):
    """Return what a build would store of a walk."""
    stored = dict(known or {})
    for item in found:
        if isinstance(item, KnownList):
            stored[item.url] = Known(url=item.url, validators=item.validators, digest="")
        elif item.fetched is not None:
            validators = item.fetched.validators
            stored[item.url] = Known(url=item.url, validators=validators, digest=item.link_digest)
        elif item.url in stored and item.problem is None:
            validators = stored[item.url].validators
            stored[item.url] = Known(url=item.url, validators=validators, digest=item.link_digest)
    return stored


def test_a_feed_and_its_pages(site):
    site.pages |= {"/feed": rss(feed(site.url, "a", "b")), "/a": article("A"), "/b": article("B")}
    *pages, last = walk(f"{site.url}/feed")
    assert [page.fetched.data for page in pages] == [b"<p>A</p>", b"<p>B</p>"]
    assert (pages[0].hints.title, pages[0].hints.outlet) == ("Story a", "Post")
    assert pages[0].hints.published == date(2024, 5, 22)
    assert last == KnownList(url=f"{site.url}/feed", validators=Validators('"feed-1"'))
    assert site.targets == ["/feed", "/a", "/b"]


def test_the_second_time_one_request_is_made(site):
    site.pages |= {"/feed": rss(feed(site.url, "a", "b")), "/a": article("A"), "/b": article("B")}
    known = remembered(walk(f"{site.url}/feed"))
    site.requests.clear()
    assert walk(f"{site.url}/feed", known) == [Page(url=f"{site.url}/feed")]
    assert site.targets == ["/feed"]
    assert site.requests[-1].headers["if-none-match"] == '"feed-1"'


def test_only_what_changed_in_the_feed_is_asked_for(site):
    site.pages |= {"/feed": rss(feed(site.url, "a", "b")), "/a": article("A"), "/b": article("B")}
    site.pages["/c"] = article("C")
    known = remembered(walk(f"{site.url}/feed"))
    body = feed(site.url, "a") + feed(site.url, "b", changed=" again") + feed(site.url, "c")
    body = body.replace(b"</channel></rss><rss version='2.0'><channel><title>Post</title>", b"")
    site.pages["/feed"] = rss(body, '"feed-2"')
    site.requests.clear()
    found = walk(f"{site.url}/feed", known)
    assert site.targets == ["/feed", "/b", "/c"]  # of which /b says that it has not changed
    assert [page.fetched is not None for page in found[:-1]] == [False, False, True]
    known = remembered(found, known)
    site.requests.clear()
    walk(f"{site.url}/feed", known)
    assert site.targets == ["/feed"]
    site.pages["/feed"] = rss(body, '"feed-3"')  # another ETag, nothing new
    walk(f"{site.url}/feed", known)
    assert site.targets == ["/feed", "/feed"]


def test_a_page_that_fails_is_tried_again_though_the_feed_has_not_changed(site):
    site.pages |= {"/feed": rss(feed(site.url, "a", "b")), "/a": Answer(status=503)}
    site.pages["/b"] = article("B")
    first, second, last = walk(f"{site.url}/feed")
    assert (first.url, first.fetched) == (f"{site.url}/a", None)
    assert first.problem == "the server answers 503"
    assert second.fetched is not None
    assert last.validators == Validators()
    known = remembered([first, second, last])
    site.pages["/a"] = article("A")
    site.requests.clear()
    found = walk(f"{site.url}/feed", known)
    assert site.targets == ["/feed", "/a"]
    assert found[-1].validators == Validators('"feed-1"')


def test_a_plain_page_is_itself(site):
    site.pages["/a"] = article("A")
    found = walk(f"{site.url}/a#top")
    assert [(page.url, page.fetched.data) for page in found] == [(f"{site.url}/a", b"<p>A</p>")]
    assert walk(f"{site.url}/a", remembered(found)) == [Page(url=f"{site.url}/a")]


@pytest.mark.parametrize("root", ["ftp://example.com/", "http://10.0.0.1/", "http://[", "", "x"])
def test_a_root_that_may_not_be_opened_is_a_problem(root):
    (page,) = walk(root)
    assert (page.url, page.fetched) == (root, None)
    assert page.problem.startswith("not opened: ")


def test_lists_within_lists(site):
    base = site.url
    index = f"<sitemapindex><sitemap><loc>{base}/s</loc></sitemap></sitemapindex>".encode()
    sitemap = f"<urlset><url><loc>{base}/b</loc></url></urlset>".encode()
    site.pages |= {
        "/opml": rss(opml(f"{base}/feed", f"{base}/index", f"{base}/feed")),
        "/feed": rss(feed(base, "a", "b")),
        "/index": rss(index),
        "/s": rss(sitemap),
        **{f"/{name}": article(name) for name in "ab"},
    }
    found = walk(f"{base}/opml")
    assert site.targets == ["/opml", "/feed", "/a", "/b", "/index", "/s"]
    assert [(item.url.removeprefix(base), item.validators.etag) for item in lists(found)] == [
        ("/feed", '"feed-1"'),
        ("/s", '"feed-1"'),
        ("/index", None),  # itself unchanged, what it names may have changed
        ("/opml", None),
    ]
    site.requests.clear()
    known = remembered(found)
    assert pages(walk(f"{base}/opml", known)) == []
    assert site.targets == ["/opml", "/feed", "/index", "/s"]


def lists(found):
    return [item for item in found if isinstance(item, KnownList)]


def pages(found):
    return [item for item in found if isinstance(item, Page)]


def test_an_opml_file(site):
    site.pages |= {"/feed": rss(feed(site.url, "a")), "/a": article("A")}
    found = walk("papers.opml", local=opml(f"{site.url}/feed", "http://u@x.example/feed"))
    assert [page.problem for page in pages(found) if page.url == "papers.opml"] == [
        "http://…@x.example/feed: not opened: it contains a user name"
    ]
    assert [page.fetched.data for page in pages(found) if page.fetched] == [b"<p>A</p>"]
    assert lists(found) == [KnownList(url=f"{site.url}/feed", validators=Validators('"feed-1"'))]


@pytest.mark.parametrize("local", [b"<opml><body>", b"plain text", b""])
def test_a_file_that_is_no_list(local):
    (page,) = walk("papers.opml", local=local)
    assert page.url == "papers.opml"
    assert page.problem


def test_a_list_that_is_none_and_one_that_is_broken(site):
    site.pages |= {"/page": article("A"), "/broken": rss(b"<opml><body>")}
    found = walk("x.opml", local=opml(f"{site.url}/page", f"{site.url}/broken", f"{site.url}/no"))
    assert [page.url.rpartition("/")[2] for page in found] == ["page", "broken", "no"]
    assert [page.fetched for page in found] == [None, None, None]
    assert found[0].problem == "it is no feed, sitemap or OPML list"
    assert found[1].problem.startswith("is not well-formed XML")
    assert found[2].problem == "the server answers 404"


def test_lists_lead_only_so_deep_and_in_no_circle(site):
    for depth in range(1, 6):
        site.pages[f"/{depth}"] = rss(opml(f"{site.url}/{depth + 1}", f"{site.url}/1"))
    found = walk(f"{site.url}/1")
    assert site.targets == [f"/{depth}" for depth in range(1, MAX_DEPTH + 1)]
    (problem,) = {page.problem for page in pages(found) if page.url != f"{site.url}/1"}
    assert problem == "lists within lists within 3 lists"


def test_several_roots_share_their_pages(site):
    site.pages |= {"/f": rss(feed(site.url, "a")), "/g": rss(feed(site.url, "a", "f"))}
    site.pages["/a"] = article("A")
    roots = RemoteRoots(Fetcher(RULES), read_listing)
    for name in ("f", "g", "a", "f"):
        list(roots.walk(f"{site.url}/{name}", {}))
    assert site.targets == ["/f", "/a", "/g"]


def test_at_most_500_pages_of_a_list(site):
    names = [str(number) for number in range(502)]
    site.pages["/feed"] = rss(feed(site.url, *names))

    def no_fetcher_but_one(url, known=None):
        fetched.append(url)
        return real(url, known) if url.endswith("/feed") else None

    fetched = []
    fetcher = Fetcher(RULES)
    real, fetcher.fetch = fetcher.fetch, no_fetcher_but_one
    found = walk(f"{site.url}/feed", fetcher=fetcher)
    assert len(fetched) == 501
    assert lists(found)[0].problems == ("2 more than 500 articles",)
    assert lists(found)[0].validators == Validators('"feed-1"')


def test_a_feed_cannot_make_us_connect_within_this_network(site):
    """Through its items, enclosures, pictures, icons and the lists that it names."""
    inner = [
        *("http://127.0.0.1/", "http://inner.example/", "http://[::1]/", "http://169.254.169.254/"),
        *("http://10.0.0.1/", "http://localhost/", "http://2130706433/", "file:///etc/passwd"),
    ]
    with serving() as forbidden:
        internet = Internet()
        internet.add("public.example", "93.184.216.34", site)
        internet.names["inner.example"] = [["127.0.0.1"]]
        internet.hosts |= dict.fromkeys(("127.0.0.1", "::1", "10.0.0.1"), forbidden.port)
        items = "".join(
            f"<item><link>{url}</link><enclosure url='{url}'/><image><url>{url}</url></image>"
            f"<source url='{url}'/><comments>{url}</comments></item>"
            for url in inner
        )
        body = f"<rss version='2.0'><channel><link>{inner[0]}</link>{items}</channel></rss>"
        site.pages["/feed"] = rss(body.encode())
        site.pages["/opml"] = rss(opml(*inner, "http://public.example/feed"))
        locations = "".join(f"<url><loc>{url}</loc></url>" for url in inner)
        site.pages["/sitemap"] = rss(f"<urlset>{locations}</urlset>".encode())
        for root in ("feed", "opml", "sitemap"):
            fetcher = Fetcher(
                FetchRules(delay_s=0.0), resolve=internet.resolve, connect=internet.connect
            )
            found = walk(f"http://public.example/{root}", fetcher=fetcher)
            assert all(page.problem for page in pages(found))
            assert len(pages(found)) >= 5
        assert {ip for ip, _ in internet.connections} == {"93.184.216.34"}
        assert forbidden.n_connections == 0


def test_a_reader_that_fails_is_a_problem_of_its_list(site):
    def fail(data, content_type):
        raise SourceError("takes too long")

    site.pages["/feed"] = rss(feed(site.url, "a"))
    roots = RemoteRoots(Fetcher(RULES), fail)
    assert list(roots.walk(f"{site.url}/feed", {})) == [
        Page(url=f"{site.url}/feed", problem="takes too long")
    ]
    assert issubclass(ParseError, SourceError)


def test_a_list_is_yielded_after_its_pages(site):
    """Else a build that stops between them would never see those pages."""
    site.pages |= {"/feed": rss(feed(site.url, "a")), "/a": article("A")}
    found = RemoteRoots(Fetcher(RULES), read_listing).walk(f"{site.url}/feed", {})
    assert isinstance(next(found), Page)
    assert isinstance(next(found), KnownList)
