"""Sources that changed → articles cut into passages: files, and pages behind addresses.

Parsing is done by the pool's confined processes, several sources at a time, while the caller
stores and embeds what came out before; fetching happens as the pool asks for more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from index.embed import MODELS, Embedder, OnnxEmbedder
from index.errors import SourceError
from index.parsing.options import ParseOptions
from index.parsing.pool import ParserPool, ParseTask
from index.record import Fetch, Source
from index.report import Beat, Problem
from index.sources.folder import SourceFile, open_source
from index.types import Article, Passage

if TYPE_CHECKING:
    from index.sources.listing import Listing
    from index.sources.remote import Known, KnownList, Page


FEW = 100  # sources


@dataclass(frozen=True, slots=True)
class Reading:
    """One source as read now."""

    source: Source
    articles: tuple[tuple[Article, tuple[Passage, ...]], ...] = ()
    fetch: Fetch | None = None  # what its server said
    unreadable: str | None = None  # why nothing can be said of it now


def file_task(file: SourceFile, source: Source, options: ParseOptions) -> ParseTask:
    """Return the task to parse a file."""
    return ParseTask(
        key=Reading(source), name=source.name, open=partial(open_source, file), options=options
    )


def read_all(tasks: Sequence[ParseTask], remote: Remote, embedder: Embedder) -> Iterator[Reading]:
    """Yield every task's and every page's reading, in order."""
    # Only the bundled embedder counts word pieces; others are trusted with 220 tokens.
    counter = MODELS if isinstance(embedder, OnnxEmbedder) else None
    if not tasks and not remote:
        return
    # A process takes a second to start: a few files are read sooner by one.
    n_children = 1 if len(tasks) < FEW and not remote else None
    with ParserPool(n_children, piece_counter=counter) as pool:
        for outcome in pool.parse(chain(tasks, remote.tasks())):
            reading: Reading = outcome.key
            if outcome.unreadable is not None or outcome.digest is None:
                yield replace(reading, unreadable=outcome.unreadable or "could not be read")
                continue
            # The digest is that of what was parsed, should a file have changed since it was hashed.
            source = replace(reading.source, digest=outcome.digest, problems=outcome.problems)
            yield replace(reading, source=source, articles=outcome.articles)


@dataclass(slots=True)
class Remote:
    """The roots that are addresses, with what is known of each page and list below them."""

    fetches: Mapping[str, Sequence[Fetch]]  # by root, of those to be looked at
    known: Mapping[str, Source]
    options: ParseOptions
    beat: Beat = lambda: None  # called for each address, also if there is nothing to read at it
    allow_loopback: bool = False
    problems: list[Problem] = field(default_factory=list)  # pages that could not be fetched
    # What is worth remembering if there is a new generation anyway: lists, pages that are the same.
    asked: list[Fetch] = field(default_factory=list)
    # Pages that one more root leads to; worth nothing if the page itself turns out unreadable.
    shared: list[Fetch] = field(default_factory=list)
    _pool: ParserPool | None = None

    def __bool__(self) -> bool:
        return bool(self.fetches)

    def close(self) -> None:
        """End the process that reads lists."""
        if self._pool is not None:
            self._pool.close()

    def tasks(self) -> Iterator[ParseTask]:
        """Yield the task to parse each page that is new or has changed, fetching as it goes."""
        if not self.fetches:
            return
        from index.sources.remote import KnownList, RemoteRoots
        from index.sources.web import Fetcher, FetchRules

        rules = FetchRules(allow_loopback=self.allow_loopback)
        if self.allow_loopback:  # nobody to be polite to
            rules = replace(rules, delay_s=0.0)
        walker = RemoteRoots(Fetcher(rules), self._listing)
        for root, known in self.fetches.items():
            try:
                for found in walker.walk(root, _by_url(known), _local(root)):
                    self.beat()
                    if isinstance(found, KnownList):
                        self._remember(root, found)
                    elif (task := self._task(root, found)) is not None:
                        yield task
            except SourceError as error:
                self.problems.append(Problem(root, str(error)))

    def _task(self, root: str, page: Page) -> ParseTask | None:
        if page.problem is not None:
            self.problems.append(Problem(page.url, page.problem))
        fetched = page.fetched
        if page.is_shared:
            self.shared.append(Fetch(page.url, root, None, None, page.link_digest))
            return None
        if fetched is None:
            known = next((item for item in self.fetches[root] if item.url == page.url), None)
            if known is not None and page.problem is None and page.link_digest != known.link:
                self.asked.append(replace(known, link=page.link_digest))
            return None
        validators = fetched.validators
        link = page.link_digest
        fetch = Fetch(page.url, root, validators.etag, validators.last_modified, link)
        old = self.known.get(page.url)
        if old is not None and old.digest == hashlib.sha256(fetched.data).digest():
            self.asked.append(fetch)
            return None
        source = Source(page.url, old.root if old else root, b"", ())
        hints = replace(
            page.hints,
            url=fetched.final_url,
            retrieved=fetched.retrieved,
            content_type=fetched.content_type,
        )
        return ParseTask(
            key=Reading(source, fetch=fetch),
            name=page.url,
            open=lambda: BytesIO(fetched.data),
            options=replace(self.options, hints=hints),
        )

    def _remember(self, root: str, found: KnownList) -> None:
        validators = found.validators
        self.asked.append(Fetch(found.url, root, validators.etag, validators.last_modified, ""))
        self.problems.extend(Problem(found.url, text) for text in found.problems)

    def _listing(self, data: bytes, content_type: str | None) -> Listing | None:
        """Read a feed, sitemap or OPML in a confined process."""
        from index.parsing.options import Hints

        if self._pool is None:
            self._pool = ParserPool(1)
        task = ParseTask(
            key=None,
            name="list",
            open=lambda: BytesIO(data),
            options=ParseOptions(hints=Hints(content_type=content_type)),
            kind="listing",
        )
        (outcome,) = self._pool.parse([task])
        if outcome.unreadable or outcome.problems:
            raise SourceError(outcome.unreadable or outcome.problems[0])
        return outcome.listing


def _by_url(fetches: Iterable[Fetch]) -> dict[str, Known]:
    from index.sources.remote import Known
    from index.sources.web import Validators

    return {
        item.url: Known(
            url=item.url,
            validators=Validators(item.etag, item.last_modified),
            digest=item.link,
        )
        for item in fetches
    }


def _local(root: str) -> bytes | None:
    """Return the bytes of an OPML file on this disk, None if the root is an address."""
    if root.lower().startswith(("http://", "https://")):
        return None
    path = Path(root)
    with open_source(SourceFile(path.name, path)) as stream:
        return stream.read()
