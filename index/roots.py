"""Which folders an index is made of, and under which name each source of them is known."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

GIVEN = "python:"  # the root of articles that were handed over as values, not read from files


@dataclass(frozen=True, slots=True)
class Roots:
    """The roots of an index after a build, and the part of them that this build looks at."""

    known: Mapping[str, str]  # absolute path or address -> unique label, all of them
    scanned: tuple[str, ...]  # those whose sources are compared with what is there now
    replaced: tuple[str, ...]  # roots that are now part of a larger one; their sources go


def is_remote(root: str) -> bool:
    """Say whether the articles of a root are to be fetched: an address, or a list of feeds."""
    return is_url(root) or root.lower().endswith(".opml")


def is_url(name: str) -> bool:
    """Say whether a name is an address and not a path."""
    return name.lower().startswith(("http://", "https://"))


def resolve_roots(asked: Iterable[Path | str], known: Mapping[str, str]) -> Roots:
    """Return the roots after adding `asked`; if that is nothing, all known ones are looked at.

    A path inside a known root means that root; a path around known roots takes their place. So no
    article is ever indexed twice through two roots. An address is a root by itself, and so is a
    list of feeds: the folder around it does not look into it.
    """
    after = dict(known)
    scanned: dict[str, None] = {}
    replaced: list[str] = []
    for item in list(asked) or list(known):
        if isinstance(item, str) and is_url(item):
            after.setdefault(item, item)
            scanned[item] = None
            continue
        path = Path(item) if isinstance(item, str) else item.resolve()
        if is_remote(str(path)):
            if str(path) not in after:
                after[str(path)] = _free_label(path, after.values())
            scanned[str(path)] = None
            continue
        files = [root for root in after if not is_remote(root)]
        around = next((root for root in files if path.is_relative_to(root)), None)
        if around is None:
            inside = [root for root in files if Path(root).is_relative_to(path)]
            replaced += [root for root in inside if root in known]
            for root in inside:
                del after[root]
                scanned.pop(root, None)
            around = str(path)
            after[around] = _free_label(path, after.values())
        scanned[around] = None
    return Roots(after, tuple(scanned), tuple(replaced))


def _free_label(path: Path, taken: Collection[str]) -> str:
    """Return the shortest end of the path that no other root is known by: "news", "2023/news".

    No label is inside another either: "news" + "/2023/a.txt" would be "news/2023" + "/a.txt".
    """
    parts = path.parts
    for length in range(1, len(parts) + 1):
        label = "/".join(parts[-length:]).lstrip("/\\")
        if label and not any(_overlap(label, other) for other in taken):
            return label
    return str(path)


def _overlap(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")
