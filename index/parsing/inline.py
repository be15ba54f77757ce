"""Markdown's marks within a line: emphasis, links, images, code, escapes, tags."""

from __future__ import annotations

import html
import re

MAX_SPAN = 1_000  # characters between a pair of marks: bounds the time an unpaired one costs
MAX_NESTING = 8  # marks within marks; deeper ones stay as they are

_TAGS = (
    "a|abbr|b|blockquote|br|center|cite|code|del|details|div|em|figcaption|figure|font|h[1-6]|hr|i"
    "|iframe|img|ins|kbd|li|mark|ol|p|pre|q|s|small|span|strong|sub|summary|sup|table|tbody|td|th"
    "|thead|time|tr|u|ul|video"
)
_TEXT = rf"(?:[^\[\]]|\[[^\[\]]*\]){{0,{MAX_SPAN}}}"
_TARGET = rf"\([ \t]*(?:<[^<>\n]{{0,{MAX_SPAN}}}>|[^\s()]*(?:\([^\s()]*\)[^\s()]*){{0,3}})"
_IN_TITLE = rf"(?:\s+(?:\"[^\"]{{0,{MAX_SPAN}}}\"|'[^']{{0,{MAX_SPAN}}}'))?[ \t]*\)"
_MARK = re.compile(
    r"\\(?P<escaped>[!-/:-@\[-`{-~])"
    rf"|(?<!`)(?P<ticks>`{{1,3}})(?!`)(?P<code>.{{1,{MAX_SPAN}}}?)(?<!`)(?P=ticks)(?!`)"
    rf"|!\[(?P<alt>[^\[\]]{{0,{MAX_SPAN}}})\](?:{_TARGET}{_IN_TITLE}|\[[^\[\]]{{0,200}}\])"
    rf"|(?P<footnote>\[\^[^\[\]\s]{{1,60}}\])"
    rf"|\[(?P<link>{_TEXT})\](?:{_TARGET}{_IN_TITLE}|\[[^\[\]]{{0,200}}\])"
    rf"|<(?P<address>https?://[^\s<>]{{1,{MAX_SPAN}}})>"
    rf"|(?P<tag></?(?:{_TAGS})(?:\s[^<>]{{0,{MAX_SPAN}}})?/?>)"
    rf"|\*\*\*(?=[^\s*])(?P<both>.{{1,{MAX_SPAN}}}?)(?<=\S)\*\*\*"
    rf"|\*\*(?=\S)(?P<strong>.{{1,{MAX_SPAN}}}?)(?<=\S)\*\*(?!\*)"
    rf"|(?<![^\W_])__(?=\S)(?P<strong_>.{{1,{MAX_SPAN}}}?)(?<=\S)__(?![^\W_])"
    rf"|~~(?=\S)(?P<struck>.{{1,{MAX_SPAN}}}?)(?<=\S)~~"
    rf"|\*(?=[^\s*])(?P<em>[^*]{{1,{MAX_SPAN}}}?(?:\*\*[^*]{{1,200}}\*\*[^*]{{0,200}}?)?)(?<=\S)\*"
    rf"|(?<!\w)_(?=[^\s_])(?P<em_>.{{1,{MAX_SPAN}}}?)(?<=\S)_(?!\w)",
    re.DOTALL | re.IGNORECASE,
)
_ALT_ATTRIBUTE = re.compile(r"""\balt\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)


def plain_inline(text: str, captions: list[str]) -> str:
    """Return the words of a paragraph without marks; the texts of images are added to `captions`.

    Links give their text, code its content, footnote marks and tags nothing. A mark without its
    partner stays.
    """
    return _plain(text, captions, MAX_NESTING).strip()


def _plain(text: str, captions: list[str], depth: int) -> str:
    kept: list[str] = []
    position = 0
    for match in _MARK.finditer(text):
        kept.append(html.unescape(text[position : match.start()]))
        kept.append(_replacement(match, captions, depth))
        position = match.end()
    return "".join(kept) + html.unescape(text[position:])


def _replacement(match: re.Match[str], captions: list[str], depth: int) -> str:
    kind = match.lastgroup or ""
    inner = match[kind]
    if kind in {"escaped", "address"}:
        return inner
    if kind == "code":
        return inner.strip()
    if kind == "footnote":
        return ""
    if kind == "tag":
        alt = _ALT_ATTRIBUTE.search(inner) if inner.lower().startswith("<img") else None
        _add_caption(alt[1] or alt[2] if alt else "", captions)
        return "\n" if inner.lower().startswith("<br") else ""
    if kind == "alt":
        _add_caption(inner, captions)
        return ""
    return _plain(inner, captions, depth - 1) if depth else inner


def _add_caption(alt: str | None, captions: list[str]) -> None:
    words = " ".join(html.unescape(alt or "").split())
    if words:
        captions.append(words)
