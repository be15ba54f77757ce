"""Files that change → builds: look, wait until it is quiet, build, look again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event

from index.sources.folder import ARTICLE_SUFFIXES, IGNORE_FILE

DEBOUNCE_MS = 1_600  # a burst of changes is one
STEP_MS = 200  # quiet for so long ends a burst


def changes(
    paths: Sequence[Path], index_dir: Path, *, stop: Event | None = None
) -> Iterator[set[Path]]:
    """Yield the article files that changed, burst by burst, until `stop` is set or Ctrl-C.

    Args:
        paths: Files and folders to watch.
        index_dir: The index, which may lie among them: what changes there is no news.
        stop: Ends the watch when set.
    """
    from watchfiles import watch

    root = index_dir.resolve()
    kwargs = {"debounce": DEBOUNCE_MS, "step": STEP_MS, "stop_event": stop}
    for burst in watch(*paths, watch_filter=_filter(root), **kwargs):  # type: ignore[arg-type]
        yield {Path(name) for _, name in burst}


def _filter(index_dir: Path) -> Callable[[object, str], bool]:
    def is_news(_change: object, name: str) -> bool:
        path = Path(name)
        if path.is_relative_to(index_dir):
            return False
        # A folder that comes or goes has no suffix, and may bring articles with it.
        is_source = path.suffix.lower() in ARTICLE_SUFFIXES or path.name == IGNORE_FILE
        return is_source or not path.suffix

    return is_news
