"""The command line: article-qa index | ask | chat | articles | verify.

Each command parses, calls one function of the layers below, and prints. Answers and tables go to
stdout, everything else to stderr. Exit status: 0 done or answered; 1 not in the articles, or a
check that failed; 2 an error, in one sentence; 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from index.config import Config
from index.errors import ArticleQAError, QuestionError, SourceError
from index.filters import Filters, outlet_key

if TYPE_CHECKING:
    from index.report import BuildReport
    from qa.answer import Answerer

NOT_FOUND, ERROR, STOPPED = 1, 2, 130
DAY = "YYYY-MM-DD"
MAX_WIDTH = 100  # columns of an answer; wider lines are hard to read

app = typer.Typer(
    help="Ask questions of your own articles; get answers with the exact words they rest on.",
    epilog='Example: article-qa index my-articles/  then  article-qa ask "Who is the governor?"',
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
articles_app = typer.Typer(no_args_is_help=True, help="List the articles of an index, or show one.")
app.add_typer(articles_app, name="articles")

IndexDir = Annotated[
    Path | None,
    typer.Option("--index", metavar="DIR", help="Folder of the index (default: .article-qa)."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def main() -> NoReturn:
    """Run the command line; an error becomes one sentence on stderr, never a traceback."""
    try:
        app()
    except ArticleQAError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(ERROR)
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    raise AssertionError("typer ends the process itself")


@app.command(epilog="Example: article-qa index my-articles/ notes.md --index var/news")
def index(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATHS]...", help="Files and folders; none: all indexed before."),
    ] = None,
    index_dir: IndexDir = None,
    rebuild: Annotated[bool, typer.Option(help="Read and embed everything again.")] = False,
    as_json: Json = False,
) -> None:
    """Bring the index up to date with files and folders.

    Unchanged articles cost nothing; changed ones are replaced, deleted ones disappear. The old
    index answers until the new one is complete. Stop with Ctrl-C; the next run goes on from there.
    """
    config = _config(index_dir)
    if not paths and not (config.index_dir / "CURRENT").exists():
        raise SourceError(f"There is no index at {config.index_dir} yet. Say what to index: "
                          "article-qa index FOLDER.")  # fmt: skip
    report = _build(paths or [], config, rebuild=rebuild, quiet=as_json)
    if as_json:
        _print_json(report.to_dict())


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
    config = _config(index_dir)
    filters = Filters(
        published_from=_day("--after", after),
        published_to=_day("--before", before),
        outlets=tuple(outlet or ()),
    )
    text = sys.stdin.read() if question == "-" else question
    answerer = _answerer(config)
    _check_outlets(filters.outlets, answerer.searcher.record.outlets())
    answer = answerer.ask(text, filters=filters)
    if as_json:
        _print_json(answer.to_dict())
    else:
        from ui.render import answer_as_text

        columns = min(MAX_WIDTH, shutil.get_terminal_size().columns)
        # Not in a pipe or a file: there, echo takes the escape sequences out again.
        typer.echo(answer_as_text(answer, columns, strong=partial(typer.style, bold=True)))
    raise typer.Exit(0 if answer.found else NOT_FOUND)


@app.command(epilog="Example: article-qa chat my-articles/")
def chat(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATHS]...", help="Indexed first, if anything in them changed."),
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

    Without PATHS the chat opens on the index as it is.
    """
    config = _config(index_dir, port=port, host=host)
    if paths:
        _build(paths, config)

    from index.generation import open_current
    from qa.examples import example_questions
    from ui.server import serve

    open_current(config.index_dir)  # no index: say so before anything slow
    serve(
        lambda: _answerer(config, dense="chroma"),
        host=config.host,
        port=config.port,
        examples=lambda answerer: example or example_questions(answerer),
        open_browser=browser,
        on_ready=lambda address: typer.echo(f"The chat is open at {address} (Ctrl-C stops it)."),
    )


@articles_app.command("list", epilog="Example: article-qa articles list --json")
def list_articles(index_dir: IndexDir = None, as_json: Json = False) -> None:
    """List the articles of the index, newest first."""
    from index.generation import open_current
    from index.record import Record
    from ui.escape import visible

    record = Record.open(open_current(_config(index_dir).index_dir).record_path)
    articles = list(record.articles())
    if as_json:
        _print_json({"articles": [_without_text(item.to_dict()) for item in articles]})
        return
    for item in articles:
        published = item.published.isoformat() if item.published else "date unknown"
        outlet = f" ({visible(item.outlet)})" if item.outlet else ""
        typer.echo(f"{item.id}  {published:12}  {visible(item.title) or 'untitled'}{outlet}")


@articles_app.command("show", epilog="Example: article-qa articles show 0c1f9ae2d3b4")
def show_article(
    article_id: Annotated[str, typer.Argument(help="The id that `articles list` prints.")],
    index_dir: IndexDir = None,
    as_json: Json = False,
) -> None:
    """Show one article: what is known about it, and its text as stored."""
    from index.generation import open_current
    from index.record import Record
    from ui.escape import visible

    directory = _config(index_dir).index_dir
    article = Record.open(open_current(directory).record_path).article(article_id)
    if article is None:
        raise SourceError(
            f"The index at {directory} has no article {article_id!r}. "
            "The ids are in the first column of: article-qa articles list"
        )
    if as_json:
        _print_json(article.to_dict())
        return
    for name, value in _without_text(article.to_dict()).items():
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        typer.echo(f"{name + ':':11} {visible(str(shown)) if shown else '-'}")
    typer.echo("\n" + "\n".join(map(visible, article.text.split("\n"))))


@app.command(epilog="Example: article-qa verify --index var/news")
def verify(index_dir: IndexDir = None) -> None:
    """Check the index: files against the manifest, record against Chroma, every passage's slice.

    The exit status is 0 if all is well, 1 if anything is wrong.
    """
    from index.generation import open_current
    from index.verify import verify as find_problems

    generation = open_current(_config(index_dir).index_dir)
    problems = find_problems(generation)
    for problem in problems:
        typer.echo(f"wrong: {problem}")
    summary = generation.summary
    if problems:
        typer.echo(
            "Your articles are not affected. Repair with: article-qa index --rebuild", err=True
        )
        raise typer.Exit(NOT_FOUND)
    typer.echo(
        f"Generation {summary.generation} is sound: {summary.n_articles:,} articles, "
        f"{summary.n_passages:,} passages, every one an exact slice and found by its vector."
    )


def _day(option: str, typed: str | None) -> date | None:
    """Return the day typed after an option, None if none was."""
    try:
        return date.fromisoformat(typed.strip()) if typed is not None else None
    except ValueError:
        raise QuestionError(
            f"{option} {typed!r} is not a day. Type year-month-day, e.g. {option} 2023-05-01."
        ) from None


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


def _config(index_dir: Path | None, **options: Any) -> Config:  # noqa: ANN401 - Config's own fields
    """Return the settings, those given on the command line first."""
    given = {"index_dir": index_dir, **options}
    return replace(Config.load(), **{key: item for key, item in given.items() if item is not None})


def _answerer(config: Config, dense: Any = "auto") -> Answerer:  # noqa: ANN401 - index.search.Dense
    from qa.answer import Answerer

    return Answerer.open(
        config.index_dir,
        dense=dense,
        top_k=config.top_k,
        max_question_chars=config.max_question_chars,
    )


def _build(
    paths: list[Path], config: Config, *, rebuild: bool = False, quiet: bool = False
) -> BuildReport:
    """Build with a progress bar and a summary on stderr; `quiet` leaves both out."""
    from rich.console import Console

    from index.build import build_index
    from ui.progress import progress_bars, summary_lines

    console = Console(stderr=True, quiet=quiet)
    try:
        with progress_bars(console) as on_progress:
            report = build_index(paths, config.index_dir, rebuild=rebuild, on_progress=on_progress)
    except KeyboardInterrupt:
        typer.echo(
            "Stopped. The index in service is unchanged; run the same command again to go on.",
            err=True,
        )
        raise typer.Exit(STOPPED) from None
    if not quiet:
        for line in summary_lines(report, config.index_dir):
            typer.echo(line, err=True)
    return report


def _without_text(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in {"text", "captions"}}


def _print_json(values: Mapping[str, Any]) -> None:
    typer.echo(json.dumps(values, ensure_ascii=False))


if __name__ == "__main__":
    main()
