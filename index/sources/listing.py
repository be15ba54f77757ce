"""Given the bytes of a feed, a sitemap or an OPML list, returns the links in it. Opens nothing.

Runs where the parsers run: what is read here was written by strangers.
"""

from __future__ import annotations

import codecs
import hashlib
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import urljoin

from index.errors import FetchError, ParseError
from index.parsing.dates import parse_date
from index.parsing.options import Hints
from index.parsing.tags import read_tokens
from index.sources.address import normal_url, shown

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_BYTES = 10_000_000  # uncompressed, as the fetcher has it
MAX_LINKS = 500  # of one list; of a sitemap, the newest
MAX_LISTS = 200  # feeds in an OPML list, sitemaps in a sitemap index
MAX_TAGS = 20  # of one article
MAX_PROBLEMS = 5  # of one kind that are named one by one
MAX_VALUE_CHARACTERS = 1_000  # of a title or a name
SNIFF_BYTES = 100_000  # within which the first tag must begin, after comments and doctype

UNKNOWN_ENCODING = 18  # of expat's errors

Kind = Literal["feed", "sitemap", "opml"]

_KINDS: dict[str, Kind] = {
    "rss": "feed",
    "feed": "feed",
    "rdf": "feed",  # RSS 1.0
    "urlset": "sitemap",
    "sitemapindex": "sitemap",
    "opml": "opml",
}
_BEFORE_ROOT = re.compile(  # atomic groups: what has matched is not tried in other ways
    r"\s*+(?>(?>"
    r"<\?.*?\?>"
    r"|<!--.*?-->"
    r"|<!DOCTYPE[^\[>]*+(?:\[.*?\]\s*+)?>"
    r")\s*+)*+<([\w:.-]++)",
    re.DOTALL | re.IGNORECASE,
)
_DECLARED = re.compile(rb"""\s*<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([\w.-]{1,40})""", re.ASCII)
_DECLARATION = re.compile(r"\A\s*<\?xml\s[^>]{0,300}\?>")
_MULTIBYTE = frozenset({"gb18030", "big5", "shift_jis", "euc-jp", "iso-2022-jp", "euc-kr"})
_EMAIL = re.compile(r"[^\s<>()@]{1,100}@[^\s<>()@]{1,100}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One article that a list names."""

    url: str  # in normal form
    hints: Hints
    digest: str  # of everything the list says of it: when it changes, the page is fetched again

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {"url": self.url, "hints": self.hints.to_dict(), "digest": self.digest}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the link that `to_dict` described."""
        return cls(
            url=values["url"], hints=Hints.from_dict(values["hints"]), digest=values["digest"]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The articles and further lists that a feed, sitemap or OPML list names, each once."""

    kind: Kind
    title: str | None
    links: tuple[Link, ...]
    lists: tuple[str, ...]  # addresses of further feeds and sitemaps, in normal form
    problems: tuple[str, ...]  # what was left out

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {**asdict(self), "links": [link.to_dict() for link in self.links]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the listing that `to_dict` described."""
        return cls(
            kind=values["kind"],
            title=values["title"],
            links=tuple(map(Link.from_dict, values["links"])),
            lists=tuple(values["lists"]),
            problems=tuple(values["problems"]),
        )


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of a list before its address is checked."""

    url: str
    hints: Hints
    digest: str
    changed: str = ""  # ISO 8601, to sort by; "" if unknown


def read_listing(data: bytes, content_type: str | None = None) -> Listing | None:
    """Return what a feed, a sitemap (also compressed) or an OPML list names.

    None if the data are something else, such as a page.

    Args:
        data: The whole content.
        content_type: What the server called it; only the content decides.

    Raises:
        ParseError: If it is one of these but broken, too large, or declares entities, which none
            needs and attacks consist of.
    """
    if data.startswith(b"\x1f\x8b"):
        data = _gunzip(data)
    data = _recoded(data)
    kind = _KINDS.get(_root_name(data))
    if kind is None:
        return None
    if len(data) > MAX_BYTES:
        raise ParseError(f"larger than {MAX_BYTES / 1e6:g} MB")
    if kind == "feed":
        return _read_feed(data)
    root = _parse_xml(data)
    return _read_sitemap(root) if kind == "sitemap" else _read_opml(root)


def _gunzip(data: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(data, MAX_BYTES + 1)
    except zlib.error as error:
        raise ParseError("the compressed file is damaged") from error


def _recoded(data: bytes) -> bytes:
    """Return XML as UTF-8 if it is written in an encoding that expat cannot read, else as it is."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    else:
        declared = _DECLARED.match(data[:SNIFF_BYTES])
        encoding = declared[1].decode().lower() if declared else ""
        encoding = {"gb2312": "gb18030", "gbk": "gb18030"}.get(encoding, encoding)
        if encoding not in _MULTIBYTE:
            return data
    return _DECLARATION.sub("", data.decode(encoding, "replace"), count=1).encode()


def _root_name(data: bytes) -> str:
    """Return the lower-case name of the outermost tag without its prefix, "" if there is none."""
    head = data[:SNIFF_BYTES].removeprefix(codecs.BOM_UTF8)
    match = _BEFORE_ROOT.match(head.decode("latin-1"))
    return match[1].rpartition(":")[2].lower() if match else ""


def _parse_xml(data: bytes) -> Element:
    """Return the root of well-formed XML that declares no entity and refers to no other file."""
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import ParseError as XmlError
    from defusedxml.ElementTree import fromstring

    try:
        root: Element = fromstring(data)
    except DefusedXmlException as error:
        raise ParseError("declares XML entities or refers to other files") from error
    except (XmlError, LookupError, ValueError) as error:
        raise ParseError(f"is not well-formed XML ({error})") from error
    return root


def _refuse_entities(data: bytes) -> None:
    """Return if a feed declares no entities; being badly formed is no reason to refuse one."""
    from defusedxml.ElementTree import ParseError as XmlError

    try:
        _parse_xml(data)
    except ParseError as error:
        # where the XML is broken, nobody has read to the end of its declarations
        is_slip = isinstance(error.__cause__, XmlError) and b"<!ENTITY" not in data.upper()
        if not is_slip or getattr(error.__cause__, "code", 0) == UNKNOWN_ENCODING:
            raise


def _read_feed(data: bytes) -> Listing:
    """Return what an RSS or Atom feed names; enclosures are not articles."""
    import feedparser

    _refuse_entities(data)
    # a stream: text could be taken for an address or a path, which feedparser would open
    parsed = feedparser.parse(io.BytesIO(data), sanitize_html=False, resolve_relative_uris=False)
    if not parsed.entries and parsed.bozo:
        raise ParseError(f"is no readable feed ({_one_line(str(parsed.get('bozo_exception')))})")
    title = _plain(parsed.feed, "title")
    outlet = Hints(via="feed", outlet=title, language=_value(parsed.feed, "language"))
    base = _value(parsed.feed, "link") or ""
    entries = [_feed_entry(entry, outlet, base) for entry in parsed.entries]
    links, problems = _links(entries)
    return Listing(kind="feed", title=title, links=links, lists=(), problems=problems)


def _feed_entry(entry: Mapping[str, Any], feed: Hints, base: str) -> _Entry:
    source = entry.get("source")
    tags = [_value(tag, "term") for tag in entry.get("tags") or () if isinstance(tag, Mapping)]
    link = _value(entry, "link") or ""
    hints = Hints(
        via="feed",
        title=_plain(entry, "title"),
        byline=_byline(entry),
        outlet=(_plain(source, "title") if isinstance(source, Mapping) else None) or feed.outlet,
        language=feed.language,
        published=_day(entry, "published"),
        updated=_day(entry, "updated"),
        tags=tuple(dict.fromkeys(filter(None, tags)))[:MAX_TAGS],
    )
    said = [hints.to_dict(), link, _value(entry, "id"), _value(entry, "summary")]
    said += [_value(entry, name) for name in ("published", "updated") if name in entry]
    said += [part.get("value") for part in entry.get("content") or ()]
    with suppress(ValueError):  # what cannot be joined is refused below, with its reason
        link = urljoin(base, link) if link else ""
    return _Entry(link, hints, _digest(said))


def _byline(entry: Mapping[str, Any]) -> str | None:
    """Return the authors' names; RSS puts their e-mail addresses beside them."""
    authors = [item for item in entry.get("authors") or () if isinstance(item, Mapping)]
    if len(authors) > 1:
        written = [_plain(author, "name") or "" for author in authors]
    else:  # as it was written: feedparser cuts addresses after four letters of ".example"
        written = [_plain(entry, "author") or ""]
    names = [" ".join(_EMAIL.sub(" ", name).split()).strip("()<> ") for name in written]
    return ", ".join(dict.fromkeys(filter(None, names))) or None


def _day(entry: Mapping[str, Any], name: str) -> date | None:
    """Return the day as it is written, else as feedparser reads it, in UTC."""
    if name not in entry:  # asking for "updated" would give "published", with a warning
        return None
    day = parse_date(str(entry[name]))
    moment = entry.get(f"{name}_parsed") if f"{name}_parsed" in entry else None
    if day is None and moment is not None:
        day = parse_date(f"{moment[0]:04}-{moment[1]:02}-{moment[2]:02}")
    return day


def _value(values: Mapping[str, Any], name: str) -> str | None:
    """Return a text of a feed as it is, within limits; None if there is none."""
    value = values.get(name) if name in values else None
    return value.strip() or None if isinstance(value, str) else None


def _plain(values: Mapping[str, Any], name: str) -> str | None:
    """Return a text of a feed without markup, in one line."""
    value = _value(values, name)
    detail = values.get(f"{name}_detail")
    if value is not None and (detail or {}).get("type") != "text/plain":
        value = "".join(token for token in read_tokens(value) if isinstance(token, str))
    return _one_line(value or "") or None


def _one_line(text: str) -> str:
    return " ".join(text.split())[:MAX_VALUE_CHARACTERS]


def _read_sitemap(root: Element) -> Listing:
    """Return what a sitemap, a news sitemap or an index of sitemaps names."""
    items = [item for item in root if _name(item) in {"url", "sitemap"}]
    entries = [_sitemap_entry(item) for item in items if _name(item) == "url"]
    indexed = [_sitemap_entry(item) for item in items if _name(item) == "sitemap"]
    links, problems = _links(_newest_first(entries))
    lists, more = _lists([entry.url for entry in _newest_first(indexed)])
    return Listing(
        kind="sitemap", title=None, links=links, lists=lists, problems=(*problems, *more)
    )


def _sitemap_entry(item: Element) -> _Entry:
    values = {name: text for name, text in _texts(item) if name != "image"}
    changed, written = values.get("lastmod", ""), values.get("publication_date", "")
    tags = [_one_line(tag) for tag in values.get("keywords", "").split(",")]
    hints = Hints(
        via="sitemap",
        title=_one_line(values.get("title", "")) or None,
        outlet=_one_line(values.get("name", "")) or None,
        language=values.get("language"),
        published=parse_date(written),
        updated=parse_date(changed),
        tags=tuple(dict.fromkeys(filter(None, tags)))[:MAX_TAGS],
    )
    url = values.get("loc", "")
    return _Entry(url, hints, _digest(sorted(values.items())), changed or written)


def _texts(item: Element) -> Iterator[tuple[str, str]]:
    """Yield the names and texts of a sitemap's entry, those of the news extension included.

    Pictures and videos have titles and addresses of their own, which are not the article's.
    """
    for child in item:
        if _name(child) in {"news", "publication"}:
            yield from _texts(child)
        elif (text := (child.text or "").strip()) and _name(child) not in {"image", "video"}:
            yield _name(child), text


def _name(element: Element) -> str:
    """Return the name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2].lower()


def _newest_first(entries: Sequence[_Entry]) -> list[_Entry]:
    """Return the entries by the time of their last change; of those without, in their order."""
    return sorted(entries, key=lambda entry: entry.changed, reverse=True)


def _read_opml(root: Element) -> Listing:
    """Return the feeds that an OPML list names, at whatever depth."""
    titles = [item.text for item in root.iter() if _name(item) == "title"]
    urls = []
    for item in root.iter():
        if _name(item) == "outline":
            values = {name.lower(): value for name, value in item.attrib.items()}
            included = values.get("url") if values.get("type", "").lower() == "include" else None
            urls.append(values.get("xmlurl") or included or "")
    lists, problems = _lists([url.strip() for url in urls if url.strip()])
    title = _one_line(titles[0] or "") or None if titles else None
    return Listing(kind="opml", title=title, links=(), lists=lists, problems=problems)


def _links(entries: Iterable[_Entry]) -> tuple[tuple[Link, ...], tuple[str, ...]]:
    """Return at most `MAX_LINKS` links, each address once, and what was left out."""
    links: dict[str, Link] = {}
    n_lacking, n_over, refused = 0, 0, []
    for entry in entries:
        if not entry.url:
            n_lacking += 1
            continue
        try:
            url = normal_url(entry.url)
        except FetchError as error:
            refused.append(f"{shown(entry.url)}: {error}")
            continue
        if url not in links and len(links) == MAX_LINKS:
            n_over += 1
        elif url not in links:
            links[url] = Link(url=url, hints=replace(entry.hints, url=url), digest=entry.digest)
    problems = _some(refused)
    if n_lacking:
        problems.append(f"{n_lacking} without an address")
    if n_over:
        problems.append(f"{n_over} more than {MAX_LINKS} articles")
    return tuple(links.values()), tuple(problems)


def _lists(urls: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return at most `MAX_LISTS` addresses of lists, each once, and what was left out."""
    kept: dict[str, None] = {}
    refused = []
    for url in urls:
        try:
            kept[normal_url(url)] = None
        except FetchError as error:
            refused.append(f"{shown(url)}: {error}")
    problems = _some(refused)
    if len(kept) > MAX_LISTS:
        problems.append(f"{len(kept) - MAX_LISTS} more than {MAX_LISTS} lists")
    return tuple(kept)[:MAX_LISTS], tuple(problems)


def _some(problems: Sequence[str]) -> list[str]:
    """Return the first few of many problems, and how many more there are."""
    named, n_more = problems[:MAX_PROBLEMS], len(problems) - MAX_PROBLEMS
    return [*named, f"{n_more} more addresses are not opened"] if n_more > 0 else list(named)


def _digest(values: object) -> str:
    """Return a short hash of everything that a list says of one article."""
    written = json.dumps(values, sort_keys=True).encode("utf-8", "replace")
    return hashlib.sha256(written).hexdigest()[:16]
