"""Given a web address, fetches what is there. The only code of the product that opens one.

Addresses come from strangers: from feeds, sitemaps and redirects. Therefore every host is looked up
once, all its addresses must be public, and the connection goes to one of those; every redirect is
checked like a first address; sizes and times are limited; proxies named by the environment are not
used; robots.txt is obeyed and each host is left in peace between requests.
"""

from __future__ import annotations

import ipaddress
import queue
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from index.errors import FetchError
from index.sources.address import (
    WEB_PORTS,
    IPAddress,
    WebAddress,
    is_loopback,
    is_public,
    join_url,
    literal_ip,
    parse_url,
    shown,
)
from index.sources.headers import (
    content_length,
    content_type,
    is_readable,
    retry_after_s,
    validator,
)
from index.sources.robots import MAX_BYTES as MAX_ROBOTS_BYTES
from index.sources.robots import Robots, parse_robots

if TYPE_CHECKING:
    import ssl

    from index.sources.connection import Connect, Deadline, Resolve

PRODUCT = "article-qa"  # the name that robots.txt files know us by
REDIRECTS = frozenset({301, 302, 303, 307, 308})
ALLOWED = Robots()


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRules:
    """The limits of a `Fetcher`."""

    max_bytes: int = 10_000_000  # of a body, uncompressed
    total_s: float = 20.0  # of one fetch with its redirects and retries, without polite waiting
    connect_s: float = 5.0
    max_redirects: int = 3
    max_retries: int = 2  # of one request, after 429, 5xx or a broken connection
    delay_s: float = 1.0  # between two requests to one host
    max_crawl_delay_s: float = 30.0  # a site may ask for more, but does not get it
    allow_loopback: bool = False  # also open this machine's own addresses, at any port: for tests


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server told us to ask "has it changed since?" with."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What was found at an address."""

    url: str  # that was asked for, in normal form
    final_url: str  # where redirects led; else the same
    data: bytes  # uncompressed
    content_type: str | None  # media type in lower case, without parameters
    validators: Validators
    retrieved: datetime  # UTC


@dataclass(frozen=True, slots=True)
class _Reply:
    """One answer, received."""

    address: WebAddress
    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class _Visit:
    """What the requests of one fetch share."""

    deadline: Deadline
    pins: dict[tuple[str, int], list[IPAddress]] = field(default_factory=dict)  # looked up once


class Fetcher:
    """Fetches pages politely, one after another; for use in one thread.

    It remembers, as long as it lives, what each host's robots.txt says and when the host was last
    asked. A host that is unknown, or whose robots.txt is unreachable, is not asked again.
    """

    def __init__(
        self,
        rules: FetchRules = FetchRules(),  # noqa: B008 - frozen
        *,
        resolve: Resolve | None = None,
        connect: Connect | None = None,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Prepare to fetch; nothing is opened yet.

        Args:
            rules: The limits.
            resolve: Finds the IP addresses of a host; this system's way by default.
            connect: Opens a socket to an IP address; this system's way by default.
            tls: Checks certificates; as browsers do by default.
            clock: Seconds, never going back.
            sleep: Waits that many seconds.
            jitter: A random number in [0, 1).
            now: The time of day, for `Fetched.retrieved` and `Retry-After`.
        """
        from index.sources import connection  # 0.2 s, and most indexes have no web address

        self._rules = rules
        self._resolve = resolve or connection.system_resolve
        self._connect = connect or connection.system_connect
        self._tls = tls  # made at the first https address: loading the authorities takes 50 ms
        self._clock, self._sleep, self._jitter, self._now = clock, sleep, jitter, now
        self._robots: dict[str, Robots | FetchError] = {}  # by origin
        self._delays: dict[str, float] = {}  # by host, where its robots.txt asks for one
        self._next_request: dict[str, float] = {}  # by host, on the clock
        self._headers = {
            "User-Agent": f"{PRODUCT}/{version('article-qa')} (news reader; respects robots.txt)",
            "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.5",
            "Accept-Encoding": "gzip, deflate",
        }

    def fetch(self, url: str, known: Validators | None = None) -> Fetched | None:
        """Return what is at `url`, or None if it is unchanged since `known` was given.

        Raises:
            FetchError: If the address may not be opened, nothing usable is there, or it does not
                come within the limits. The message is the reason, in one line.
        """
        from index.sources.connection import Deadline, OutOfTimeError

        asked = parse_url(url, allow_loopback=self._rules.allow_loopback)
        visit = _Visit(Deadline(self._clock, self._rules.total_s))
        conditions = _conditions(known)
        try:
            reply = self._follow(asked, self._headers | conditions, visit, is_page=True)
        except OutOfTimeError as error:
            raise FetchError(f"it takes longer than {self._rules.total_s:g} s") from error
        if reply.status == 304 and conditions:
            return None
        if reply.status != 200:
            raise FetchError(_status(reply, self._now()))
        return Fetched(
            url=asked.url,
            final_url=reply.address.url,
            data=reply.body,
            content_type=content_type(reply.headers),
            validators=Validators(
                validator(reply.headers, "etag"), validator(reply.headers, "last-modified")
            ),
            retrieved=self._now(),
        )

    def _follow(
        self, asked: WebAddress, headers: Mapping[str, str], visit: _Visit, *, is_page: bool
    ) -> _Reply:
        """Return the first answer that is no redirect; each step is checked like the first."""
        address = asked
        been = {asked.url}
        while True:
            try:
                if is_page:
                    self._obey_robots(address, visit)
                reply = self._request(address, headers, visit, is_page=is_page)
            except FetchError as error:
                raise (_redirected(address.url, error) if address != asked else error) from error
            location = reply.headers.get("location")
            if reply.status not in REDIRECTS or location is None:
                return reply
            if len(been) > self._rules.max_redirects:
                raise FetchError(f"more than {self._rules.max_redirects} redirects")
            try:
                address = join_url(address, location, allow_loopback=self._rules.allow_loopback)
            except FetchError as error:
                raise _redirected(location, error) from error
            if address.url in been:
                raise FetchError("it redirects in a circle")
            been.add(address.url)

    def _obey_robots(self, address: WebAddress, visit: _Visit) -> None:
        """Return if the site lets us fetch `address`; read its robots.txt first if need be."""
        robots = self._robots.get(address.origin)
        if robots is None:
            robots = self._robots[address.origin] = self._read_robots(address, visit)
        if isinstance(robots, FetchError):
            raise FetchError(str(robots))
        if not robots.allows(address.target):
            raise FetchError("the site's robots.txt asks not to")

    def _read_robots(self, address: WebAddress, visit: _Visit) -> Robots | FetchError:
        """Return what a site's robots.txt says; none is consent, an unreachable one is not."""
        from index.sources.connection import OutOfTimeError

        where = WebAddress(address.scheme, address.host, address.port, "/robots.txt")
        try:
            self._look_up(address, visit)
        except FetchError as error:  # a reason of its own: nothing has been asked yet
            return error
        try:
            reply = self._follow(where, self._headers, visit, is_page=False)
        except FetchError as error:
            return _left_alone(str(error))
        except OutOfTimeError:
            return _left_alone("it takes too long")
        if 400 <= reply.status < 500 and reply.status != 429:
            return ALLOWED
        if reply.status != 200:
            return _left_alone(_status(reply, self._now()))
        robots = parse_robots(reply.body.decode("utf-8", "replace"), PRODUCT)
        if robots.crawl_delay_s:
            self._delays[address.host] = min(robots.crawl_delay_s, self._rules.max_crawl_delay_s)
        return robots

    def _request(
        self, address: WebAddress, headers: Mapping[str, str], visit: _Visit, *, is_page: bool
    ) -> _Reply:
        """Return the answer to one GET, tried again while that may help and time is left."""
        from index.sources.connection import UnreachableError, UnusableError

        ips = self._look_up(address, visit)
        for attempt in range(self._rules.max_retries + 1):
            self._be_polite(address.host, visit)
            reply = None
            try:
                reply = self._get(address, ips, headers, visit, is_page=is_page)
            except UnusableError as error:
                raise FetchError(str(error)) from error
            except UnreachableError as error:
                failure = error
            finally:
                delay_s = max(self._rules.delay_s, self._delays.get(address.host, 0.0))
                self._next_request[address.host] = self._clock() + delay_s
            wait_s = (0.5 + self._jitter()) * 2.0**attempt
            if reply is not None:
                if reply.status != 429 and reply.status < 500:
                    return reply
                wait_s = max(wait_s, retry_after_s(reply.headers, self._now()))
            if attempt == self._rules.max_retries or wait_s >= visit.deadline.left():
                break
            self._sleep(wait_s)
        if reply is None:
            raise FetchError(f"the connection failed ({failure})") from failure
        return reply

    def _get(
        self,
        address: WebAddress,
        ips: Sequence[IPAddress],
        headers: Mapping[str, str],
        visit: _Visit,
        *,
        is_page: bool,
    ) -> _Reply:
        """Return the answer to one GET; its body only if it is wanted."""
        from index.sources.connection import get, read_body, tls_context

        if self._tls is None and address.scheme == "https":
            self._tls = tls_context()
        with get(
            address,
            ips,
            headers,
            deadline=visit.deadline,
            connect=self._connect,
            connect_s=self._rules.connect_s,
            tls=self._tls,
        ) as response:
            if response.status != 200:
                return _Reply(address, response.status, response.headers)
            max_bytes = self._rules.max_bytes if is_page else MAX_ROBOTS_BYTES
            if is_page:
                _refuse_unwanted(response.headers, max_bytes)
            body, is_whole = read_body(response, max_bytes)
            if is_page and not is_whole:
                raise _too_large(max_bytes)
            return _Reply(address, response.status, response.headers, body)

    def _look_up(self, address: WebAddress, visit: _Visit) -> list[IPAddress]:
        """Return the checked IP addresses of a host; within one fetch they do not change."""
        key = (address.host, address.port)
        if key not in visit.pins:
            literal = literal_ip(address.host)
            found = [literal] if literal else self._ask_for_addresses(address, visit.deadline)
            visit.pins[key] = self._checked(address, found)
        return visit.pins[key]

    def _ask_for_addresses(self, address: WebAddress, deadline: Deadline) -> list[IPAddress]:
        """Return what the name server says, in a thread because it cannot be told to hurry."""
        answer: queue.SimpleQueue[Sequence[str] | BaseException] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answer.put(self._resolve(address.host, address.port))
            except BaseException as error:  # noqa: BLE001 - raised again below
                answer.put(error)

        threading.Thread(target=ask, name="name server", daemon=True).start()
        try:
            found = answer.get(timeout=deadline.left())
        except queue.Empty:
            raise FetchError("its name server does not answer") from None
        if isinstance(found, OSError | UnicodeError):
            raise FetchError(f"there is no host {address.host}") from found
        if isinstance(found, BaseException):
            raise found
        try:
            return [ipaddress.ip_address(text) for text in found]
        except ValueError as error:
            raise FetchError(f"there is no host {address.host}") from error

    def _checked(self, address: WebAddress, found: Sequence[IPAddress]) -> list[IPAddress]:
        """Return the addresses of a host if every one of them may be connected to."""
        if not found:
            raise FetchError(f"there is no host {address.host}")
        if self._rules.allow_loopback and all(map(is_loopback, found)):
            return list(dict.fromkeys(found))
        for ip in found:
            if not is_public(ip):
                where = address.host if literal_ip(address.host) else f"{address.host} ({ip})"
                raise FetchError(f"not opened: {where} is not on the public Internet")
        if address.port not in WEB_PORTS:
            raise FetchError("not opened: only the ports 80 and 443 are")
        return list(dict.fromkeys(found))

    def _be_polite(self, host: str, visit: _Visit) -> None:
        """Wait until the host may be asked again; this does not count as time of the fetch."""
        wait_s = self._next_request.get(host, self._clock()) - self._clock()
        if wait_s > 0:
            self._sleep(wait_s)
            visit.deadline.extend(wait_s)


def _conditions(known: Validators | None) -> dict[str, str]:
    """Return the headers that ask for an answer only if something changed."""
    headers = {}
    if known is not None and known.etag is not None:
        headers["If-None-Match"] = known.etag
    if known is not None and known.last_modified is not None:
        headers["If-Modified-Since"] = known.last_modified
    return headers


def _refuse_unwanted(headers: Mapping[str, str], max_bytes: int) -> None:
    """Return if the head of an answer announces something that can be read."""
    kind = content_type(headers)
    if not is_readable(kind):
        raise FetchError(f"{shown(kind or '')} is not a kind of article that can be read")
    if content_length(headers) > max_bytes:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> FetchError:
    return FetchError(f"it is larger than {max_bytes / 1e6:g} MB")


def _left_alone(reason: str) -> FetchError:
    return FetchError(f"its robots.txt cannot be read ({reason}), so the site is left alone")


def _status(reply: _Reply, now: datetime) -> str:
    """Return an answer that is of no use in words."""
    wait_s = retry_after_s(reply.headers, now)
    return f"the server answers {reply.status}" + (f", try after {wait_s:.0f} s" if wait_s else "")


def _redirected(url: str, error: FetchError) -> FetchError:
    return FetchError(f"redirected to {shown(url)}: {error}")
