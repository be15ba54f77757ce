"""Given the text of a robots.txt, says which paths may be fetched and how slowly (RFC 9309).

Not `urllib.robotparser`: it knows no "*" and "$" in paths, which news sites use a lot, and takes
the first rule that matches instead of the longest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

MAX_BYTES = 512_000  # RFC 9309 asks for at least 500 KiB; what follows is ignored
MAX_RULES = 10_000  # of all groups together

_ESCAPED = re.compile(r"%([0-9a-f]{2})", re.IGNORECASE | re.ASCII)
_KEPT = "!$&'()*+,;=:@/?%-._~"


@dataclass(frozen=True, slots=True)
class Robots:
    """What a site asks of one program. Without rules everything is allowed."""

    rules: tuple[tuple[str, bool], ...] = ()  # (path pattern, whether it is allowed)
    crawl_delay_s: float = 0.0  # between requests; 0: nothing asked

    def allows(self, target: str) -> bool:
        """Whether path and query may be fetched: the longest pattern decides, "allow" in a tie."""
        matching = [
            (len(pattern), allowed) for pattern, allowed in self.rules if _matches(pattern, target)
        ]
        return max(matching, default=(0, True))[1]


def parse_robots(text: str, product: str) -> Robots:
    """Return what `text` asks of the program that calls itself `product`.

    The groups that name it count, together; else those for "*". Lines that make no sense are
    passed over, as the RFC asks.
    """
    named: list[tuple[str, str]] = []
    general: list[tuple[str, str]] = []
    agents: set[str] = set()
    naming = False  # whether the line before was a user-agent line too
    found = False
    for key, value in _lines(text):
        if key == "user-agent":
            agents = (agents if naming else set()) | {_product(value)}
            found = found or product.lower() in agents
            naming = True
        elif key in {"allow", "disallow", "crawl-delay"}:  # others, such as sitemap, do not count
            naming = False
            if product.lower() in agents:
                named.append((key, value))
            if "*" in agents:
                general.append((key, value))
    return _robots(named if found else general)


def _lines(text: str) -> list[tuple[str, str]]:
    """Return key and value of every line that has them."""
    pairs = []
    for line in text.removeprefix("\ufeff").splitlines():
        key, colon, value = line.partition("#")[0].partition(":")
        if colon:
            pairs.append((key.strip().lower(), value.strip()))
    return pairs


def _product(value: str) -> str:
    """Return the name in "article-qa/0.1 (…)": the part that programs are known by."""
    return re.split(r"[/\s]", value, maxsplit=1)[0].lower()


def _robots(lines: list[tuple[str, str]]) -> Robots:
    rules: list[tuple[str, bool]] = []
    delay_s = 0.0
    for key, value in lines:
        if key == "crawl-delay":
            # a plain number; "inf" and "1e9" are no requests that anybody means
            if re.fullmatch(r"\d{1,6}(?:\.\d{1,6})?", value, re.ASCII):
                delay_s = float(value)
        elif value and len(rules) < MAX_RULES:  # an empty "Disallow:" forbids nothing
            rules.append((_normal(value), key == "allow"))
    return Robots(tuple(rules), delay_s)


def _normal(pattern: str) -> str:
    """Return a pattern escaped as the paths that it is compared with."""

    def normal(match: re.Match[str]) -> str:
        char = chr(int(match[1], 16))
        return char if char.isascii() and (char.isalnum() or char in "-._~") else match[0].upper()

    return _ESCAPED.sub(normal, quote(pattern, safe=_KEPT, errors="replace"))


def _matches(pattern: str, target: str) -> bool:
    """Whether `pattern`, with "*" for anything and "$" for the end, fits the start of `target`.

    In time proportional to their lengths, which a regular expression would not promise.
    """
    anchored = pattern.endswith("$")
    first, *others = pattern.removesuffix("$").split("*")
    if not target.startswith(first):
        return False
    if not others:
        return not anchored or len(target) == len(first)
    position = len(first)
    for part in others[:-1] if anchored else others:
        found = target.find(part, position)
        if found < 0:
            return False
        position = found + len(part)
    return not anchored or (
        len(target) - position >= len(others[-1]) and target.endswith(others[-1])
    )
