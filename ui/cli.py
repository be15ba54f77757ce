"""The command line: article-qa index | ask | chat | articles | verify.

Each command parses, calls one function of the layers below, and prints. Answers and tables go to
stdout, everything else to stderr. Exit status: 0 done or answered, 1 not in the articles (or, for
verify, something is wrong), 2 an error, 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from index.config import Config
from index.errors import ArticleQAError

if TYPE_CHECKING:
    from index.types import Article
    from qa.answer import Answerer

ERROR, STOPPED = 2, 130
VERSION = "0.1.0"

app = typer.Typer(
    name="article-qa",
    help="Ask questions of your own articles; get answers with the exact words they rest on.",
    epilog='Example: article-qa index my-articles/ && article-qa ask "Who is the governor?"',
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
articles_app = typer.Typer(no_args_is_help=True, help="List the articles of an index, or show one.")
app.add_typer(articles_app, name="articles")

IndexDir = Annotated[
    Path | None,
    typer.Option(
        "--index",
        metavar="DIR",
        help="Folder of the index. Default: .article-qa",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def main() -> NoReturn:
    """Run the command line; an error becomes one sentence on stderr, never a traceback."""
    try:
        app()
    except ArticleQAError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the entry point talks
        sys.exit(ERROR)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)  # noqa: T201
        sys.exit(STOPPED)
    except BrokenPipeError:  # … | head
        sys.stderr.close()
        sys.exit(0)
    raise AssertionError("typer ends the process itself")
