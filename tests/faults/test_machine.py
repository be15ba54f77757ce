"""Random lives of an index, step by step beside a model of plain values."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from index.failpoints import NAMES
from index.generation import CURRENT, MANIFEST, NAME, generation_name
from tests.faults import checks
from tests.faults.harness import Zygote
from tests.faults.model import LABEL, Generations, State
from tests.faults.tally import Tally
from tests.faults.tier import TIER
from tests.faults.world import EDITIONS, World, write_file

GIVEN_NUMBERS = st.integers(0, 9)
FILE_NUMBERS = st.integers(500, 505)
EDITION = st.integers(0, EDITIONS - 1)
EMBEDDERS = {
    "bag-of-words@1": {"model_id": "bag-of-words@1", "dim": 64},
    "bag-of-words@2": {"model_id": "bag-of-words@2", "dim": 32},
}
SOURCE = st.sampled_from(("given", "given", "files"))  # files cost a second of parser start


class IndexLife(RuleBasedStateMachine):
    """One index, its sources, and the model of both."""

    zygote: Zygote
    tally: Tally

    def __init__(self) -> None:
        super().__init__()
        self.tally.runs += 1
        self.home = Path(tempfile.mkdtemp(prefix="life-", dir=self.zygote.folder))
        self.index_dir, self.folder = self.home / "index", self.home / LABEL
        self.given: World = {}
        self.files: dict[int, tuple[str, int]] = {}  # number → name and edition
        self.n_names = 0
        self.embedder = "bag-of-words@1"
        self.known = Generations()
        self.checked: set[int] = set()  # generations whose Chroma was seen to be sound

    def teardown(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)

    @initialize()
    def begin(self) -> None:
        self.folder.mkdir()
        self.given = {0: 0, 1: 0}
        for number in (500, 501):
            self.put_file(number, 0)
        self.build_world("files")

    # Sources change; the index does not know yet

    @rule(number=GIVEN_NUMBERS, edition=EDITION)
    def put_given(self, number: int, edition: int) -> None:
        """Add an article, update one, or bring a deleted one back."""
        self.given[number] = edition

    @rule(number=GIVEN_NUMBERS)
    @precondition(lambda self: len(self.given) > 1)
    def delete_given(self, number: int) -> None:
        if len(self.given) > 1:
            self.given.pop(number, None)

    @rule(number=FILE_NUMBERS, edition=EDITION)
    def put_file(self, number: int, edition: int) -> None:
        name = self.files[number][0] if number in self.files else self.fresh_name()
        self.files[number] = (name, edition)
        write_file(self.folder / name, number, edition)

    @rule(number=FILE_NUMBERS)
    def delete_file(self, number: int) -> None:
        # A folder that becomes empty is taken for an unmounted disk: its articles stay.
        if number in self.files and len(self.files) > 1:
            name, _ = self.files.pop(number)
            (self.folder / name).unlink()

    @rule(number=FILE_NUMBERS)
    def rename_file(self, number: int) -> None:
        if number in self.files:
            old, edition = self.files[number]
            new = self.fresh_name()
            (self.folder / old).rename(self.folder / new)
            self.files[number] = (new, edition)

    @rule(number=FILE_NUMBERS)
    def touch_file(self, number: int) -> None:
        if number in self.files:
            path = self.folder / self.files[number][0]
            path.write_bytes(path.read_bytes())

    @rule()
    def change_embedder(self) -> None:
        self.embedder = next(name for name in EMBEDDERS if name != self.embedder)

    # Builds

    @rule(source=SOURCE)
    def build(self, source: str) -> None:
        self.build_world(source)

    @rule(source=SOURCE)
    def build_again(self, source: str) -> None:
        """The second of two builds in a row has nothing to do."""
        self.build_world(source)
        answer = self.answer_of_build(source)
        assert not answer["report"]["changed"], "a build of the same articles changed something"

    @rule()
    def rebuild(self) -> None:
        self.build_world("files", rebuild=True)

    @rule(source=SOURCE, failpoint=st.sampled_from(NAMES), number=st.integers(1, 3))
    def crash(self, source: str, failpoint: str, number: int) -> None:
        self.interrupted(source, f"{failpoint}:{number}")

    @rule(source=SOURCE, failpoint=st.sampled_from(NAMES))
    def disk_full(self, source: str, failpoint: str) -> None:
        self.interrupted(source, f"{failpoint}:1:full")

    @rule()
    def delete_missing(self) -> None:
        """Removing what is not there is an error that changes nothing."""
        answer = self.zygote.do(
            "build", index_dir=self.index_dir, remove=["nothing"], embedder=self.serving_embedder
        )
        assert answer.get("error") == "SourceError", answer
        self.known.repair_pointer()
        self.check()

    # Generations come to harm, or into service again

    @rule(seed=st.integers(0, 10**6))
    def corrupt_chroma(self, seed: int) -> None:
        chroma = self.index_dir / generation_name(self.known.serving) / "chroma"
        flip(random.Random(seed), [path for path in chroma.rglob("*") if path.is_file()])
        self.known.lame.add(self.known.serving)
        self.check()

    @rule(seed=st.integers(0, 10**6))
    def corrupt_record(self, seed: int) -> None:
        """The generation before takes over; there must be one."""
        if len(self.known.states.keys() - self.known.damaged) > 1:
            damaged = self.known.serving
            flip(random.Random(seed), [self.index_dir / generation_name(damaged) / "record.db"])
            self.known.damaged.add(damaged)
            found = self.check()
            assert found["notice"], "another generation answers, and nothing is said"

    @rule()
    def roll_back(self) -> None:
        earlier = [number for number in self.known.states if number < self.known.current]
        answer = self.zygote.do("go_back", index_dir=self.index_dir)
        if not earlier:
            assert answer.get("error") == "SourceError", answer
        elif max(earlier) in self.known.damaged:
            assert answer.get("error") == "IndexDamagedError", answer
        else:
            assert answer == {"generation": max(earlier)}
            self.known.current = max(earlier)
        self.check()

    # Questions

    @rule()
    def query(self) -> None:
        """Open anew, search with and without a filter, look up earlier versions."""
        self.check()

    @rule()
    def query_with_another_embedder(self) -> None:
        lines = self.home / "lines"
        other = next(EMBEDDERS[n] for n in EMBEDDERS if n != self.known.state.embedder)
        self.zygote.do("serve_each", index_dirs=[self.index_dir], lines=lines, embedder=other)
        assert '"error": "ModelMismatchError"' in lines.read_text(), "vectors of two models"
        lines.unlink()

    # What these are made of

    @property
    def serving_embedder(self) -> dict[str, Any]:
        return EMBEDDERS[self.known.state.embedder or self.embedder]

    def fresh_name(self) -> str:
        self.n_names += 1
        return f"{self.n_names}.txt"

    def sources(self, source: str) -> dict[str, Any]:
        return {"folder": self.folder} if source == "files" else {"world": self.given}

    def state_after(self, source: str, *, rebuild: bool = False) -> State:
        return self.known.state.after(
            embedder=self.embedder,
            given=None if source == "files" else self.given,
            files=self.files,
            rebuild=rebuild,
        )

    def answer_of_build(self, source: str, **values: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.zygote.do(
            "build",
            index_dir=self.index_dir,
            embedder=EMBEDDERS[self.embedder],
            **self.sources(source),
            **values,
        )
        return answer

    def build_world(self, source: str, *, rebuild: bool = False) -> None:
        after = self.state_after(source, rebuild=rebuild)
        answer = self.answer_of_build(source, rebuild=rebuild)
        assert "report" in answer, answer
        self.published(answer["report"], after)
        self.check()

    def published(self, report: dict[str, Any], after: State) -> None:
        if report["changed"]:
            self.checked.discard(report["generation"])  # a number may come again
            self.known.publish(report["generation"], after)
        else:
            self.known.repair_pointer()
            assert report["generation"] == self.known.current
            assert self.known.state == after, "a change went unnoticed"

    def interrupted(self, source: str, failpoint: str) -> None:
        """Build with a fault; afterwards the old state is in service, or the new one whole."""
        after, before, manifests = self.state_after(source), self.known.serving, self.manifests()
        outcome = self.zygote.start(
            "build",
            index_dir=self.index_dir,
            embedder=EMBEDDERS[self.embedder],
            failpoint=failpoint,
            **self.sources(source),
        ).wait()
        if outcome.status == 0 and "report" in outcome.value:  # it did not come to that moment
            self.published(outcome.value["report"], after)
        else:
            assert outcome.status == -9 or outcome.value["error"] == "DiskFullError", outcome
            self.known.repair_pointer()
            there = self.manifests()
            current = int(NAME.fullmatch((self.index_dir / CURRENT).read_text())[1])
            assert before in there, "the generation in service is gone"
            self.known.forget_missing(there.keys())
            # Whole, if not yet in service; the number may be that of one which was used up.
            for number in there:
                if there[number] != manifests.get(number):
                    self.known.states[number] = after
                    self.checked.discard(number)
            assert current == before or self.known.states[current] == after
            self.known.current = current
        self.check()

    def manifests(self) -> dict[int, bytes]:
        """Return the generations on the disk: number → what tells one from another."""
        folders = {path: NAME.fullmatch(path.name) for path in self.index_dir.iterdir()}
        return {
            int(name[1]): (path / MANIFEST).read_bytes() for path, name in folders.items() if name
        }

    def check(self) -> dict[str, Any]:
        """What must hold at all times."""
        serving = self.known.serving
        lame = serving in self.known.lame
        # Chroma is opened once for each generation: from then on its files must stay as they are.
        found = checks.sound(
            self.zygote,
            self.index_dir,
            embedder=self.serving_embedder,
            chroma=not lame and serving not in self.checked,
        )
        assert lame or not found["altered"], found["altered"]
        self.checked.add(serving)
        self.tally.note(found["opened_s"])
        assert found["generation"] == self.known.serving
        assert found["articles"] == self.known.state.articles()
        past = {name: frozenset(versions) for name, versions in found["past"].items()}
        assert past == self.known.state.past_versions()
        assert all(len(versions) == len(set(versions)) for versions in found["past"].values())
        return found


def flip(draw: random.Random, paths: list[Path]) -> None:
    """Change some bytes of one of the files that has any."""
    path = draw.choice([path for path in sorted(paths) if path.stat().st_size])
    data = bytearray(path.read_bytes())
    for _ in range(20):
        data[draw.randrange(len(data))] ^= draw.randrange(1, 256)
    path.write_bytes(data)


def test_the_index_is_what_the_model_says(zygote, tally):
    with tally("P1", f"random lives of {TIER.steps} steps beside a model") as table:
        machine = type("Life", (IndexLife,), {"zygote": zygote, "tally": table})
        with table.counting_failure():
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=TIER.examples,
                    stateful_step_count=TIER.steps,
                    deadline=None,
                    derandomize=True,
                    database=None,
                    report_multiple_bugs=False,
                    phases=(Phase.generate,),  # a step takes a second: shrinking, hours
                    suppress_health_check=list(HealthCheck),
                    print_blob=True,
                ),
            )
