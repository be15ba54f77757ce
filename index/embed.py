"""Text → vector: the `Embedder` protocol and the bundled all-MiniLM-L6-v2.

The bundled graph takes one text at a time (training/EMBEDDER.md says why that is fast), so a vector
depends on its text alone: not on the texts beside it, their order, or the number of threads.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from index.errors import ModelFileError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from tokenizers import Tokenizer

MODELS = Path(__file__).parent / "models"
MODEL_FILE, TOKENIZER_FILE, MANIFEST_FILE = "embedder.onnx", "tokenizer.json", "manifest.json"
# Code points looked at. 256 word pieces of prose are about 1,200; the bound only spares the
# tokenizer, which reads a whole text before it truncates, the megabytes that someone may paste.
MAX_CHARACTERS = 32_768


class Embedder(Protocol):
    """Turns text into comparable vectors. Any object with these members will do: no base class."""

    @property
    def model_id(self) -> str:
        """Name and weight hash, e.g. "all-MiniLM-L6-v2-int8@3f9a1c42"; the index stores it."""

    @property
    def dim(self) -> int:
        """Length of every vector."""

    def embed_passages(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return shape (len(texts), dim), rows of L2 norm 1; shape (0, dim) for no texts."""

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        """Return shape (dim,), L2 norm 1. Separate because some models prefix queries."""


class OnnxEmbedder:
    """A sentence embedder in ONNX with its tokenizer, read from a folder.

    Constructing one reads the manifest only; the model is loaded by the first text or by `load`.
    Threads may share one embedder. Passages and queries are embedded alike, and only the first
    `max_tokens` word pieces of a text count, [CLS] and [SEP] included.
    """

    def __init__(self, folder: Path, *, n_threads: int | None = None) -> None:
        """Describe the model in `folder`.

        Args:
            folder: Holds the model, its tokenizer, and a manifest with the hashes of both.
            n_threads: Texts embedded at once, each on one core; None means every core.

        Raises:
            ModelFileError: If the manifest is missing or not a manifest.
            ValueError: If `n_threads` is less than 1.
        """
        if n_threads is not None and n_threads < 1:
            raise ValueError(f"n_threads must be at least 1, got {n_threads}")
        self.n_threads = n_threads or _n_cores()
        self._folder = folder
        self._manifest = _read_manifest(folder / MANIFEST_FILE)
        self._loading = threading.Lock()
        self._loaded: _Loaded | None = None

    @classmethod
    def bundled(cls, *, n_threads: int | None = None) -> OnnxEmbedder:
        """Return the embedder that ships with article-qa; see `__init__` for the rest."""
        return cls(MODELS, n_threads=n_threads)

    @property
    def model_id(self) -> str:
        """Name and first 8 hex digits of the model file's sha256."""
        return f"{self._manifest.name}@{self._manifest.sha256[MODEL_FILE][:8]}"

    @property
    def dim(self) -> int:
        """Length of every vector."""
        return self._manifest.dim

    @property
    def max_tokens(self) -> int:
        """Word pieces that count, [CLS] and [SEP] included."""
        return self._manifest.max_tokens

    def load(self) -> None:
        """Load the model now, so that the first text need not wait for it (about 0.1 s).

        Raises:
            ModelFileError: If a file is missing or is not the one the manifest names.
        """
        self._engine()

    def embed_passages(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return shape (len(texts), dim), rows of L2 norm 1; shape (0, dim) for no texts.

        Raises:
            ModelFileError: As `load`.
        """
        import numpy as np

        n_threads = min(self.n_threads, len(texts))
        if n_threads > 1:
            with ThreadPoolExecutor(n_threads, thread_name_prefix="embed") as pool:
                vectors = list(pool.map(self.embed_query, texts))
        else:
            vectors = [self.embed_query(text) for text in texts]
        return np.array(vectors, dtype=np.float32).reshape(len(texts), self.dim)

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        """Return shape (dim,), L2 norm 1; the vector of "" is that of a text without words.

        Raises:
            ModelFileError: As `load`.
        """
        import numpy as np

        ids = self._token_ids(text)
        del ids[self.max_tokens - 1 : -1]  # what is over the limit, except [SEP]
        inputs = {"input_ids": np.array([ids], dtype=np.int32)}
        return cast("npt.NDArray[np.float32]", self._engine().session.run(None, inputs)[0][0])

    def count_pieces(self, text: str) -> int:
        """Return the word pieces of `text`, [CLS] and [SEP] included; not cut at `max_tokens`.

        Raises:
            ModelFileError: As `load`.
        """
        return len(self._token_ids(text))

    def _token_ids(self, text: str) -> list[int]:
        """Return the word pieces of the first MAX_CHARACTERS code points."""
        # Lone surrogates, which a str may hold and UTF-8 may not, become "?".
        clean = text[:MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
        return self._engine().tokenizer.encode(clean).ids

    def _engine(self) -> _Loaded:
        """Return the loaded model, loading it on the first call."""
        if self._loaded is None:
            with self._loading:
                if self._loaded is None:
                    self._loaded = _load(self._folder, self._manifest.sha256)
        return self._loaded


class _Manifest(NamedTuple):
    """What the exporter says about the files beside it."""

    name: str
    dim: int
    max_tokens: int
    sha256: dict[str, str]  # by file name, hexadecimal


class _Loaded(NamedTuple):
    """A model ready for use; both parts may be used by several threads at once."""

    session: Any  # onnxruntime.InferenceSession: onnxruntime has no type hints
    tokenizer: Tokenizer


def _n_cores() -> int:
    """Return the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read_manifest(path: Path) -> _Manifest:
    """Read what the exporter wrote; raise ModelFileError if it is not that."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        manifest = _Manifest(**{key: values[key] for key in _Manifest._fields})
        missing = {MODEL_FILE, TOKENIZER_FILE} - manifest.sha256.keys()
    except FileNotFoundError as error:
        raise ModelFileError(path, "missing") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(path, "altered") from error
    if missing:
        raise ModelFileError(path, "altered")
    return manifest


def _read_verified(path: Path, sha256: str) -> bytes:
    """Return the bytes of a model file; raise ModelFileError unless they have this hash (15 ms)."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ModelFileError(path, "missing") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelFileError(path, "altered")
    return data


def _load(folder: Path, sha256: dict[str, str]) -> _Loaded:
    """Load and check tokenizer and model."""
    import onnxruntime as ort  # type: ignore[import-untyped]
    from tokenizers import Tokenizer

    model, tokenizer = (
        _read_verified(folder / name, sha256[name]) for name in (MODEL_FILE, TOKENIZER_FILE)
    )
    options = ort.SessionOptions()
    # One core per run; embed_passages makes parallel runs. That scales with the cores, and unlike
    # onnxruntime's own threads, idle ones do not spin.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # The graph is run as it was written and measured, whatever a later onnxruntime would fuse.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_mem_pattern = False  # it pays only where every text has the same length
    options.log_severity_level = 3  # errors only: a library does not write to the terminal
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return _Loaded(session, Tokenizer.from_buffer(tokenizer))
