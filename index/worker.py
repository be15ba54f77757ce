"""The building process: reads a job from stdin, builds, tells the parent how it goes.

One JSON object a line. Parent to worker: the job; then answers to what the worker asks for.
Worker to parent: progress, requests (more articles, vectors of a foreign embedder), and at last a
report or an error. Plain pipes, not `multiprocessing`: that would import the caller's main script
again, which breaks scripts without a `__main__` guard, notebooks and stdin.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from index.assemble import assemble
from index.embed import Embedder, OnnxEmbedder
from index.errors import ArticleQAError, SourceError
from index.job import job_from_dict
from index.report import BuildProgress
from index.types import Article

NICENESS = 10  # of 19: whoever asks meanwhile comes first
PROGRESS_INTERVAL_S = 0.05  # between two progress lines of one phase


class Channel:
    """The worker's end of the two pipes."""

    def __init__(self, reader: TextIO, writer: TextIO) -> None:
        self._reader, self._writer = reader, writer
        self._sent_at, self._phase = 0.0, ""

    def receive(self) -> dict[str, Any]:
        """Return the parent's next message.

        Raises:
            EOFError: If the parent is gone.
        """
        line = self._reader.readline()
        if not line:
            raise EOFError("the calling process ended")
        message: dict[str, Any] = json.loads(line)
        return message

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message."""
        self._writer.write(json.dumps(message) + "\n")
        self._writer.flush()

    def request(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Send a message and return the answer to it."""
        self.send(message)
        return self.receive()

    def progress(self, progress: BuildProgress) -> None:
        """Send progress, but not more often than anybody could look at it."""
        moment = time.monotonic()
        important = progress.phase != self._phase or progress.done == progress.total
        if important or moment - self._sent_at > PROGRESS_INTERVAL_S:
            self._sent_at, self._phase = moment, progress.phase
            self.send({"progress": asdict(progress)})


class ParentEmbedder:
    """An embedder that lives in the parent process and is asked over the channel."""

    def __init__(self, channel: Channel, model_id: str, dim: int) -> None:
        self._channel, self._model_id, self._dim = channel, model_id, dim

    @property
    def model_id(self) -> str:
        """The parent's embedder's."""
        return self._model_id

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._dim

    def embed_passages(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return shape (len(texts), dim), rows of L2 norm 1."""
        answer = self._channel.request({"embed": list(texts)})
        data = base64.b64decode(answer["vectors"])
        return np.frombuffer(data, np.float32).reshape(len(texts), self._dim)

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        """Return shape (dim,), L2 norm 1."""
        vector: npt.NDArray[np.float32] = self.embed_passages([text])[0]
        return vector


def give_way() -> None:
    """Let other processes have the processor first; on an idle machine that costs nothing."""
    if hasattr(os, "nice"):  # Windows has no such call
        os.nice(NICENESS)


def main() -> None:
    """Do the one job that stands on stdin."""
    give_way()
    # Nothing that a library prints, in Python or below it, may get between the messages.
    writer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    channel = Channel(sys.stdin, writer)
    try:
        message = channel.receive()
        job = job_from_dict(message["job"])
        given = _given(channel) if message["given"] else None
        report = assemble(job, _embedder(channel, message), given, channel.progress)
        channel.send({"report": report.to_dict()})
    except ArticleQAError as error:
        problems = error.problems if isinstance(error, SourceError) else ()
        told = {"kind": type(error).__name__, "message": str(error), "problems": problems}
        channel.send({"error": told})
    except BrokenPipeError:  # the caller is gone; what was embedded is kept for the next build
        sys.exit(1)


def _embedder(channel: Channel, message: Mapping[str, Any]) -> Embedder:
    foreign = message["embedder"]
    return ParentEmbedder(channel, **foreign) if foreign else OnnxEmbedder.bundled()


def _given(channel: Channel) -> Iterator[Article]:
    while batch := channel.request({"more": True})["articles"]:
        yield from map(Article.from_dict, batch)


if __name__ == "__main__":
    main()
