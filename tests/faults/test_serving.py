"""A chat server that is killed while it answers (R3): its clients are told, the next one starts."""

from __future__ import annotations

import json
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

import pytest

from index.lease import PREFIX
from tests.faults.tier import T1, TIER
from tests.faults.world import first_world, write_file, write_files

ROOT = Path(__file__).parents[2]
STREAMS = 20  # open when the server is killed
UP_S = 15.0 if TIER is T1 else 60.0  # until it answers; other tests may be running beside T0
TOLD_S = 2.0  # until a client knows that its answer does not come
PATIENCE_S = 60.0


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")


def test_killed_while_it_answers(tally, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    news, index_dir, draw = tmp_path / "news", tmp_path / "index", random.Random(3)
    write_files(first_world(12), news)
    command("index", str(news), "--index", str(index_dir))
    with tally("R3", f"servers killed during {STREAMS} answers") as table:
        for number in range(TIER.server_kills):
            with table.run(number):
                began = time.monotonic()
                with serving(index_dir) as (server, address):
                    started_s = time.monotonic() - began
                    table.note(started_s)
                    assert started_s <= UP_S, f"took {started_s:.1f} s to answer"
                    assert len(list(tmp_path.glob(f"{PREFIX}*"))) <= 1, "the killed one's copy"
                    if number == 0:  # otherwise the kills might hit nothing
                        events = b"".join(stream(address, asking(address), "alone"))
                        assert b"process_completed" in events
                        assert b"harbour" in events
                    kill_during_answers(server, address, draw)
                write_file(news / f"{100 + number}.txt", 100 + number, 0)
                command("index", str(news), "--index", str(index_dir))  # nothing is locked


def kill_during_answers(server: subprocess.Popen[str], address: str, draw: random.Random) -> None:
    ask = asking(address)
    ends: list[float] = []

    def follow(number: int) -> None:
        try:
            for _ in stream(address, ask, f"session{number}"):
                pass
        except (OSError, HTTPException):  # cut off
            pass
        ends.append(time.monotonic())

    threads = [threading.Thread(target=follow, args=(n,), daemon=True) for n in range(STREAMS)]
    for thread in threads:
        thread.start()
    time.sleep(draw.uniform(0.1, 1.0))
    server.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(ends) == STREAMS, "a client waits for an answer for ever"
    assert max(ends) - killed <= TOLD_S, f"told after {max(ends) - killed:.1f} s"


def stream(address: str, event: dict[str, int], session: str) -> Iterator[bytes]:
    """Ask as the page does; yield the lines of the answer's events."""
    question = "Who repaired the harbour bridge in Tartu?"
    body = {"data": [question, None], "session_hash": session, **event}
    request = urllib.request.Request(
        f"{address}/gradio_api/queue/join",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=PATIENCE_S).close()
    events = f"{address}/gradio_api/queue/data?session_hash={session}"
    with urllib.request.urlopen(events, timeout=PATIENCE_S) as lines:
        for line in lines:
            yield line
            if b"process_completed" in line:
                return


def asking(address: str) -> dict[str, int]:
    """Return the numbers by which the page names the event of a question."""
    with urllib.request.urlopen(f"{address}/config", timeout=PATIENCE_S) as reply:
        config = json.load(reply)
    (event,) = (one for one in config["dependencies"] if one["api_name"] == "ask")
    return {"fn_index": event["id"], "trigger_id": event["targets"][0][0]}


@contextmanager
def serving(index_dir: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve the index; yields the process and its address once it answers."""
    argv = [sys.executable, "-m", "ui.cli", "chat", "--index", str(index_dir), "--port", free()]
    with subprocess.Popen(
        argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        try:
            shown = []
            for line in server.stdout:
                shown.append(line)
                if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                    break
            else:
                raise AssertionError(f"did not start: {''.join(shown)}")
            yield server, found.group()
        finally:
            server.kill()


def free() -> str:
    """Return a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def command(*argv: str) -> None:
    """Run the program; any failure is one of the test."""
    run = subprocess.run(
        [sys.executable, "-m", "ui.cli", *argv],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert run.returncode == 0, run.stderr
