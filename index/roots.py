"""Which folders an index is made of, and under which name each source of them is known."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

GIVEN = "python:"  # the root of articles that were handed over as values, not read from files


@dataclass(frozen=True, slots=True)
class Roots:
    """The roots of an index after a build, and the part of them that this build looks at."""

    known: Mapping[str, str]  # absolute path -> unique label, all of them
    scanned: tuple[str, ...]  # paths whose sources are compared with the disk
    replaced: tuple[str, ...]  # roots that are now part of a larger one; their sources go


def resolve_roots(paths: Iterable[Path], known: Mapping[str, str]) -> Roots:
    """Return the roots after adding `paths`; without paths, all known ones are looked at again.

    A path inside a known root means that root; a path around known roots takes their place. So no
    article is ever indexed twice through two roots.
    """
    after = dict(known)
    scanned: dict[str, None] = {}
    replaced: list[str] = []
    for path in [item.resolve() for item in paths] or [Path(item) for item in known]:
        around = next((item for item in after if path.is_relative_to(item)), None)
        if around is None:
            inside = [item for item in after if Path(item).is_relative_to(path)]
            replaced += [item for item in inside if item in known]
            for item in inside:
                del after[item]
                scanned.pop(item, None)
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
