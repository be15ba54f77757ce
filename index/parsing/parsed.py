"""What a parser returns: the articles of one source, and what was wrong in it."""

from __future__ import annotations

from dataclasses import dataclass

from index.types import Article


@dataclass(frozen=True, slots=True)
class ParsedSource:
    """The articles that came out of one source; never empty when it comes from `parse_source`."""

    articles: tuple[Article, ...]
    problems: tuple[str, ...] = ()  # short reasons, one per thing that was left out
