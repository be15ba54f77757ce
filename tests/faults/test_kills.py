"""Builds that are killed: at random moments, and at every named one."""

from __future__ import annotations

import random
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from index.failpoints import NAMES
from index.search import Searcher
from index.types import article_id, text_version
from tests.faults.acts import QUERY
from tests.faults.checks import holds_one_of
from tests.faults.harness import Zygote
from tests.faults.tally import Tally
from tests.faults.tier import TIER
from tests.faults.world import World, changed, first_world, text_of, versions, write_files
from tests.index.conftest import TinyEmbedder

FRESH_SHARE = 0.1  # of kills, those of a first build
TWICE_SHARE = 0.3  # of kills, those followed by another before a build may end
SCRATCH_EVERY = 5  # kills between two comparisons with a build from nothing
IN_FILES = {"after_parse"}  # moments that only a build of files comes to


class Killing:
    """One index that is changed again and again, each change killed before it may be made."""

    def __init__(self, zygote: Zygote, home: Path, tally: Tally, *, from_files: bool) -> None:
        self.zygote, self.home, self.tally, self.from_files = zygote, home, tally, from_files
        self.index_dir = home / "index"
        self.folder = home / "news"
        self.world: World = {}
        self.takes_s = 1.0  # a build that is left alone

    def sources(self, world: World) -> dict[str, object]:
        if not self.from_files:
            return {"world": world}
        write_files(world, self.folder)
        return {"folder": self.folder}

    def state(self, world: World) -> dict[str, str]:
        """Return id → version of the articles that an index of `world` holds."""
        if not self.from_files or not world:
            return versions(world)
        return dict(self._of_files(world))

    def _of_files(self, world: World) -> list[tuple[str, str]]:
        return [
            (article_id(f"news/{number}.txt"), text_version(text_of(number, edition)))
            for number, edition in world.items()
        ]

    def start_over(self) -> None:
        """Have no index."""
        shutil.rmtree(self.index_dir, ignore_errors=True)
        self.world = {}

    def complete(self, world: World) -> None:
        """Build without a fault, as the next one after a kill: nobody cleared anything away."""
        outcome = self.zygote.start("build", index_dir=self.index_dir, **self.sources(world)).wait()
        assert outcome.status == 0, self.zygote.log_tail()
        assert "report" in outcome.value, outcome.value
        self.takes_s = outcome.spent_s
        self.world = world
        found = holds_one_of(self.zygote, self.index_dir, {"new": self.state(world)}, self.tally)
        assert found == "new"
        names = {path.name for path in self.index_dir.iterdir()}
        left = {name for name in names if not name.startswith("gen-")} - {"CURRENT", ".lock"}
        assert not left, f"left behind: {left}"

    def kill(self, world: World, *, after_s: float | None = None, failpoint: str = "") -> None:
        """Start a build, have it killed, and see what is there."""
        before = self.state(self.world)
        reader = self._reader()
        child = self.zygote.start(
            "build", index_dir=self.index_dir, failpoint=failpoint, **self.sources(world)
        )
        if after_s is not None:
            child.has_ended_within(after_s)
            child.kill()
        outcome = child.wait()
        if failpoint:
            assert outcome.status == -9, f"{failpoint} was not reached"
        acknowledged = outcome.status == 0
        states = {} if acknowledged else {"old": before}
        states["new"] = self.state(world)
        if reader is not None:
            with closing(reader):
                assert reader.search(QUERY), "the old generation no longer answers"
        if holds_one_of(self.zygote, self.index_dir, states, self.tally) == "new":
            self.world = world

    def _reader(self) -> Searcher | None:
        if not (self.index_dir / "CURRENT").exists():
            return None
        return Searcher.open(self.index_dir, TinyEmbedder(), dense="exact")

    def equals_scratch(self) -> None:
        """Compare with an index of the same articles that has no history."""
        scratch = self.home / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        self.zygote.do("build", index_dir=scratch, **self.sources(self.world))
        ours = self.zygote.do("content", index_dir=self.index_dir)
        theirs = self.zygote.do("content", index_dir=scratch)
        different = [name for name in ours if ours[name] != theirs[name]]
        assert different == [], f"unlike a build from nothing: {different}"


def test_killed_at_random(zygote, tally, tmp_path):
    draw = random.Random(1)
    with tally("R1", "builds killed at a random moment") as table:
        scenes = {
            files: Killing(zygote, tmp_path / str(files), table, from_files=files)
            for files in (False, True)
        }
        for number in range(TIER.kills):
            with table.run(f"kill {number}"):
                random_kill(scenes[draw.random() < TIER.files_share], draw, number)


def random_kill(scene: Killing, draw: random.Random, number: int) -> None:
    if not scene.world:
        scene.complete(first_world(TIER.articles))
    if draw.random() < FRESH_SHARE:
        scene.start_over()
    world = changed(scene.world or first_world(TIER.articles), draw)
    scene.kill(world, after_s=draw.uniform(0, scene.takes_s))
    if draw.random() > TWICE_SHARE:
        scene.complete(world)
    if number % SCRATCH_EVERY == 0 and scene.world:
        scene.equals_scratch()


@pytest.mark.parametrize("failpoint", NAMES)
def test_killed_at_a_named_moment(zygote, tally, tmp_path, failpoint):
    draw = random.Random(2)
    with tally("R2", f"builds killed at {failpoint}") as table:
        scene = Killing(zygote, tmp_path, table, from_files=failpoint in IN_FILES)
        scene.complete(first_world(20))
        for number in range(TIER.per_failpoint):
            with table.run(f"kill {number}"):
                world = changed(scene.world, draw)
                world[1_000 + number] = 0  # at least one more article: each moment comes
                scene.kill(world, failpoint=f"{failpoint}:1")
                scene.complete(world)
                if number % SCRATCH_EVERY == 1:
                    scene.equals_scratch()
