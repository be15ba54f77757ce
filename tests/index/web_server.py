"""A small Internet on loopback: servers with scripted answers, names, public addresses, time."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

# Worthless: made for these tests, and trusted by nothing else. For news.example, until 2120.
CERTIFICATE = """-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgok64BMdBy4gGFKya
BhyOBmaz+7d9upCPBfdIX0k4O/uhRANCAASS/SX1IaeNEukcKLWYOmMom0EDff2o
s/ncOrY85K7/NAKB+cs3Goq7Un+p3Zdl3UsnrdgTbQa2s4D2MGogPYEL
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBjzCCATWgAwIBAgIBATAKBggqhkjOPQQDAjAXMRUwEwYDVQQDDAxuZXdzLmV4
YW1wbGUwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBcxFTATBgNV
BAMMDG5ld3MuZXhhbXBsZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJL9JfUh
p40S6RwotZg6YyibQQN9/aiz+dw6tjzkrv80AoH5yzcairtSf6ndl2XdSyet2BNt
BrazgPYwaiA9gQujcDBuMBcGA1UdEQQQMA6CDG5ld3MuZXhhbXBsZTAPBgNVHRMB
Af8EBTADAQH/MA4GA1UdDwEB/wQEAwIChDATBgNVHSUEDDAKBggrBgEFBQcDATAd
BgNVHQ4EFgQU7ATZUyCYjzS/01LOjIHlNG/dt8swCgYIKoZIzj0EAwIDSAAwRQIh
AIcqjANYgiyyauBOms4wRGQd44UMRTPVGSv1GyBR9QLdAiByxUUSxp11ac+xcN+p
mAJioJUNH0psSt4iFQ+mMormxg==
-----END CERTIFICATE-----
"""


@dataclass(frozen=True)
class Asked:
    """One request as it was received."""

    target: str
    headers: dict[str, str]  # by lower-case name


@dataclass(frozen=True)
class Answer:
    """What a server says; one with an `ETag` answers 304 to whoever has that already."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def __call__(self, asked: Asked, connection: socket.socket) -> None:
        etag = self.headers.get("ETag")
        is_known = etag is not None and asked.headers.get("if-none-match") == etag
        status, body = (304, b"") if is_known else (self.status, self.body)
        headers = {"Content-Type": "text/html", "Content-Length": str(len(body)), **self.headers}
        lines = [f"HTTP/1.1 {status} x", *(f"{name}: {text}" for name, text in headers.items())]
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)


Script = Callable[[Asked, socket.socket], None]


class WebServer:
    """A server at 127.0.0.1 that does what its pages say; what it has no page for is a 404.

    Attributes:
        pages: By path and query; of several answers each is given once, the last one for ever.
        requests: What was asked, in order; robots.txt is asked for by itself.
        n_connections: How often somebody connected, whether or not they asked for anything.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.pages: dict[str, Script | list[Script]] = {}
        self.requests: list[Asked] = []
        self.n_connections = 0
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def targets(self) -> list[str]:
        """The targets of all requests, without those for robots.txt."""
        return [asked.target for asked in self.requests if asked.target != "/robots.txt"]

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.n_connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with suppress(OSError), connection:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                asked = receive(connection)
                if asked is not None:
                    self.requests.append(asked)
                    self._script(asked.target)(asked, connection)

    def _script(self, target: str) -> Script:
        script = self.pages.get(target, Answer(b"", 404))
        if isinstance(script, list):
            return script.pop(0) if len(script) > 1 else script[0]
        return script


def receive(connection: socket.socket) -> Asked | None:
    """Return one request, None if there comes none."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (piece := connection.recv(65_536)):
            return None
        data += piece
    first, *lines = data.decode("latin-1").partition("\r\n\r\n")[0].split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): text.strip() for name, _, text in pairs}
    return Asked(first.split(" ")[1], headers)


@contextmanager
def serving(pages: dict[str, Script | list[Script]] | None = None) -> Iterator[WebServer]:
    """Yield a running server."""
    server = WebServer()
    server.pages |= pages or {}
    try:
        yield server
    finally:
        server.close()


@contextmanager
def serving_tls(folder: Path) -> Iterator[tuple[WebServer, ssl.SSLContext]]:
    """Yield a server with the certificate of news.example, and what trusts it."""
    file = folder / "news.example.pem"
    file.write_text(CERTIFICATE)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(file)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.load_verify_locations(file)
    server = WebServer(tls)
    try:
        yield server, trusting
    finally:
        server.close()


class PublicSocket(socket.socket):
    """A socket to loopback that says it is connected to a public address."""

    peer = ""

    def getpeername(self) -> tuple[str, int]:
        return (self.peer, 80)


class Internet:
    """Names, the addresses they have, and the loopback servers that stand behind those.

    Attributes:
        names: By host: its addresses at the first lookup, the second and so on; the last for ever.
        hosts: By IP address: the port on loopback that stands for it; others refuse to connect.
        lookups: The hosts that were looked up.
        connections: The IP addresses and ports that somebody tried to connect to.
    """

    def __init__(self) -> None:
        self.names: dict[str, list[list[str]]] = {}
        self.hosts: dict[str, int] = {}
        self.lookups: list[str] = []
        self.connections: list[tuple[str, int]] = []

    def add(self, name: str, ip: str, server: WebServer) -> None:
        self.names[name] = [[ip]]
        self.hosts[ip] = server.port

    def resolve(self, host: str, port: int) -> Sequence[str]:
        self.lookups.append(host)
        if host not in self.names:
            raise socket.gaierror("Name or service not known")
        answers = self.names[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def connect(self, ip: str, port: int, timeout_s: float) -> socket.socket:
        self.connections.append((ip, port))
        if ip not in self.hosts:
            raise ConnectionRefusedError("Connection refused")
        plain = socket.create_connection(("127.0.0.1", self.hosts[ip]), timeout_s)
        connected = PublicSocket(fileno=plain.detach())
        connected.peer = ip
        return connected


class Time:
    """A clock that only goes on when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.sleeps: list[float] = []

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now_s += seconds
