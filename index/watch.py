"""Files that change → builds: look, wait until it is quiet, build, look again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from threading import Event

from index.errors import SourceError
from index.sources.folder import ARTICLE_SUFFIXES, IGNORE_FILE

DEBOUNCE_MS = 1_600  # a burst of changes is one
STEP_MS = 200  # quiet for so long ends a burst
BEAT_MS = 1_000  # without news for so long, a look whether what is watched still stands there

Identity = tuple[int, int]  # device and inode


def changes(
    paths: Sequence[Path], index_dir: Path, *, stop: Event | None = None
) -> Iterator[set[Path]]:
    """Yield the article files that changed, burst by burst, until `stop` is set or Ctrl-C.

    The first set is `paths`: before the watch began anything may have changed. An empty one says
    that for a second nothing did. What is replaced, as editors do it with files and `mv` with
    folders, is watched on; what is away is waited for.

    Args:
        paths: Files and folders to watch.
        index_dir: The index, which may lie among them: what changes there is no news.
        stop: Ends the watch when set.

    Raises:
        SourceError: If the system cannot watch that many folders.
    """
    roots = [path.resolve() for path in paths]
    is_news = _filter(roots, index_dir.resolve())
    seen: dict[Path, Identity] = {}
    unheard = set(roots)  # changed, or may have, while nobody listened
    while True:
        before, seen = seen, _identities(roots)
        unheard |= {root for root in roots if seen.get(root) != before.get(root)}
        for burst in _bursts(seen, is_news, stop):
            yield burst | unheard
            unheard = set()
            # The system watches inodes, and is deaf to what takes their place.
            if _identities(roots) != seen:
                break
        else:
            if stop is not None and stop.is_set():
                return


def _bursts(
    there: Collection[Path], is_news: Callable[[object, str], bool], stop: Event | None
) -> Iterator[set[Path]]:
    """Yield what changes, or nothing at every beat, until the watch ends."""
    from watchfiles import watch

    try:
        for burst in watch(
            *there,
            watch_filter=is_news,
            debounce=DEBOUNCE_MS,
            step=STEP_MS,
            rust_timeout=BEAT_MS,
            yield_on_timeout=True,
            ignore_permission_denied=True,  # the build says which folder it cannot read
            stop_event=stop,
        ):
            yield {Path(name) for _, name in burst}
    except FileNotFoundError:  # gone since it was looked for
        return
    except (OSError, RuntimeError) as error:  # watchfiles' own error is a RuntimeError
        raise SourceError(
            f"The system cannot watch the folders of this index ({error}). On Linux raise "
            "fs.inotify.max_user_watches, or run article-qa index from cron instead."
        ) from error


def _identities(roots: Sequence[Path]) -> dict[Path, Identity]:
    """Return what stands at each path now, of those at which anything does."""
    found = {}
    for root in roots:
        try:
            status = root.stat()
        except OSError:
            continue
        found[root] = (status.st_dev, status.st_ino)
    return found


def _filter(roots: Sequence[Path], index_dir: Path) -> Callable[[object, str], bool]:
    def is_news(_change: object, name: str) -> bool:
        path = Path(name)
        if path.is_relative_to(index_dir):
            return False
        if path.name == IGNORE_FILE or path in roots:
            return True
        if any(part.startswith(".") for part in _inside(path, roots)):  # never indexed
            return False
        # A folder that comes brings articles with it, whatever it is called; one that went cannot
        # be told from a file.
        return path.suffix.lower() in ARTICLE_SUFFIXES or path.is_dir() or not path.exists()

    return is_news


def _inside(path: Path, roots: Sequence[Path]) -> tuple[str, ...]:
    """Return the parts of a path that lie inside the root that it belongs to."""
    around = [root for root in roots if path.is_relative_to(root)]
    return path.relative_to(max(around, key=lambda root: len(root.parts))).parts if around else ()
