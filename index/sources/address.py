"""Given the text of a web address, says what would be opened; given an IP address, if it is public.

An address is read once, here, and whoever connects uses the parts found here, never the text again:
two readers of one text can disagree about its host. What is odd is refused, not repaired.
"""

from __future__ import annotations

import ipaddress
import re
import string
import unicodedata
from dataclasses import dataclass
from urllib.parse import quote, urljoin

from index.errors import FetchError

DEFAULT_PORTS = {"http": 80, "https": 443}
WEB_PORTS = frozenset(DEFAULT_PORTS.values())
HOW_TO_ALLOW = "To index pages of its own servers: ARTICLE_QA_ALLOW_LOOPBACK=1"
MAX_URL_CHARACTERS = 2_048
MAX_HOST_CHARACTERS = 253  # RFC 1035, without the last dot

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Beside `is_global`, which is True for several of these (in Python 3.11: multicast, 192.0.0.192,
# 64:ff9b::/96, 2002::/16, ::127.0.0.1) and differs between versions of Python.
_NOT_PUBLIC_4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network; Linux connects to itself
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers' own; cloud metadata at 100.100.100.200
        "127.0.0.0/8",
        "168.63.129.16/32",  # looks public, but is the host of a virtual machine at Azure
        "169.254.0.0/16",  # link-local; cloud metadata
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments; cloud metadata at 192.0.0.192
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays to 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_UNICAST_6 = ipaddress.IPv6Network("2000::/3")  # the only public part of IPv6
_NOT_PUBLIC_6 = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: any IPv4 address, through a stranger's relay
        "3fff::/20",  # documentation
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # how a network without IPv4 reaches IPv4
_ISATAP = {0x00005EFE, 0x02005EFE}  # bits 64 to 96 of an address that carries an IPv4 address

# Names that mean this machine or this network, wherever they are asked for (RFC 6761, 6762, 8375).
_LOCAL_NAMES = ("localhost", "local", "internal", "home.arpa", "localdomain", "intranet", "lan")

_URL = re.compile(r"(https?)://([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.IGNORECASE | re.ASCII)
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?", re.IGNORECASE | re.ASCII)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_ESCAPED = re.compile(r"%([0-9a-f]{2})", re.IGNORECASE | re.ASCII)
_BARE_PERCENT = re.compile(r"%(?![0-9a-f]{2})", re.IGNORECASE | re.ASCII)
_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")
_KEPT = "!$&'()*+,;=:@/?%-._~"


@dataclass(frozen=True, slots=True)
class WebAddress:
    """One http or https address in its normal form."""

    scheme: str  # "http" or "https"
    host: str  # lower-case ASCII name, or an IP address without brackets
    port: int
    target: str  # path and query in ASCII, beginning with "/"

    @property
    def origin(self) -> str:
        """Scheme, host and, where it is not the usual one, port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    @property
    def authority(self) -> str:
        """What a request says in its Host header."""
        return self.origin.partition("://")[2]

    @property
    def url(self) -> str:
        """The whole address, without fragment."""
        return self.origin + self.target


def parse_url(url: str, *, allow_loopback: bool = False) -> WebAddress:
    """Return the address that `url` names, in normal form: `parse_url(a.url) == a`.

    Args:
        url: An absolute http or https address. Letters beyond ASCII are encoded: punycode in the
            host, UTF-8 in path and query. A fragment is dropped.
        allow_loopback: Also take other ports than 80 and 443, and the name "localhost"; whether
            they do lead to this machine shows when the name is resolved.

    Raises:
        FetchError: If it is anything else, or has a user name, another port, blanks, control
            characters, a backslash, a host with "%", or a number that is not four plain decimals.
    """
    _refuse_odd_characters(url)
    match = _URL.fullmatch(url)
    if match is None:
        raise _refusal("only complete http:// and https:// addresses are")
    scheme, authority, path, query = match.groups()
    scheme = scheme.lower()
    host, port = _parse_authority(authority, DEFAULT_PORTS[scheme])
    if not allow_loopback and _is_this_machine(host):
        raise _refusal(f"{host} is this machine. {HOW_TO_ALLOW}")
    if port not in WEB_PORTS and not (allow_loopback and 0 < port < 65_536):
        raise _refusal(f"only the ports 80 and 443 are opened, not {port}")
    if not allow_loopback and _is_local_name(host):
        raise _refusal(f"{host} is a name within this machine or network")
    target = _without_dots(_escape(path)) + ("" if query is None else "?" + _escape(query))
    return WebAddress(scheme, host, port, target)


def normal_url(url: str) -> str:
    """Return the normal form of an address, blanks around it dropped: what it is stored under.

    Whether it may be opened is for the fetcher to say.

    Raises:
        FetchError: As `parse_url`, for every port.
    """
    return parse_url(url.strip(), allow_loopback=True).url


def join_url(base: WebAddress, reference: str, *, allow_loopback: bool = False) -> WebAddress:
    """Return the address that `reference`, as written in what `base` returned, leads to.

    Raises:
        FetchError: As `parse_url`.
    """
    _refuse_odd_characters(reference)  # before joining, which would silently drop some of them
    try:
        joined = urljoin(base.url, reference)
    except ValueError as error:
        raise _refusal("it cannot be read") from error
    return parse_url(joined, allow_loopback=allow_loopback)


def is_public(ip: IPAddress) -> bool:
    """Whether an address is on the public Internet, whichever way an IPv4 address is written."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not any(ip in network for network in _NOT_PUBLIC_4)
    if ip.scope_id is not None:
        return False
    if ip.ipv4_mapped is not None:
        return is_public(ip.ipv4_mapped)
    if ip in _NAT64:
        return is_public(ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF))
    if (int(ip) >> 32) & 0xFFFF_FFFF in _ISATAP:
        return False
    return ip.is_global and ip in _UNICAST_6 and not any(ip in net for net in _NOT_PUBLIC_6)


def is_loopback(ip: IPAddress) -> bool:
    """Whether an address is this machine's own."""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return ip.is_loopback


def literal_ip(host: str) -> IPAddress | None:
    """Return the IP address that the host of a `WebAddress` is, None if it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _refusal(reason: str) -> FetchError:
    return FetchError(f"not opened: {reason}")


def shown(url: str) -> str:
    """Return an address as it may stand in a message: one line, not endless, no password."""
    line = "".join(char if char.isprintable() else "\ufffd" for char in url)
    line = re.sub(r"//[^/?#]*@", "//…@", line)
    return line if len(line) <= 200 else line[:199] + "…"


def _refuse_odd_characters(url: str) -> None:
    if len(url) > MAX_URL_CHARACTERS:
        raise _refusal(f"it is longer than {MAX_URL_CHARACTERS:,} characters")
    for char in url:
        if char == "\\" or char.isspace() or unicodedata.category(char) in {"Cc", "Cf", "Cs", "Cn"}:
            raise _refusal(f"it contains U+{ord(char):04X}, which no web address does")


def _parse_authority(authority: str, default_port: int) -> tuple[str, int]:
    if "@" in authority:
        raise _refusal("it contains a user name")
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise _refusal("its host or port cannot be read")
    host, port = match.groups()
    if host.startswith("["):
        try:
            return str(ipaddress.IPv6Address(host[1:-1])), int(port or default_port)
        except ValueError as error:
            raise _refusal("its host is no IPv6 address") from error
    return _parse_host(host), int(port or default_port)


def _parse_host(written: str) -> str:
    """Return a host as lower-case ASCII name or plain IPv4 address."""
    host = written.lower()
    if unicodedata.normalize("NFKC", host) != host:  # full-width digits, circled ones, other dots
        raise _refusal("its host is written in characters that stand for others")
    labels = [_ascii_label(label) for label in host.removesuffix(".").split(".")]
    host = ".".join(labels)
    if len(host) > MAX_HOST_CHARACTERS or not all(map(_LABEL.fullmatch, labels)):
        raise _refusal("its host is no name of a web site")
    if _NUMBER.fullmatch(labels[-1]):  # as browsers do: such a host is an IPv4 address or nothing
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError as error:
            raise _refusal("its host is a number, but no plain IPv4 address") from error
    return host


def _ascii_label(label: str) -> str:
    """Return one part of a host name in punycode: what IDNA makes of a label in normal form."""
    if label.isascii():
        return label
    if not all(char == "-" or unicodedata.category(char)[0] in "LMN" for char in label):
        raise _refusal("its host is no name of a web site")
    return "xn--" + label.encode("punycode").decode("ascii")


def _is_this_machine(host: str) -> bool:
    address = literal_ip(host)
    return host.rstrip(".") == "localhost" if address is None else is_loopback(address)


def _is_local_name(host: str) -> bool:
    """Whether a host names something nearby; a name without a dot is completed by the system."""
    if literal_ip(host) is not None:
        return False
    return "." not in host or any(f".{host}".endswith(f".{name}") for name in _LOCAL_NAMES)


def _escape(part: str) -> str:
    """Return a path or query in ASCII with escapes in their one normal form."""

    def normal(match: re.Match[str]) -> str:
        char = chr(int(match[1], 16))
        return char if char in _UNRESERVED else match[0].upper()

    return _ESCAPED.sub(normal, quote(_BARE_PERCENT.sub("%25", part), safe=_KEPT))


def _without_dots(path: str) -> str:
    """Return a path without "." and "..", so that no rule about paths is got round."""
    kept: list[str] = []
    parts = path.split("/")[1:] or [""]
    for part in parts:
        if part == "..":
            del kept[-1:]
        elif part != ".":
            kept.append(part)
    if parts[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)
