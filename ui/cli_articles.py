"""`article-qa articles`: what is in an index, where from, how it changed, and what should go."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer

from index.errors import SourceError
from index.filters import Filters
from index.named import removal_of
from index.record import PastVersion, Record
from index.service import open_sound
from index.types import Article, Copy
from ui.building import require_embedder, run
from ui.escape import count, visible
from ui.options import DAY, IndexDir, Json, print_json, settings, typed_day

app = typer.Typer(
    no_args_is_help=True, help="List the articles of an index, show one, remove some."
)

ArticleId = Annotated[str, typer.Argument(help="The id that `articles list` prints.")]


@app.command("list", epilog='Example: article-qa articles list --outlet "Meridian Wire"')
def list_articles(
    index_dir: IndexDir = None,
    after: Annotated[
        str | None, typer.Option(metavar=DAY, help="Only those published then or later.")
    ] = None,
    before: Annotated[
        str | None, typer.Option(metavar=DAY, help="Only those published then or earlier.")
    ] = None,
    outlet: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this outlet's; repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the articles of the index, newest first; "=" marks those that have copies."""
    filters = Filters(
        published_from=typed_day("--after", after),
        published_to=typed_day("--before", before),
        outlets=tuple(outlet or ()),
    )
    with closing(_record(settings(index_dir).index_dir)) as record:
        articles = [
            item for item in record.articles() if filters.passes(item.published, item.outlet)
        ]
        copied = record.copies([item.id for item in articles])
    if as_json:
        print_json({"articles": [_without_text(item.to_dict()) for item in articles]})
        return
    for item in articles:
        published = item.published.isoformat() if item.published else "date unknown"
        outlet_name = f" ({visible(item.outlet)})" if item.outlet else ""
        title = visible(item.title) or "untitled"
        mark = "=" if item.id in copied else " "
        typer.echo(f"{item.id} {mark}{published:12}  {title}{outlet_name}")


@app.command("show", epilog="Example: article-qa articles show 0c1f9ae2d3b4 --diff")
def show_article(
    article_id: ArticleId,
    index_dir: IndexDir = None,
    version: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Show an earlier version.")
    ] = None,
    diff: Annotated[
        bool, typer.Option("--diff", help="What changed since the version before, or --version.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show one article: what is known of it and where from, copies, earlier versions, text.

    What the source says of itself is trusted first, then what led to it (the entry of a feed or
    sitemap, the address it was fetched from), then the day in its file's name. What none of them
    says stays unknown.
    """
    directory = settings(index_dir).index_dir
    with closing(_record(directory)) as record:
        current = _found(record, article_id, directory)
        past = record.past_versions(article_id)
        _, copies = record.copies([article_id]).get(article_id, (0, ()))
    chosen = _of_version(current, past, version)
    if diff:
        _print_diff(current, past, version)
        return
    if as_json:
        print_json(_as_json(chosen, copies, past))
        return
    if chosen is not current:
        typer.echo(f"This version is superseded; the current one is {current.version}.\n")
    for name, value in _without_text(chosen.to_dict()).items():
        if name == "origins":
            continue
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        origin = chosen.origins.get(name)
        source = f"   [{visible(origin)}]" if origin and shown else ""
        typer.echo(f"{name + ':':11} {visible(str(shown)) if shown else '-'}{source}")
    for copy in copies:
        day = f", {copy.published}" if copy.published else ""
        outlet = visible(copy.outlet or "outlet unknown")
        typer.echo(f"{'also in:':11} {outlet}{day} ({copy.article_id}) {visible(copy.title)}")
    for item in past:
        when = item.superseded.date().isoformat()
        typer.echo(f"{'earlier:':11} {item.article.version}, superseded on {when}")
    typer.echo("\n" + "\n".join(map(visible, chosen.text.split("\n"))))


@app.command(epilog="Example: article-qa articles remove 0c1f9ae2d3b4 news/2019")
def remove(
    names: Annotated[list[str], typer.Argument(metavar="NAMES...", help="Ids, paths, addresses.")],
    index_dir: IndexDir = None,
) -> None:
    """Take articles out of the index: one by its id, or all at or below a path or address.

    They stay out, whatever their sources hold, until they are restored by the same name; new
    articles beside them come in. A path or address that was itself given to index is forgotten
    whole, and comes back when it is indexed again. Your files are not touched.
    """
    config = settings(index_dir)
    with closing(_record(config.index_dir)) as record:
        removals = {name: removal_of(record, name) for name in names}
        whole = {name for name, removal in removals.items() if removal.root is not None}
        titles = {name: article.title for name in names if (article := record.article(name))}
    run(config, remove=tuple(names))
    for name in (name for name in removals if name not in whole):
        n_articles = count(len(removals[name].articles), "article")
        what = titles.get(name) or f"{n_articles} at or below {name}"
        typer.echo(
            f"Removed: {visible(what)}. Back with: article-qa articles restore {visible(name)}",
            err=True,
        )


@app.command(epilog="Example: article-qa articles restore 0c1f9ae2d3b4 news/2019")
def restore(
    names: Annotated[list[str], typer.Argument(metavar="NAMES...", help="Ids, paths, addresses.")],
    index_dir: IndexDir = None,
) -> None:
    """Let removed articles in again: one by its id, or all at or below a path or address."""
    config = settings(index_dir)
    require_embedder(config)
    run(config, readmit=tuple(names))


def _record(index_dir: Path) -> Record:
    return Record.open(open_sound(index_dir).record_path)


def _found(record: Record, article_id: str, directory: Path) -> Article:
    article = record.article(article_id)
    if article is not None:
        return article
    near = get_close_matches(article_id, record.versions(), n=3, cutoff=0.6)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise SourceError(
        f"The index at {directory} has no article {article_id!r}.{hint} "
        "The ids are in the first column of: article-qa articles list"
    )


def _as_json(
    article: Article, copies: Sequence[Copy], past: Sequence[PastVersion]
) -> dict[str, Any]:
    """Return all that the text form shows: earliest copy first, newest of the old versions first.

    Copies have the keys that those of a citation have in `ask --json`.
    """
    days = [copy.published and copy.published.isoformat() for copy in copies]
    return {
        **article.to_dict(),
        "copies": [
            {**asdict(copy), "published": day} for copy, day in zip(copies, days, strict=True)
        ],
        "versions": [
            {"version": item.article.version, "superseded": item.superseded.isoformat()}
            for item in past
        ],
    }


def _of_version(current: Article, past: list[PastVersion], version: str | None) -> Article:
    if version in {None, current.version}:
        return current
    for item in past:
        if item.article.version == version:
            return item.article
    known = ", ".join(item.article.version for item in past) or "none"
    raise SourceError(f"There is no version {version!r} of it. Earlier versions: {known}.")


def _print_diff(current: Article, past: list[PastVersion], version: str | None) -> None:
    if not past and version is None:
        typer.echo("There is no earlier version of it.")
        return
    old = _of_version(current, past, version or past[0].article.version)
    lines = difflib.unified_diff(
        list(_sentences(old)),
        list(_sentences(current)),
        fromfile=f"{old.version} (superseded)",
        tofile=f"{current.version} (current)",
        lineterm="",
        n=1,
    )
    for line in lines:
        typer.echo(visible(line))


def _sentences(article: Article) -> Iterator[str]:
    """Yield title and text sentence by sentence: news paragraphs are too long to compare."""
    from index.sentences import sentence_spans

    yield article.title
    for span in sentence_spans(article.text):
        yield " ".join(article.text[span.start : span.end].split())


def _without_text(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in {"text", "captions"}}
