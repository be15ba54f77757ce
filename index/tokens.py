"""Text → its number of cl100k_base tokens, offline.

The vocabulary is the one that llama-index-core bundles (private content of that package, so it is
looked for, checked and never assumed); a copy in the user's own `TIKTOKEN_CACHE_DIR` goes first.
The encoding is built from that file and not by `tiktoken.get_encoding`, which would download a
missing vocabulary and delete a damaged one.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import re
from base64 import b64decode
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktoken import Encoding

logger = logging.getLogger(__name__)

VOCABULARY_FILE = "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"  # sha1 of its URL: tiktoken's name
VOCABULARY_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
# How cl100k_base divides text before merging bytes, as published in tiktoken_ext.openai_public.
PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
# Merging bytes is quadratic in a run without a break (old tiktoken), and a million blanks overflow
# its stack; longer runs are cut. Prose has none; a cut changes the count by a token or two.
MAX_RUN = 1000  # code points
LONG_RUN = re.compile(rf"(?<!\S)\S{{{MAX_RUN + 1}}}|(?<!\s)\s{{{MAX_RUN + 1}}}")
RUN = re.compile(rf"\S{{1,{MAX_RUN}}}|\s{{1,{MAX_RUN}}}")


def count_tokens(text: str) -> int:
    """Return the number of cl100k_base tokens of `text`; "<|endoftext|>" is text like any other.

    Linear in the text. Exact unless a run of more than `MAX_RUN` code points, all white space or
    all not, has to be cut. Without the vocabulary: the number of UTF-8 bytes, which is never less.
    """
    encoding = _encoding()
    if encoding is None:
        return len(text.encode("utf-8", "replace"))
    return sum(len(encoding.encode_ordinary(part)) for part in _parts(text))


def _parts(text: str) -> list[str]:
    """Return `text` in one part, or in parts that cut its overlong runs."""
    if len(text) <= MAX_RUN or not LONG_RUN.search(text):
        return [text]
    parts: list[str] = []
    kept = at = 0  # text[kept:at] is a part in the making
    for run in RUN.finditer(text):
        at = run.end()
        if at - run.start() == MAX_RUN:
            parts.append(text[kept:at])
            kept = at
    return [*parts, text[kept:]]


@cache  # two threads may both load it the first time: half a second twice, the same result
def _encoding() -> Encoding | None:
    """Return the encoding, or None (and say so, once) if no good copy of it is at hand."""
    data = _vocabulary(_directories(os.environ))
    if data is None:
        logger.warning(
            "The cl100k_base vocabulary is missing, so tokens are over-counted as bytes and "
            "passages come out short. Install llama-index-core again, or put the file %s into "
            "the folder that TIKTOKEN_CACHE_DIR names.",
            VOCABULARY_FILE,
        )
        return None
    from tiktoken import Encoding  # here: nothing that only reads an index counts tokens

    lines = (line.split() for line in data.splitlines() if line)
    ranks = {b64decode(token): int(rank) for token, rank in lines}
    return Encoding("cl100k_base", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})


def _directories(environ: Mapping[str, str]) -> list[Path]:
    """Return where the vocabulary may be: the user's own cache first, then the bundled one."""
    own = environ.get("TIKTOKEN_CACHE_DIR")
    package = importlib.util.find_spec("llama_index")  # a namespace: nothing of it is imported
    roots = (package.submodule_search_locations if package else None) or ()
    bundled = [Path(root, "core", "_static", "tiktoken_cache") for root in roots]
    return [Path(own), *bundled] if own else bundled


def _vocabulary(directories: list[Path]) -> bytes | None:
    """Return the first undamaged copy of the vocabulary, or None."""
    for directory in directories:
        try:
            data = (directory / VOCABULARY_FILE).read_bytes()
        except OSError:
            continue
        if hashlib.sha256(data).hexdigest() == VOCABULARY_SHA256:
            return data
    return None
