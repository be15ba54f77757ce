"""The readers compared: the bundled one, the same in float, and the evidence sentences."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from index.onnx_model import MANIFEST_FILE
from index.search import Searcher
from qa.evidence import EvidenceReader
from qa.reader import Reader
from qa.reader_model import MODEL_FILE, MODELS, ReaderModel
from qa.span_reader import SpanReader

BUNDLED, SENTENCES = "reader", "evidence sentences"


def compared(searcher: Searcher) -> dict[str, Reader]:
    """Return column → reader, over the index of a searcher."""
    return {
        BUNDLED: SpanReader.bundled(searcher.embedder, searcher.rarity),
        SENTENCES: EvidenceReader(searcher.embedder, searcher.rarity),
    }


@contextmanager
def in_float(graph: Path, searcher: Searcher) -> Iterator[Reader]:
    """Yield the bundled reader with another graph of the same weights, threshold and calibration.

    Raises:
        OSError: If the graph cannot be read.
    """
    with TemporaryDirectory() as folder:
        copy = Path(folder)
        shutil.copyfile(graph, copy / MODEL_FILE)
        manifest = json.loads((MODELS / MANIFEST_FILE).read_text(encoding="utf-8"))
        manifest["sha256"][MODEL_FILE] = sha256(graph.read_bytes()).hexdigest()
        (copy / MANIFEST_FILE).write_text(json.dumps(manifest), encoding="utf-8")
        model = ReaderModel(copy)
        yield SpanReader(model, searcher.embedder, searcher.rarity, calibration=model.calibration)
