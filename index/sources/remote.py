"""Given a web address or an OPML file, yields the pages behind it, fetching only what may be new.

A root is a page, a feed, a sitemap or an OPML list; lists may name further lists. Lists only add:
that an article is no longer in its feed says nothing about the article.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from index.errors import SourceError
from index.parsing.options import Hints
from index.sources.address import normal_url
from index.sources.web import Fetched, Fetcher, Validators

if TYPE_CHECKING:
    from index.sources.listing import Link, Listing

MAX_DEPTH = 3  # lists within lists: OPML, sitemap index, sitemap
MAX_PAGES = 500  # of one list

UNKNOWN = Validators()
NO_LIST = "it is no feed, sitemap or OPML list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What an earlier build stored of an address that it fetched."""

    url: str
    validators: Validators
    digest: str  # of the `Link` that led there; "" for a root


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page that a root leads to."""

    url: str
    fetched: Fetched | None = None  # None: unchanged, or not to be had; keep what is stored
    link_digest: str = ""  # to be stored, also if the page itself has not changed
    hints: Hints = Hints()
    problem: str | None = None  # why it, or part of the list at this address, is not to be had
    is_shared: bool = False  # another root led to it before; this one is to be stored as well


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownList:
    """What is to be stored of a list, once the pages yielded before it are."""

    url: str
    validators: Validators  # empty if the list must be read in full next time
    problems: tuple[str, ...] = ()  # what was left out of it; not worth reading it again


Found = Generator[Page | KnownList, None, bool]  # returns whether all of it could be fetched


@dataclass(slots=True)
class RemoteRoots:
    """Walks roots, fetching each address at most once as long as it lives: use one per build."""

    fetcher: Fetcher
    read_listing: Callable[[bytes, str | None], Listing | None]  # raises SourceError
    _seen: dict[str, str] = field(default_factory=dict)  # address -> root that led to it first
    _missing: set[str] = field(default_factory=set)  # pages that could not be fetched
    _root: str = ""  # the one walked now

    def walk(
        self, root: str, known: Mapping[str, Known], local: bytes | None = None
    ) -> Iterator[Page | KnownList]:
        """Yield the pages that `root` leads to, and each list after its pages.

        A page is fetched if it is new or if what its list says of it has changed, and its server
        is asked whether it has changed too. A list that has not changed is not looked into, except
        for one that names further lists, which may have. A list with a page that could not be
        fetched comes with empty validators, so that the page is tried again next time.

        A root that is unchanged is a page with nothing in it, whether it is a page or a list.

        Args:
            root: The address of a page, feed, sitemap or OPML list; or the path of an OPML file.
            known: What is stored, by address as it was yielded.
            local: The content of the OPML file.
        """
        self._root = root
        if local is None:
            yield from self._address(root, known, depth=1)
            return
        try:
            listing = self.read_listing(local, None)
        except SourceError as error:
            yield Page(url=root, problem=str(error))
            return
        if listing is None:
            yield Page(url=root, problem=NO_LIST)
            return
        for problem in listing.problems:
            yield Page(url=root, problem=problem)
        yield from self._below(listing, known, depth=1)

    def _address(self, address: str, known: Mapping[str, Known], depth: int) -> Found:
        """Yield what an address leads to; below a root it must be a list."""
        is_root = depth == 1
        try:
            url = normal_url(address)
            if url in self._seen:
                if is_root:
                    yield from self._shared(Page(url=url), known)
                return True
            self._seen[url] = self._root
            before = known.get(url)
            fetched = self.fetcher.fetch(url, before.validators if before else None)
            if fetched is None:
                unchanged = before.validators if before else UNKNOWN
                yield Page(url=url) if is_root else KnownList(url=url, validators=unchanged)
                return True
            listing = self.read_listing(fetched.data, fetched.content_type)
        except SourceError as error:
            yield Page(url=address, problem=str(error))
            return False
        if listing is None:
            yield Page(url=url, fetched=fetched) if is_root else Page(url=url, problem=NO_LIST)
            return is_root
        is_complete = yield from self._below(listing, known, depth)
        # what is unchanged itself may name lists that have changed
        is_settled = is_complete and not listing.lists
        yield KnownList(
            url=url,
            validators=fetched.validators if is_settled else UNKNOWN,
            problems=listing.problems,
        )
        return is_complete

    def _below(self, listing: Listing, known: Mapping[str, Known], depth: int) -> Found:
        """Yield what a list names: its articles, then what its lists name."""
        is_complete = True
        for link in listing.links[:MAX_PAGES]:
            if link.url in self._seen:
                yield from self._shared(Page(url=link.url, link_digest=link.digest), known)
            else:
                self._seen[link.url] = self._root
                yield self._page(link, known.get(link.url))
            is_complete = is_complete and link.url not in self._missing
        for address in listing.lists:
            if depth == MAX_DEPTH:
                yield Page(url=address, problem=f"lists within lists within {MAX_DEPTH} lists")
                continue
            is_complete = (yield from self._address(address, known, depth + 1)) and is_complete
        return is_complete

    def _shared(self, page: Page, known: Mapping[str, Known]) -> Iterator[Page]:
        """Yield a page that another root led to, unless this root is known to lead there too."""
        is_here = self._seen[page.url] == self._root or page.url in known
        if not is_here and page.url not in self._missing:
            yield replace(page, is_shared=True)

    def _page(self, link: Link, before: Known | None) -> Page:
        """Return the page that a list names, fetched if what the list says of it is new."""
        page = Page(url=link.url, link_digest=link.digest, hints=link.hints)
        if before is not None and before.digest == link.digest:
            return page
        try:
            fetched = self.fetcher.fetch(link.url, before.validators if before else None)
        except SourceError as error:
            self._missing.add(link.url)
            return replace(page, problem=str(error))
        return replace(page, fetched=fetched)
