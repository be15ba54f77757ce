"""The command line: article-qa index | ask | chat | articles | generations | verify, and more.

Each command parses, calls one function of the layers below, and prints. Answers and tables go to
stdout, everything else to stderr. Exit status: 0 done or answered; 1 not in the articles, or a
check that failed; 2 an error, in one sentence; 73 to 75 see `index`; 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from index.errors import ArticleQAError, QuestionError
from index.filters import Filters, outlet_key
from index.roots import is_url
from ui import cli_articles, cli_generations, cli_index
from ui.building import build, require_embedder
from ui.options import (
    DAY,
    NOT_FOUND,
    IndexDir,
    Json,
    answerer,
    live_answerer,
    print_json,
    settings,
    typed_day,
)

MAX_WIDTH = 100  # columns of an answer; wider lines are hard to read

app = typer.Typer(
    help="Ask questions of your own articles; get answers with the exact words they rest on.",
    epilog='Example: article-qa index my-articles/  then  article-qa ask "Who is the governor?"',
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(cli_articles.app, name="articles")
app.add_typer(cli_generations.app, name="generations")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"article-qa {installed_version('article-qa')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Ask questions of your own articles; get answers with the exact words they rest on."""


def main() -> NoReturn:
    """Run the command line; an error becomes one sentence on stderr, never a traceback."""
    try:
        app()
    except ArticleQAError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(error.exit_status)
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    raise AssertionError("typer ends the process itself")


app.command("index", epilog="Example: article-qa index my-articles/ https://example.org/feed.xml")(
    cli_index.index
)
app.command("export", epilog="Example: article-qa export news.aqa")(cli_index.export)
app.command("import", epilog="Example: article-qa import news.aqa --index var/news")(
    cli_index.import_
)


@app.command(
    epilog='Example: article-qa ask "Who is the governor?" --after 2023-05-01 --before 2023-05-31 '
    '--outlet "Meridian Wire"'
)
def ask(
    question: Annotated[str, typer.Argument(help="In plain English; - reads it from stdin.")],
    index_dir: IndexDir = None,
    after: Annotated[
        str | None,
        typer.Option(metavar=DAY, help="Only articles published on this day or later."),
    ] = None,
    before: Annotated[
        str | None,
        typer.Option(metavar=DAY, help="Only articles published on this day or earlier."),
    ] = None,
    outlet: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only articles of this outlet; may be given again."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Answer one question, with numbered sources and their exact words.

    The exit status is 0 if the articles answer it, 1 if they do not say, 2 on an error.

    An article whose date is not known passes neither --after nor --before.
    """
    config = settings(index_dir)
    filters = Filters(
        published_from=typed_day("--after", after),
        published_to=typed_day("--before", before),
        outlets=tuple(outlet or ()),
    )
    text = sys.stdin.read() if question == "-" else question
    engine = answerer(config)
    _check_outlets(filters.outlets, engine.searcher.record.outlets())
    answer = engine.ask(text, filters=filters)
    if as_json:
        print_json(answer.to_dict())
    else:
        from ui.render import answer_as_text

        columns = min(MAX_WIDTH, shutil.get_terminal_size().columns)
        # Not in a pipe or a file: there, echo takes the escape sequences out again.
        typer.echo(answer_as_text(answer, columns, strong=partial(typer.style, bold=True)))
    raise typer.Exit(0 if answer.found else NOT_FOUND)


@app.command(epilog="Example: article-qa chat my-articles/")
def chat(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SOURCES]...", help="Indexed first, if anything in them changed."),
    ] = None,
    index_dir: IndexDir = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Default: 7860.")] = None,
    host: Annotated[str | None, typer.Option(help="A loopback address or name.")] = None,
    example: Annotated[
        list[str] | None, typer.Option(help="A question to offer; may be given several times.")
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = False,
) -> None:
    """Index what changed, then open the chat in a local web page.

    Without SOURCES the chat opens on the index as it is. It follows later changes by itself.
    """
    config = settings(index_dir, port=port, host=host)
    if paths:
        require_embedder(config)
        build([item if is_url(item) else Path(item) for item in paths], config)

    from index.service import open_sound
    from qa.examples import example_questions
    from ui.server import serve

    open_sound(config.index_dir)  # no index: say so before anything slow
    serve(
        lambda: live_answerer(config),
        host=config.host,
        port=config.port,
        examples=lambda answerer: example or example_questions(answerer),
        open_browser=browser,
        on_ready=lambda address: typer.echo(f"The chat is open at {address} (Ctrl-C stops it)."),
    )


@app.command(epilog="Example: article-qa verify --repair")
def verify(
    index_dir: IndexDir = None,
    repair: Annotated[bool, typer.Option("--repair", help="Put a sound index in service.")] = False,
) -> None:
    """Check the index: files against the manifest, record against Chroma, every passage's slice.

    --repair makes a damaged vector index or manifest anew from the record, or goes back to the
    newest sound generation.

    The exit status is 0 if all is well, 1 if anything is wrong, and stays so.
    """
    from index.generation import open_current
    from index.repair import find_problems
    from index.repair import repair as put_right

    folder = settings(index_dir).index_dir
    problems = find_problems(folder)
    for problem in problems:
        typer.echo(f"wrong: {problem}")
    if problems and not repair:
        typer.echo(
            "Your articles are not affected. Repair with: article-qa verify --repair", err=True
        )
        raise typer.Exit(NOT_FOUND)
    if problems:
        typer.echo(f"Repaired: {put_right(folder).done}.")
    summary = open_current(folder).summary
    typer.echo(
        f"Generation {summary.generation} is sound: {summary.n_articles:,} articles, "
        f"{summary.n_passages:,} passages, every one an exact slice of its article with its vector."
    )


def _check_outlets(asked: Sequence[str], known: Sequence[str]) -> None:
    """Raise QuestionError if no article is from one of the outlets asked for."""
    names = {outlet_key(name): name for name in known}
    for name in asked:
        if outlet_key(name) not in names:
            near = get_close_matches(outlet_key(name), names, n=3, cutoff=0.5)
            advice = (
                f"Did you mean {' or '.join(shlex.quote(names[key]) for key in near)}?"
                if near
                else "The outlets are in brackets in: article-qa articles list"
            )
            raise QuestionError(f"No article is from the outlet {name!r}. {advice}")


if __name__ == "__main__":
    main()
