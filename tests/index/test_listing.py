"""Feeds, sitemaps and OPML lists: what they say of their articles, and what attacks they carry."""

from __future__ import annotations

import gzip
import json
import socket
import time
import tracemalloc
from contextlib import suppress
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from index.errors import ParseError
from index.parsing.options import Hints
from index.sources.listing import MAX_LINKS, MAX_LISTS, Link, Listing, read_listing

RSS = """<?xml version="1.0"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:media="http://search.yahoo.com/mrss/" xmlns:atom="http://www.w3.org/2005/Atom">
<channel><title>The &lt;b&gt;Tartu&lt;/b&gt;
 Post</title><link>https://post.example/</link><language>en-GB</language>
<atom:link rel="self" href="https://post.example/feed"/>
<item><title>Ferry &amp;amp; harbour</title><link> /a?x=1#top </link>
 <dc:creator>Ann Lee</dc:creator>
 <pubDate>Wed, 22 May 2024 23:30:00 +0200</pubDate><category>Ships</category>
 <category>Ships</category><category>Port</category><description>One</description>
 <enclosure url="http://127.0.0.1/x.mp3" length="1" type="audio/mpeg"/>
 <media:content url="http://127.0.0.1/y.jpg"/></item>
<item><title>Guid</title><author>bob@post.example (Bob Ray)</author>
 <guid>https://post.example/b</guid><pubDate>22.05.2024</pubDate></item>
<item><title>Copy</title><link>https://post.example/a?x=1</link></item>
<item><title>No address</title><guid isPermaLink="false">17</guid>
 <enclosure url="http://127.0.0.1/x.mp3" length="1" type="audio/mpeg"/></item>
<item><title>Odd</title><link>http://u:secret@x.example/</link></item>
<item><title>Odder</title><link>ftp://x.example/a</link></item>
</channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>Ledger</title>
<link href="https://ledger.example/"/><link rel="self" href="https://ledger.example/atom"/>
<entry><title type="html">A &lt;i&gt;bridge&lt;/i&gt;</title><id>urn:1</id>
<link rel="enclosure" href="http://127.0.0.1/e"/><link href="https://ledger.example/1"/>
<author><name>Cy</name><email>cy@x.example</email></author><author><name>Di</name></author>
<published>2024-05-01T23:00:00-05:00</published><updated>2024-05-03T10:00:00Z</updated>
<category term="Roads"/><summary>Words.</summary></entry>
<entry><title>2 &lt; 3</title><link href="https://ledger.example/2"/>
<source><title>The Wire</title></source><updated>2024-05-04T10:00:00Z</updated></entry></feed>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns="http://purl.org/rss/1.0/"><channel rdf:about="x"><title>Old</title></channel>
<item rdf:about="https://old.example/1"><title>One</title><link>https://old.example/1</link></item>
</rdf:RDF>"""
NEWS = """<?xml version="1.0" encoding="UTF-8"?><!-- made -->
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
 xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"
 xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
<url><loc> https://daily.example/old </loc><lastmod>2024-01-02</lastmod></url>
<url><loc>https://daily.example/new</loc><lastmod>2024-05-23T01:00:00+02:00</lastmod>
<news:news><news:publication><news:name>The Daily</news:name><news:language>en</news:language>
</news:publication><news:publication_date>2024-05-22</news:publication_date>
<news:title>Railway &amp; bridge</news:title>
<news:keywords>Rail, Bridge,</news:keywords></news:news>
<image:image><image:loc>https://daily.example/p.jpg</image:loc><image:title>Photo</image:title>
</image:image></url></urlset>"""
INDEX = """<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
<sitemap><loc>https://daily.example/1.xml</loc><lastmod>2024-01-01</lastmod></sitemap>
<sitemap><loc>https://daily.example/2.xml.gz</loc><lastmod>2024-02-01</lastmod></sitemap>
<sitemap><loc>ftp://daily.example/3.xml</loc></sitemap></sitemapindex>"""
OPML = """<opml version="2.0"><head><title>My papers</title></head><body>
<outline text="Local"><outline type="rss" xmlUrl="https://a.example/feed" htmlUrl="https://a.example/"/>
<outline type="rss" XMLURL="https://b.example/feed"/></outline>
<outline type="rss" xmlUrl="https://a.example/feed#again"/>
<outline type="include" url="https://c.example/more.opml"/>
<outline type="link" url="https://d.example/"/><outline text="nothing"/></body></opml>"""


def read(text):
    return read_listing(text.encode() if isinstance(text, str) else text)


def test_rss():
    listing = read(RSS)
    assert (listing.kind, listing.title, listing.lists) == ("feed", "The Tartu Post", ())
    first, second = listing.links
    assert first.hints == Hints(
        via="feed",
        url="https://post.example/a?x=1",
        title="Ferry & harbour",
        byline="Ann Lee",
        outlet="The Tartu Post",
        language="en-GB",
        published=date(2024, 5, 22),
        tags=("Ships", "Port"),
    )
    assert (second.url, second.hints.byline) == ("https://post.example/b", "Bob Ray")
    assert second.hints.published is None  # which of two days it is stays unknown
    assert listing.problems == (
        "http://…@x.example/: not opened: it contains a user name",
        "ftp://x.example/a: not opened: only complete http:// and https:// addresses are",
        "1 without an address",
    )


def test_atom():
    listing = read(ATOM)
    first, second = listing.links
    assert (listing.title, first.url) == ("Ledger", "https://ledger.example/1")
    assert (first.hints.title, first.hints.byline) == ("A bridge", "Cy, Di")
    assert (first.hints.published, first.hints.updated) == (date(2024, 5, 1), date(2024, 5, 3))
    assert first.hints.tags == ("Roads",)
    assert (second.hints.title, second.hints.outlet) == ("2 < 3", "The Wire")
    assert (second.hints.published, second.hints.updated) == (None, date(2024, 5, 4))
    assert listing.problems == ()


def test_rss_1():
    assert [link.url for link in read(RDF).links] == ["https://old.example/1"]


@pytest.mark.parametrize(
    ("written", "byline"),
    [
        ("<author>Ann Lee</author>", "Ann Lee"),
        ("<author>ann@x.example</author>", None),
        ("<author>Ann Lee &lt;ann@x.example&gt;</author>", "Ann Lee"),
        ("<author>ann@x.com (Ann Lee)</author>", "Ann Lee"),
        ("<author>Ann Lee</author><author>Bo</author>", "Ann Lee, Bo"),
        ("<author></author>", None),
        ("", None),
    ],
)
def test_bylines(written, byline):
    item = f"<item><link>https://x.example/</link>{written}</item>"
    (link,) = read(f"<rss version='2.0'><channel>{item}</channel></rss>").links
    assert link.hints.byline == byline


def test_news_sitemap():
    listing = read(NEWS)
    new, old = listing.links  # the newest first
    assert new.hints == Hints(
        via="sitemap",
        url="https://daily.example/new",
        title="Railway & bridge",
        outlet="The Daily",
        language="en",
        published=date(2024, 5, 22),
        updated=date(2024, 5, 23),
        tags=("Rail", "Bridge"),
    )
    assert old.hints == Hints(
        via="sitemap", url="https://daily.example/old", updated=date(2024, 1, 2)
    )
    assert (listing.kind, listing.lists, listing.problems) == ("sitemap", (), ())


def test_sitemap_index():
    listing = read(INDEX)
    assert listing.lists == ("https://daily.example/2.xml.gz", "https://daily.example/1.xml")
    assert len(listing.problems) == 1
    assert listing.links == ()


def test_opml():
    listing = read(OPML)
    assert (listing.kind, listing.title, listing.links) == ("opml", "My papers", ())
    assert listing.lists == (
        *("https://a.example/feed", "https://b.example/feed", "https://c.example/more.opml"),
    )


@pytest.mark.parametrize("text", [RSS, ATOM, NEWS, INDEX, OPML])
@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: b"\n " + text.replace('<?xml version="1.0"?>', "").encode(),
        lambda text: gzip.compress(text.encode()),
        lambda text: text.replace("UTF-8", "UTF-16").encode("utf-16"),
    ],
    ids=["mark", "blanks", "gzip", "utf-16"],
)
def test_other_ways_to_write_it(text, encode):
    if text == NEWS:
        text = text.partition("?>")[2]  # blanks before a declaration are wrong for good
    assert read(encode(text)) == read(text)


@pytest.mark.parametrize("text", [RSS, ATOM, NEWS, INDEX, OPML])
def test_a_listing_survives_the_pipe(text):
    listing = read(text)
    assert Listing.from_dict(json.loads(json.dumps(listing.to_dict()))) == listing
    for link in listing.links:
        assert Link.from_dict(json.loads(json.dumps(link.to_dict()))) == link


def test_the_digest_is_of_what_is_said_about_one_article():
    def digests(text):
        return {link.url: link.digest for link in read(text).links}

    assert digests(RSS) == digests(RSS)
    moved = digests(RSS.replace("<title>Guid</title>", "<title>Guide</title>"))
    assert moved["https://post.example/a?x=1"] == digests(RSS)["https://post.example/a?x=1"]
    assert moved["https://post.example/b"] != digests(RSS)["https://post.example/b"]
    for before, after in (("One<", "Two<"), ("22 May 2024 23:30", "22 May 2024 23:31")):
        assert digests(RSS) != digests(RSS.replace(before, after))
    for before, after in (("Words.", "More words."), ("03T10:00", "03T10:01")):
        assert digests(ATOM) != digests(ATOM.replace(before, after))
    assert digests(NEWS) != digests(NEWS.replace("T01:00", "T01:01"))


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"plain text", b"<html><body><rss></rss></body></html>", b'{"a": 1}', b"\x00\x01"),
        *(b"<!DOCTYPE html><html>", b"%PDF-1.7", b"<", b"<?xml version='1.0'?>", b"<rss", b"<!--"),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    ],
)
def test_what_is_no_list_is_none_or_broken(data):
    if data == b"<rss":
        with pytest.raises(ParseError):
            read(data)
    else:
        assert read(data) is None


@pytest.mark.parametrize(
    "text", ["<rss", "<urlset><url>", "<opml><body>", "<urlset>&nbsp;</urlset>", "<feed <feed"]
)
def test_a_broken_list_is_an_error(text):
    with pytest.raises(ParseError, match="is no"):
        read(text)


def test_a_feed_with_a_slip_is_still_read():
    listing = read(RSS.replace("Guid<", "Caf&eacute; & bar<"))
    assert listing.links[1].hints.title == "Café & bar"


@pytest.mark.parametrize("encoding", ["gb2312", "Big5", "Shift_JIS", "windows-1251", "koi8-r"])
def test_older_encodings(encoding):
    title = "Паром" if encoding in {"windows-1251", "koi8-r"} else "中"
    text = f"<?xml version='1.0' encoding='{encoding}'?>" + RSS.partition("?>")[2]
    listing = read(text.replace(">Guid<", f">{title}<").encode(encoding))
    assert listing.links[1].hints.title == title
    assert read(NEWS.replace("UTF-8", encoding).encode(encoding)) == read(NEWS)


def test_an_encoding_that_hides_entities_is_refused():
    hidden = (ATTACKS["file"] % "rss" + RSS.partition("?>")[2]).encode("utf-7")
    for start in (b"<?xml version='1.0' encoding='utf-7'?><rss>", b"<?xml encoding='utf-7'?>"):
        with pytest.raises(ParseError):
            read(start + b"<rss>" + hidden)


def test_a_doctype_alone_is_harmless():
    doctype = '<!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "http://n.example/rss.dtd">'
    assert read(RSS.replace("<rss ", doctype + "<rss ")) == read(RSS)


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
ATTACKS = {
    "billion laughs": f'<!DOCTYPE %s [<!ENTITY l0 "ha">{LAUGHS}]>',
    "quadratic": f'<!DOCTYPE %s [<!ENTITY a "{"a" * 50_000}">]>',
    "file": '<!DOCTYPE %s [<!ENTITY l9 SYSTEM "file:///etc/passwd">]>',
    "web": '<!DOCTYPE %s [<!ENTITY l9 SYSTEM "http://127.0.0.1:1/">]>',
    "parameter": '<!DOCTYPE %s [<!ENTITY %% p SYSTEM "file:///etc/passwd"> %%p;]>',
}
ROOTS = {"rss": RSS, "feed": ATOM, "urlset": NEWS, "sitemapindex": INDEX, "opml": OPML}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("broken", [False, True])
def test_entities_are_refused(attack, root, broken, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", None)
    text = ROOTS[root].partition("<" + root)
    text = ATTACKS[attack] % root + "<" + root + text[2].replace("title>", "title>&l9;", 1)
    began = time.monotonic()
    with pytest.raises(ParseError, match="entities"):
        read(text.rpartition("</")[0] if broken and root in {"rss", "feed"} else text)
    with pytest.raises(ParseError, match="entities"):
        read(text.replace("UTF-8", "UTF-16").encode("utf-16"))
    assert time.monotonic() - began < 2


def test_a_head_that_fits_in_many_ways_takes_no_time():
    for piece in (b"<!-- -->", b"<?a ?>", b"<!DOCTYPE a []>", b"<!DOCTYPE a>", b" "):
        assert read(piece * 12_000 + b"!") is None


def test_other_attacks_get_nothing_and_take_no_time():
    include = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/passwd"/>'
    external = '<!DOCTYPE opml SYSTEM "http://127.0.0.1:1/x.dtd">'
    assert read(external + OPML.replace("<body>", f"<body>{include}")) == read(OPML)
    attributes = " ".join(f'a{n}="x"' for n in range(100_000))
    assert read(OPML.replace("<outline ", f"<outline {attributes} ", 1)).lists == read(OPML).lists
    deep = "<outline>" * 100_000 + "</outline>" * 100_000
    assert read(OPML.replace("<body>", f"<body>{deep}")).lists == read(OPML).lists


def test_a_compressed_bomb_is_not_unpacked():
    bomb = gzip.compress(b"<urlset>" + bytes([32]) * 100_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(ParseError, match="larger than 10 MB"):
            read(bomb)
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()
    with pytest.raises(ParseError, match="damaged"):
        read(b"\x1f\x8bnot gzip")


def test_only_so_many_are_taken_and_the_rest_is_said():
    items = "".join(f"<item><link>https://x.example/{n}</link></item>" for n in range(502))
    listing = read(f"<rss version='2.0'><channel>{items}</channel></rss>")
    assert [link.url for link in listing.links][::499] == [
        *("https://x.example/0", "https://x.example/499"),
    ]
    assert listing.problems == (f"2 more than {MAX_LINKS} articles",)
    urls = "".join(
        f"<url><loc>https://x.example/{n}</loc><lastmod>{2000 + n}-01-01</lastmod></url>"
        for n in range(503)
    )
    newest = read(f"<urlset>{urls}</urlset>")
    assert (len(newest.links), newest.links[0].url) == (MAX_LINKS, "https://x.example/502")
    outlines = "".join(f"<outline xmlUrl='https://x.example/{n}'/>" for n in range(201))
    lists = read(f"<opml><body>{outlines}</body></opml>")
    assert (len(lists.lists), lists.problems) == (MAX_LISTS, ("1 more than 200 lists",))
    bad = "".join(f"<outline xmlUrl='http://{n}@x.example/'/>" for n in range(9))
    problems = read(f"<opml><body>{bad}</body></opml>").problems
    assert (len(problems), problems[-1]) == (6, "4 more addresses are not opened")


PIECES = st.lists(
    st.sampled_from(
        [
            *("<rss>", "</rss>", "<channel>", "<item>", "</item>", "<link>", "</link>", "<title>"),
            *(
                "https://x.example/",
                "<feed xmlns='http://www.w3.org/2005/Atom'>",
                "<entry>",
                "&lt;",
            ),
            *("<updated>", "2024-05-01", "<link href='", "'/>", "<author>", "<name>", "a@b.c", "<"),
            *("<![CDATA[", "]]>", "<!--", "-->", "&amp;", "&nbsp;", "\x00", "é", "<source>", "("),
            *("<category term='x'/>", "<content>", "<id>", "<guid>", "<urlset>", "<url>", "<loc>"),
        ]
    ),
    max_size=25,
)


@given(PIECES)
@example(["<rss>", "<item>", "<title>", "<link>"])
@example(
    ["<feed xmlns='http://www.w3.org/2005/Atom'>", "<entry>", "<source>", "<category term='x'/>"]
)
def test_anything_like_a_list_is_read_or_is_an_error(pieces):
    try:
        listing = read("".join(pieces))
    except ParseError:
        return
    if listing is not None:
        assert Listing.from_dict(json.loads(json.dumps(listing.to_dict()))) == listing
        assert len({link.url for link in listing.links}) == len(listing.links)


@given(st.binary(max_size=60))
def test_any_bytes(data):
    for start in (b"", b"<rss>", b"<urlset>", b"<?xml version='1.0' encoding='x'?><feed>"):
        with suppress(ParseError):
            read(start + data)
