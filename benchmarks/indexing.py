"""How fast an index is made, where the time goes, and what a later run costs.

    python -m benchmarks.indexing                 # 5,000 articles, the bundled embedder
    python -m benchmarks.indexing --articles 26000 --quick    # without the embedder's time

Articles are generated: sentences from the texts of seeds/, drawn anew for each, in four formats.
`--quick` embeds by hashing words, so what is left is everything that is not embedding. Seconds on a
shared machine wander; shares of one run do not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index.build import build_index
from index.embed import Embedder
from index.generation import open_current
from index.report import BuildReport
from index.service import open_sound
from index.sources.folder import find_sources

ROOT = Path(__file__).parents[1]
DIM = 384
FIRST_DAY = date(2023, 1, 1)


class HashEmbedder:
    """A vector drawn from each text's hash: no time, and as spread as random vectors are."""

    model_id, dim = "hash-of-text@1", DIM

    def embed_passages(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return shape (len(texts), dim), rows of L2 norm 1."""
        rows = [self.embed_query(text) for text in texts]
        return np.array(rows, np.float32).reshape(len(texts), DIM)

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        """Return shape (dim,), L2 norm 1."""
        draw = np.random.default_rng(abs(hash(text)))
        vector = draw.standard_normal(DIM, np.float32)
        unit: npt.NDArray[np.float32] = vector / np.linalg.norm(vector)
        return unit


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--articles", type=int, default=5_000)
    parser.add_argument("--sentences", type=int, default=40, help="in an article; 40: 8 passages")
    parser.add_argument("--quick", action="store_true", help="hash instead of embedding")
    chosen = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    embedder = HashEmbedder() if chosen.quick else None
    with tempfile.TemporaryDirectory() as folder:
        news, index_dir = Path(folder) / "news", Path(folder) / "index"
        generate(news, range(chosen.articles), chosen.sentences)
        first = timed("first run", news, index_dir, embedder)
        timed("again, nothing changed", news, index_dir, embedder)
        numbers = range(chosen.articles, chosen.articles + 10)
        generate(news, numbers, chosen.sentences)
        timed("10 articles added", news, index_dir, embedder)
        size = sum(p.stat().st_size for p in open_current(index_dir).path.rglob("*") if p.is_file())
        began = time.perf_counter()
        open_sound(index_dir)
        checked_s = time.perf_counter() - began
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"\n{first.n_articles:,} articles, {first.n_passages:,} passages, {size / 1e6:,.0f} MB; ")
    print(f"largest process {peak_mb:,.0f} MB; hashes checked at opening in {checked_s:.2f} s")


def timed(what: str, news: Path, index_dir: Path, embedder: Embedder | None) -> BuildReport:
    """Run one build and print a line of where its time went."""
    began = time.perf_counter()
    report = build_index(news, index_dir, embedder=embedder)
    total_s = time.perf_counter() - began
    phases = dict(report.timings_s)
    phases["start and end"] = total_s - sum(phases.values())
    shares = " · ".join(f"{name} {spent:.1f} s" for name, spent in phases.items())
    rate = f", {report.embedded / total_s:,.0f} passages/s" if report.embedded > 1_000 else ""
    print(f"{what}: {total_s:.1f} s{rate} ({shares})", flush=True)
    return report


def generate(folder: Path, numbers: range, n_sentences: int) -> None:
    """Write articles, each of its own sentences, in plain text, newswire, Markdown and HTML."""
    folder.mkdir(parents=True, exist_ok=True)
    words = sorted(set(re.findall(r"[A-Za-z][a-z]{2,}", _seed_text())))
    for number in numbers:
        draw = random.Random(number)
        sentences = [_sentence(draw, words) for _ in range(n_sentences)]
        paragraphs = [" ".join(sentences[at : at + 3]) for at in range(0, n_sentences, 3)]
        title = " ".join(draw.choices(words, k=7)).capitalize()
        suffix, write = FORMATS[number % len(FORMATS)]
        day = FIRST_DAY + timedelta(days=number % 365)
        path = folder / f"{number % 50:02}" / f"{number:06}{suffix}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(write(title, day, paragraphs), encoding="utf-8")


def _seed_text() -> str:
    files = find_sources(ROOT / "seeds")
    return " ".join(item.path.read_text(encoding="utf-8", errors="replace") for item in files)


def _sentence(draw: random.Random, words: Sequence[str]) -> str:
    chosen = draw.choices(words, k=draw.randrange(12, 26))
    return f"{' '.join(chosen).capitalize()} {draw.randrange(10_000)}."


def _plain(title: str, day: date, paragraphs: Sequence[str]) -> str:
    return f"{title}\n\n{day.isoformat()}\n\n" + "\n\n".join(paragraphs) + "\n"


def _newswire(title: str, day: date, paragraphs: Sequence[str]) -> str:
    return f" date {day.isoformat()} World\n\n{title}\n\nBy\nWorld\n\n" + "\n\n".join(paragraphs)


def _markdown(title: str, day: date, paragraphs: Sequence[str]) -> str:
    return f"---\ntitle: {title}\ndate: {day.isoformat()}\n---\n\n" + "\n\n".join(paragraphs)


def _html(title: str, day: date, paragraphs: Sequence[str]) -> str:
    declared = {"@type": "NewsArticle", "headline": title, "datePublished": day.isoformat()}
    body = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return (
        f'<html><head><script type="application/ld+json">{json.dumps(declared)}</script></head>'
        f"<body><nav>Home News Sport</nav><article><h1>{title}</h1>{body}</article></body></html>"
    )


Writer = Callable[[str, date, Sequence[str]], str]
FORMATS: tuple[tuple[str, Writer], ...] = (
    (".txt", _plain),
    (".txt", _newswire),
    (".md", _markdown),
    (".html", _html),
)

if __name__ == "__main__":
    main()
