"""What the commands have in common: options, settings, how things are printed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from index.config import Config
from index.errors import QuestionError

if TYPE_CHECKING:
    from qa.answer import Answerer
    from qa.live import LiveAnswerer

NOT_FOUND = 1  # exit status: the articles do not say, or something is wrong with the index
DAY = "YYYY-MM-DD"

IndexDir = Annotated[
    Path | None,
    typer.Option("--index", metavar="DIR", help="Folder of the index (default: .article-qa)."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def settings(index_dir: Path | None, **options: Any) -> Config:  # noqa: ANN401 - Config's fields
    """Return the settings, those given on the command line first."""
    given = {"index_dir": index_dir, **options}
    return replace(Config.load(), **{key: item for key, item in given.items() if item is not None})


def answerer(config: Config, dense: Any = "auto") -> Answerer:  # noqa: ANN401 - index.search.Dense
    """Return what answers questions, over the index of the settings."""
    from index.embedders import embedder_named
    from qa.answer import Answerer

    return Answerer.open(
        config.index_dir,
        embedder=embedder_named(config.embedder),
        dense=dense,
        top_k=config.top_k,
        max_question_chars=config.max_question_chars,
    )


def live_answerer(config: Config) -> LiveAnswerer:
    """Return what answers questions and follows the changes of the index."""
    from index.embedders import embedder_named
    from qa.live import LiveAnswerer

    return LiveAnswerer.open(
        config.index_dir,
        embedder=embedder_named(config.embedder),
        top_k=config.top_k,
        max_question_chars=config.max_question_chars,
    )


def typed_day(option: str, typed: str | None) -> date | None:
    """Return the day typed after an option, None if none was."""
    try:
        return date.fromisoformat(typed.strip()) if typed is not None else None
    except ValueError:
        raise QuestionError(
            f"{option} {typed!r} is not a day. Type year-month-day, e.g. {option} 2023-05-01."
        ) from None


def print_json(values: Mapping[str, Any]) -> None:
    """Print one JSON object on one line."""
    typer.echo(json.dumps(values, ensure_ascii=False))
