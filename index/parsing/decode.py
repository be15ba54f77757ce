"""Given bytes, returns text, or says that they are not text."""

from __future__ import annotations

import codecs
import re

from index.errors import ParseError

CHARSET_WINDOW = 2048  # bytes at the start of a page where its charset may be declared
GUESS_WINDOW = 200_000  # bytes shown to the charset guesser, which takes seconds per megabyte
MAX_CONTROL_SHARE = 0.02  # of the characters; text has next to none, programs and pictures 5 %
MIN_UTF16_HIGH = 0.3  # of the bytes at odd (or even) places are high bytes of an alphabet's letters
MIN_UTF16_SIGNS = 8  # control bytes: fewer are strays in a text of another encoding
MAX_CP1252_SHARE = 0.2  # of the bytes; accents and quotation marks in Western text stay below

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is the beginning of this one
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)
# A page may not choose any codec that Python has: utf-7 or unicode_escape would rewrite its text.
_PAGE_CHARSET = re.compile(
    r"iso-?8859-?\d+|latin-?\d|windows-?\d+|cp-?\d+|x-sjis|shift[_-]jis|sjis|euc-?(?:jp|kr)"
    r"|gb2312|gbk|gb18030|big5(?:-hkscs)?|iso-2022-jp|koi8-[ru]|macintosh|tis-620",
    re.IGNORECASE,
)
_LATIN_1 = re.compile(r"iso-?8859-?1|latin-?1", re.IGNORECASE)  # in practice always cp1252
_HIGH = bytes(range(9))
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def decode_text(data: bytes, charset: str | None = None) -> str:
    """Return a text file's text: byte order mark, UTF-8, UTF-16 without mark, then a guess.

    Bytes that fit no encoding become U+FFFD. `charset` is what an envelope declares, such as the
    headers of a message; it comes before the guess if the bytes fit it.

    Raises:
        ParseError: If the data are not text.
    """
    for text in (_with_bom(data), _in_charset(data, charset or "")):
        if text is not None:
            return _checked(text)
    return _checked(_without_bom(data))


def decode_html(data: bytes, charset: str | None = None) -> str:
    """Return a page's text: as `decode_text`, with the charset it declares before any guess.

    Data that are valid UTF-8 and not plain ASCII are UTF-8 whatever is declared: browsers save
    pages as UTF-8 and leave the old declaration in.

    Raises:
        ParseError: If the data are not text.
    """
    for text in (_with_bom(data), _in_charset(data, charset or ""), _as_declared(data)):
        if text is not None:
            return _checked(text)
    return _checked(_without_bom(data))


def _with_bom(data: bytes) -> str | None:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    return None


def _as_declared(data: bytes) -> str | None:
    match = _DECLARED.search(data[:CHARSET_WINDOW])
    return _in_charset(data, match[1].decode("ascii", "replace") if match else "")


def _in_charset(data: bytes, charset: str) -> str | None:
    """Return the text of data in a declared charset, None if it is not to be believed."""
    if not _PAGE_CHARSET.fullmatch(charset) or (not data.isascii() and _is_utf8(data)):
        return None
    try:
        return data.decode("cp1252" if _LATIN_1.fullmatch(charset) else charset)
    except (LookupError, ValueError):
        return None


def _without_bom(data: bytes) -> str:
    if encoding := _utf16_order(data):
        return data.decode(encoding, "replace")
    if _is_unmarked_utf16(data):
        from charset_normalizer import from_bytes

        best = from_bytes(data[: GUESS_WINDOW // 2 * 2]).best()
        if best and best.encoding.startswith("utf_16"):
            return data.decode(best.encoding, "replace")
    text = data.decode("utf-8", "replace")
    replaced = text.count("\ufffd")
    beyond_ascii = sum(char > "\x7f" for char in text) - replaced if replaced else 0
    # a few bad bytes among many good ones are a damaged UTF-8 file, not another encoding
    return text if not replaced or beyond_ascii > 2 * replaced else _guess(data)


def _is_unmarked_utf16(data: bytes) -> bool:
    """Say whether data of even length are full of bytes that text in any other encoding lacks."""
    sample = data[:CHARSET_WINDOW]
    control = len(sample) - len(sample.translate(None, bytes([*range(9), *range(14, 27)])))
    enough = max(MIN_UTF16_SIGNS, MAX_CONTROL_SHARE * len(sample))
    return len(data) % 2 == 0 and control >= enough and not _is_utf8(data)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _utf16_order(data: bytes) -> str | None:
    """Return the UTF-16 byte order that explains the bytes below 9, or None.

    Those are the high bytes of all alphabets up to Arabic: 0 in Latin, 4 in Cyrillic letters.
    """
    sample = data[: CHARSET_WINDOW * 2]
    halves = (sample[0::2], sample[1::2])
    even, odd = (len(half) - len(half.translate(None, _HIGH)) for half in halves)
    if max(even, odd) < max(MIN_UTF16_SIGNS, MIN_UTF16_HIGH * len(sample) / 2):
        return None
    if min(even, odd) >= max(even, odd) / 10:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _guess(data: bytes) -> str:
    """Return the text of data in an older encoding: cp1252 unless too little of it is ASCII."""
    high = len(data) - len(data.translate(None, bytes(range(0x80, 0x100))))
    if high <= MAX_CP1252_SHARE * len(data):
        return data.decode("cp1252", "replace")
    from charset_normalizer import from_bytes  # 0.03 s, and hardly any file needs it

    best = from_bytes(data[:GUESS_WINDOW]).best()
    return data.decode(best.encoding if best else "cp1252", "replace")


def _checked(text: str) -> str:
    sample = text[:GUESS_WINDOW]
    if len(_CONTROL.findall(sample)) > MAX_CONTROL_SHARE * len(sample):
        raise ParseError("not text (binary data)")
    return text
