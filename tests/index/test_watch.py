import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from index.generation import open_current
from index.lock import hold
from index.record import Record
from index.watch import changes

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60  # for what comes within a second on an idle machine


@pytest.fixture
def news(tmp_path):
    folder = tmp_path.resolve() / "news"
    folder.mkdir()
    return folder


class Watched:
    """A watch in a thread of its own."""

    def __init__(self, paths, index_dir):
        self.paths = set(paths)
        self.bursts, self.stop = queue.Queue(), threading.Event()
        self.thread = threading.Thread(target=self.run, args=(paths, index_dir))
        self.thread.start()

    def run(self, paths, index_dir):
        for burst in changes(paths, index_dir, stop=self.stop):
            if burst:
                self.bursts.put(burst)

    def next(self):
        return self.bursts.get(timeout=PATIENCE_S)

    def until(self, *paths):
        """Return how many bursts it took until all of these were told, and what else was.

        They are, too, if all that is watched is: a restart of the watch says so.
        """
        missing, others = set(paths), set()
        for number in range(1, 100):
            burst = self.next()
            others |= burst - set(paths)
            missing -= burst
            if not missing or self.paths <= burst:
                return number, others
        raise AssertionError(missing)


@contextmanager
def watching(*paths, index_dir):
    watch = Watched(paths, index_dir)
    try:
        assert watch.next() == set(paths)  # the watch has begun, and says where to look first
        yield watch
    finally:
        watch.stop.set()
        watch.thread.join(PATIENCE_S)
        assert not watch.thread.is_alive()


def write(path, text="An article."):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_what_is_news(news):
    """One watch through a whole life: starting one costs a second."""
    index_dir, old = news / ".article-qa", write(news / "old.txt")
    with watching(news, index_dir=index_dir) as watch:
        new = write(news / "new.txt")
        watch.until(new)
        write(old, "Changed.")
        assert watch.until(old)[1] <= {new}  # its second half, on a machine that stood still
        old.unlink()
        assert watch.until(old)[1] <= {new}
        many = [write(news / f"{number}.md") for number in range(200)]
        n_bursts, others = watch.until(*many)
        assert (n_bursts <= 3, others <= {old, new}) == (True, True)  # one, if nothing stands still
        for hidden in (".article-qa/gen-000001/a.txt", ".git/index", ".a.txt"):
            write(news / hidden)
        write(news / "picture.png")  # no article, like those before: nobody is told
        (news / ".articleqaignore").write_text("drafts\n")
        assert watch.until(news / ".articleqaignore")[1] <= {old, new, *many}


def test_a_folder_that_comes_and_goes(news, tmp_path):
    outside = tmp_path / "v1.2"  # a dot is no suffix here
    write(outside / "a.txt")
    with watching(news, index_dir=tmp_path / "index") as watch:
        inside = outside.rename(news / "v1.2")
        watch.until(inside)
        write(inside / "b.txt")
        watch.until(inside / "b.txt")
        inside.rename(outside)
        watch.until(inside)


def test_what_is_replaced_is_watched_on(news, tmp_path):
    root = tmp_path.resolve()
    single = write(root / "single.txt")
    with watching(news, single, index_dir=root / "index") as watch:
        for _ in range(3):  # as editors save a file; told twice, if nobody listened for a moment
            write(root / "draft").rename(single)
            watch.until(single)
        for _ in range(2):  # the new file may have the number of the old
            single.unlink()
            write(single)
            watch.until(single)
        news.rename(root / "away").rename(news)
        watch.until(news)
        write(news / "soon.txt")
        watch.until(news / "soon.txt")
        away = news.rename(root / "away")
        watch.until(news)
        write(away / "a.txt")
        away.rename(news)
        watch.until(news)
        write(news / "b.txt")
        watch.until(news / "b.txt")
        shutil.rmtree(news)
        single.unlink()  # nothing is left to watch
        watch.until(news, single)
        write(single)
        watch.until(single)


def test_links_and_pipes_do_no_harm(news, tmp_path):
    (news / "loop").symlink_to(news)
    (news / "broken").symlink_to(news / "nothing")
    os.mkfifo(news / "pipe.txt")
    with watching(news, index_dir=tmp_path / "index") as watch:
        write(news / "a.txt")
        watch.until(news / "a.txt")


# The command

EMBEDDER = """
import numpy as np

class Tiny:
    model_id, dim = "tiny@1", 8
    def embed_query(self, text):
        vector = np.full(8, 1e-3, np.float32)
        for word in text.split():
            vector[len(word) % 8] += 1
        return vector / np.linalg.norm(vector)
    def embed_passages(self, texts):
        return np.array([self.embed_query(text) for text in texts], np.float32).reshape(-1, 8)
"""
COMMAND = "import ui.building; ui.building.RETRY_S = 0.5; from ui import cli; cli.main()"


@contextmanager
def command(folder, *args):
    """Yield the running command, with what it says on stderr in `said`, a line each."""
    write(folder / "tiny_model.py", EMBEDDER)
    settings = {"PYTHONPATH": f"{ROOT}:{folder}", "ARTICLE_QA_EMBEDDER": "tiny_model:Tiny"}
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *args],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            env={**os.environ, **settings},
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def await_that(condition, process):
    for _ in range(PATIENCE_S * 20):
        if condition():
            return
        assert process.poll() is None, "the watch has ended"
        time.sleep(0.05)
    raise AssertionError("it never happened")


def titles(index_dir):
    with closing(Record.open(open_current(index_dir).record_path)) as record:
        return sorted(article.title for article in record.articles())


def test_the_index_follows_whatever_happens(news):
    folder, index_dir = news.parent, news.parent / ".article-qa"
    said = folder / "said"
    gone = write(news / "gone.txt", "The first story\n\nThe ferry was closed on Monday.\n")
    extra = write(folder / "extra" / "a.txt", "The extra story\n\nThe tram stands.\n").parent
    args = ("index", "news", "extra", "--watch", "--report", "report.json")
    with command(folder, *args) as process:
        await_that(lambda: said.exists() and "Watching" in said.read_text(), process)
        write(news / "bad.json", "{")
        write(news / "two.txt", "The second story\n\nThe bridge was closed on Tuesday.\n")
        gone.unlink()
        extra.rename(folder / "away")  # keeps its articles, and nobody from the others
        await_that(lambda: titles(index_dir) == ["The extra story", "The second story"], process)
        await_that(lambda: "news/bad.json: not JSON" in said.read_text(), process)
        report = json.loads((folder / "report.json").read_text())
        assert (report["n_articles"], len(report["problems"])) == (2, 1)
        with hold(index_dir):
            write(news / "three.txt", "The third story\n\nThe bus goes again on Friday.\n")
            await_that(lambda: "Another process" in said.read_text(), process)
        await_that(lambda: "3 articles" in said.read_text(), process)  # without another change
        await_that(lambda: "not JSON" in said.read_text().split("3 articles")[1], process)
        said_before = said.read_text()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
        assert said.read_text() == said_before
    assert "Traceback" not in said_before
    assert not (index_dir / "staging").exists()
    with command(folder, "index", "--watch", "--json") as process:  # what it knows is watched
        first = json.loads(process.stdout.readline())
        assert (first["n_articles"], first["changed"]) == (3, False)
        await_that(lambda: "Watching" in said.read_text(), process)
        gone.write_text("The first story\n\nThe ferry goes again.\n")
        assert json.loads(process.stdout.readline())["added"] == 1
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
        assert process.stdout.read() == ""
