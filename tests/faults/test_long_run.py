"""One long life of an index: thousands of small changes and questions, a kill now and then."""

from __future__ import annotations

import random
from pathlib import Path

from index.search import Searcher
from tests.faults import checks
from tests.faults.harness import Zygote
from tests.faults.tally import Tally
from tests.faults.tier import TIER
from tests.faults.world import EDITIONS, World, article, first_world, versions
from tests.index.conftest import TinyEmbedder

SEED = 2
POOL = 1_000  # numbers of articles
PUT, DELETE, BUILD = 0.35, 0.15, 0.03  # shares of the operations; the others are questions
KILLED = 0.1  # of the builds
CHECKED_EVERY = 10  # builds between two looks at everything


class LongRun:
    """The index, the articles it should hold, and those it will hold after the next build."""

    def __init__(self, zygote: Zygote, index_dir: Path, table: Tally) -> None:
        self.zygote, self.index_dir, self.table = zygote, index_dir, table
        self.draw = random.Random(SEED)
        self.wanted: World = first_world(20)
        self.held: World = {}
        self.n_builds = 0
        self.searcher: Searcher | None = None

    def step(self) -> None:
        chance = self.draw.random()
        number = self.draw.randrange(POOL)
        if chance < PUT:
            self.wanted[number] = self.draw.randrange(EDITIONS)
        elif chance < PUT + DELETE:
            self.wanted.pop(self.draw.choice(sorted(self.wanted)), None)
            self.wanted.setdefault(0, 0)
        elif chance < PUT + DELETE + BUILD:
            self.build(killed=self.draw.random() < KILLED)
        else:
            self.ask(number)

    def build(self, *, killed: bool = False) -> None:
        child = self.zygote.start("build", index_dir=self.index_dir, world=self.wanted)
        if killed:
            child.has_ended_within(self.draw.uniform(0, 1.5))
            child.kill()
        outcome = child.wait()
        if outcome.status == 0:
            assert "report" in outcome.value, outcome.value
            self.held = dict(self.wanted)
        else:
            states = {"old": versions(self.held), "new": versions(self.wanted)}
            if checks.holds_one_of(self.zygote, self.index_dir, states, self.table) == "new":
                self.held = dict(self.wanted)
        self.n_builds += 1
        if self.n_builds % CHECKED_EVERY == 0:
            found = checks.sound(self.zygote, self.index_dir)
            assert found["articles"] == versions(self.held)
        self.reopen()

    def reopen(self) -> None:
        if self.searcher is not None:
            self.searcher.close()
        self.searcher = Searcher.open(self.index_dir, TinyEmbedder(), dense="exact")
        assert self.searcher.record.versions() == versions(self.held)

    def ask(self, number: int) -> None:
        """Ask for the words of one article, whether it is there or not."""
        assert self.searcher is not None
        edition = self.held.get(number, 0)
        wanted = article(number, edition)
        with self.table.timed():
            found = self.searcher.search(f"{wanted.title} {wanted.text[:200]}")
        for item in found:
            span = slice(item.passage.start, item.passage.end)
            assert item.article.text[span] == item.passage.text, "a quote is not verbatim"
        is_found = wanted.id in {item.article.id for item in found}
        assert is_found == (number in self.held), f"article {number}: {is_found}"


def test_a_long_run(zygote, tally, tmp_path):
    with tally("P2", f"operations in a row, seed {SEED}") as table:
        run = LongRun(zygote, tmp_path / "index", table)
        run.build()
        for number in range(TIER.operations):
            with table.run(f"operation {number}"):
                run.step()
        run.build()
        run.searcher.close()
        found = checks.sound(zygote, run.index_dir)
        assert found["articles"] == versions(run.wanted)
