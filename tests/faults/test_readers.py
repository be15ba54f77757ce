"""Four threads that read while generations come and go."""

from __future__ import annotations

import time

from tests.faults import checks
from tests.faults.tier import T1, TIER
from tests.faults.world import first_world

READERS = 4
IDLE_S = 10.0 if TIER is T1 else 0.5  # before the first build, for comparison
P95_S = 0.05 if TIER is T1 else 0.5  # other tests may be running beside the small sizes
GROWTH = 0.2  # of memory, from the third generation to the last
MORE_FILES = 16  # open ones, likewise: while it is replaced, a generation is open beside the new


def test_reading_while_generations_are_swapped(zygote, tally, tmp_path):
    index_dir, stop = tmp_path / "index", tmp_path / "stop"
    world = first_world(TIER.articles)
    with tally("C2", f"{READERS} threads ask while generations change") as table:
        zygote.do("build", index_dir=index_dir, world=world)
        readers = zygote.start(
            "read_on", index_dir=index_dir, stop=stop, n_threads=READERS, idle_s=IDLE_S
        )
        time.sleep(IDLE_S + 2)  # it opens Chroma first
        for number in range(TIER.swaps):
            world = {**world, 1_000 + number: 0}
            zygote.do("build", index_dir=index_dir, world=world)
        stop.touch()
        outcome = readers.wait()
        assert outcome.status == 0, zygote.log_tail()
        found = outcome.value
        p95_ms, idle_ms = (round(1_000 * found[name]) for name in ("p95_s", "idle_p95_s"))
        table.what += f", p95 {p95_ms} ms (idle {idle_ms})"
        table.runs = found["queries"]
        table.failures += found["failures"]
        table.note(found["worst_s"])
        assert found["generations"] >= TIER.swaps // 2, "the swaps were not noticed"
        assert found["p95_s"] <= P95_S, f"p95 {found['p95_s']} s"
        early, late = found["states"][min(2, len(found["states"]) - 1)], found["states"][-1]
        assert late["files"] <= early["files"] + MORE_FILES, found["states"]
        if TIER is T1:  # after a few swaps, libraries are still warming up
            assert late["memory"] <= early["memory"] * (1 + GROWTH), found["states"]
        assert checks.sound(zygote, index_dir)["generation"] == TIER.swaps + 1
