"""Disks that are full, read-only or failing."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.faults import checks
from tests.faults.acts import TINY
from tests.faults.harness import Zygote
from tests.faults.tier import TIER
from tests.faults.world import changed, first_world, versions

ROOMY_MB = 200
LARGE, SMALL = 160, 40  # articles; the index of the large world takes about 4 MB
CALLS = ("write", "pwrite64", "fsync", "fdatasync", "openat", "rename", "unlink", "ftruncate")
ERRORS = ("EIO", "ENOSPC", "EMFILE")
MOMENTS = ("mid_vectors", "mid_embed", "record_commit", "manifest_written", "before_rename")
NTH = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89)  # of the calls, the first to fail
ATTACHED_S = 10.0
TRACED_S = 60.0  # for a build whose every call is looked at; then somebody ends it


# A full disk


def test_a_disk_that_is_too_small(mounting, tally, tmp_path):
    with tally("R6", "disks too small: a clear error, then room and a whole index") as table:
        for size in TIER.disks:
            with table.run(f"{size} MB"), table.timed():
                fill_and_enlarge(mounting, tmp_path / str(size), size)


def fill_and_enlarge(mounting: Zygote, disk: Path, size: int) -> None:
    disk.mkdir()
    mount(mounting, "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", disk)
    index_dir = disk / "index"
    small, large = first_world(SMALL), first_world(LARGE)
    held = build(mounting, index_dir, small)
    filled = disk / "other"  # somebody else's file takes what is left, all but a little
    if held:
        fill(mounting, filled, keep_mb=2)
        assert not build(mounting, index_dir, large), "2 MB cannot have been enough"
        expect(mounting, index_dir, small)
        mounting.do("command", argv=["rm", "-f", filled])
        begun = disk.with_suffix(".begun")  # outside: the disk is not mounted for this process
        slow = {**TINY, "delay_s": 1.0, "begun": str(begun)}
        child = mounting.start("build", index_dir=index_dir, world=large, embedder=slow)
        checks.await_file(begun)
        fill(mounting, filled, keep_mb=0)  # the check beforehand has found enough
        outcome = child.wait()
        assert (outcome.value or {}).get("error") == "DiskFullError", outcome
        expect(mounting, index_dir, small)
    mount(mounting, "-o", f"remount,size={ROOMY_MB}m", disk)
    assert build(mounting, index_dir, large), "still full"
    expect(mounting, index_dir, large)


def expect(mounting: Zygote, index_dir: Path, world: dict[int, int]) -> None:
    found = checks.sound(mounting, index_dir)
    assert found["articles"] == versions(world), "holds other articles"


def build(mounting: Zygote, index_dir: Path, world: dict[int, int]) -> bool:
    """Build; say whether there was room. Any other end is a failure."""
    answer = mounting.do("build", index_dir=index_dir, world=world)
    if "report" in answer:
        return True
    assert answer["error"] == "DiskFullError", answer
    assert "is full" in answer["message"]
    return False


def fill(mounting: Zygote, path: Path, *, keep_mb: int) -> None:
    script = f"s=$(($(df --output=avail -B1 {path.parent} | tail -1) - {keep_mb}000000)); "
    mounting.do("command", argv=["bash", "-c", script + f"[ $s -le 0 ] || fallocate -l $s {path}"])


def mount(mounting: Zygote, *arguments: object) -> None:
    mounting.do("command", argv=["mount", *map(str, arguments)])


def test_a_disk_that_fills_during_a_build(zygote, tally, tmp_path):
    """The check beforehand cannot know what others write meanwhile."""
    with tally("R6", "a disk that is full in mid-build: undone, then repeated") as table:
        index_dir, draw = tmp_path / "index", random.Random(6)
        world = first_world(12)
        zygote.do("build", index_dir=index_dir, world=world)
        for moment in MOMENTS[: 2 * TIER.per_failpoint]:
            after = {**changed(world, draw), 1_000 + len(moment): 0}
            with table.run(moment), table.timed():
                answer = zygote.do(
                    "build", index_dir=index_dir, world=after, failpoint=f"{moment}:1:full"
                )
                assert answer.get("error") == "DiskFullError", answer
                assert checks.sound(zygote, index_dir)["articles"] == versions(world)
                answer = zygote.do("build", index_dir=index_dir, world=after)
                assert "report" in answer, answer
                assert checks.sound(zygote, index_dir)["articles"] == versions(after)
            world = after


# A read-only disk


def test_a_read_only_disk_answers_and_refuses_builds(mounting, tally, tmp_path):
    with tally("R7", "a read-only disk: answers, and says why it does not build") as table:
        index_dir, world = tmp_path / "index", first_world(SMALL)
        mounting.do("build", index_dir=index_dir, world=world)
        mount(mounting, "--bind", index_dir, index_dir)
        mount(mounting, "-o", "remount,ro,bind", index_dir)
        with table.run("ask"), table.timed():
            found = checks.sound(mounting, index_dir)  # Chroma too, from a private copy
            assert found["articles"] == versions(world)
        for values in ({"world": {**world, 99: 0}}, {"world": world}, {"rebuild": True}):
            with table.run(values):
                answer = mounting.do("build", index_dir=index_dir, **values)
                assert answer.get("error") == "ReadOnlyIndexError", answer
                assert answer["exit_status"] == 73
                assert "is read-only" in answer["message"]
        mount(mounting, "-o", "remount,rw,bind", index_dir)
        with table.run("writable again"):
            answer = mounting.do("build", index_dir=index_dir, world={**world, 99: 0})
            assert "report" in answer, answer


# Calls that fail


def has_strace() -> bool:
    if shutil.which("strace") is None:
        return False
    tried = subprocess.run(["strace", "-f", "-o", "/dev/null", "true"], check=False)
    return tried.returncode == 0


@pytest.mark.skipif(TIER.call_faults == 0, reason="large sizes only: ARTICLE_QA_FAULTS=t1")
@pytest.mark.parametrize("killed_before", [False, True])
def test_system_calls_that_fail(zygote, tally, tmp_path, killed_before):
    """In a build, and in one that takes up what a killed one has left (R5)."""
    if not has_strace():
        pytest.skip("needs strace, and leave to trace")
    draw = random.Random(4 + killed_before)
    points = [
        (call, error, nth, more)
        for call in CALLS
        for error in ERRORS
        for nth in NTH
        for more in ("", "+")
    ]
    points += [(call, "KILL", nth, "") for call in CALLS for nth in NTH]
    index_dir, world = tmp_path / "index", first_world(20)
    name, where = ("R5", "after a killed build") if killed_before else ("R4", "")
    with tally(name, f"system calls that fail, once or ever after, or kill {where}") as table:
        zygote.do("build", index_dir=index_dir, world=world)
        n_points = TIER.call_faults // 2 if killed_before else TIER.call_faults
        for number, point in enumerate(draw.sample(points, n_points)):
            failpoint = draw.choice(MOMENTS) if killed_before else None
            with table.run((failpoint, point)):
                after = {**changed(world, draw), 1_000 + number: 0}
                if failpoint:
                    zygote.start(
                        "build", index_dir=index_dir, world=after, failpoint=failpoint
                    ).wait()
                world = traced(zygote, index_dir, world, after, point, tmp_path / f"go-{number}")
                with table.timed():
                    answer = zygote.do("build", index_dir=index_dir, world=after)
                assert "report" in answer, answer
                world = after
                assert checks.sound(zygote, index_dir)["articles"] == versions(world)


def traced(zygote, index_dir, before, after, point, go):  # noqa: ANN001, PLR0913
    """Build with one of its calls failing; return the world that is in service then."""
    call, error, nth, more = point
    fault = f"signal={error}" if error == "KILL" else f"error={error}"
    child = zygote.start("build", index_dir=index_dir, world=after, wait_for=go)
    inject = f"inject={call}:{fault}:when={nth}{more}"
    with (go.with_suffix(".strace")).open("w") as log:
        strace = subprocess.Popen(
            ["strace", "-f", "-p", str(child.pid), "-o", "/dev/null", "-e", inject], stderr=log
        )
    try:
        await_attached(go.with_suffix(".strace"))
        go.touch()
        # A failing "write" reaches the pipes between Chroma's threads, not files only: they may
        # wait for each other for ever, in the building process, which its caller then ends.
        if not child.has_ended_within(TRACED_S):
            child.kill()
        outcome = child.wait()
    finally:
        strace.terminate()
        strace.wait()
    # A fault may hit the child's own report, or a call that nothing depends on.
    acknowledged = outcome.status == 0 and "report" in (outcome.value or {})
    found = checks.sound(zygote, index_dir)
    states = [after] if acknowledged else [before, after]
    for world in states:
        if found["articles"] == versions(world):
            return world
    raise AssertionError("holds neither the old state nor the new one")


def await_attached(log: Path) -> None:
    began = time.monotonic()
    while "attached" not in log.read_text():
        assert time.monotonic() - began < ATTACHED_S, log.read_text()
        time.sleep(0.02)
