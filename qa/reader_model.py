"""(Question, passages) → logits: the bundled reader, one encoder with three heads.

One run reads `[CLS] question [SEP] title · date · passage [SEP]` and tells, for every word piece,
how well an answer starts and ends there, and, for the whole, how well it bears on the question.
Passages that are too long are read in windows. What the logits mean is the business of
qa/spans.py; this file knows words and pieces, not answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from index.embed import MODELS as TOKENIZER_FOLDER
from index.embed import TOKENIZER_FILE
from index.onnx_model import OnnxModel, checked_threads, in_parallel

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MODELS = Path(__file__).parent / "models" / "reader"
MODEL_FILE = "reader.onnx"
MAX_CHARACTERS = 32_768  # code points of a passage that are read: the embedder's bound
CLS, SEP = 101, 102  # of the tokenizer that the manifest pins
SPECIAL_TOKENS = 3  # [CLS] and twice [SEP]
MAX_QUESTION_PIECES = 64
MAX_PREFIX_PIECES = 64  # a headline and a date have fewer; a window has room for `OVERLAP_PIECES`
OVERLAP_PIECES = 96  # that one window of a passage shares with the next
CONTINUES = "##"  # begins a word piece that is not the first of its word


class Context(NamedTuple):
    """What is read for one passage: where it comes from, then its text."""

    prefix: str  # "title · 22 May 2023 · ", see `index.chunk.passage_prefix`; no answer lies in it
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One window over the text of a passage. All arrays have one row per word piece of the text."""

    context: int  # which of the contexts read
    offsets: npt.NDArray[np.int64]  # (pieces, 2): code points of the text, half-open
    continues: npt.NDArray[np.bool_]  # (pieces,): not the first piece of its word
    start: npt.NDArray[np.float32]  # (pieces,): logits that the answer starts here
    end: npt.NDArray[np.float32]  # (pieces,): logits that this is its last piece
    null: float  # start and end logit of [CLS], added: the score of "it does not say"
    relevance: float  # logit that the passage bears on the question


class ReaderModel:
    """The trained reader in ONNX, with the embedder's tokenizer.

    Constructing one reads the manifest only; the model is loaded by the first question or by
    `load`. Threads may share one. A reading depends on its question and context alone.
    """

    def __init__(
        self, folder: Path, *, tokenizer: Path | None = None, n_threads: int | None = None
    ) -> None:
        """Describe the model in `folder`.

        Args:
            folder: Holds the model, and a manifest with the hashes of it and of the tokenizer.
            tokenizer: Path of the tokenizer; None means the embedder's.
            n_threads: Windows read at once, each on one core; None means every core.

        Raises:
            ModelFileError: If the manifest is missing or not a manifest.
            ValueError: If `n_threads` is less than 1.
        """
        self.n_threads = checked_threads(n_threads)
        path = tokenizer or TOKENIZER_FOLDER / TOKENIZER_FILE
        self._model = OnnxModel(folder, MODEL_FILE, path, plain_text=True)

    @classmethod
    def bundled(cls, *, n_threads: int | None = None) -> ReaderModel:
        """Return the reader that ships with article-qa; see `__init__` for the rest."""
        return cls(MODELS, n_threads=n_threads)

    @property
    def model_id(self) -> str:
        """Name and first 8 hex digits of the model file's sha256."""
        return self._model.model_id

    @property
    def max_tokens(self) -> int:
        """Word pieces of one window: special tokens, question and prefix included."""
        return self._model.manifest.max_tokens

    @property
    def calibration(self) -> Mapping[str, float]:
        """What the manifest says about confidence, see qa/span_reader.py; empty if nothing."""
        return dict(self._model.manifest.values.get("calibration", {}))

    def load(self) -> None:
        """Load the model now, so that the first question need not wait for it (about 0.1 s).

        Raises:
            ModelFileError: If a file is missing or is not the one the manifest names.
        """
        self._model.engine()

    def read(self, question: str, contexts: Sequence[Context]) -> list[Reading]:
        """Return the readings of every context, in order; of one text, its windows in order.

        A context without any word gives no reading; of the question the first
        `MAX_QUESTION_PIECES` count.

        Raises:
            ModelFileError: As `load`.
        """
        asked = self._encode(question).ids[:MAX_QUESTION_PIECES]
        windows = [
            window
            for number, context in enumerate(contexts)
            for window in self._windows(number, asked, context)
        ]
        # Longest first, so that the cores end together.
        order = sorted(range(len(windows)), key=lambda i: -len(windows[i].ids))
        readings = in_parallel(self._run, [windows[i] for i in order], self.n_threads)
        by_window = dict(zip(order, readings, strict=True))
        return [by_window[i] for i in range(len(windows))]

    def _encode(self, text: str) -> Any:  # noqa: ANN401 - tokenizers.Encoding
        """Return the word pieces of a text without special tokens; offsets are code points."""
        # Lone surrogates, which a str may hold and UTF-8 may not, become "?".
        clean = text[:MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
        return self._model.engine().tokenizer.encode(clean, add_special_tokens=False)

    def _windows(self, number: int, asked: list[int], context: Context) -> Iterator[_Window]:
        """Yield what is run for one context."""
        import numpy as np

        prefix = self._encode(context.prefix).ids[:MAX_PREFIX_PIECES]
        passage = self._encode(context.text)
        offsets = np.array(passage.offsets, np.int64).reshape(-1, 2)
        continues = np.array([token.startswith(CONTINUES) for token in passage.tokens], bool)
        before = [CLS, *asked, SEP, *prefix]
        room = self.max_tokens - SPECIAL_TOKENS - len(asked) - len(prefix)
        for start, end in _slices(len(passage.ids), room):
            yield _Window(
                number,
                [*before, *passage.ids[start:end], SEP],
                n_asked=len(asked),
                n_before=len(before),
                offsets=offsets[start:end],
                continues=continues[start:end],
            )

    def _run(self, window: _Window) -> Reading:
        """Return what the model says of one window."""
        import numpy as np

        ids = np.array([window.ids], np.int32)
        types = np.ones_like(ids)
        types[0, : window.n_asked + 2] = 0  # [CLS] question [SEP]
        inputs = {"input_ids": ids, "token_types": types}
        (logits,) = self._model.engine().session.run(None, inputs)
        of_text = logits[window.n_before : -1]
        return Reading(
            context=window.context,
            offsets=window.offsets,
            continues=window.continues,
            start=of_text[:, 0],
            end=of_text[:, 1],
            null=float(logits[0, 0] + logits[0, 1]),
            relevance=float(logits[0, 2]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """The input of one run."""

    context: int
    ids: list[int]
    n_asked: int  # word pieces of the question
    n_before: int  # word pieces before the text: [CLS] question [SEP] prefix
    offsets: npt.NDArray[np.int64]  # of the text's own pieces
    continues: npt.NDArray[np.bool_]


def _slices(n_pieces: int, room: int) -> Iterator[tuple[int, int]]:
    """Yield half-open windows of at most `room` pieces that cover all, `OVERLAP_PIECES` shared."""
    start = 0
    while start < n_pieces:
        end = min(start + room, n_pieces)
        yield start, end
        if end == n_pieces:
            return
        start = end - OVERLAP_PIECES
