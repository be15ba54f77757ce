"""The building process and the caller's end of it: real child processes, really killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from index.build import _Link, build_index
from index.embed import OnnxEmbedder
from index.errors import (
    BuildFailedError,
    BuildStalledError,
    ConfigError,
    IndexDamagedError,
    IndexLockedError,
    IndexMissingError,
    SourceError,
)
from index.generation import STAGING, open_current
from index.lock import HOLDER, holder_of
from index.search import Searcher
from index.verify import verify

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills processes with signals")


@pytest.fixture
def index_dir(tmp_path):
    return tmp_path / "index"


@pytest.fixture
def news(tmp_path, write_story):
    for number in range(100):  # 300 passages: two batches to embed
        write_story(tmp_path / "news" / f"{number:03}.txt", number)
    return tmp_path / "news"


def worker_of(index_dir):
    return holder_of(index_dir)


def kill_worker(index_dir):
    with suppress(ProcessLookupError):  # it has just ended
        if pid := worker_of(index_dir):
            os.kill(pid, signal.SIGKILL)


def assert_ended(pid):
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def children():
    """Return the process ids of this process's children, zombies included; none but on Linux."""
    tasks = Path("/proc/self/task").glob("*/children")
    return {int(pid) for task in tasks for pid in task.read_text().split()}


def assert_answers(index_dir, embedder, number=0):
    with closing(Searcher.open(index_dir, embedder)) as searcher:
        assert searcher.search(f"witness {number} story {number}")[0].article.title.endswith(
            f"story {number}"
        )


# Killing the worker


@pytest.mark.parametrize("moment", ["read", "embedding", "vectors", "verify"])
def test_a_killed_build_is_gone_on_from(
    index_dir, news, moment, build_here, content, embedder_class, tmp_path
):
    embedder = embedder_class()
    build_here(index_dir, news / "000.txt")
    at_once = tmp_path / "at_once"
    build_here(at_once, news / "000.txt")

    class Killing(embedder_class):
        def embed_passages(self, texts):
            if moment == "embedding" and self.embedded:  # during the second batch
                kill_worker(index_dir)
            return super().embed_passages(texts)

    def on_progress(progress):
        if progress.phase == moment:
            kill_worker(index_dir)

    try:
        build_index(news, index_dir, embedder=Killing(), on_progress=on_progress)
    except BuildFailedError as error:
        message = str(error)
    else:  # on a busy machine it may be done before the signal comes
        assert moment in {"vectors", "verify"}
        message = ""
    assert ("code -9" in message and "Run the command again" in message) or not message
    old = open_current(index_dir).manifest.number == 1
    assert old or moment in {"vectors", "verify"}
    assert_answers(index_dir, embedder)

    report = build_index(news, index_dir, embedder=embedder)
    build_here(at_once, news)
    assert content(index_dir) == content(at_once)
    assert verify(open_current(index_dir)) == []
    assert report.n_articles == 100
    paid = {"read": 0, "embedding": 256, "vectors": 297, "verify": 297}[moment]
    assert report.embedded <= report.n_passages - paid
    assert report.resumed == old
    assert not (index_dir / STAGING).exists()


def test_killed_at_any_time(index_dir, news, build_here, content, tiny, tmp_path):
    build_here(index_dir, news / "000.txt")
    for delay_s in (0.4, 0.8, 1.1):

        def kill_later(delay_s=delay_s):
            for _ in range(100):  # until it has begun
                time.sleep(0.1)
                if (index_dir / HOLDER).exists():
                    break
            time.sleep(delay_s)
            kill_worker(index_dir)

        killer = threading.Thread(target=kill_later)
        killer.start()
        with suppress(BuildFailedError):
            build_index(news, index_dir, embedder=tiny)
        killer.join()
        assert_answers(index_dir, tiny)
    report = build_index(news, index_dir, embedder=tiny)
    build_here(tmp_path / "at_once", news / "000.txt")
    build_here(tmp_path / "at_once", news)
    assert report.n_articles == 100
    assert content(index_dir) == content(tmp_path / "at_once")


def test_killed_before_it_has_read_the_job(index_dir, embedder_class, monkeypatch):
    # A long job does not fit into the pipe, so the caller is writing when the worker ends.
    monkeypatch.setattr(sys, "executable", "/bin/false")
    before = children()
    with pytest.raises(BuildFailedError, match=r"code 1"):
        build_index([Path("/")] * 50_000, index_dir, embedder=embedder_class())
    assert children() == before


# The worker hangs


def test_a_worker_that_hangs_is_stopped(index_dir, news, build_here, tiny):
    build_here(index_dir, news / "000.txt")
    before, pids = children(), []

    def stop_worker(progress):
        if progress.phase == "group" and not pids:  # everything is embedded by now
            pids.append(worker_of(index_dir))
            os.kill(pids[0], signal.SIGSTOP)  # it hears of no signal but SIGKILL

    with pytest.raises(BuildStalledError, match=r"for 5 s \(phase: .*the command again") as caught:
        build_index(news, index_dir, embedder=tiny, on_progress=stop_worker, stall_timeout_s=5)
    assert caught.value.exit_status == 74
    assert_ended(pids[0])
    assert children() == before
    assert open_current(index_dir).manifest.number == 1
    assert_answers(index_dir, tiny)
    report = build_here(index_dir, news)  # the lock is free
    assert (report.resumed, report.embedded) == (True, 0)


def test_a_worker_that_takes_nothing_is_stopped(tmp_path):
    with talking("import time; time.sleep(60)") as process:
        link = _Link(process, tmp_path, stall_timeout_s=0.2)
        with pytest.raises(BuildStalledError, match="starting"):
            link.send({"long": "x" * 1_000_000})  # more than a pipe holds
    assert process.returncode == -signal.SIGKILL


def test_what_the_caller_does_meanwhile_is_no_silence_of_the_worker(tmp_path):
    with talking("import sys\nfor line in sys.stdin: print(line, flush=True, end='')") as process:
        link = _Link(process, tmp_path, stall_timeout_s=30)
        link.send({"started": 1})
        assert link.receive() == {"started": 1}
        link = _Link(process, tmp_path, stall_timeout_s=0.5)
        for number in range(2):
            time.sleep(0.7)
            link.send({"number": number})
            assert link.receive() == {"number": number}
        process.stdin.close()
        with pytest.raises(EOFError):  # it ended by itself: that is no hang
            link.receive()


def talking(script):
    command = [sys.executable, "-c", script]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


# The caller stops


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
@pytest.mark.parametrize("phase", ["read", "embed"])
def test_an_exception_in_the_callers_code_leaves_no_process(
    index_dir, news, build_here, tiny, error, phase
):
    build_here(index_dir, news / "000.txt")
    before, pids = children(), []

    def on_progress(progress):
        if progress.phase == phase:
            pids.append(worker_of(index_dir))
            raise error

    with pytest.raises(error):
        build_index(news, index_dir, embedder=tiny, on_progress=on_progress)
    assert_ended(pids[0])
    assert children() == before
    assert open_current(index_dir).manifest.number == 1
    assert_answers(index_dir, tiny)


def test_an_exception_in_a_generator_or_an_embedder(index_dir, make_article, embedder_class):
    before = children()

    def articles():
        yield make_article(1)
        raise LookupError("no more")

    class Broken(embedder_class):
        def embed_passages(self, texts):
            raise LookupError("out of memory")

    with pytest.raises(LookupError, match="no more"):
        build_index(articles(), index_dir, embedder=embedder_class())
    with pytest.raises(LookupError, match="out of memory"):
        build_index([make_article(1)], index_dir, embedder=Broken())
    assert children() == before
    with pytest.raises(IndexMissingError):
        open_current(index_dir)


def test_an_embedder_that_returns_too_few_vectors(index_dir, make_article, embedder_class):
    class Short(embedder_class):
        def embed_passages(self, texts):
            return super().embed_passages(texts)[1:]

    with pytest.raises(BuildFailedError, match="ValueError"):
        build_index([make_article(1)], index_dir, embedder=Short())


# Two at once


def test_two_builds_at_once(index_dir, news, build_here, tiny):
    build_here(index_dir, news / "000.txt")
    refused = []

    def on_progress(progress):
        if progress.phase == "embed" and not refused:
            try:
                build_index(news, index_dir, embedder=tiny)
            except IndexLockedError as error:
                refused.append(str(error))

    report = build_index(news, index_dir, embedder=tiny, on_progress=on_progress)
    assert report.n_articles == 100
    assert len(refused) == 1
    assert "Asking still works" in refused[0]
    assert "(number " in refused[0]
    assert_answers(index_dir, tiny, 50)


# What may be given


@pytest.mark.parametrize("as_string", [True, False])
def test_paths_of_several_kinds(index_dir, news, tiny, as_string):
    path = str(news / "000.txt") if as_string else [str(news / "000.txt"), news / "001.txt"]
    report = build_index(path, str(index_dir), embedder=tiny)
    assert report.added == (1 if as_string else 2)


def test_a_generator_of_articles_and_another_embedder(
    index_dir, make_article, embedder_class, tree
):
    numbers = range(60)  # more than one message
    report = build_index(map(make_article, numbers), index_dir, embedder=embedder_class())
    assert (report.added, report.changed) == (60, True)
    before, quiet = tree(index_dir), embedder_class()
    again = build_index(map(make_article, numbers), index_dir, embedder=quiet)
    assert (again.unchanged, again.changed, quiet.embedded) == (60, False, 0)
    assert tree(index_dir) == before
    other = embedder_class("other@2", dim=16)
    report = build_index(map(make_article, range(1, 60)), index_dir, embedder=other)
    assert (report.removed, report.embedded) == (1, report.n_passages)


def test_paths_and_articles_do_not_mix(index_dir, news, make_article, tiny):
    with pytest.raises(TypeError, match="not both"):
        build_index([news, make_article(1)], index_dir, embedder=tiny)
    with pytest.raises(TypeError, match="not str"):
        build_index([make_article(1), str(news)], index_dir, embedder=tiny)
    with pytest.raises(TypeError):
        build_index(42, index_dir, embedder=tiny)
    with pytest.raises(TypeError, match="not int"):
        build_index([1, 2], index_dir, embedder=tiny)
    with pytest.raises(TypeError):
        build_index(make_article(1), index_dir, embedder=tiny)


def test_a_path_that_is_not_there(index_dir, tmp_path, tiny):
    with pytest.raises(SourceError, match=r"no file or folder .*nowhere"):
        build_index([tmp_path, tmp_path / "nowhere"], index_dir, embedder=tiny)
    assert not index_dir.exists()


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems refuse such names")
def test_a_path_that_is_no_text(index_dir, tmp_path, tiny):
    path = tmp_path / os.fsdecode(b"n\xffews")
    path.mkdir()
    with pytest.raises(SourceError, match="is not valid text"):
        build_index(path, index_dir, embedder=tiny)


def test_an_error_of_the_worker_is_the_same_error_here(index_dir, news, tiny, build_here):
    (news / "empty").mkdir()
    with pytest.raises(SourceError, match="No article could be read"):
        build_index(news / "empty", index_dir, embedder=tiny)
    build_here(index_dir, news / "000.txt")
    open_current(index_dir).record_path.write_text("nonsense")
    with pytest.raises(IndexDamagedError, match="--rebuild"):
        build_index(news, index_dir, embedder=tiny)


def test_an_index_where_a_file_is(tmp_path, news, tiny):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match=r"cannot be kept at .*--index DIR"):
        build_index(news, tmp_path / "file", embedder=tiny)


def test_progress_is_told_in_order(index_dir, news, tiny):
    steps = []
    report = build_index(news, index_dir, embedder=tiny, on_progress=steps.append)
    phases = list(dict.fromkeys(step.phase for step in steps))
    assert (
        phases == ["scan", "read", "embed", "group", "vectors", "verify"] == list(report.timings_s)
    )
    for phase in phases:
        done = [step.done for step in steps if step.phase == phase]
        assert done == sorted(done)
        assert [s.done for s in steps if s.phase == phase][-1] == [
            s.total for s in steps if s.phase == phase
        ][-1]
    assert report == type(report).from_dict(report.to_dict())


# Anybody's program

SCRIPT = """
import sys
print("started once")
from index import build_index
report = build_index({seeds!r}, {index_dir!r})
print(report.n_articles, report.embedded == report.n_passages)
"""


def test_a_script_without_a_guard_in_a_folder_full_of_namesakes(tmp_path, index_dir):
    # The bundled embedder on the real articles; the user stands where "index" means something else.
    standing = tmp_path / "standing"
    for name in ("index/__init__.py", "index.py", "json.py", "numpy.py", "chromadb/__init__.py"):
        path = standing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("raise SystemExit('the wrong module')")
    script = tmp_path / "scripts" / "my_script.py"
    script.parent.mkdir()
    script.write_text(SCRIPT.format(seeds=str(ROOT / "seeds"), index_dir=str(index_dir)))
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=standing,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error::DeprecationWarning"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    started, result = done.stdout.splitlines()
    assert started == "started once"
    n_articles, all_embedded = result.split()
    assert int(n_articles) > 30
    assert all_embedded == "True"
    assert done.stderr == ""
    with closing(Searcher.open(index_dir, OnnxEmbedder.bundled())) as searcher:
        first = searcher.search("When did the Indian lander touch down on the moon?")[0]
        assert "Chandrayaan" in first.article.title + first.article.text
    assert verify(open_current(index_dir)) == []
