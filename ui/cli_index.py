"""`article-qa index`, `export`, `import`: an index is made, taken away, brought in."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

from index.errors import ConfigError, SourceError
from index.roots import is_url
from ui.building import (
    add_lines,
    build,
    failures_reported,
    require_embedder,
    watch,
)
from ui.options import IndexDir, Json, print_json, settings

STDIN = "-"
COMMENT = re.compile(r"(^|\s)#.*")  # not the "#" inside an address


def index(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SOURCES]...",
            help="Files, folders, addresses (page, feed, sitemap, OPML); - takes JSON lines from "
            "stdin; none: all indexed before.",
        ),
    ] = None,
    index_dir: IndexDir = None,
    urls: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A list of addresses, one a line; # begins a comment."),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help='Of folders only files like "*.html" or "2023/*".'),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Leave out such files and folders."),
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=KEY",
            help="JSON and CSV: which key holds a field, where a record has it: text, title, "
            "published (date), updated, byline (author), outlet, section, url, language, tags, "
            "captions, id.",
        ),
    ] = None,
    embedder: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="bundled, a model's folder, or package.module:name."),
    ] = None,
    rebuild: Annotated[bool, typer.Option(help="Read and embed everything again.")] = False,
    watching: Annotated[
        bool, typer.Option("--watch", help="Go on: index again whenever a file or folder changes.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write counts and problems, or the error, as JSON."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring the index up to date with files, folders and addresses.

    Unchanged articles cost nothing; changed ones are replaced, deleted ones disappear. The old
    index answers until the new one is complete. Stop with Ctrl-C; the next run goes on from there.

    --include and --exclude are remembered for the folders named with them (without any, for all),
    --field for the whole index; an empty one ("") forgets them. Lines on stdin take --field,
    --embedder, --report and --json, and refuse the others.
    --watch looks at files and folders only, not at addresses. To look again at everything every
    hour, put the command into cron: 0 * * * * article-qa index --index DIR

    The exit status is 0, 2 on an error, 73 if the index is read-only, 74 if the build said nothing
    for ten minutes (stall_timeout_s), as when a disk does not answer, 75 if another process is
    building this index, 130 or 143 if it was stopped. A watch reports what goes wrong and goes on;
    Ctrl-C or SIGTERM between two builds end it with 0.
    """
    with failures_reported(report):
        config = settings(index_dir, embedder=embedder)
        if embedder is None and not rebuild:
            require_embedder(config)
        asked = [*(sources or []), *_addresses(urls)]
        mapping = _mapping(field)
        if STDIN in asked:
            if len(asked) > 1:
                raise SourceError(
                    "- stands alone: index files and addresses in a run of their own."
                )
            _refuse_with_stdin(
                {
                    "--include": include is not None,
                    "--exclude": exclude is not None,
                    "--rebuild": rebuild,
                    "--watch": watching,
                }
            )
            done = add_lines(config, mapping, quiet=as_json, report_file=report)
        else:
            if not asked and not config.index_dir.exists():
                raise SourceError(
                    f"There is no index at {config.index_dir} yet. Say what to index: "
                    "article-qa index FOLDER."
                )
            found = [item if is_url(item) else Path(item) for item in asked]
            done = build(
                found,
                config,
                quiet=as_json,
                report_file=report,
                rebuild=rebuild,
                include=_patterns(include),
                exclude=_patterns(exclude),
                fields=mapping,
            )
    if as_json:
        print_json(done.to_dict())
    if watching:
        watch(config, as_json=as_json, report_file=report)


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Written, e.g. news.aqa.")],
    index_dir: IndexDir = None,
) -> None:
    """Write the whole index into one file that another machine can import."""
    from index.portable import export_index

    config = settings(index_dir)
    generation = export_index(config.index_dir, file)
    size = file.stat().st_size / 1e6
    typer.echo(
        f"Generation {generation.manifest.number} of {config.index_dir}: "
        f"{generation.manifest.n_articles:,} articles in {file} ({size:,.1f} MB)."
    )


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What export has written.")],
    index_dir: IndexDir = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of an index that is there.")
    ] = False,
) -> None:
    """Put an exported index in service, checked as a build is."""
    from index.portable import import_index

    config = settings(index_dir)
    generation = import_index(file, config.index_dir, replace_it=replace)
    manifest = generation.manifest
    typer.echo(
        f"{manifest.n_articles:,} articles, {manifest.n_passages:,} passages from {file} are in "
        f"service at {config.index_dir} as generation {manifest.number}."
    )


def _refuse_with_stdin(given: Mapping[str, bool]) -> None:
    """Refuse what would do nothing to lines on stdin, rather than pass over it silently."""
    if names := [name for name, is_given in given.items() if is_given]:
        raise SourceError(
            f"{' and '.join(names)} cannot be used with -: lines on stdin join the index as they "
            "are. Index files and folders so in a run of its own: article-qa index "
            f"{' '.join(names)} …"
        )


def _addresses(file: Path | None) -> list[str]:
    if file is None:
        return []
    try:
        data = sys.stdin.buffer.read() if str(file) == STDIN else file.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise SourceError(f"The list of addresses {file} cannot be read: {error}.") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"The list of addresses {file} is not UTF-8: {error}.") from error
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        address = COMMENT.sub("", line).strip()
        if address and not is_url(address):
            raise SourceError(
                f"{file}, line {number}: {address!r} is not an address that begins with https://."
            )
        found += [address] if address else []
    if not found:
        raise SourceError(f"{file} holds no addresses.")
    return found


def _patterns(typed: Sequence[str] | None) -> list[str] | None:
    return None if typed is None else [pattern for pattern in typed if pattern]


def _mapping(typed: Sequence[str] | None) -> dict[str, str] | None:
    if typed is None:
        return None
    from index.parsing.metadata import field_named
    from index.types import Article

    known = sorted({item.name for item in fields(Article)} - {"version", "origins", "source"})
    mapping = {}
    for pair in filter(None, typed):
        typed_name, equals, key = pair.partition("=")
        name = field_named(typed_name)
        if not equals or not key or name not in known:
            raise ConfigError(
                f"--field {pair!r} is not FIELD=KEY with one of the fields {', '.join(known)}; "
                "e.g. --field text=body."
            )
        mapping[name] = key
    return mapping
