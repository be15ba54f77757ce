"""Two builds of one index at a time: one works, the other says who does."""

from __future__ import annotations

import shutil

from tests.faults import checks
from tests.faults.acts import TINY
from tests.faults.tier import TIER
from tests.faults.world import first_world, versions

SLOW = {**TINY, "delay_s": 30.0}
REFUSED_S = 1.0  # after this long, the second knows


def test_two_builds_of_one_index(zygote, tally, tmp_path):
    with tally("C1", "a second build while one runs; its holder killed") as table:
        for number in range(TIER.writers):
            index_dir = tmp_path / str(number)
            world = first_world(8 + number % 5)
            with table.run(f"meeting {number}"):
                holder = zygote.start("build", index_dir=index_dir, world=world, embedder=SLOW)
                try:
                    checks.await_holder(index_dir)
                    second = zygote.start("build", index_dir=index_dir, world=world).wait()
                    table.note(second.spent_s)
                    assert second.spent_s <= REFUSED_S, f"refused after {second.spent_s} s"
                    assert second.value["error"] == "IndexLockedError", second
                    assert second.value["exit_status"] == 75
                    assert f"(number {holder.pid}, since " in second.value["message"]
                finally:
                    holder.kill()
                    holder.wait()
                third = zygote.do("build", index_dir=index_dir, world=world)  # free at once
                assert "report" in third, third
                assert checks.sound(zygote, index_dir)["articles"] == versions(world)
            shutil.rmtree(index_dir)
