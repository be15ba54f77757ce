"""`article-qa generations`: the states of an index that can be gone back to."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ui.options import IndexDir, Json, print_json, settings

app = typer.Typer(no_args_is_help=True, help="List the generations of an index, go back to one.")


@app.command("list", epilog="Example: article-qa generations list --json")
def list_generations(index_dir: IndexDir = None, as_json: Json = False) -> None:
    """List the generations, newest first: when each was built, what it holds, whether it serves."""
    from index.generation import files_of
    from index.service import generations, is_sound, open_sound

    folder = settings(index_dir).index_dir
    present = open_sound(folder).manifest.number
    rows: list[dict[str, Any]] = []
    for found in generations(folder):
        manifest = found.manifest
        state = "in service" if manifest.number == present else ""
        rows.append(
            {
                "number": manifest.number,
                "built_at": manifest.built_at,
                "articles": manifest.n_articles,
                "passages": manifest.n_passages,
                "embedder": manifest.settings["embedder"],
                "bytes": sum(path.stat().st_size for path in files_of(found.path)),
                "state": state if is_sound(found.path) else "damaged",
            }
        )
    if as_json:
        print_json({"generations": rows})
        return
    for row in rows:
        typer.echo(
            f"{row['number']:>6}  {row['built_at'][:16].replace('T', ' ')}  "
            f"{row['articles']:>9,} articles  {row['passages']:>11,} passages  "
            f"{row['bytes'] / 1e6:>9,.1f} MB  {row['embedder']}  {row['state']}".rstrip()
        )


@app.command(epilog="Example: article-qa generations rollback")
def rollback(
    number: Annotated[
        int | None, typer.Argument(metavar="[N]", help="Default: the one before that in service.")
    ] = None,
    index_dir: IndexDir = None,
) -> None:
    """Put an earlier generation in service again. A running chat follows by itself.

    The next `article-qa index` starts from it, and takes in again what the sources hold by then.
    """
    from index.service import roll_back

    manifest = roll_back(settings(index_dir).index_dir, number).manifest
    typer.echo(
        f"Generation {manifest.number} of {manifest.built_at[:10]} is in service: "
        f"{manifest.n_articles:,} articles."
    )


@app.command(epilog="Example: article-qa generations prune --keep 1")
def prune(
    keep: Annotated[int, typer.Option(min=1, help="How many stay, that in service included.")] = 1,
    index_dir: IndexDir = None,
) -> None:
    """Drop old generations, to save space.

    Builds keep two by themselves, and once more what was rolled back from.
    """
    from index.service import prune as drop

    dropped = drop(settings(index_dir).index_dir, keep)
    typer.echo(f"Dropped: {', '.join(map(str, dropped)) or 'none'}.")
