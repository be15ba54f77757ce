"""Archives (zip): members are read as files of their own, one after another, never unpacked.

What a header says about sizes is not believed: real bytes are counted while inflating.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath

from index.errors import ParseError
from index.parsing.options import ParseOptions
from index.parsing.parsed import ParsedSource
from index.parsing.records import shortened
from index.parsing.trust import members_hints
from index.types import Article

MAX_MEMBERS = 10_000
MAX_LISTED = 200_000  # entries in the directory of an archive, which is read at once
MAX_MEMBER_BYTES = 20_000_000
MAX_TOTAL_BYTES = 200_000_000
PIECE_BYTES = 1 << 16
MAX_NAME_CHARACTERS = 200  # of a member; the format allows 65,535
ENTRY_MARK = b"PK\x01\x02"
MEMBER_MARK = b"PK\x03\x04"
UTF8_NAME = 0x800  # flag of a member
# The others are inflated in pieces whose size nothing limits: 45 bytes of bzip2 hold 900 kB.
COUNTABLE = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})

_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)

_PACKED = frozenset({".docx", ".epub"})  # kinds of files that are archives themselves

Parse = Callable[[str, bytes, ParseOptions], ParsedSource]


class TooManyBytesError(Exception):
    """More comes out of a member than may."""


def open_zip(data: bytes) -> zipfile.ZipFile:
    """Return an archive for reading.

    Raises:
        ParseError: If it is none, or lists more than `MAX_LISTED` members.
    """
    if data.count(ENTRY_MARK) > MAX_LISTED:
        raise ParseError(f"more than {MAX_MEMBERS:,} files in it")
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except _DAMAGE as error:
        raise ParseError("not a zip file, or a damaged one") from error


def inflate(archive: zipfile.ZipFile, member: zipfile.ZipInfo, max_bytes: int) -> bytes:
    """Return the content of a member.

    Raises:
        ParseError: If it is encrypted or damaged.
        TooManyBytesError: If it has more than `max_bytes`.
    """
    content = bytearray()
    for piece in _pieces(archive, member):
        content += piece
        if len(content) > max_bytes:
            raise TooManyBytesError
    return bytes(content)


def _pieces(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the content of a member as it is inflated.

    Raises:
        ParseError: If it is encrypted or damaged.
    """
    if member.flag_bits & 1:
        raise ParseError("encrypted: remove the password first")
    if member.compress_type not in COUNTABLE:
        raise ParseError("packed in a way that is not read: pack it with deflate")
    try:
        with archive.open(member) as stream:
            while piece := stream.read(PIECE_BYTES):
                yield piece
    except (*_DAMAGE, RuntimeError) as error:
        raise ParseError("damaged") from error


def parse_zip(name: str, data: bytes, options: ParseOptions, parse: Parse) -> ParsedSource:
    """Return the articles in an archive; what is wrong with a member costs that member only.

    Args:
        name: The archive's name; members are called "name/member".
        data: The whole archive.
        options: Used for every member.
        parse: `parse_source`.

    Raises:
        ParseError: If no article comes out of it.
    """
    inner = _Members(name, replace(options, hints=members_hints(options.hints)), parse)
    with open_zip(data) as archive:
        members = [item for item in archive.infolist() if not _is_passed_over(item)]
        if len(members) > MAX_MEMBERS:
            raise ParseError(f"more than {MAX_MEMBERS:,} files in it")
        for member in members:
            if not inner.add(archive, member):
                break
    problems = (*shortened(inner.problems), *inner.passed_over())
    if not inner.articles:
        raise ParseError(problems[0] if problems else "no files in it")
    return ParsedSource(tuple(inner.articles.values()), problems)


class _Members:
    """The members read so far."""

    def __init__(self, name: str, options: ParseOptions, parse: Parse) -> None:
        self.name, self.options, self.parse = name, options, parse
        self.articles: dict[str, Article] = {}  # by id
        self.problems: list[str] = []
        self._left = MAX_TOTAL_BYTES
        self._names: set[str] = set()
        self._numbers: Counter[str] = Counter()
        self._others: Counter[str] = Counter()

    def add(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
        """Read a member; return False if nothing more may be read."""
        from index.parsing.formats import FORMATS

        shown = self._own_name(printable(_name_of(member)))
        suffix = PurePosixPath(shown).suffix.lower()
        if suffix == ".zip":
            self.problems.append(f"{shown}: an archive within an archive is not opened")
            return True
        if suffix not in FORMATS:
            self._others[suffix or "no suffix"] += 1
            return True
        try:
            data = self._content(archive, member)
            if data.startswith(MEMBER_MARK) and suffix not in _PACKED:
                raise ParseError("an archive within an archive is not opened")
            self._take(shown, self.parse(f"{self.name}/{shown}", data, self.options))
        except ParseError as error:
            self.problems.append(f"{shown}: {error}")
        except TooManyBytesError:
            if self._left < 0:
                self.problems.append(
                    f"{shown}: more than {MAX_TOTAL_BYTES:,} bytes in all; the rest is not read"
                )
                return False
            self.problems.append(f"{shown}: more than {MAX_MEMBER_BYTES:,} bytes")
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a parser's fault costs one member only
            self.problems.append(f"{shown}: could not be parsed ({type(error).__name__})")
        return True

    def passed_over(self) -> tuple[str, ...]:
        """Return a line about the members of other kinds, if there are any."""
        if not self._others:
            return ()
        kinds = ", ".join(f"{kind} {n:,}" for kind, n in self._others.most_common(5))
        return (f"files of other kinds passed over: {self._others.total():,} ({kinds})",)

    def _content(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
        """Return the content of a member; what comes out of a damaged one counts as well.

        Raises:
            ParseError: If it is encrypted or damaged.
            TooManyBytesError: If it has too many bytes, or all members have.
        """
        content = bytearray()
        for piece in _pieces(archive, member):
            content += piece
            self._left -= len(piece)
            if self._left < 0 or len(content) > MAX_MEMBER_BYTES:
                raise TooManyBytesError
        return bytes(content)

    def _take(self, shown: str, parsed: ParsedSource) -> None:
        for article in parsed.articles:
            if self.articles.setdefault(article.id, article) is not article:
                self.problems.append(f"{shown}: has the url of an article above, which is kept")
        self.problems += (f"{shown}: {problem}" for problem in parsed.problems)

    def _own_name(self, name: str) -> str:
        """Return a member's name, "a (2).txt" for the second of the same."""
        head, dot, suffix = name.rpartition(".")
        if not head or "/" in suffix:
            head, dot, suffix = name, "", ""
        own = name
        while own in self._names:  # counted on, or a thousand of one name would take minutes
            self._numbers[name] += 1
            own = f"{head} ({self._numbers[name] + 1}){dot}{suffix}"
        self._names.add(own)
        return own


def _name_of(member: zipfile.ZipInfo) -> str:
    """Return a member's name; many programs write UTF-8 without saying so."""
    if member.flag_bits & UTF8_NAME:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return member.filename


def printable(name: str) -> str:
    """Return a member's name as one short printable line; it is never a path."""
    escaped = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in name
    )
    if len(escaped) > MAX_NAME_CHARACTERS:
        half = MAX_NAME_CHARACTERS // 2
        escaped = f"{escaped[:half]}…{escaped[-half:]}"  # its end tells what kind of file it is
    return escaped or "unnamed"


def _is_passed_over(member: zipfile.ZipInfo) -> bool:
    """Say whether a member is a folder, hidden, or what macOS adds."""
    parts = PurePosixPath(member.filename).parts
    hidden = any(part.startswith(".") and part not in {".", ".."} for part in parts)
    # not is_dir(): before Python 3.12 that fails for a member without a name
    return not parts or member.filename.endswith("/") or hidden or "__MACOSX" in parts
