"""What a build tells: `BuildProgress` while it runs, `BuildReport` when it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

# "read" and "embed" overlap: what is read is embedded while the next sources are parsed.
Phase = Literal["scan", "read", "embed", "group", "vectors", "verify"]
Unit = Literal["files", "sources", "passages", "articles", "checks"]


@dataclass(frozen=True, slots=True)
class BuildProgress:
    """How far one phase of a build is; phases begin in the order of `Phase`, some are skipped.

    Told again where a step takes long, as a sign of life.
    """

    phase: Phase
    done: int  # of `total`, in `unit`s
    total: int
    unit: Unit


OnProgress = Callable[[BuildProgress], None]
Beat = Callable[[], None]  # called by long steps that have nothing to count: they go on


@dataclass(frozen=True, slots=True)
class Problem:
    """A source that could not be read, or not in full. The build went on without that part."""

    source: str
    reason: str  # one line


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """What a build did. Counts are articles unless said."""

    generation: int  # the one in service now
    n_articles: int
    n_passages: int
    added: int = 0
    updated: int = 0
    removed: int = 0
    unchanged: int = 0
    renamed: int = 0  # sources known by another name now
    n_stories: int = 0  # articles that are copies of one another counted once
    embedded: int = 0  # passages whose vector had to be computed
    problems: tuple[Problem, ...] = ()
    passed_over: Mapping[str, int] = field(default_factory=dict)  # suffix -> files not looked into
    notice: str | None = None  # what was repaired on the way
    changed: bool = False  # a new generation was published, if only for a date or a problem
    made_anew: bool = False  # every source read again: other models or parser, or on demand
    resumed: bool = False  # used the vectors of a build that had been stopped
    timings_s: Mapping[str, float] = field(default_factory=dict)  # phase -> seconds

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the report that `to_dict` described."""
        problems = tuple(Problem(**item) for item in values["problems"])
        return cls(**{**values, "problems": problems})
