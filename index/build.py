"""Sources in → an index in service: `build_index` starts the building process and follows it.

The caller's process never writes Chroma: a crash or a kill there ends the build, not the caller,
and the generation in service stays as it is. So does a hang: a process that is silent for too long
is killed, which frees its lock.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from index.deadline import Deadline
from index.embed import Embedder
from index.errors import BuildFailedError, BuildStalledError, SourceError, error_named
from index.job import Job, job_to_dict
from index.llama import LlamaDocument, LlamaEmbedding, article_from_document, as_embedder
from index.report import BuildProgress, BuildReport, OnProgress
from index.roots import is_url
from index.types import Article

PathLike = str | os.PathLike[str]
ARTICLES_PER_MESSAGE = 50
STOP_TIMEOUT_S = 10.0  # for the worker to end after a signal
# Between two signs of life of the worker. The longest steps without one are single calls of SQLite
# and Chroma, such as checking a file, and a batch of passages to embed on a machine that is busy.
STALL_TIMEOUT_S = 600.0


def build_index(
    sources: PathLike | Iterable[PathLike] | Iterable[Article | LlamaDocument],
    index_dir: PathLike,
    *,
    embedder: Embedder | LlamaEmbedding | None = None,
    rebuild: bool = False,
    include: Sequence[str] | None = None,
    exclude: Sequence[str] | None = None,
    fields: Mapping[str, str] | None = None,
    additive: bool = False,
    allow_loopback: bool = False,
    on_progress: OnProgress | None = None,
    stall_timeout_s: float = STALL_TIMEOUT_S,
) -> BuildReport:
    """Bring the index in `index_dir` up to date with `sources`; make it if it is not there.

    Unchanged files and articles cost nothing, changed ones are replaced, and those no longer found
    under the given paths disappear. What was indexed earlier stays in the index. The index in
    service answers questions until the new one is complete. What a stopped build has embedded is
    kept for the next one.

    Args:
        sources: Files, folders and addresses (`https://…` of an article, a feed, a sitemap or an
            OPML list); or articles, or llama-index Documents, as values. Values form one set: an
            article given last time and not this time is removed, unless `additive`. Nothing
            (`[]`) means: look again at everything the index knows.
        index_dir: The folder of the index; created if missing.
        embedder: Another embedder than the bundled one, or any llama-index `BaseEmbedding`. If it
            differs from the one the index was built with, everything is embedded again.
        rebuild: Read and embed everything again, whatever is there.
        include: Shell patterns; of folders only the files that match one are read ("*.html",
            "2023/*"). Remembered for the folders in `sources`, or for all where there are none;
            None means as last time.
        exclude: Shell patterns of files and folders that are not read. Remembered like `include`.
        fields: Which keys of JSON and CSV records hold what: field of `Article` → key, where a
            record has it; else its usual keys count. Remembered.
        additive: Articles given as values join those given before.
        allow_loopback: Addresses on this machine may be fetched; otherwise only public ones are.
        on_progress: Called with each step; must return quickly.
        stall_timeout_s: A building process that says nothing for so long is stopped. The time that
            the caller's own embedder, articles and `on_progress` take does not count.

    Returns:
        Counts, problems (sources that could not be read, one reason each), seconds per phase.

    Raises:
        SourceError: If a path does not exist, or not one article could be read.
        IndexLockedError: If another process is building this index.
        ReadOnlyIndexError: If the index cannot be written where it is.
        DiskFullError: If there is no room for the new index.
        BuildFailedError: If the building process failed; the old index stays in service.
        BuildStalledError: If it said nothing for too long.
        TypeError: If `sources` holds anything else.
    """
    sorted_out = _sorted_out(sources)
    job = Job(
        index_dir=Path(index_dir).absolute(),
        paths=tuple(path.absolute() for path in sorted_out.paths),
        urls=tuple(sorted_out.urls),
        rebuild=rebuild,
        include=None if include is None else tuple(include),
        exclude=None if exclude is None else tuple(exclude),
        fields=fields,
        additive=additive,
        allow_loopback=allow_loopback,
    )
    return run_job(
        job,
        given=sorted_out.given,
        embedder=embedder,
        on_progress=on_progress,
        stall_timeout_s=stall_timeout_s,
    )


def run_job(
    job: Job,
    *,
    given: Iterator[Article] | None = None,
    embedder: Embedder | LlamaEmbedding | None = None,
    on_progress: OnProgress | None = None,
    stall_timeout_s: float = STALL_TIMEOUT_S,
) -> BuildReport:
    """Do a build in a process of its own; `build_index` says what it returns and raises."""
    model = as_embedder(embedder) if embedder is not None else None
    message = {
        "job": job_to_dict(job),
        "given": given is not None,
        "embedder": {"model_id": model.model_id, "dim": model.dim} if model else None,
    }
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        with _worker(errors) as process:
            link = _Link(process, job.index_dir, stall_timeout_s)
            try:
                report = _follow(link, message, given or iter(()), model, on_progress)
                with suppress(subprocess.TimeoutExpired):  # published: let it end, or end it
                    process.wait(STOP_TIMEOUT_S)
                return report
            except EOFError:
                errors.seek(0)
                raise BuildFailedError(_failure(process.returncode, errors.read())) from None
            finally:
                _stop(process)


@dataclass(slots=True)
class _Sources:
    """What was given, by kind."""

    paths: list[Path] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    given: Iterator[Article] | None = None


def _sorted_out(sources: Any) -> _Sources:  # noqa: ANN401
    """Return paths and addresses, or else the articles one by one: a million is fine."""
    if isinstance(sources, str | os.PathLike):
        sources = [sources]
    iterator = iter(sources)
    first = list(islice(iterator, 1))
    if first and not isinstance(first[0], str | os.PathLike):
        return _Sources(given=map(_article, chain(first, iterator)))
    found = _Sources()
    for item in chain(first, iterator):
        if not isinstance(item, str | os.PathLike):
            raise TypeError("give paths or articles, not both in one call")
        if isinstance(item, str) and is_url(item):
            found.urls.append(item)
        else:
            found.paths.append(_checked(Path(item)))
    return found


def _checked(path: Path) -> Path:
    if not path.exists():
        raise SourceError(f"There is no file or folder {path}. Check the spelling.")
    if str(path.resolve()) != os.fsencode(path.resolve()).decode("utf-8", "replace"):
        raise SourceError(f"The path {path!a} is not valid text. Rename it, then index it.")
    return path


def _article(item: object) -> Article:
    if isinstance(item, Article):
        return item
    if isinstance(item, LlamaDocument):
        return article_from_document(item)
    kind = type(item).__name__
    raise TypeError(f"expected paths, Articles or llama-index Documents, not {kind}")


def _worker(errors: IO[str]) -> subprocess.Popen[str]:
    package_parent = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [package_parent, os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        # -P: a folder or file called "index" where the user stands must not be taken for ours.
        # -W: with PYTHONWARNINGS=error, a deprecated call inside Chroma would end the build.
        [sys.executable, "-P", "-W", "ignore", "-m", "index.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env={**os.environ, "PYTHONPATH": path},
        text=True,
        encoding="utf-8",
        # Ctrl-C is for this process, which then stops the worker: not for both at once.
        start_new_session=True,
    )


class _Link:
    """The caller's end of the pipes to the worker, which is not waited for without end."""

    def __init__(
        self, process: subprocess.Popen[str], index_dir: Path, stall_timeout_s: float
    ) -> None:
        self._process, self._index_dir, self._timeout_s = process, index_dir, stall_timeout_s
        self._has_given_up = False
        self.phase = "starting"  # what the worker was last heard to do

    def send(self, message: dict[str, Any]) -> None:
        """Send a message.

        Raises:
            EOFError: If the worker has ended.
            BuildStalledError: If it takes nothing for too long.
        """
        pipe = self._process.stdin
        assert pipe is not None
        with self._awaited():
            try:
                pipe.write(json.dumps(message) + "\n")
                pipe.flush()
            except BrokenPipeError as error:
                with suppress(BrokenPipeError):  # closing tries once more to write what is left
                    pipe.close()
                raise EOFError from error

    def receive(self) -> dict[str, Any]:
        """Return the worker's next message.

        Raises:
            EOFError: If it ends without one.
            BuildStalledError: If it is silent for too long.
        """
        assert self._process.stdout is not None
        with self._awaited():
            line = self._process.stdout.readline()
            if not line.endswith("\n"):  # nothing, or cut short
                raise EOFError
        message: dict[str, Any] = json.loads(line)
        return message

    @contextmanager
    def _awaited(self) -> Iterator[None]:
        """Kill a worker that lets the block wait too long: its pipes then end the waiting."""
        with Deadline(self._timeout_s, self._give_up):
            try:
                yield
            except EOFError:
                self._process.wait()  # which may hang on its way out
                if self._has_given_up:
                    raise BuildStalledError(self._index_dir, self.phase, self._timeout_s) from None
                raise

    def _give_up(self) -> None:
        self._has_given_up = True
        self._process.kill()  # a stopped or hanging process does not come to hear of SIGTERM


def _follow(
    link: _Link,
    message: dict[str, Any],
    given: Iterator[Article],
    embedder: Embedder | None,
    on_progress: OnProgress | None,
) -> BuildReport:
    """Answer the worker until it reports. Raise EOFError if it ends without a report."""
    link.send(message)
    while True:
        match link.receive():
            case {"progress": progress}:
                link.phase = progress["phase"]
                if on_progress is not None:
                    on_progress(BuildProgress(**progress))
            case {"more": _}:
                batch = islice(given, ARTICLES_PER_MESSAGE)
                link.send({"articles": [article.to_dict() for article in batch]})
            case {"embed": texts} if embedder is not None:
                data = embedder.embed_passages(texts).astype("float32").tobytes()
                link.send({"vectors": base64.b64encode(data).decode("ascii")})
            case {"report": report}:
                return BuildReport.from_dict(report)
            case {"error": {"kind": kind, "message": text, "problems": problems}}:
                raise error_named(kind, text, problems)


def _stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()


def _failure(returncode: int, errors: str) -> str:
    last = next((line for line in reversed(errors.splitlines()) if line.strip()), "no message")
    return (
        f"The building process ended unexpectedly (code {returncode}): {last.strip(' .')}. The old "
        "index, if there was one, stays in service. Run the command again to go on from here."
    )
