"""The parser child: reads sources from stdin, one after another, answers with articles or a reason.

It confines itself before the first byte of an article arrives, so that a hostile file can harm
this process only, which the parent then replaces. Parent to child: one message of settings; then
per source a message and its bytes. Child to parent: "ready" or an error; then per source one
message for each article, and a last one with what was wrong.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from index.chunk import Counter, chunk
from index.embed import MAX_CHARACTERS, TOKENIZER_FILE
from index.errors import ArticleQAError, ModelFileError, ParseError
from index.onnx_model import MANIFEST_FILE, read_manifest
from index.parsing.confine import ParserLimits, allow_cpu, confine, peak_memory
from index.parsing.formats import parse_source
from index.parsing.options import ParseOptions
from index.parsing.wire import AbortedError, packed, receive_frame, receive_message, send_message
from index.types import Article

# A child that once needed more than this share of its memory is replaced: what it could not give
# back to the system, the next source would lack.
RETIRE_SHARE = 0.5
MAX_SOURCE_SHARE = 0.25  # of the memory; more than that is not even collected


def main() -> None:
    """Answer until the parent closes stdin."""
    # Nothing that a library prints, in Python or below it, may get between the messages, and
    # nothing that it reads may be one.
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    try:
        settings = receive_message(requests)
        limits = ParserLimits(**settings["limits"])
        count_pieces = _warmed_up(settings["piece_counter"])
        silence = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(silence, descriptor)
        os.close(silence)
        confine(limits)
        send_message(replies, {"ready": True})
        while True:
            _serve(requests, replies, limits, count_pieces)
    except ArticleQAError as error:
        send_message(replies, {"error": {"kind": type(error).__name__, "message": str(error)}})
    except (EOFError, BrokenPipeError):  # the parent is done, or gone
        os._exit(0)  # closing the pipe would try once more to write what is left


def load_piece_counter(folder: Path) -> Counter:
    """Return `OnnxEmbedder(folder).count_pieces`, without loading the model itself.

    Raises:
        ModelFileError: If the tokenizer is missing or is not the one the manifest names.
    """
    from tokenizers import Tokenizer

    path = folder / TOKENIZER_FILE
    manifest = read_manifest(folder / MANIFEST_FILE, {TOKENIZER_FILE})
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelFileError(path, "missing") from error
    if hashlib.sha256(data).hexdigest() != manifest.sha256[TOKENIZER_FILE]:
        raise ModelFileError(path, "altered")
    tokenizer = Tokenizer.from_buffer(data)

    def count_pieces(text: str) -> int:
        clean = text[:MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
        return len(tokenizer.encode(clean).ids)

    return count_pieces


def _warmed_up(piece_counter: str | None) -> Counter | None:
    """Load what every article needs, while files outside of the packages may still be read."""
    import mimetypes

    mimetypes.init()  # reads lists in /etc
    count_pieces = load_piece_counter(Path(piece_counter)) if piece_counter else None
    chunk(Article.create(text="One sentence. Another."), count_pieces=count_pieces)
    return count_pieces


def _serve(
    requests: BinaryIO, replies: BinaryIO, limits: ParserLimits, count_pieces: Counter | None
) -> None:
    """Read one source and answer it.

    Raises:
        EOFError: If the parent has no more.
    """
    request = receive_message(requests)
    allow_cpu(limits.cpu_s)
    try:
        data = _receive_source(requests, int(limits.memory_bytes * MAX_SOURCE_SHARE))
    except AbortedError:
        return
    ended: dict[str, Any] = {"failed": _reason(MemoryError(), limits)}
    try:
        if data is not None:
            for message in _answer(request, data, count_pieces):
                if "article" in message:
                    send_message(replies, message)
                    allow_cpu(limits.cpu_s)  # an archive of thousands is no endless loop
                else:
                    ended = message
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a parser raises costs its source only
        ended = {"failed": _reason(error, limits)}
        ended["retire"] = isinstance(error, MemoryError)
    if peak_memory() > RETIRE_SHARE * limits.memory_bytes:
        ended["retire"] = True
    send_message(replies, ended)


def _receive_source(requests: BinaryIO, max_bytes: int) -> bytes | None:
    """Return the bytes of a source, None if there are more than `max_bytes`.

    Raises:
        AbortedError: If the parent could not read it to its end.
        EOFError: If the parent is gone.
    """
    pieces: list[bytes] = []
    size = 0
    while piece := receive_frame(requests):
        size += len(piece)
        if size <= max_bytes:
            pieces.append(piece)
        else:
            pieces.clear()
    return b"".join(pieces) if size <= max_bytes else None


def _answer(
    request: Mapping[str, Any], data: bytes, count_pieces: Counter | None
) -> Iterator[dict[str, Any]]:
    """Yield the articles of a source, each with its passages, then the last message."""
    options = ParseOptions.from_dict(request["options"])
    if request["kind"] == "listing":
        from index.sources.listing import read_listing

        listing = read_listing(data, options.hints.content_type)
        yield {"listing": listing.to_dict() if listing else None}
        return
    parsed = parse_source(request["name"], data, options)
    for article in parsed.articles:
        passages = chunk(article, count_pieces=count_pieces)
        yield {"article": article.to_dict(), "passages": [packed(item) for item in passages]}
    yield {"problems": [_one_line(problem) for problem in parsed.problems]}


def _reason(error: BaseException, limits: ParserLimits) -> str:
    """Return the one line that the report says about a source that failed."""
    if isinstance(error, MemoryError):
        return f"needs more than {limits.memory_bytes / 2**30:g} GB of memory"
    if isinstance(error, RecursionError):
        return "nested too deep"
    if isinstance(error, ParseError):
        return _one_line(str(error))
    return f"could not be parsed ({type(error).__name__})"


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    main()
