"""Text → vector: the `Embedder` protocol and the bundled all-MiniLM-L6-v2.

The bundled graph takes one text at a time (training/EMBEDDER.md says why that is fast), so a vector
depends on its text alone: not on the texts beside it, their order, or the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from index.errors import ModelFileError
from index.onnx_model import MANIFEST_FILE, OnnxModel, checked_threads, in_parallel

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MODELS = Path(__file__).parent / "models"
MODEL_FILE, TOKENIZER_FILE = "embedder.onnx", "tokenizer.json"
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
        self.n_threads = checked_threads(n_threads)
        self._model = OnnxModel(folder, MODEL_FILE, folder / TOKENIZER_FILE)
        if "dim" not in self._model.manifest.values:
            raise ModelFileError(folder / MANIFEST_FILE, "altered")

    @classmethod
    def bundled(cls, *, n_threads: int | None = None) -> OnnxEmbedder:
        """Return the embedder that ships with article-qa; see `__init__` for the rest."""
        return cls(MODELS, n_threads=n_threads)

    @property
    def model_id(self) -> str:
        """Name and first 8 hex digits of the model file's sha256."""
        return self._model.model_id

    @property
    def dim(self) -> int:
        """Length of every vector."""
        return cast("int", self._model.manifest.values["dim"])

    @property
    def max_tokens(self) -> int:
        """Word pieces that count, [CLS] and [SEP] included."""
        return self._model.manifest.max_tokens

    def load(self) -> None:
        """Load the model now, so that the first text need not wait for it (about 0.1 s).

        Raises:
            ModelFileError: If a file is missing or is not the one the manifest names.
        """
        self._model.engine()

    def embed_passages(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return shape (len(texts), dim), rows of L2 norm 1; shape (0, dim) for no texts.

        Raises:
            ModelFileError: As `load`.
        """
        import numpy as np

        vectors = in_parallel(self.embed_query, texts, self.n_threads)
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
        return cast("npt.NDArray[np.float32]", self._model.engine().session.run(None, inputs)[0][0])

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
        return self._model.engine().tokenizer.encode(clean).ids
