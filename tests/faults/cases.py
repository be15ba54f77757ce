"""What a file of the hostile corpus is, and what must become of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Outcome = Literal[
    "read",  # its text comes out
    "refused",  # one reason, no article
    "either",  # text or a reason: what matters is that it harms nothing
    "unseen",  # no source at all: a link, a pipe
]
SENTENCE = "The {} ferry left the harbour at dawn on Thursday with four hundred people on board."


@dataclass(frozen=True, slots=True, kw_only=True)
class HostileCase:
    """One file, and what must become of it."""

    path: bytes  # below the folder; bytes, since some names are not text
    outcome: Outcome
    kind: Literal["articles", "listing"] = "articles"
    text: str | None = None  # of one article, in the form that is stored
    absent: str | None = None  # in no article
    heavy: bool = False  # seconds to write or to read


@dataclass(frozen=True, slots=True)
class Canaries:
    """What no parser may reach."""

    file: Path  # outside of the folder; its content may show up nowhere
    url: str  # of a server that may get no request


Made = tuple[str | bytes, bytes | Callable[[Path], None], HostileCase]


def case_of(outcome: Outcome, **fields: Any) -> HostileCase:
    """Return a case whose path is not known yet."""
    return HostileCase(path=b"", outcome=outcome, **fields)


def story_of(word: str) -> tuple[bytes, HostileCase]:
    """Return a small article about the `word` ferry, and that it must come out."""
    text = SENTENCE.format(word)
    return f"The {word} ferry\n\n{text}\n".encode(), case_of("read", text=text)
