"""Small files that unpack to large ones, and the containers they come in: PDF and zip."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Deflated:
    """Compressed content, which is never held in full."""

    data: bytes  # raw deflate
    size: int  # unpacked
    crc: int


def deflated(unit: bytes, mebibytes: int, head: bytes = b"", tail: bytes = b"") -> Deflated:
    """Return `head`, `unit` until there are about `mebibytes` of it, and `tail`, compressed.

    One block is compressed and repeated, so that a gigabyte takes a moment.
    """
    block = unit * (MIB // len(unit))
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    middle = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    last = packer.compress(tail) + packer.flush()
    crc = zlib.crc32(head)
    for _ in range(mebibytes):
        crc = zlib.crc32(block, crc)
    size = len(head) + mebibytes * len(block) + len(tail)
    return Deflated(first + middle * mebibytes + last, size, zlib.crc32(tail, crc))


def zipped(
    entries: Mapping[str, object],
    *,
    declared: int | None = None,
    overlap: bool = False,
    mode: int = 0o100644,
) -> bytes:
    """Return a zip archive of bytes and `Deflated` by name.

    Args:
        entries: What it holds.
        declared: The unpacked size that is stated for each; None states the true one.
        overlap: Whether all names share the data of the first, so that it costs nothing to repeat.
        mode: Permissions and kind of each file, as on Unix.
    """
    body = bytearray()
    directory = bytearray()
    first: tuple[int, bytes] | None = None
    for name, content in entries.items():
        packed = content if isinstance(content, Deflated) else _packed(content)
        encoded = name.encode()
        size = packed.size if declared is None else declared
        fields = struct.pack("<HHHHHIII", 20, 0x800, 8, 0, 33, packed.crc, len(packed.data), size)
        lengths = struct.pack("<HH", len(encoded), 0)
        at = len(body)
        if first is None or not overlap:
            body += b"PK\3\4" + fields + lengths + encoded + packed.data
            first = (at, fields)
        else:
            at, fields = first
        directory += b"PK\1\2" + struct.pack("<H", 0x314) + fields + lengths
        directory += struct.pack("<HHHII", 0, 0, 0, mode << 16, at) + encoded
    count = min(len(entries), 0xFFFF)
    end = struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(body), 0)
    return bytes(body + directory) + b"PK\5\6" + end


def _packed(content: object) -> Deflated:
    assert isinstance(content, bytes)
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    data = packer.compress(content) + packer.flush()
    return Deflated(data, len(content), zlib.crc32(content))


def pdf(objects: Mapping[int, bytes], trailer: bytes = b"") -> bytes:
    """Return a PDF of numbered objects, of which 1 is the catalog, with a right table."""
    out = bytearray(b"%PDF-1.4\n")
    offsets = {}
    for number, content in objects.items():
        offsets[number] = len(out)
        out += b"%d 0 obj\n" % number + content + b"\nendobj\n"
    start, last = len(out), max(objects)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (last + 1)
    for number in range(1, last + 1):
        kind = b"n" if number in offsets else b"f"
        out += b"%010d 00000 %c \n" % (offsets.get(number, 0), kind)
    out += b"trailer\n<</Size %d/Root 1 0 R" % (last + 1) + trailer + b">>\n"
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def text_pdf(
    pages: list[str],
    stream: bytes | None = None,
    filters: bytes = b"",
    *,
    extra: Mapping[int, bytes] | None = None,
    trailer: bytes = b"",
) -> bytes:
    """Return a PDF with a line of text on each page, or one page with the content `stream`."""
    contents = [f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode() for text in pages]
    if stream is not None or not contents:
        contents = [b"" if stream is None else stream]
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    objects = {1: b"<</Type/Catalog/Pages 2 0 R>>", 3: font}
    first = 20  # leaves numbers for `extra`
    kids = []
    for number, content in enumerate(contents):
        page = first + 2 * number
        kids.append(b"%d 0 R" % page)
        objects[page] = (
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents %d 0 R"
            b"/Resources<</Font<</F1 3 0 R>>>>>>" % (page + 1)
        )
        kind = b"/Filter " + filters if filters else b""
        head = b"<</Length %d" % len(content) + kind + b">>\nstream\n"
        objects[page + 1] = head + content + b"\nendstream"
    objects[2] = b"<</Type/Pages/Kids[" + b" ".join(kids) + b"]/Count %d>>" % len(kids)
    return pdf({**objects, **(extra or {})}, trailer)


def flate_bomb(mebibytes: int, *, twice: bool = False) -> bytes:
    """Return blanks, compressed by the FlateDecode of PDF; twice: the compressed ones again."""
    raw = deflated(b" ", mebibytes)
    check = 1
    for _ in range(mebibytes):
        check = zlib.adler32(b" " * MIB, check)
    data = b"\x78\xda" + raw.data + struct.pack(">I", check)
    return zlib.compress(data, 9) if twice else data


def lzw_bomb(mebibytes: int) -> bytes:
    """Return blanks, compressed by the LZWDecode of PDF: each code is one blank longer."""
    bits = [f"{256:09b}", f"{32:09b}"]
    size = 1
    for code in range(258, 4094):
        width = 9 if code < 511 else 10 if code < 1023 else 11 if code < 2047 else 12
        bits.append(f"{code:0{width}b}")
        size += code - 256
    bits.append(f"{256:012b}")  # clear the table; the next round then need not
    again = "".join([f"{32:09b}", *bits[2:]])
    rounds = -(-mebibytes * MIB // size)
    text = bits[0] + again * rounds + f"{257:09b}"
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


def runlength_bomb(mebibytes: int) -> bytes:
    """Return blanks, compressed by the RunLengthDecode of PDF: 64 to 1."""
    return b"\x81 " * (mebibytes * MIB // 128) + b"\x80"
