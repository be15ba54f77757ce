"""Files that change → builds: look, wait until it is quiet, build, look again."""

from __future__ import annotations

import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from pathlib import Path
from threading import Event

from index.errors import SourceError
from index.sources.folder import ARTICLE_SUFFIXES, IGNORE_FILE

DEBOUNCE_MS = 1_600  # a burst of changes is one
STEP_MS = 200  # quiet for so long ends a burst
BEAT_MS = 1_000  # without news for so long, a look whether what is watched still stands there
DELETED = 3  # watchfiles.Change

Identity = tuple[int, int, int, int]  # device, inode; of a file also time and size, else 0


def changes(
    paths: Sequence[Path], index_dir: Path, *, stop: Event | None = None
) -> Iterator[set[Path]]:
    """Yield the article files that changed, burst by burst, until `stop` is set or Ctrl-C.

    The first set is `paths`: before the watch began anything may have changed. An empty one says
    that for a second nothing did. What is replaced, as editors do it with files and `mv` with
    folders, is watched on, and what is away waited for; the set after such a change is `paths`.

    Args:
        paths: Files and folders to watch.
        index_dir: The index, which may lie among them: what changes there is no news.
        stop: Ends the watch when set.

    Raises:
        SourceError: If the system cannot watch that many folders.
    """
    roots = [path.resolve() for path in paths]
    is_news = _filter(roots, index_dir.resolve())
    while True:
        seen = _identities(roots)
        unheard = set(roots)  # while nobody listened anything may have changed
        for burst in _bursts(seen, is_news, stop):
            heard = {Path(name) for _, name in burst}
            yield heard | unheard
            unheard = set()
            # The system watches inodes. It is deaf to what takes their place, and from the moment
            # that one goes, even if it is back, or its number is given to another, soon after.
            gone = {Path(name) for change, name in burst if change == DELETED}
            now = _identities(roots)
            changed = {root for root in roots if now.get(root) != seen.get(root)}
            if not gone.isdisjoint(roots) or changed - heard or _inodes(now) != _inodes(seen):
                break
            seen = now
        else:
            if stop is not None and stop.is_set():
                return


def _bursts(
    there: Collection[Path], is_news: Callable[[object, str], bool], stop: Event | None
) -> Iterator[Set[tuple[int, str]]]:
    """Yield what changes and how, or nothing at every beat, until the watch ends."""
    from watchfiles import watch

    try:
        yield from watch(
            *there,
            watch_filter=is_news,
            debounce=DEBOUNCE_MS,
            step=STEP_MS,
            rust_timeout=BEAT_MS,
            yield_on_timeout=True,
            ignore_permission_denied=True,  # the build says which folder it cannot read
            stop_event=stop,
        )
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
        is_file = stat.S_ISREG(status.st_mode)
        content = (status.st_mtime_ns, status.st_size) if is_file else (0, 0)
        found[root] = (status.st_dev, status.st_ino, *content)
    return found


def _inodes(identities: Mapping[Path, Identity]) -> dict[Path, tuple[int, int]]:
    return {root: identity[:2] for root, identity in identities.items()}


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
