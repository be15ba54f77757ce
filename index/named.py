"""What users mean by a name: one article, a root, or all at or below a path or an address."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from index.errors import SourceError
from index.record import Record
from index.roots import is_remote, is_url
from index.sources.address import normal_url


@dataclass(frozen=True, slots=True)
class Removal:
    """What goes if a name is removed: a root with all that it has, or articles that stay away."""

    root: str | None = None
    articles: tuple[str, ...] = ()  # ids


def removal_of(record: Record, name: str) -> Removal:
    """Return what a user wants removed by a name.

    Raises:
        SourceError: If the index has nothing of that name.
    """
    if record.article(name) is not None:
        return Removal(articles=(name,))
    for root, sources in _meanings(record, name):
        if root is not None:
            # A page that a feed lists too is handed over to that feed; but it was named to go.
            return Removal(root, tuple(_ids(record, [_normal(root)])))
        if articles := tuple(_ids(record, sources)):
            return Removal(articles=articles)
    labels = sorted(record.roots().values())
    near = get_close_matches(name, [*record.versions(), *labels], n=3, cutoff=0.6)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise SourceError(
        f"The index has neither an article {name!r} nor one at or below such a path or address."
        f"{hint} Indexed are: {', '.join(labels) or 'none'}. The ids of articles are in the first "
        "column of: article-qa articles list"
    )


def sources_named(record: Record, name: str) -> list[str]:
    """Return the names of the sources that a user means by a name, none if there are none."""
    return next((sources for _, sources in _meanings(record, name) if sources), [])


def _meanings(record: Record, name: str) -> Iterator[tuple[str | None, list[str]]]:
    """Yield what a name can mean: a root, if it is one, and the sources at or below.

    First as a path or address, then as the index calls it: in a folder "news" that is indexed,
    "news" is the folder of that name inside, if there is one.
    """
    roots = record.roots()
    place = _normal(name)
    if name and not is_url(name):
        place = str(Path(name).resolve())
    exact = next((root for root in roots if place and place in {root, _normal(root)}), None)
    yield exact, _sources(record, exact, _stems(roots, place))
    labelled = next((root for root, label in roots.items() if name in {root, label}), None)
    yield labelled, _sources(record, labelled, [name])


def _sources(record: Record, root: str | None, stems: Iterable[str]) -> list[str]:
    """Return the sources of a root, or if it is None those at or below one of the stems."""
    if root is not None:
        return list(record.sources(root))
    wanted = [stem.rstrip("/") for stem in stems if stem.rstrip("/")]
    return [
        source
        for source in record.sources()
        if any(source == stem or source.startswith(f"{stem}/") for stem in wanted)
    ]


def _stems(roots: Mapping[str, str], place: str) -> Iterator[str]:
    """Yield what the names of the sources at or below a path or address begin with."""
    if is_url(place) or not place:
        yield place
        return
    path = Path(place)
    for root, label in roots.items():
        if is_remote(root):
            continue
        if Path(root).is_relative_to(path):
            yield label
        elif path.is_relative_to(root):
            inside = path.relative_to(root).as_posix()
            yield os.fsencode(f"{label}/{inside}").decode("utf-8", "backslashreplace")


def _normal(name: str) -> str:
    """Return an address as sources are called by it, "" for anything else."""
    try:
        return normal_url(name) if is_url(name) else ""
    except SourceError:
        return ""


def _ids(record: Record, sources: Iterable[str]) -> Iterator[str]:
    return (article.id for name in sources for article in record.articles_of(name))
