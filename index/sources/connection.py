"""Given the checked IP addresses of a host, connects to one of them and sends one GET.

The only sockets that leave this machine. The name of the host goes into the Host header and into
the check of the certificate; it is never looked up here, so what was checked is what is opened.
"""

from __future__ import annotations

import socket
import ssl
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpcore

from index.sources.address import IPAddress, WebAddress, literal_ip

MAX_ADDRESSES = 3  # of one host that are tried
MAX_REASON_CHARACTERS = 200  # of what went wrong; it may quote what the server sent
PIECE_BYTES = 65_536  # uncompressed at a time
MAX_GZIP_MEMBERS = 100  # one is usual; thousands of empty ones only cost time

# (IP address, port, seconds) -> a connected socket; raises OSError
Connect = Callable[[str, int, float], socket.socket]
# (host name, port) -> IP addresses; raises OSError
Resolve = Callable[[str, int], Sequence[str]]


class OutOfTimeError(Exception):
    """The time for one fetch is used up."""


class UnreachableError(Exception):
    """The host does not answer, breaks off or does not speak HTTP; another try may succeed."""


class UnusableError(Exception):
    """The answer cannot be used, or whoever gives it is not the one that was asked."""


class Deadline:
    """How long one fetch may still take; a server that sends one byte a second uses it up too."""

    def __init__(self, clock: Callable[[], float], seconds: float) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def left(self) -> float:
        """Return the seconds that are left, more than 0.

        Raises:
            OutOfTimeError: If there are none.
        """
        seconds = self._end - self._clock()
        if seconds <= 0:
            raise OutOfTimeError
        return seconds

    def extend(self, seconds: float) -> None:
        """Give back time that was spent waiting out of politeness."""
        self._end += seconds


@dataclass(frozen=True, slots=True)
class Response:
    """The head of an answer, and its body, still to be received."""

    status: int
    headers: Mapping[str, str]  # by lower-case name; repeated ones joined with ", "
    chunks: Iterable[bytes]  # as sent, so possibly compressed


def system_resolve(host: str, port: int) -> list[str]:
    """Return the addresses that this system finds for a host name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def system_connect(ip: str, port: int, timeout_s: float) -> socket.socket:
    """Return a socket connected to an IP address."""
    return socket.create_connection((ip, port), timeout_s)


def tls_context() -> ssl.SSLContext:
    """Return what checks a certificate: its name, and that browsers trust who issued it."""
    return httpcore.default_ssl_context()


@contextmanager
def get(
    address: WebAddress,
    ips: Sequence[IPAddress],
    headers: Mapping[str, str],
    *,
    deadline: Deadline,
    connect: Connect,
    connect_s: float,
    tls: ssl.SSLContext | None,
) -> Iterator[Response]:
    """Send one GET to the first of `ips` that takes a connection; yield what it answers.

    `tls` checks certificates; an https address needs it.

    Raises:
        OutOfTimeError: If the deadline passes, also while the body is being received.
        UnreachableError: If the connection fails or breaks, or what comes is not HTTP.
        UnusableError: If the certificate is not that of the host, or the socket is connected to
            another address than was asked for.
    """
    url = httpcore.URL(
        scheme=address.scheme, host=address.host, port=address.port, target=address.target
    )
    backend = _Backend(ips[:MAX_ADDRESSES], connect, connect_s, deadline)
    # one request, one connection: fetches to one host are a second apart anyway
    connection = httpcore.HTTPConnection(url.origin, ssl_context=tls, network_backend=backend)
    sent = {"Host": address.authority, "Connection": "close", **headers}
    try:
        with connection, connection.stream("GET", url, headers=list(sent.items())) as response:
            received: dict[str, str] = {}
            for raw_name, raw_value in response.headers:
                name, value = raw_name.decode("ascii").lower(), raw_value.decode("latin-1")
                received[name] = f"{received[name]}, {value}" if name in received else value
            yield Response(response.status, received, response.iter_stream())
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreachableError(reason[:MAX_REASON_CHARACTERS]) from error


def read_body(response: Response, max_bytes: int) -> tuple[bytes, bool]:
    """Return the first `max_bytes` of a body, uncompressed, and whether that is all of it.

    Never holds more than that and a piece or two, whatever the compressed data would grow to.

    Raises:
        OutOfTimeError, UnreachableError: As `get`; also if compressed data are damaged.
        UnusableError: If it is compressed in a way that was not asked for.
    """
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip", "deflate"}:
        raise UnusableError(f"the answer is encoded as {encoding[:40]!r}, which was not asked for")
    chunks = response.chunks
    if encoding not in {"", "identity"}:
        chunks = _inflate(chunks)
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > max_bytes:
            return bytes(body[:max_bytes]), False
    return bytes(body), True


def _inflate(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield uncompressed pieces of at most `PIECE_BYTES`."""
    inflater: Any = None  # zlib does not name its type
    n_members = 0
    try:
        for chunk in chunks:
            data = chunk
            while data:
                if inflater is None or inflater.eof:
                    n_members += 1
                    if n_members > MAX_GZIP_MEMBERS:
                        raise UnreachableError("the compressed answer is in too many parts")
                    inflater = _inflater(data)
                yield inflater.decompress(data, PIECE_BYTES)
                data = inflater.unconsumed_tail or inflater.unused_data
    except zlib.error as error:
        raise UnreachableError("the compressed answer is damaged") from error
    if inflater is not None and not inflater.eof:
        raise UnreachableError("the compressed answer breaks off")


def _inflater(data: bytes) -> Any:  # noqa: ANN401 - zlib does not name its type
    # some servers say "deflate" and send it without the header that belongs to it
    headed = data[0] == 0x1F or data[0] & 0x0F == 0x08
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32 if headed else -zlib.MAX_WBITS)


class _Backend(httpcore.NetworkBackend):
    """Connects to addresses that are given, whatever host it is asked for."""

    def __init__(
        self, ips: Sequence[IPAddress], connect: Connect, connect_s: float, deadline: Deadline
    ) -> None:
        self._ips, self._connect = ips, connect
        self._connect_s, self._deadline = connect_s, deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Return a stream to the first address that takes a connection."""
        failure = "no address"
        for ip in self._ips:
            timeout_s = min(self._connect_s, self._deadline.left())
            try:
                connected = self._connect(str(ip), port, timeout_s)
            except OSError as error:
                failure = str(error)
                continue
            if _peer(connected) != ip:
                connected.close()
                raise UnusableError("the connection led to another address than the checked one")
            return _Stream(connected, self._deadline)
        raise httpcore.ConnectError(failure)


def _peer(connected: socket.socket) -> IPAddress | None:
    """Return the address at the other end of a socket."""
    try:
        return literal_ip(str(connected.getpeername()[0]))
    except OSError:
        return None


class _Stream(httpcore.NetworkStream):
    """A socket on which nothing takes longer than the deadline allows."""

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        self._socket, self._deadline = connected, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what has arrived, at most `max_bytes`; nothing at the end."""
        self._socket.settimeout(self._deadline.left())
        try:
            return self._socket.recv(max_bytes)
        except TimeoutError as error:
            raise OutOfTimeError from error
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send everything in `buffer`."""
        self._socket.settimeout(self._deadline.left())
        try:
            self._socket.sendall(buffer)
        except TimeoutError as error:
            raise OutOfTimeError from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Return the encrypted stream, once the certificate is found to be the host's."""
        self._socket.settimeout(self._deadline.left())
        try:
            wrapped = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except ssl.SSLCertVerificationError as error:
            self.close()
            raise UnusableError(f"its certificate is not valid: {error.verify_message}") from error
        except TimeoutError as error:
            self.close()
            raise OutOfTimeError from error
        except (OSError, ValueError) as error:
            self.close()
            raise httpcore.ConnectError(f"no secure connection: {error}") from error
        return _Stream(wrapped, self._deadline)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as the protocol has it
        """Return the TLS side of the socket if asked for it, else None."""
        is_tls = info == "ssl_object" and isinstance(self._socket, ssl.SSLSocket)
        return self._socket if is_tls else None
