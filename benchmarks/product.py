"""What a user waits for: building, one cold question, the chat page; and what it takes.

    python benchmarks/product.py

Wall seconds on a shared machine wander; run it twice. Peak memory is of the largest process.
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from index.build import build_index
from index.generation import open_current

ROOT = Path(__file__).parents[1]
QUESTION = "Who claimed control of Graivoron?"
COLD_RUNS = 5


def main() -> None:
    """Measure and print a table."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print("| what | figure |\n|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        index_dir = Path(folder)
        began = time.perf_counter()
        report = build_index(ROOT / "seeds", index_dir)
        built_s = time.perf_counter() - began
        began = time.perf_counter()
        build_index(ROOT / "seeds", index_dir)
        print(f"| index seeds/ ({report.n_articles} articles) | {built_s:.1f} s |")
        print(f"| index again, nothing changed | {time.perf_counter() - began:.2f} s |")
        size = sum(p.stat().st_size for p in open_current(index_dir).path.rglob("*") if p.is_file())
        per_thousand_mb = size / report.n_passages / 1000
        print(
            f"| index size per 1,000 passages (of {report.n_passages}) | {per_thousand_mb:.1f} MB |"
        )
        times = sorted(_cold_ask_s(index_dir) for _ in range(COLD_RUNS))
        peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"| `article-qa ask`, cold: median of {COLD_RUNS} | {times[COLD_RUNS // 2]:.2f} s |")
        print(f"| peak memory of all of the above | {peak_mb:.0f} MB |")
        print(f"| `article-qa chat` until the page is served | {_chat_ready_s(index_dir):.1f} s |")


def _cold_ask_s(index_dir: Path) -> float:
    command = [sys.executable, "-m", "ui.cli", "ask", "--index", str(index_dir), QUESTION]
    began = time.perf_counter()
    subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    return time.perf_counter() - began


def _chat_ready_s(index_dir: Path) -> float:
    command = [sys.executable, "-m", "ui.cli", "chat", "--index", str(index_dir), "--port", "0"]
    began = time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = next(word for word in line.split() if word.startswith("http"))
        with urllib.request.urlopen(address, timeout=30) as page:
            page.read()
        ready_s = time.perf_counter() - began
        process.terminate()
    return ready_s


if __name__ == "__main__":
    main()
