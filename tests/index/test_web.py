"""The fetcher: what it never opens, what it never waits for, and how it behaves towards others."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import tracemalloc
import zlib
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import FetchError
from index.sources.web import Fetcher, FetchRules, Validators
from tests.index.web_server import Answer, Internet, Time, WebServer, serving, serving_tls

PUBLIC_IP = "93.184.216.34"
OTHER_IP = "93.184.216.35"
NOON = datetime(2024, 5, 22, 12, tzinfo=UTC)
LOOPBACK = FetchRules(allow_loopback=True, delay_s=0.0)
PAGE = Answer(b"<p>The ferry is back.</p>")

# Hosts that are, in one way of writing or another, on this machine or in this network.
INNER_HOSTS = [
    *("127.0.0.1", "127.1", "127.0.1", "0", "0.0.0.0", "2130706433", "0x7f000001", "0x7f.1"),
    *("0x7F.0.0.0x1", "0177.0.0.1", "017700000001", "127.0.0.1.", "127.255.255.254", "①②⑦.⓪.⓪.①"),
    *("127。0。0。1", "１２７.0.0.1", "127%2e0.0.1", "localhost", "localhost.", "LOCALHOST"),
    *("foo.localhost", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]"),
    *("[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]"),
    *("[2002:7f00:1::]", "[2001:0:7f00:1::]", "[2001:0:5ef5:79fd::80ff:fffe]", "[fe80::1%eth0]"),
    *("[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[fec0::1]", "[::ffff:0:7f00:1]"),
    *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.100.100.200"),
    *("169.254.169.254", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
    *("224.0.0.1", "240.0.0.1", "255.255.255.255", "168.63.129.16", "metadata.google.internal"),
    *("metadata", "intranet", "router.local", "inner.example", "meta.example", "mixed.example"),
    *("mixed6.example", "mapped.example", "nat64.example", "scoped.example", "unspecified.example"),
]
INNER_URLS = [
    *(f"http://{host}/" for host in INNER_HOSTS),
    *(f"https://{host}/" for host in ("127.0.0.1", "[::1]", "inner.example", "10.0.0.1")),
    *("file:///etc/passwd", "FILE:///etc/passwd", "gopher://127.0.0.1:80/_x", "ftp://127.0.0.1/"),
    *("data:text/html,x", "dict://127.0.0.1:80/", "ldap://127.0.0.1/", "jar:http://127.0.0.1!/"),
    *("javascript:alert(1)", "view-source:http://127.0.0.1/", "//127.0.0.1/", "127.0.0.1"),
    *("http://public.example@127.0.0.1/", "http://127.0.0.1@public.example/"),
    *("http://public.example\\@127.0.0.1/", "http://127.0.0.1\\@public.example/"),
    *("http://public.example#@127.0.0.1:x/\n", "http://127.0.0.1%00.public.example/"),
    *("http://public.example%2f@127.0.0.1/", "http://127.0.0.1\t/", "http:// 127.0.0.1/"),
    *("http://127.0.0.1\n.public.example/", "http://public.example:80:80/", "http://[::1]:80:80/"),
    *(f"http://public.example:{port}/" for port in (0, 22, 25, 6379, 8080, 11434, 65536)),
]
INNER_NAMES = {
    "inner.example": ["127.0.0.1"],
    "meta.example": ["169.254.169.254"],
    "mixed.example": [PUBLIC_IP, "10.0.0.1"],
    "mixed6.example": [PUBLIC_IP, "::1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "nat64.example": ["64:ff9b::7f00:1"],
    "scoped.example": ["fe80::1%eth0"],
    "unspecified.example": ["0.0.0.0"],
    "localhost": ["127.0.0.1"],
    "metadata.google.internal": ["169.254.169.254"],
    "intranet": ["10.0.0.1"],
}


class EverywhereServer(Internet):
    """An Internet in which every address there is leads to one server."""

    def __init__(self, server: WebServer) -> None:
        super().__init__()
        self.server = server

    def connect(self, ip, port, timeout_s):
        self.hosts[ip] = self.server.port
        return super().connect(ip, port, timeout_s)


@pytest.fixture
def forbidden():
    """A listener that must not be connected to."""
    with serving({"/": PAGE}) as server:
        yield server
        assert server.n_connections == 0


@pytest.fixture
def site():
    with serving({"/": PAGE}) as server:
        yield server


def fetcher_on(internet, rules=FetchRules(delay_s=0.0, max_retries=0), **more):  # noqa: B008
    return Fetcher(rules, resolve=internet.resolve, connect=internet.connect, **more)


def test_there_are_enough_inner_addresses():
    assert len(set(INNER_URLS)) >= 90


@pytest.mark.parametrize("url", INNER_URLS, ids=ascii)
def test_an_inner_address_is_never_connected_to(url, forbidden):
    internet = EverywhereServer(forbidden)
    internet.names = {name: [ips] for name, ips in INNER_NAMES.items()}
    internet.names["public.example"] = [[PUBLIC_IP]]
    with pytest.raises(FetchError):
        fetcher_on(internet).fetch(url)
    assert internet.connections == []


def test_an_outer_address_is_connected_to(site):
    """So the test above can fail."""
    internet = EverywhereServer(site)
    internet.names["public.example"] = [[PUBLIC_IP]]
    assert fetcher_on(internet).fetch("http://public.example/").data == PAGE.body
    assert set(internet.connections) == {(PUBLIC_IP, 80)}
    assert fetcher_on(internet).fetch(f"http://{OTHER_IP}/").data == PAGE.body


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "localhost", "[::ffff:127.0.0.1]", "0"])
def test_loopback_is_not_opened_at_the_listeners_own_port(host, forbidden):
    with pytest.raises(FetchError):
        Fetcher().fetch(f"http://{host}:{forbidden.port}/")


def test_even_with_loopback_allowed_other_inner_addresses_are_not(forbidden):
    internet = EverywhereServer(forbidden)
    internet.names = {
        "a.example": [["127.0.0.1", "10.0.0.1"]],
        "b.example": [["127.0.0.1", PUBLIC_IP]],
        "c.example": [[PUBLIC_IP]],
    }
    fetcher = fetcher_on(internet, LOOPBACK)
    for url in (
        *("http://10.0.0.1/", "http://169.254.169.254/", "http://0.0.0.0/", "http://[::]/"),
        *("http://a.example/", "http://b.example/", "http://c.example:8080/"),
    ):
        with pytest.raises(FetchError, match="not opened"):
            fetcher.fetch(url)
    assert internet.connections == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_checked_like_a_first_address(status, site, forbidden):
    internet = Internet()
    internet.add("public.example", PUBLIC_IP, site)
    internet.names |= {name: [ips] for name, ips in INNER_NAMES.items()}
    internet.hosts |= dict.fromkeys(("127.0.0.1", "10.0.0.1", "::1"), forbidden.port)
    fetcher = fetcher_on(internet)
    targets = [url for url in INNER_URLS if url.isascii() and url.isprintable() and "://" in url]
    for at, url in enumerate(targets):
        site.pages[f"/{at}"] = Answer(status=status, headers={"Location": url})
        with pytest.raises(FetchError):
            fetcher.fetch(f"http://public.example/{at}")
    assert site.targets == [f"/{at}" for at in range(len(targets))]
    assert len(targets) > 70
    assert {ip for ip, _ in internet.connections} == {PUBLIC_IP}


def redirect(location, status=302):
    return Answer(status=status, headers={"Location": location})


def test_three_redirects_are_followed_and_no_fourth(site):
    for number in range(4):
        site.pages[f"/{number}"] = redirect(f"/{number + 1}")
    site.pages["/4"] = PAGE
    fetcher = Fetcher(LOOPBACK)
    fetched = fetcher.fetch(f"{site.url}/1")
    assert (fetched.url, fetched.final_url) == (f"{site.url}/1", f"{site.url}/4")
    with pytest.raises(FetchError, match="more than 3 redirects"):
        fetcher.fetch(f"{site.url}/0")


@pytest.mark.parametrize("location", ["/a", "b", "?", "#x", ""])
def test_a_circle_is_noticed(location, site):
    site.pages |= {"/a": redirect(location), "/b": redirect("/a"), "/a?": redirect("/b")}
    with pytest.raises(FetchError, match="circle"):
        Fetcher(LOOPBACK).fetch(f"{site.url}/a")
    assert len(site.targets) <= 3


def test_redirects_between_hosts_and_schemes_are_looked_up_anew(site, tmp_path):
    with serving_tls(tmp_path) as (secure, trusting):
        internet = Internet()
        internet.add("public.example", PUBLIC_IP, site)
        internet.add("news.example", OTHER_IP, secure)
        site.pages["/a"] = redirect("//news.example./b")  # the scheme stays: http
        site.pages["/c"] = redirect("https://news.example/b")
        secure.pages["/b"] = PAGE
        fetcher = fetcher_on(internet, tls=trusting)
        assert fetcher.fetch("http://public.example/c").final_url == "https://news.example/b"
        assert internet.lookups == ["public.example", "news.example"]
        with pytest.raises(FetchError, match=r"redirected to http://news\.example/b"):
            fetcher.fetch("http://public.example/a")
        assert internet.connections[-1] == (OTHER_IP, 80)


def test_what_only_looks_like_a_redirect_is_not_followed(forbidden, site):
    inner = f"http://127.0.0.1:{forbidden.port}/"
    body = f'<meta http-equiv="refresh" content="0; url={inner}">'.encode()
    site.pages["/"] = Answer(body, headers={"Refresh": f"0; url={inner}", "Location": inner})
    assert Fetcher(LOOPBACK).fetch(site.url).data == body
    site.pages["/300"] = Answer(status=300, headers={"Location": inner})
    with pytest.raises(FetchError, match="answers 300"):
        Fetcher(LOOPBACK).fetch(f"{site.url}/300")


def test_a_host_is_looked_up_once_and_the_checked_address_opened(site, forbidden):
    internet = Internet()
    internet.add("public.example", PUBLIC_IP, site)
    internet.hosts["127.0.0.1"] = forbidden.port
    internet.names["public.example"] = [[PUBLIC_IP], ["127.0.0.1"]]
    site.pages["/"] = redirect("/there")
    site.pages["/there"] = [Answer(status=503), PAGE]
    rules = FetchRules(delay_s=0.0)
    time_ = Time()
    fetched = fetcher_on(internet, rules, clock=time_.clock, sleep=time_.sleep).fetch(
        "http://public.example/"
    )
    assert fetched.data == PAGE.body
    assert internet.lookups == ["public.example"]
    assert internet.connections == [(PUBLIC_IP, 80)] * 4  # robots.txt, "/", "/there" twice


def test_the_next_fetch_looks_up_anew_and_checks_again(site, forbidden):
    internet = Internet()
    internet.add("public.example", PUBLIC_IP, site)
    internet.hosts["127.0.0.1"] = forbidden.port
    internet.names["public.example"] = [[PUBLIC_IP], ["127.0.0.1"]]
    fetcher = fetcher_on(internet)
    assert fetcher.fetch("http://public.example/")
    with pytest.raises(FetchError, match=r"\(127\.0\.0\.1\) is not on the public Internet"):
        fetcher.fetch("http://public.example/")


def test_a_connection_that_leads_elsewhere_is_closed_unused(site):
    def astray(ip, port, timeout_s):
        return socket.create_connection(("127.0.0.1", site.port), timeout_s)

    fetcher = Fetcher(resolve=lambda host, port: [PUBLIC_IP], connect=astray)
    with pytest.raises(FetchError, match="another address than the checked one"):
        fetcher.fetch("http://public.example/")
    assert site.requests == []


def test_the_next_address_is_tried_if_one_does_not_answer(site):
    internet = Internet()
    internet.add("public.example", PUBLIC_IP, site)
    internet.names["public.example"] = [["2606:4700::1111", OTHER_IP, PUBLIC_IP, PUBLIC_IP]]
    assert fetcher_on(internet).fetch("http://public.example/").data == PAGE.body
    assert [ip for ip, _ in internet.connections[:3]] == ["2606:4700::1111", OTHER_IP, PUBLIC_IP]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ([], "there is no host"),
        (["not an address"], "there is no host"),
        (OSError("Temporary failure"), "there is no host"),
        (UnicodeError("label too long"), "there is no host"),
    ],
)
def test_a_name_without_address(answer, reason):
    def resolve(host, port):
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(FetchError, match=reason):
        Fetcher(resolve=resolve).fetch("http://public.example/")


def test_the_environments_proxy_is_not_used(site, forbidden, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{forbidden.port}")
    assert Fetcher(LOOPBACK).fetch(site.url).data == PAGE.body


def test_the_certificate_must_be_that_of_the_host(tmp_path):
    with serving_tls(tmp_path) as (secure, trusting):
        secure.pages["/"] = PAGE
        internet = Internet()
        internet.add("news.example", PUBLIC_IP, secure)
        internet.add("other.example", PUBLIC_IP, secure)
        assert fetcher_on(internet, tls=trusting).fetch("https://news.example/").data == PAGE.body
        assert secure.requests[-1].headers["host"] == "news.example"
        with pytest.raises(FetchError, match="certificate is not valid: Hostname mismatch"):
            fetcher_on(internet, tls=trusting).fetch("https://other.example/")
        with pytest.raises(FetchError, match="certificate is not valid: self.signed"):
            fetcher_on(internet).fetch("https://news.example/")
        assert len(secure.requests) == 2


def trickle(first, piece):
    def script(asked, connection):
        connection.sendall(first)
        with suppress(OSError):
            while True:
                connection.sendall(piece)
                time.sleep(0.02)

    return script


def silence(asked, connection):
    time.sleep(1.5)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"


@pytest.mark.parametrize(
    "script",
    [
        trickle(HEAD + b"Content-Length: 100000\r\n\r\n", b"a"),
        trickle(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        trickle(HEAD, b"X-A: b\r\n"),
        trickle(b"", b"H"),
        trickle(HEAD + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"")),
        silence,
    ],
    ids=["body", "chunks", "headers", "first line", "empty gzip", "nothing"],
)
def test_a_slow_answer_is_given_up(script, site):
    site.pages["/"] = script
    fetcher = Fetcher(FetchRules(allow_loopback=True, delay_s=0.0, total_s=0.4, max_retries=0))
    began = time.monotonic()
    with pytest.raises(FetchError, match=r"takes longer than 0\.4 s|failed"):
        fetcher.fetch(site.url)
    assert time.monotonic() - began < 1.2


def test_a_slow_greeting_a_slow_connection_and_a_slow_name_server_are_given_up():
    rules = FetchRules(total_s=0.4, connect_s=0.2, delay_s=0.0, max_retries=0)
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as mute:  # accepts in the kernel, says nothing
        internet = Internet()
        internet.names["public.example"] = [[PUBLIC_IP]]
        internet.hosts[PUBLIC_IP] = mute.getsockname()[1]
        timeouts = []

        def slow_connect(ip, port, timeout_s):
            timeouts.append(timeout_s)
            time.sleep(timeout_s)
            raise TimeoutError("timed out")

        for fetcher in (
            fetcher_on(internet, rules),
            Fetcher(rules, resolve=internet.resolve, connect=slow_connect),
            Fetcher(rules, resolve=lambda host, port: stop.wait(20) or []),
        ):
            began = time.monotonic()
            with pytest.raises(FetchError):
                fetcher.fetch("https://public.example/")
            assert time.monotonic() - began < 1.2
    stop.set()
    assert max(timeouts) <= 0.2


def test_an_endless_body_is_given_up_at_the_limit(site):
    sent = []

    def endless(asked, connection):
        connection.sendall(HEAD + b"\r\n")
        with suppress(OSError):
            while True:
                sent.append(connection.send(b"a" * 65_536))

    site.pages["/"] = endless
    with pytest.raises(FetchError, match=r"larger than 1 MB"):
        Fetcher(FetchRules(allow_loopback=True, delay_s=0.0, max_bytes=1_000_000)).fetch(site.url)
    assert sum(sent) < 20_000_000  # what fits into the buffers of sockets


def test_a_body_that_is_announced_too_large_is_not_received(site):
    def announce(asked, connection):
        connection.sendall(HEAD + b"Content-Length: 100000000\r\n\r\n")
        received.append(connection.recv(1))

    received = []
    site.pages["/"] = announce
    with pytest.raises(FetchError, match="larger than 10 MB"):
        Fetcher(LOOPBACK).fetch(site.url)


def test_a_body_of_just_the_limit_is_taken(site):
    rules = FetchRules(allow_loopback=True, delay_s=0.0, max_bytes=100_000)
    for compressed in (False, True):
        for size in (100_000, 100_001):
            body = b"a" * size
            encoding = {"Content-Encoding": "gzip"} if compressed else {}
            site.pages["/"] = Answer(gzip.compress(body) if compressed else body, headers=encoding)
            if size == rules.max_bytes:
                assert Fetcher(rules).fetch(site.url).data == body
            else:
                with pytest.raises(FetchError, match="larger than"):
                    Fetcher(rules).fetch(site.url)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_is_not_unpacked(encoding, site):
    if encoding == "gzip":
        bomb = gzip.compress(bytes(100_000_000), 9)
    else:
        bomb = zlib.compress(bytes(100_000_000), 9)
    assert len(bomb) < 110_000
    site.pages["/"] = Answer(bomb, headers={"Content-Encoding": encoding})
    fetcher = Fetcher(FetchRules(allow_loopback=True, delay_s=0.0, max_bytes=1_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(FetchError, match="larger than 1 MB"):
            fetcher.fetch(site.url)
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


RAW = zlib.compressobj(wbits=-15)
COMPRESSED = {
    "gzip": gzip.compress(b"The ferry is back."),
    "x-gzip": gzip.compress(b"The ferry ") + gzip.compress(b"is back."),
    "deflate": zlib.compress(b"The ferry is back."),
    "Deflate": RAW.compress(b"The ferry is back.") + RAW.flush(),
    "identity": b"The ferry is back.",
}


@pytest.mark.parametrize("encoding", COMPRESSED)
def test_compressed_bodies(encoding, site):
    site.pages["/"] = Answer(COMPRESSED[encoding], headers={"Content-Encoding": encoding})
    assert Fetcher(LOOPBACK).fetch(site.url).data == b"The ferry is back."
    assert site.requests[-1].headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    ("body", "encoding", "reason"),
    [
        (gzip.compress(b"a" * 999)[:-9], "gzip", "breaks off"),
        (b"not compressed", "gzip", "damaged"),
        (gzip.compress(b"") * 101, "gzip", "too many parts"),
        (b"x", "br", "'br', which was not asked for"),
        (b"x", "gzip, gzip", "which was not asked for"),
    ],
)
def test_compressed_bodies_that_cannot_be_read(body, encoding, reason, site):
    site.pages["/"] = Answer(body, headers={"Content-Encoding": encoding})
    with pytest.raises(FetchError, match=reason):
        Fetcher(FetchRules(allow_loopback=True, delay_s=0.0, max_retries=0)).fetch(site.url)


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + b"Content-Length: 10\r\n\r\nshort",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nshort",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        HEAD + b"X-A: " + b"a" * 200_000 + b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        b"",
    ],
    ids=["short", "short chunk", "two lengths", "long header", "not HTTP", "no colon", "nothing"],
)
def test_a_broken_answer_is_no_page(raw, site):
    site.pages["/"] = lambda asked, connection: connection.sendall(raw)
    with pytest.raises(FetchError, match=r"^the connection failed \(.{1,200}\)$"):
        Fetcher(FetchRules(allow_loopback=True, delay_s=0.0, max_retries=0)).fetch(site.url)


@given(st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_an_answer_or_a_fetch_error(raw):
    with serving() as site:
        site.pages["/"] = lambda asked, connection: connection.sendall(b"HTTP/1.1 " + raw)
        try:
            Fetcher(FetchRules(allow_loopback=True, delay_s=0.0, max_retries=0)).fetch(site.url)
        except FetchError as error:
            reason = str(error)
        else:
            return
    assert reason.isprintable()
    assert len(reason) < 500


@pytest.mark.parametrize(
    "kind", ["image/png", "video/mp4", "application/octet-stream", "image/svg+xml", "text/css", "x"]
)
def test_what_is_no_article_is_refused_before_its_body(kind, site):
    def script(asked, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: " + kind.encode() + b"\r\n\r\n")
        time.sleep(1)  # the body never comes

    site.pages["/"] = script
    began = time.monotonic()
    with pytest.raises(FetchError, match="is not a kind of article"):
        Fetcher(LOOPBACK).fetch(site.url)
    assert time.monotonic() - began < 0.9


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        ("text/html; charset=utf-8", "text/html"),
        ("Application/RSS+XML", "application/rss+xml"),
        ("application/pdf", "application/pdf"),
        ("application/atom+xml;type=feed", "application/atom+xml"),
    ],
)
def test_what_can_be_an_article_is_taken(kind, read, site):
    site.pages["/"] = Answer(b"x", headers={"Content-Type": kind})
    assert Fetcher(LOOPBACK).fetch(site.url).content_type == read


def test_a_page_without_a_kind(site):
    site.pages["/"] = lambda asked, connection: connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nx")
    fetched = Fetcher(LOOPBACK, now=lambda: NOON).fetch(site.url + "#part")
    assert (fetched.content_type, fetched.data, fetched.retrieved) == (None, b"x", NOON)
    assert fetched.url == fetched.final_url == site.url + "/"


@pytest.mark.parametrize("status", [204, 206, 400, 403, 404, 410, 451])
def test_other_answers_are_reasons(status, site):
    site.pages["/"] = Answer(b"x", status)
    with pytest.raises(FetchError, match=f"the server answers {status}"):
        Fetcher(LOOPBACK).fetch(site.url)
    assert site.targets == ["/"]


def test_we_say_who_we_are_and_nothing_else(site):
    Fetcher(LOOPBACK).fetch(site.url)
    for asked in site.requests:
        assert asked.headers["user-agent"].startswith("article-qa/")
        assert "respects robots.txt" in asked.headers["user-agent"]
        assert set(asked.headers) == {
            *("host", "connection", "user-agent", "accept", "accept-encoding")
        }


def test_an_unchanged_page_is_none(site):
    site.pages["/"] = Answer(b"1", headers={"ETag": '"a"', "Last-Modified": "Mon, 1 Jan 2024"})
    fetcher = Fetcher(LOOPBACK)
    fetched = fetcher.fetch(site.url)
    assert fetched.validators == Validators('"a"', "Mon, 1 Jan 2024")
    assert fetcher.fetch(site.url, fetched.validators) is None
    assert site.requests[-1].headers["if-modified-since"] == "Mon, 1 Jan 2024"
    site.pages["/"] = Answer(b"2", headers={"ETag": '"b"'})
    again = fetcher.fetch(site.url, fetched.validators)
    assert (again.data, again.validators) == (b"2", Validators('"b"', None))


def test_unchanged_is_believed_only_if_it_was_asked(site):
    site.pages["/"] = Answer(status=304)
    with pytest.raises(FetchError, match="answers 304"):
        Fetcher(LOOPBACK).fetch(site.url, Validators())


@pytest.mark.parametrize("etag", ["a" * 501, "\x7f", "é", ""])
def test_a_validator_that_cannot_be_sent_back_is_dropped(etag, site):
    site.pages["/"] = Answer(b"1", headers={"ETag": etag})
    with suppress(FetchError):  # some are no HTTP at all
        assert Fetcher(LOOPBACK).fetch(site.url).validators == Validators()


ROBOTS = b"User-agent: *\nDisallow: /private\nDisallow: /*.pdf$\nCrawl-delay: 2\n"


def patient(site, **rules):
    time_ = Time()
    fetcher = Fetcher(
        FetchRules(**{"allow_loopback": True, **rules}),
        clock=time_.clock,
        sleep=time_.sleep,
        jitter=lambda: 0.5,
        now=lambda: NOON,
    )
    return fetcher, time_


def test_robots_txt_is_obeyed_and_read_once(site):
    site.pages |= {"/robots.txt": Answer(ROBOTS), "/b": PAGE, "/private": PAGE, "/a.pdf": PAGE}
    fetcher, _ = patient(site)
    assert fetcher.fetch(site.url)
    for path in ("/private", "/private/x", "/x/../private", "/%70rivate", "/a.pdf"):
        with pytest.raises(FetchError, match=r"robots\.txt asks not to"):
            fetcher.fetch(site.url + path)
    assert fetcher.fetch(f"{site.url}/b")
    assert [asked.target for asked in site.requests] == ["/robots.txt", "/", "/b"]


def test_robots_txt_of_a_redirects_target_is_obeyed(site):
    with serving({"/robots.txt": Answer(b"User-agent: article-qa\nDisallow: /")}) as closed:
        site.pages["/"] = redirect(closed.url)
        with pytest.raises(FetchError, match=r"redirected to .*robots\.txt asks not to"):
            Fetcher(LOOPBACK).fetch(site.url)
        assert closed.targets == []


@pytest.mark.parametrize(
    ("robots", "is_read"),
    [
        (Answer(status=404), True),
        (Answer(status=403), True),
        (Answer(b"\xff\x00 nonsense"), True),
        (Answer(b"User-agent: *\nAllow: /\n" + b"#" * 600_000), True),
        (redirect("/robots"), True),
        (redirect("file:///etc/passwd"), False),
        (redirect("http://10.0.0.1/"), False),
        (Answer(status=500), False),
        (Answer(status=429), False),
        (lambda asked, connection: None, False),
    ],
)
def test_without_robots_txt_all_is_allowed_unless_it_cannot_be_read(robots, is_read, site):
    site.pages["/robots.txt"] = robots
    fetcher, _ = patient(site, max_retries=1)
    for _ in range(2):
        if is_read:
            assert fetcher.fetch(site.url)
        else:
            with pytest.raises(FetchError, match=r"robots\.txt cannot be read .*left alone"):
                fetcher.fetch(site.url)
    assert len(site.requests) <= 4  # and is not asked for at every page
    assert bool(site.targets) is is_read


def test_requests_to_one_host_are_apart(site):
    site.pages["/b"] = PAGE
    fetcher, time_ = patient(site)
    fetcher.fetch(site.url)
    fetcher.fetch(f"{site.url}/b")
    assert time_.sleeps == [1.0, 1.0]
    time_.now_s += 5
    fetcher.fetch(site.url)
    assert time_.sleeps == [1.0, 1.0]


@pytest.mark.parametrize(("asked", "kept"), [("2", 2.0), ("0.5", 1.0), ("900", 30.0), ("-1", 1.0)])
def test_a_crawl_delay_is_kept_within_limits(asked, kept, site):
    site.pages["/robots.txt"] = Answer(f"User-agent: *\nCrawl-delay: {asked}\n".encode())
    fetcher, time_ = patient(site)
    fetcher.fetch(site.url)
    fetcher.fetch(site.url)
    assert time_.sleeps[-1] == kept


def test_polite_waiting_does_not_use_up_the_time_of_a_fetch(site):
    site.pages["/robots.txt"] = Answer(b"User-agent: *\nCrawl-delay: 25\n")
    fetcher, time_ = patient(site, total_s=10)
    for _ in range(3):
        assert fetcher.fetch(site.url)
    assert sum(time_.sleeps) > 50


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again(status, site):
    site.pages["/"] = [Answer(status=status), Answer(status=status), PAGE]
    fetcher, time_ = patient(site, delay_s=0.0)
    assert fetcher.fetch(site.url).data == PAGE.body
    assert time_.sleeps == [1.0, 2.0]  # doubled, with half of the jitter


def test_it_is_tried_three_times_in_all(site):
    site.pages["/"] = Answer(status=503)
    fetcher, _ = patient(site)
    with pytest.raises(FetchError, match="answers 503"):
        fetcher.fetch(site.url)
    assert site.targets == ["/"] * 3


def test_a_connection_that_breaks_is_tried_again(site):
    site.pages["/"] = [lambda asked, connection: None, PAGE]
    fetcher, _ = patient(site)
    assert fetcher.fetch(site.url).data == PAGE.body


@pytest.mark.parametrize(
    ("after", "waits"),
    [
        ("7", [7.0]),
        ("0", [1.0]),
        ("Wed, 22 May 2024 12:00:05 GMT", [5.0]),
        ("Wed, 22 May 2024 11:00:00 GMT", [1.0]),
        ("Wed, 22 May 2024 12:00:05 -0000", [5.0]),
        ("soon", [1.0]),
        ("", [1.0]),
    ],
)
def test_the_server_says_when_to_come_back(after, waits, site):
    site.pages["/"] = [Answer(status=429, headers={"Retry-After": after}), PAGE]
    fetcher, time_ = patient(site, delay_s=0.0)
    assert fetcher.fetch(site.url).data == PAGE.body
    assert time_.sleeps == waits


def test_a_server_that_wants_to_be_left_alone_for_long_is(site):
    site.pages["/"] = Answer(status=429, headers={"Retry-After": "3600"})
    fetcher, time_ = patient(site, delay_s=0.0)
    with pytest.raises(FetchError, match=r"answers 429, try after 3600 s$"):
        fetcher.fetch(site.url)
    assert time_.sleeps == []
    assert site.targets == ["/"]
