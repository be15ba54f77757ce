"""Children that build, read and die on demand: the tests' end of `zygote.py`."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0  # for a child to end by itself; one that takes longer hangs
TAIL = 2_000  # characters of the log that a failure shows


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a child ended."""

    status: int  # exit status, or minus the number of the signal
    value: Any  # what it returned, None if it did not come to that
    spent_s: float  # from its start


class Child:
    """One forked process."""

    def __init__(self, zygote: Zygote, pid: int, out: Path) -> None:
        self.pid, self._zygote, self._out = pid, zygote, out
        self._began = time.monotonic()

    def kill(self) -> None:
        """End it as a power cut would."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout_s: float = PATIENCE_S) -> Outcome:
        """Return how it ended; after `timeout_s` it is killed, and that is a failure."""
        ended = self.has_ended_within(timeout_s)
        if not ended:
            self.kill()
            self.has_ended_within(PATIENCE_S)
        spent = time.monotonic() - self._began
        status = self._zygote.ask({"reap": self.pid})["status"]
        assert ended, f"a child hung for {timeout_s} s: {self._zygote.log_tail()}"
        value = None
        if self._out.exists():
            value = json.loads(self._out.read_text(encoding="utf-8"))
            self._out.unlink()
        return Outcome(status, value, spent)

    def has_ended_within(self, timeout_s: float) -> bool:
        """Wait that long at most; say whether it has ended."""
        descriptor = os.pidfd_open(self.pid)
        try:
            return bool(select.select([descriptor], [], [], timeout_s)[0])
        finally:
            os.close(descriptor)


class Zygote:
    """The forking process, with a folder of its own for results, logs and private copies."""

    def __init__(self, folder: Path, *, prefix: Sequence[str] = ()) -> None:
        """Start it.

        Args:
            folder: For its files; made if it is not there.
            prefix: A command that runs the rest of its line, such as `unshare -m`.
        """
        self.folder = folder
        self._names = count()
        temporary = folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        self._log = folder / "log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [*prefix, sys.executable, "-P", "-m", "tests.faults.zygote"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait(PATIENCE_S)
        self._process.stdout.close()
        shutil.rmtree(self.folder / "tmp", ignore_errors=True)

    def ask(self, request: dict[str, Any]) -> Any:
        """Send one request, return the reply."""
        self._process.stdin.write(json.dumps(request, default=str) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the forking process died: {self.log_tail()}"
        return json.loads(line)

    def start(self, act: str, **values: Any) -> Child:
        """Let a child do one of `acts.ACTS`."""
        out = self.folder / f"{next(self._names)}.json"
        pid = self.ask({"act": act, "values": values, "out": out})["pid"]
        return Child(self, pid, out)

    def do(self, act: str, *, timeout_s: float = PATIENCE_S, **values: Any) -> Any:
        """Let a child do one of `acts.ACTS`; return its value. Any other end is a failure."""
        outcome = self.start(act, **values).wait(timeout_s)
        assert outcome.status == 0, f"{act} ended with {outcome.status}: {self.log_tail()}"
        return outcome.value

    def log_tail(self) -> str:
        """Return the end of what the children printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-TAIL:]


def namespace_prefix() -> list[str] | None:
    """Return the command that gives mounts of its own, None if this machine allows none."""
    for prefix in (["unshare", "-m"], ["unshare", "-rm"]):
        if shutil.which("unshare") is None:
            return None
        tried = subprocess.run(
            [*prefix, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
        )
        if tried.returncode == 0:
            return prefix
    return None
