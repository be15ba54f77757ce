"""What must hold of an index after a fault, as one call each."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from index.lock import HOLDER
from tests.faults.harness import Zygote
from tests.faults.tally import Tally

OPENED_S = 10.0
BEGUN_S = 10.0  # for a build to take the lock
EXACT_HITS, CHROMA_HITS = 0.99, 0.95


def sound(zygote: Zygote, index_dir: Path, **values: Any) -> dict[str, Any]:
    """Open the index in a fresh child and check all that does not depend on what it should hold."""
    found: dict[str, Any] = zygote.do("inspect", index_dir=index_dir, **values)
    assert found["opened_s"] <= OPENED_S, f"took {found['opened_s']} s to open"
    assert found["wrong"] == [], found["wrong"][:3]
    assert found["filtered"] == [], "a filter let others through"
    assert found["exact_hits"] >= EXACT_HITS, f"exact self-hits {found['exact_hits']}"
    if "problems" in found:
        assert found["problems"] == [], found["problems"][:3]
        assert found["chroma_hits"] >= CHROMA_HITS, f"Chroma self-hits {found['chroma_hits']}"
    return found


def holds_one_of(
    zygote: Zygote, index_dir: Path, states: Mapping[str, Mapping[str, str]], tally: Tally
) -> str:
    """Check that the index is sound and holds exactly one of the named states; return its name.

    Args:
        zygote: Where to look from.
        index_dir: The folder of the index.
        states: Name → article id → version. An empty state means that there may be no index.
        tally: Takes the time to open.
    """
    if not (index_dir / "CURRENT").exists():
        for name, state in states.items():
            if not state:
                return name
        raise AssertionError("there is no index any more")
    found = sound(zygote, index_dir)
    tally.note(found["opened_s"])
    for name, state in states.items():
        if found["articles"] == state:
            return name
    differing = {
        name: len(found["articles"].items() ^ state.items()) for name, state in states.items()
    }
    raise AssertionError(f"holds neither; differing articles: {differing}")


def await_holder(index_dir: Path) -> None:
    """Wait until a build holds the index and has said so."""
    await_file(index_dir / HOLDER, size=1)


def await_file(path: Path, *, size: int = 0) -> None:
    """Wait until a build has made a file of at least `size` bytes."""
    began = time.monotonic()
    while not path.exists() or path.stat().st_size < size:
        assert time.monotonic() - began < BEGUN_S, "the build does not begin"
        time.sleep(0.01)
