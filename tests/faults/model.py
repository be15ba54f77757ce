"""What an index should hold, kept as plain values beside it: the state machine's other half."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Self

from index.types import article_id, text_version
from tests.faults.world import World, article, text_of

LABEL = "news"  # of the folder of files

Past = Mapping[str, frozenset[str]]  # article id → versions it had before


@dataclass(frozen=True, slots=True)
class File:
    """One article as a file."""

    name: str
    edition: int
    first_name: str  # its id comes from it, whatever it is called later


@dataclass(frozen=True, slots=True)
class State:
    """What one generation holds."""

    given: World = field(default_factory=dict)
    files: Mapping[int, File] = field(default_factory=dict)
    past: Past = field(default_factory=dict)
    embedder: str = ""
    has_folder: bool = False  # was the folder ever indexed

    def articles(self) -> dict[str, str]:
        """Return article id → version."""
        values = [article(number, edition) for number, edition in self.given.items()]
        return {
            **{one.id: one.version for one in values},
            **{
                article_id(f"{LABEL}/{file.first_name}"): text_version(
                    text_of(number, file.edition)
                )
                for number, file in self.files.items()
            },
        }

    def past_versions(self) -> dict[str, frozenset[str]]:
        """Return article id → versions it had before, of every article."""
        return {name: self.past.get(name, frozenset()) for name in self.articles()}

    def after(
        self,
        *,
        embedder: str,
        given: World | None,
        files: Mapping[int, tuple[str, int]] | None,
        rebuild: bool,
    ) -> Self:
        """Return the state after a build of articles as values, or of the folder.

        Args:
            embedder: Another one than before reads everything again, the folder too.
            given: The articles handed over; None means none were.
            files: What the folder holds now: number → name and edition.
            rebuild: Everything is read again.
        """
        fresh = rebuild or (bool(self.embedder) and embedder != self.embedder)
        looked = given is None or (fresh and self.has_folder)
        new = replace(
            self,
            given=self.given if given is None else dict(given),
            files=self._files_after(files or {}) if looked else self.files,
            embedder=embedder,
            has_folder=self.has_folder or given is None,
        )
        before, after = self.articles(), new.articles()
        past = {
            name: (self.past.get(name, frozenset()) | {before[name]}) - {after[name]}
            for name in before.keys() & after.keys()
        }
        return replace(new, past={name: versions for name, versions in past.items() if versions})

    def _files_after(self, files: Mapping[int, tuple[str, int]]) -> dict[int, File]:
        found = {}
        for number, (name, edition) in files.items():
            old = self.files.get(number)
            # The same name, or the same bytes under another one: the same article.
            same = old is not None and (old.name == name or old.edition == edition)
            found[number] = File(name, edition, old.first_name if old and same else name)
        return found


@dataclass(slots=True)
class Generations:
    """The generations on the disk, as far as they are known to be there, and which one answers."""

    states: dict[int, State] = field(default_factory=dict)
    current: int = 0  # what CURRENT names; 0: there is no index
    damaged: set[int] = field(default_factory=set)  # their record is
    lame: set[int] = field(default_factory=set)  # Chroma's files are damaged

    @property
    def serving(self) -> int:
        """The number of the generation that answers: the newest sound one if CURRENT's is not."""
        if self.current in self.damaged:
            return max(self.states.keys() - self.damaged)
        return self.current

    @property
    def state(self) -> State:
        """What it holds."""
        return self.states.get(self.serving, State())

    def publish(self, number: int, state: State) -> None:
        """A build has ended well: it, the one before, and what was rolled back from are kept."""
        kept = {n: s for n, s in self.states.items() if n > self.serving and n not in self.damaged}
        if self.current:
            kept[self.serving] = self.state
        self.states = {**kept, number: state}
        self.current = number
        self.damaged &= self.states.keys()
        self.lame &= self.states.keys() - {number}

    def repair_pointer(self) -> None:
        """A build that finds CURRENT's generation damaged lets it name the one that answers."""
        self.current = self.serving

    def forget_missing(self, there: Set[int]) -> None:
        """A build that was stopped may have used up generations that were not in service."""
        for number in self.states.keys() - there:
            del self.states[number]
