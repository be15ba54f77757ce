"""One parser child, seen from its parent: started, given sources, killed when it takes too long."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

from index.deadline import Deadline
from index.errors import BuildFailedError, SourceError, error_named
from index.parsing.confine import ParserLimits
from index.parsing.task import ParseOutcome, ParseTask, as_source_error
from index.parsing.wire import (
    PIECE_BYTES,
    TooLongError,
    receive_frame,
    receive_message,
    send_aborted,
    send_end,
    send_frame,
    send_message,
    unpacked,
)
from index.types import Article, Passage

if TYPE_CHECKING:
    from index.sources.listing import Listing

MAX_REPLY_BYTES = 64_000_000  # of one source, the largest of which has 20 MB
START_TIMEOUT_S = 60.0  # for a child to load its packages: 1 s, from a cold disk more
STOP_TIMEOUT_S = 2.0  # for an idle child to end by itself
# What Python and the C library need. Keys and passwords in the environment are not among it.
KEPT_VARIABLES = frozenset(
    "APPDATA COMSPEC HOME LANG LD_LIBRARY_PATH PATH SYSTEMDRIVE SYSTEMROOT TEMP TIKTOKEN_CACHE_DIR "
    "TMP TMPDIR TZ USERPROFILE VIRTUAL_ENV WINDIR".split()
)
# -P: a folder or file called "index" where the user stands must not be taken for ours.
# -W: with PYTHONWARNINGS=error, a deprecated call inside a library would be an exception.
COMMAND = (sys.executable, "-P", "-W", "ignore", "-m", "index.parsing.child")
KEPT_FAMILIES = ("DYLD_", "LC_", "PYTHON")


class ParserProcess:
    """One parser process. Used by one thread at a time; `kill` by any."""

    def __init__(self, settings: dict[str, Any], limits: ParserLimits) -> None:
        self._settings, self._limits = settings, limits
        self._errors: IO[bytes] = tempfile.TemporaryFile()
        self._process = _started(self._errors)
        self._requests = cast("BinaryIO", self._process.stdin)
        self._replies = cast("BinaryIO", self._process.stdout)
        self._is_ready = False
        self._in_step = True  # it waits for the next source, as far as we know
        self.answered = 0  # bytes of its last answer

    @property
    def usable(self) -> bool:
        """Whether it can be given another source."""
        return self._in_step and self._process.poll() is None

    def read(self, task: ParseTask, stream: BinaryIO) -> ParseOutcome:
        """Send a source and return what came out of it. Whatever happens to it is an outcome.

        Raises:
            ArticleQAError: If the child cannot start.
        """
        if not self._is_ready:
            self._await_ready()
        self._in_step, self.answered = False, 0
        with Deadline(self._limits.wall_s, self.kill) as deadline:
            try:
                digest = self._send(task, stream)
            except SourceError as error:
                self._in_step = True
                return ParseOutcome(key=task.key, digest=None, unreadable=str(error))
            try:
                return self._receive(task, digest, deadline.extend)
            except EOFError:
                problem = self._cause_of_death(is_overdue=deadline.is_overdue)
            except TooLongError:
                problem = f"holds more than {MAX_REPLY_BYTES / 1e6:g} MB of text"
            except (KeyError, TypeError, ValueError):  # nothing that our own code would answer
                problem = "could not be parsed (wrong answer)"
        return ParseOutcome(key=task.key, digest=digest, problems=(problem,))

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def end(self) -> None:
        """End the process and let go of its pipes; an idle one ends by itself."""
        with suppress(OSError):  # closing tries once more to write what is left
            self._requests.close()
        if not self._in_step:
            self.kill()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        self._replies.close()
        self._errors.close()

    def _await_ready(self) -> None:
        try:
            with Deadline(START_TIMEOUT_S, self.kill):
                send_message(self._requests, self._settings)
                message = receive_message(self._replies)
        except (EOFError, OSError, ValueError) as error:
            self._in_step = False
            raise BuildFailedError(self._failure()) from error
        if "error" in message:
            self._in_step = False
            raise error_named(message["error"]["kind"], message["error"]["message"])
        self._is_ready = True

    def _failure(self) -> str:
        self.kill()
        self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "no message")
        return (
            f"The process that reads articles could not start: {last.strip(' .')}. "
            "If its memory is limited (ulimit -v), raise that; else install article-qa again."
        )

    def _send(self, task: ParseTask, stream: BinaryIO) -> bytes:
        """Send a source in pieces, and return its hash even if the child dies meanwhile.

        Raises:
            SourceError: If the stream cannot be read to its end.
        """
        hashed = hashlib.sha256()
        header = {"name": task.name, "kind": task.kind, "options": task.options.to_dict()}
        is_alive = self._tell(lambda pipe: send_message(pipe, header))
        try:
            while piece := stream.read(PIECE_BYTES):
                hashed.update(piece)
                is_alive = is_alive and self._tell(partial(send_frame, data=piece))
        except Exception as error:
            self._tell(send_aborted)
            raise as_source_error(task, error) from error
        self._tell(send_end)
        return hashed.digest()

    def _tell(self, send: Callable[[BinaryIO], None]) -> bool:
        """Write to the child; return False if it is dead, which its answer will then show."""
        try:
            send(self._requests)
        except OSError:
            return False
        return True

    def _receive(
        self, task: ParseTask, digest: bytes, sign_of_life: Callable[[], None]
    ) -> ParseOutcome:
        """Return the outcome that the child tells; call `sign_of_life` for each article.

        Raises:
            EOFError: If it died.
            TooLongError: If it tells more than any source may hold.
            KeyError, TypeError, ValueError: If it talks nonsense.
        """
        articles: list[tuple[Article, tuple[Passage, ...]]] = []
        while True:
            frame = receive_frame(self._replies, MAX_REPLY_BYTES - self.answered)
            self.answered += len(frame)
            message = json.loads(frame)
            if "article" not in message:
                break
            sign_of_life()
            article = Article.from_dict(message["article"])
            articles.append((article, unpacked(article, message["passages"])))
        failed, listing = message.get("failed"), message.get("listing")
        outcome = ParseOutcome(
            key=task.key,
            digest=digest,
            articles=() if failed else tuple(articles),
            listing=_listing(listing) if listing else None,
            problems=(failed,) if failed else tuple(message.get("problems", ())),
        )
        self._in_step = not message.get("retire")
        return outcome

    def _cause_of_death(self, *, is_overdue: bool) -> str:
        if is_overdue:
            return f"took longer than {self._limits.wall_s:g} s"
        try:
            code = self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:  # it closed its pipe and lives on
            code = 0
        if code == -getattr(signal, "SIGXCPU", 0):
            return f"took longer than {self._limits.cpu_s:g} s of processor time"
        how = f"signal {-code}" if code < 0 else f"code {code}"
        return f"ended the reading process ({how})"


def _started(errors: IO[bytes]) -> subprocess.Popen[bytes]:
    package_parent = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [package_parent, os.environ.get("PYTHONPATH")]))
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.upper() in KEPT_VARIABLES or name.upper().startswith(KEPT_FAMILIES)
    }
    # Threads of libraries would only reserve address space, of which the child has little.
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"), "1")
    return subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env={**kept, **single, "PYTHONPATH": path, "MALLOC_ARENA_MAX": "1"},
        start_new_session=True,  # Ctrl-C is for the parent, which then ends this one
    )


def _listing(values: dict[str, Any]) -> Listing:
    from index.sources.listing import Listing

    return Listing.from_dict(values)
