"""LlamaIndex values in: `Document` → Article, `BaseEmbedding` → Embedder.

Both are described by what we use of them, so llama_index itself is never imported here (1.5 s of
CPU), and its types stay out of everybody else's signatures.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from index.embed import Embedder
from index.parsing.dates import parse_date
from index.types import Article

# Article field -> metadata keys that readers of the LlamaIndex world use for it, best first.
METADATA_KEYS = {
    "title": ("title", "headline"),
    "url": ("url", "link", "source_url"),
    "outlet": ("outlet", "publisher", "site_name"),
    "byline": ("byline", "author", "authors"),
    "section": ("section", "category"),
    "language": ("language", "lang"),
}
DATE_KEYS = ("published", "published_date", "date")  # not file dates: those are of the copy
SOURCE_KEYS = ("file_path", "file_name")


@runtime_checkable
class LlamaDocument(Protocol):
    """What we use of a llama-index `Document` or `TextNode`."""

    metadata: dict[str, Any]

    @property
    def text(self) -> str:
        """The whole text."""

    @property
    def node_id(self) -> str:
        """Its id: random unless the caller chose one."""


@runtime_checkable
class LlamaEmbedding(Protocol):
    """What we use of a llama-index `BaseEmbedding`."""

    model_name: str

    def get_text_embedding_batch(self, texts: list[str]) -> list[list[float]]:
        """Return one vector per text."""

    def get_query_embedding(self, query: str) -> list[float]:
        """Return the vector of a query."""


def article_from_document(document: LlamaDocument) -> Article:
    """Return the article a Document holds.

    Its id comes from the URL in its metadata, else its file path, else its `doc_id`, so give
    documents stable ids if you index them again. Several documents of one file (a reader's pages)
    may share an id: the index then tells them apart by their order.
    """
    metadata: dict[str, Any] = document.metadata
    fields: dict[str, Any] = {name: _first(metadata, keys) for name, keys in METADATA_KEYS.items()}
    title = fields.pop("title") or ""
    return Article.create(
        text=document.text,
        title=title,
        source=_first(metadata, SOURCE_KEYS) or document.node_id,
        published=_date(metadata),
        **fields,
    )


class LlamaEmbedder:
    """Any llama-index `BaseEmbedding` as an `Embedder`; rows are normalised to length 1."""

    def __init__(self, model: LlamaEmbedding) -> None:
        self._model = model

    @property
    def model_id(self) -> str:
        """The class and the model's own name: LlamaIndex knows no weight hash."""
        return f"{type(self._model).__name__}:{self._model.model_name}"

    @property
    def dim(self) -> int:
        """Length of a vector; embeds one word to find out."""
        return len(self.embed_query("dimension"))

    def embed_passages(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return shape (len(texts), dim), rows of L2 norm 1; shape (0, dim) for no texts."""
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        rows = self._model.get_text_embedding_batch(list(texts))
        return _unit(np.asarray(rows, np.float32))

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        """Return shape (dim,), L2 norm 1."""
        row = np.asarray([self._model.get_query_embedding(text)], np.float32)
        vector: npt.NDArray[np.float32] = _unit(row)[0]
        return vector


def as_embedder(model: Embedder | LlamaEmbedding) -> Embedder:
    """Return the model itself, or the adapter around a llama-index one."""
    return LlamaEmbedder(model) if isinstance(model, LlamaEmbedding) else model


def _first(metadata: dict[str, Any], keys: Sequence[str]) -> str | None:
    value = next((metadata[key] for key in keys if metadata.get(key)), None)
    if isinstance(value, list | tuple):  # of authors, mostly
        return ", ".join(map(str, value))
    return None if value is None else str(value)


def _date(metadata: dict[str, Any]) -> date | None:
    raw = _first(metadata, DATE_KEYS)
    return parse_date(raw) if raw else None


def _unit(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: npt.NDArray[np.float32] = (rows / np.maximum(norms, 1e-12)).astype(np.float32)
    return unit
