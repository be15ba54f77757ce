"""Addresses: what is refused before anything is looked up, and which IP addresses are public."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from index.errors import FetchError
from index.sources.address import (
    is_loopback,
    is_public,
    join_url,
    literal_ip,
    normal_url,
    parse_url,
    shown,
)

NORMAL = {
    "http://Example.COM": "http://example.com/",
    "HTTPS://example.com:443/a?b#c": "https://example.com/a?b",
    "http://example.com:443/": "http://example.com:443/",
    "http://example.com:080/": "http://example.com/",
    "http://example.com./x": "http://example.com/x",
    "http://example.com?q": "http://example.com/?q",
    "http://example.com#/x@y": "http://example.com/",
    "http://example.com/a/./b/../c": "http://example.com/a/c",
    "http://example.com/../../a/%2e%2E": "http://example.com/",
    "http://example.com/a//b/": "http://example.com/a//b/",
    "http://example.com/%61%2f%c3%bc%zz": "http://example.com/a%2F%C3%BC%25zz",
    "https://münchen.example/straße?ü": "https://xn--mnchen-3ya.example/stra%C3%9Fe?%C3%BC",
    "https://MÜNCHEN.example/": "https://xn--mnchen-3ya.example/",
    "http://8.8.8.8/": "http://8.8.8.8/",
    "http://[2606:4700:0::1111]:80/": "http://[2606:4700::1111]/",
    "http://example.com/a@b:c": "http://example.com/a@b:c",
    'http://example.com/"<>': "http://example.com/%22%3C%3E",
}

UNREADABLE = [
    *(
        "",
        "example.com",
        "//example.com",
        "http:",
        "http://",
        "http:///etc/passwd",
        "http:example.com",
    ),
    *(
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://example.com:70/_x",
        "data:text/plain,x",
    ),
    *("javascript:alert(1)", "FILE:///etc/passwd", "view-source:http://example.com/"),
    *("jar:http://example.com!/", "ldap://example.com", "dict://example.com:11211/stat"),
    *("unix:///run/docker.sock", "about:blank", "feed:http://example.com/", "httpx://example.com"),
    *("http://user@example.com/", "http://user:pass@example.com/", "http://@example.com/"),
    *("http://example.com\\@127.0.0.1/", "http:\\\\example.com", "http://example.com\\.evil.com/"),
    *(
        "http://exa mple.com/",
        "http://example.com/a b",
        " http://example.com",
        "http://example.com\n",
    ),
    *(
        "http://exam\tple.com/",
        "http://example.com\x00.evil.com/",
        "http://example.com/\r\nHost: x",
    ),
    *("http://example.com\u200b/", "http://example.com/\u202ecod", "http://\ufeffexample.com"),
    *("http://exam\u00a0ple.com/", "http://example.com\u2028/", "http://example.com/\ud800"),
    *("http://exa%6dple.com/", "http://example.com%00.evil.com/", "http://example.com%2f@x.com/"),
    *("http://[fe80::1%25eth0]/", "http://[::1", "http://::1/", "http://[::1]x/", "http://[zz]/"),
    *("http://[]/", "http://[1.2.3.4]/", "http://[::1]:/", "http://example.com:/"),
    *("http://example.com:80:80/", "http://example.com:x/", "http://example.com:-1/"),
    *("http://example.com:８０/", "http://example.com:123456/", "http://example.com:+80/"),
    *("http://127.1/", "http://0/", "http://2130706433/", "http://0x7f000001/", "http://0x7f.1/"),
    *("http://0177.0.0.1/", "http://017700000001/", "http://127.0.0.1.0x0/", "http://1.2.3/"),
    *("http://1.2.3.4.5/", "http://256.1.1.1/", "http://08.8.8.8/", "http://0x/", "http://a.0x7f/"),
    *("http://①②⑦.⓪.⓪.①/", "http://127。0。0。1/", "http://１２７.0.0.1/", "http://example｡com/"),
    *("http://ｅxample.com/", "http://exampl℮.com/x", "http://ex☃mple.com/"),
    *("http://-.com/", "http://ex-.com/", "http://a..b.com/", "http://.example.com/", "http://./"),
    *(f"http://{'a' * 64}.com/", f"http://{'a.' * 127}com/", f"http://example.com/{'a' * 2048}"),
]
OTHER_PORTS = [f"http://example.com:{port}/" for port in (0, 1, 22, 25, 8080, 6379, 11434, 65536)]
LOCAL_NAMES = [
    *("http://localhost/", "http://LOCALHOST./", "http://a.localhost/", "http://printer/"),
    *("http://printer.local/", "http://metadata.google.internal/", "http://router.home.arpa/"),
    *("http://localhost.localdomain/", "http://wiki.intranet/", "http://metadata/"),
]

NOT_PUBLIC = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200"),
    *("127.0.0.1", "127.255.255.254", "168.63.129.16", "169.254.169.254", "172.16.0.1"),
    *("172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1"),
    *("198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1"),
    *("240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1"),
    *("::ffff:10.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1"),
    *("64:ff9b:1::7f00:1", "64:ff9b:1::808:808", "100::1", "2001::1", "2001:0:7f00:1::1"),
    *("2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1"),
    *("3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1"),
    *("ff02::1", "2606:4700::5efe:7f00:1", "2606:4700::200:5efe:10.0.0.1", "2606:4700::1111%1"),
    *("4000::1", "::ffff:224.0.0.1"),
]
PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "93.184.216.34", "100.63.255.255", "100.128.0.1", "172.15.255.255"),
    *("172.32.0.1", "192.0.1.1", "223.255.255.255", "2606:4700:4700::1111", "2a00:1450:4001::1"),
    *("2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808", "2003::1"),
]
PRIVATE_NETWORKS = [
    ipaddress.IPv4Network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3"),
    )
]


@pytest.mark.parametrize(("url", "normal"), NORMAL.items())
def test_the_normal_form(url, normal):
    assert parse_url(url).url == normal


@pytest.mark.parametrize("url", UNREADABLE, ids=ascii)
@pytest.mark.parametrize("allow_loopback", [False, True])
def test_what_is_odd_is_refused(url, allow_loopback):
    with pytest.raises(FetchError, match=r"^not opened: "):
        parse_url(url, allow_loopback=allow_loopback)


@pytest.mark.parametrize("url", OTHER_PORTS + LOCAL_NAMES)
def test_other_ports_and_names_of_this_network_are_refused(url):
    with pytest.raises(FetchError, match=r"ports 80 and 443|this machine"):
        parse_url(url)


def test_a_loopback_server_may_have_any_port():
    assert parse_url("http://127.0.0.1:8080/", allow_loopback=True).port == 8080
    assert normal_url(" http://localhost:8080 ") == "http://localhost:8080/"
    for port in (0, 65_536):
        with pytest.raises(FetchError):
            parse_url(f"http://127.0.0.1:{port}/", allow_loopback=True)


LABELS = st.text("abzß0é", min_size=1, max_size=5).filter(lambda label: not label.isdigit())
PATHS = st.text("a/.%2eE5é~?#;@:&=+[]|^`{}<>", max_size=20)


@given(st.lists(LABELS, min_size=2, max_size=4), PATHS, st.sampled_from(["", ":80", ":443", "."]))
@example(["example", "com"], "a/../%2e%2e/%25%2e", "")
@example(["ß", "example"], "%%41", "")
def test_the_normal_form_is_its_own_normal_form(labels, path, after):
    address = parse_url(f"https://{'.'.join(labels)}{after}/{path}")
    assert parse_url(address.url) == address
    assert address.url.isascii()
    assert not set(address.url) & set(' \\"<>\t\r\n#')
    assert not {".", ".."} & set(address.target.partition("?")[0].split("/"))


@given(st.text("ab.c@:/\\?#%[]12;é0x", max_size=12))
@example("a.com\\@b.com")
@example("a.com#@b.com")
@example("a.com?@b.com")
@example("a.com;@b.com")
@example("a.com:80#@b.com/")
def test_no_other_reader_of_the_address_sees_another_host(rest):
    try:
        address = parse_url(f"http://a.{rest}")
    except FetchError:
        return
    again = urlsplit(address.url)
    assert (again.hostname, again.port or 80) == (address.host, address.port)
    assert again.username is None


@given(st.text(max_size=40), st.text(max_size=40))
def test_joining_leads_to_a_whole_address_or_nowhere(base, reference):
    try:
        joined = join_url(parse_url(f"https://example.com/{base}"), reference)
    except FetchError:
        return
    assert parse_url(joined.url) == joined
    if reference[:1].isalnum() and ":" not in reference:
        assert joined.host == "example.com"


@pytest.mark.parametrize(
    ("reference", "joined"),
    {
        "/x": "https://example.com/x",
        "x?y": "https://example.com/a/x?y",
        "../../x": "https://example.com/x",
        "//other.com/x": "https://other.com/x",
        "http://other.com": "http://other.com/",
        "?q": "https://example.com/a/b?q",
        "": "https://example.com/a/b?c",
    }.items(),
)
def test_joining(reference, joined):
    assert join_url(parse_url("https://example.com/a/b?c"), reference).url == joined


@pytest.mark.parametrize(
    "reference", ["file:///etc/passwd", "//u@x.com/", "\\\\x.com", "/\n", "//[::1", "//x.com:22/"]
)
def test_joining_refuses_what_parsing_does(reference):
    with pytest.raises(FetchError):
        join_url(parse_url("https://example.com/"), reference)


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_not_public(text):
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_public(text):
    assert is_public(ipaddress.ip_address(text))


@st.composite
def private_addresses(draw):
    network = draw(st.sampled_from(PRIVATE_NETWORKS))
    first, last = int(network[0]), int(network[-1])
    return ipaddress.IPv4Address(draw(st.integers(first, last)))


FORMS = {
    "as it is": lambda ip, other: ipaddress.IPv4Address(ip),
    "mapped": lambda ip, other: ipaddress.IPv6Address((0xFFFF << 32) | ip),
    "compatible": lambda ip, other: ipaddress.IPv6Address(ip),
    "translated": lambda ip, other: ipaddress.IPv6Address((0xFFFF << 48) | ip),
    "NAT64": lambda ip, other: ipaddress.IPv6Address((0x64_FF9B << 96) | ip),
    "local NAT64": lambda ip, other: ipaddress.IPv6Address((0x64_FF9B_0001 << 80) | ip),
    "6to4": lambda ip, other: ipaddress.IPv6Address((0x2002 << 112) | (ip << 80) | other),
    "Teredo server": lambda ip, other: ipaddress.IPv6Address(
        (0x2001_0000 << 96) | ip << 64 | other
    ),
    "Teredo client": lambda ip, other: ipaddress.IPv6Address(
        (0x2001_0000 << 96) | (other << 32) & ((1 << 96) - 1) | (ip ^ 0xFFFF_FFFF)
    ),
    "ISATAP": lambda ip, other: ipaddress.IPv6Address(
        (0x2606_4700 << 96) | (other & 1) << 57 | 0x5EFE << 32 | ip
    ),
}


@pytest.mark.parametrize("form", FORMS)
@given(ip=private_addresses(), other=st.integers(0, (1 << 64) - 1))
def test_a_private_address_is_not_public_in_any_form(form, ip, other):
    assert not is_public(FORMS[form](int(ip), other))


@given(st.integers(0, (1 << 128) - 1).map(ipaddress.IPv6Address))
def test_public_is_never_more_than_python_has_it(ip):
    if is_public(ip):
        assert ip.is_global
        assert not any((ip.is_private, ip.is_multicast, ip.is_loopback, ip.is_link_local))


@pytest.mark.parametrize("text", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
def test_loopback(text):
    assert is_loopback(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["8.8.8.8", "::", "0.0.0.0", "::ffff:10.0.0.1", "10.0.0.1"])
def test_not_loopback(text):
    assert not is_loopback(ipaddress.ip_address(text))


def test_literal_ip():
    assert literal_ip(parse_url("http://[::ffff:8.8.8.8]/").host) == ipaddress.ip_address(
        "::ffff:8.8.8.8"
    )
    assert literal_ip("example.com") is None


@given(st.text(max_size=400))
@example("http://user:secret@example.com/")
def test_an_address_in_a_message_is_one_short_line_without_password(text):
    line = shown(text)
    assert len(line) <= 200
    assert line.isprintable()
    assert "secret" not in line
