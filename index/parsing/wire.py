"""Messages and bytes ↔ the two pipes between the parser child and its parent.

Everything travels in frames: a length in four bytes, then that many bytes. A message is a frame of
JSON. The bytes of a source are frames of at most `PIECE_BYTES`, ended by an empty one, or by
`ABORTED` in place of a length where the rest could not be read.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

from index.types import Article, Passage

PIECE_BYTES = 1 << 20  # of a source at a time, so that the parent never holds a whole file
MAX_FRAME_BYTES = 1 << 30
ABORTED = 0xFFFF_FFFF
_LENGTH = struct.Struct(">I")


class AbortedError(ValueError):
    """The other side broke off what it was sending."""


class TooLongError(ValueError):
    """The other side sends more than it may."""


def send_message(stream: BinaryIO, message: Mapping[str, Any]) -> None:
    """Send a JSON-ready message. Lone surrogates become "?"."""
    send_frame(stream, json.dumps(message, ensure_ascii=False).encode("utf-8", "replace"))
    stream.flush()


def receive_message(stream: BinaryIO, max_bytes: int = MAX_FRAME_BYTES) -> dict[str, Any]:
    """Return the next message.

    Raises:
        EOFError: If the other side is gone.
        TooLongError: If it has more than `max_bytes`.
        ValueError: If it is no message.
    """
    message = json.loads(receive_frame(stream, max_bytes))
    if not isinstance(message, dict):
        raise ValueError(f"expected an object, got {type(message).__name__}")
    return message


def send_frame(stream: BinaryIO, data: bytes) -> None:
    """Send one frame; an empty one ends a source."""
    stream.write(_LENGTH.pack(len(data)))
    stream.write(data)


def send_end(stream: BinaryIO) -> None:
    """Say that a source is complete."""
    send_frame(stream, b"")
    stream.flush()


def send_aborted(stream: BinaryIO) -> None:
    """Say that the rest of a source cannot be sent."""
    stream.write(_LENGTH.pack(ABORTED))
    stream.flush()


def receive_frame(stream: BinaryIO, max_bytes: int = MAX_FRAME_BYTES) -> bytes:
    """Return the bytes of the next frame.

    Raises:
        AbortedError: If the other side broke off.
        EOFError: If it is gone.
        TooLongError: If the frame is longer than `max_bytes`.
    """
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    if length == ABORTED:
        raise AbortedError
    if length > max_bytes:
        raise TooLongError(f"a frame of {length:,} bytes, more than {max_bytes:,}")
    return _exactly(stream, length)


def packed(passage: Passage) -> list[Any]:
    """Return what of a passage its article does not say: where it lies, its tokens, its kind."""
    return [passage.start, passage.end, passage.n_tokens, passage.kind]


def unpacked(article: Article, packed_passages: list[list[Any]]) -> tuple[Passage, ...]:
    """Return the passages of `article` that were `packed`, cut from its text again.

    Raises:
        ValueError: If one does not lie in the text.
    """
    return tuple(
        Passage(
            article_id=article.id,
            version=article.version,
            ordinal=ordinal,
            start=start,
            end=end,
            text=article.text[start:end],
            n_tokens=n_tokens,
            kind=kind,
        )
        for ordinal, (start, end, n_tokens, kind) in enumerate(packed_passages)
    )


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError("the other process ended")
    return data
