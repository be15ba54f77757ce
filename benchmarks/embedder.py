"""Passages per second: the bundled embedder against Chroma's default scheme, in one run.

    python -m training.export_embedder --fp32 CACHE/minilm-fp32.onnx     # once
    python -m benchmarks.embedder CACHE/minilm-fp32.onnx [--articles FOLDER_OR_JSONL]

The other side is what chromadb 1.5.9 does in `ONNXMiniLM_L6_V2`, with the same weights: float32,
batches of 32 texts, each padded to 256 tokens, onnxruntime's default session. The two take turns,
so that other work on the machine weighs on both alike; the ratio is taken round by round.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort  # type: ignore[import-untyped]
from tokenizers import Tokenizer

from index.chunk import chunk, embedded_text
from index.embed import MODELS, TOKENIZER_FILE, OnnxEmbedder
from index.parsing.formats import parse_source
from index.sources.folder import find_sources, read_source
from index.types import Article

SEEDS = Path(__file__).parent.parent / "seeds"
BLOCK = 64  # texts that one side embeds before it is the other's turn: two of Chroma's batches
Embed = Callable[[Sequence[str]], npt.NDArray[np.float32]]


class PaddedEmbedder:
    """Chroma's default embedding function, after its source."""

    BATCH = 32  # texts
    LENGTH = 256  # word pieces, of every text

    def __init__(self, model: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(MODELS / TOKENIZER_FILE))
        self._tokenizer.enable_truncation(max_length=self.LENGTH)
        self._tokenizer.enable_padding(pad_id=0, pad_token="[PAD]", length=self.LENGTH)  # noqa: S106
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        self._session: Any = ort.InferenceSession(model, options)

    def embed_passages(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return shape (len(texts), 384), rows of norm 1."""
        batches = [texts[i : i + self.BATCH] for i in range(0, len(texts), self.BATCH)]
        return np.concatenate([self._forward(batch) for batch in batches])

    def _forward(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        encoded = [self._tokenizer.encode(text) for text in texts]  # one by one, as Chroma does
        ids = np.array([item.ids for item in encoded], dtype=np.int64)
        mask = np.array([item.attention_mask for item in encoded], dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        hidden = self._session.run(None, inputs)[0]
        wide = np.broadcast_to(np.expand_dims(mask, -1), hidden.shape)
        mean = np.sum(hidden * wide, 1) / np.clip(wide.sum(1), a_min=1e-9, a_max=None)
        rows: npt.NDArray[np.float32] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return rows.astype(np.float32)


def read_articles(path: Path) -> Iterator[Article]:
    """Yield the articles of a folder, or of (gzipped) JSON lines with `title` and `text`."""
    if path.is_dir():
        for file in find_sources(path):
            yield from parse_source(file.name, read_source(file)).articles
        return
    open_text = gzip.open if path.suffix == ".gz" else open
    with open_text(path, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            yield Article.create(title=row["title"], text=row["text"])


def read_passages(path: Path, n_passages: int) -> list[str]:
    """Return what the index would embed: `n_passages` texts, from the start again if too few."""
    texts = [embedded_text(a, passage) for a in read_articles(path) for passage in chunk(a)]
    return list(itertools.islice(itertools.cycle(texts), n_passages))


def measure(sides: Sequence[Embed], texts: Sequence[str], n_rounds: int) -> list[list[float]]:
    """Return passages per second: one row per block of texts, one column per side.

    The sides take turns block by block, seconds apart; one round more than asked for warms up.
    """
    blocks = [texts[i : i + BLOCK] for i in range(0, len(texts), BLOCK)]
    rows = []
    for block in blocks * (n_rounds + 1):
        times = [time.perf_counter()]
        for embed in sides:
            embed(block)
            times.append(time.perf_counter())
        rows.append([len(block) / (end - begin) for begin, end in itertools.pairwise(times)])
    return rows[len(blocks) :]


def spread(values: Sequence[float], digits: int) -> str:
    """Return the median and the quartiles."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.{digits}f} (quartiles {low:.{digits}f} and {high:.{digits}f})"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the comparison; return 0."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "fp32", type=Path, nargs="?", help="float graph by training.export_embedder --fp32"
    )
    parser.add_argument("--articles", type=Path, default=SEEDS, help="default: %(default)s")
    parser.add_argument("--passages", type=int, default=256, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    args = parser.parse_args(argv)
    texts = read_passages(args.articles, args.passages)
    if args.fp32 is None:
        parser.exit(message="embedder: skipped, it needs the float graph; see --help\n")
    ours, theirs = OnnxEmbedder.bundled(), PaddedEmbedder(args.fp32)
    lengths = [min(ours.count_pieces(text), ours.max_tokens) for text in texts]
    cuts = statistics.quantiles(lengths, n=10, method="inclusive")
    tools = ", ".join(f"{name} {version(name)}" for name in ("onnxruntime", "tokenizers", "numpy"))
    print(
        f"{ours.n_threads} cores, {platform.machine()}, Python {platform.python_version()}, {tools}"
    )
    print(
        f"{len(texts)} passages ({len(set(texts))} distinct); word pieces: mean "
        f"{statistics.mean(lengths):.0f}, deciles {cuts[0]:.0f} / {cuts[4]:.0f} / {cuts[8]:.0f}"
    )
    cosine = (ours.embed_passages(texts) * theirs.embed_passages(texts)).sum(axis=1)
    print(f"cosine between the two: mean {cosine.mean():.4f}, min {cosine.min():.4f}")
    rows = measure([ours.embed_passages, theirs.embed_passages], texts, args.rounds)
    for name, column in zip(("bundled", "Chroma"), zip(*rows, strict=True), strict=True):
        print(f"{name:8} {spread(column, 0)} passages/s")
    print(f"ratio    {spread([mine / other for mine, other in rows], 2)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
