"""The parser children: same results as in process, and what happens to those that fail."""

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.chunk import chunk
from index.embed import MODELS, OnnxEmbedder
from index.errors import BuildFailedError, ModelFileError, ParseError, SourceError
from index.parsing import process
from index.parsing.child import load_piece_counter
from index.parsing.formats import parse_source
from index.parsing.pool import AHEAD, ParserLimits, ParserPool, ParseTask
from index.sources.listing import read_listing

ROOT = Path(__file__).parents[2]
LINUX = sys.platform == "linux"
GOOD = b"Ferry resumes\n\nThe ferry sailed at dawn on Thursday. It carried 400 people.\n"
# A child whose parser does what the name of the source says; everything else is the real one.
MISBEHAVING = """
import os, signal, sys, time
from index.parsing import child
from index.parsing.parsed import ParsedSource
from index.types import Article

def noise():
    print("noise", flush=True)
    os.write(1, b"noise")
    os.write(2, b"noise")
    os.system  # looked at, not called

def deep(n=0):
    return deep(n + 1) + 1

def leave():
    sys.exit(3)

def burn():
    while True:
        pass

def hoard():
    return [bytearray(10_000_000) for _ in range(1000)]

class Panic(BaseException):
    pass

def panic():
    raise Panic("a library in another language")

ACTS = {
    "noise": noise, "deep": deep, "leave": leave, "burn": burn, "hoard": hoard, "panic": panic,
    "segfault": lambda: os.abort(), "exit": lambda: os._exit(7), "sleep": lambda: time.sleep(60),
    "type": lambda: 1 + "", "long": lambda: None, "hold": lambda: bytearray(b"x") * 200_000_000,
}

def parse(name, data, options):
    act = name.partition(".")[0]
    if act in ACTS:
        ACTS[act]()
    text = f"{os.getpid()} {sorted(os.environ)}" if act == "who" else data.decode()
    return ParsedSource((Article.create(text=text, source=name),))

child.parse_source = parse
child.main()
"""


def task(name, data=GOOD, **fields):
    return ParseTask(key=name, name=name, open=lambda: io.BytesIO(data), **fields)


def outcomes(pool, *names):
    return list(pool.parse(task(name) for name in names))


@pytest.fixture(scope="module")
def pool():
    with ParserPool(2, piece_counter=MODELS) as pool:
        yield pool


@pytest.fixture(scope="module")
def count_pieces():
    return OnnxEmbedder.bundled().count_pieces


@cache
def load_counter():
    return load_piece_counter(MODELS)


@pytest.fixture
def misbehaving(monkeypatch):
    """Return a function that makes a pool of one child whose parser misbehaves when told to."""
    monkeypatch.setattr(process, "COMMAND", (sys.executable, "-P", "-c", MISBEHAVING))
    pools = []

    def make(n_children=1, **limits):
        pools.append(ParserPool(n_children, ParserLimits(**limits)))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


def pid_of(pool):
    (outcome,) = outcomes(pool, "who.txt")
    return int(outcome.articles[0][0].text.split()[0])


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def gone(pid, within_s=5.0):
    deadline = time.monotonic() + within_s
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(pid)


def expected(name, data, count_pieces):
    """What the same parsers say in this process."""
    try:
        parsed = parse_source(name, data)
    except ParseError as error:
        return (), (str(error),)
    articles = tuple(
        (article, tuple(chunk(article, count_pieces=count_pieces))) for article in parsed.articles
    )
    return articles, parsed.problems


SEEDS = sorted(path for path in (ROOT / "seeds").rglob("*") if path.suffix in {".txt", ".md"})


def test_a_child_reads_as_this_process_does(pool, count_pieces):
    files = SEEDS[:12]
    assert files
    tasks = (
        ParseTask(key=path, name=path.name, open=lambda path=path: path.open("rb"))
        for path in files
    )
    for path, outcome in zip(files, pool.parse(tasks), strict=True):
        data = path.read_bytes()
        assert outcome.key == path
        assert outcome.digest == hashlib.sha256(data).digest()
        assert (outcome.articles, outcome.problems) == expected(path.name, data, count_pieces)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    data=st.one_of(
        st.text(max_size=600).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.binary(max_size=400),
    ),
    suffix=st.sampled_from([".txt", ".md", ".html", ".jsonl", ".json", ".nothing"]),
)
def test_any_bytes_give_the_same_as_in_this_process(pool, count_pieces, data, suffix):
    name = "any" + suffix
    (outcome,) = pool.parse([task(name, data)])
    try:
        wanted = expected(name, data, count_pieces)
    except RecursionError:
        wanted = (), ("nested too deep",)
    assert (outcome.articles, outcome.problems) == wanted
    for article, passages in outcome.articles:
        for passage in passages:
            assert article.text[passage.start : passage.end] == passage.text


@given(text=st.text(max_size=300))
def test_the_piece_counter_is_the_embedders(count_pieces, text):
    assert load_counter()(text) == count_pieces(text)


def test_an_altered_tokenizer_is_refused(tmp_path):
    for name in ("manifest.json", "tokenizer.json"):
        shutil.copy(MODELS / name, tmp_path)
    with (tmp_path / "tokenizer.json").open("a") as stream:
        stream.write(" ")
    with ParserPool(1, piece_counter=tmp_path) as pool, pytest.raises(ModelFileError):
        outcomes(pool, "a.txt")


def test_order_is_kept_and_tasks_are_taken_as_outcomes_are(pool):
    taken = []

    def tasks():
        for number in range(30):
            taken.append(number)
            yield task(f"{number}.txt", GOOD * (2000 if number % 7 == 0 else 1))

    for number, outcome in enumerate(pool.parse(tasks())):
        assert outcome.key == f"{number}.txt"
        assert outcome.articles
        assert len(taken) <= number + 1 + AHEAD * 2
    assert number == 29


def test_the_callers_turn_comes_before_a_slow_task(pool):
    def tasks():
        yield task("first.txt")
        yield task("second.txt")
        time.sleep(1.0)  # an address that takes its time
        reached.set()
        yield task("third.txt")

    outcomes(pool, "warm.txt")
    reached = threading.Event()
    found = pool.parse(tasks())
    assert next(found).key == "first.txt"
    assert [outcome.key for outcome in found] == ["second.txt", "third.txt"]
    assert reached.is_set()


def test_tasks_may_come_from_outcomes_of_the_same_pool(pool):
    def tasks():
        for number in range(3):
            (inner,) = outcomes(pool, f"inner{number}.txt")
            yield task(f"{inner.key}.txt")

    with ParserPool(1) as small:
        for each in (pool, small):
            keys = [outcome.key for outcome in each.parse(tasks())]
            assert keys == [f"inner{number}.txt.txt" for number in range(3)]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SourceError("a.txt is larger than 20 MB."), "a.txt is larger than 20 MB."),
        (PermissionError(13, "Permission denied"), "a.txt cannot be read: Permission denied."),
        (RuntimeError("whatever"), "a.txt cannot be read: RuntimeError."),
    ],
)
def test_a_source_that_cannot_be_opened(pool, error, reason):
    def opener():
        raise error

    first, second = pool.parse([ParseTask(key=1, name="a.txt", open=opener), task("b.txt")])
    assert (first.digest, first.articles, first.problems) == (None, (), ())
    assert first.unreadable == reason
    assert second.articles


class Failing(io.RawIOBase):
    """A stream that ends in an error, as a disk that goes away does."""

    def __init__(self, good):
        self.pieces = [good]

    def readable(self):
        return True

    def read(self, size=-1):
        if self.pieces:
            return self.pieces.pop()
        raise OSError(5, "Input/output error")


def test_a_source_that_ends_in_an_error_leaves_the_child_in_step(misbehaving):
    pool = misbehaving()
    before = pid_of(pool)
    broken = ParseTask(key=1, name="a.txt", open=lambda: Failing(b"Half an article"))
    first, second = pool.parse([broken, task("b.txt")])
    assert first.digest is None
    assert first.unreadable == "a.txt cannot be read: Input/output error."
    assert second.articles[0][0].text == GOOD.decode().strip()
    assert pid_of(pool) == before


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        ("type", "could not be parsed (TypeError)"),
        ("leave", "could not be parsed (SystemExit)"),
        ("panic", "could not be parsed (Panic)"),
        ("deep", "nested too deep"),
    ],
)
def test_an_exception_costs_its_source_only(misbehaving, act, reason):
    pool = misbehaving()
    before = pid_of(pool)
    bad, good = outcomes(pool, f"{act}.txt", "good.txt")
    assert (bad.articles, bad.problems) == ((), (reason,))
    assert bad.digest == hashlib.sha256(GOOD).digest()
    assert good.articles
    assert pid_of(pool) == before


@pytest.mark.skipif(os.name == "nt", reason="ends of processes are numbered otherwise")
@pytest.mark.parametrize(
    ("act", "reason"),
    [
        ("segfault", f"ended the reading process (signal {int(signal.SIGABRT)})"),
        ("exit", "ended the reading process (code 7)"),
        ("sleep", "took longer than 1 s"),
        ("burn", "took longer than 1 s of processor time"),
    ],
)
def test_a_source_that_ends_its_child(misbehaving, act, reason):
    pool = misbehaving(cpu_s=1 if act == "burn" else 30, wall_s=1 if act == "sleep" else 30)
    before = pid_of(pool)
    bad, good = outcomes(pool, f"{act}.txt", "good.txt")
    assert (bad.articles, bad.problems) == ((), (reason,))
    assert bad.digest == hashlib.sha256(GOOD).digest(), "or it would be read again every time"
    assert good.articles
    assert gone(before)
    assert pid_of(pool) != before


@pytest.mark.skipif(not LINUX, reason="no limit of memory there")
def test_memory_is_limited_and_a_child_that_had_much_is_replaced(misbehaving):
    pool = misbehaving(memory_bytes=1 << 29)
    before = pid_of(pool)
    bad, good = outcomes(pool, "hoard.txt", "good.txt")
    assert bad.problems == ("needs more than 0.5 GB of memory",)
    assert good.articles
    assert gone(before)
    before = pid_of(pool)
    assert outcomes(pool, "hold.txt")[0].articles, "0.2 GB fit"
    assert gone(before), "but the next source might not find them free again"
    pool = misbehaving()
    before = pid_of(pool)
    assert outcomes(pool, "hold.txt")[0].articles
    assert pid_of(pool) == before, "of 1 GB they are not much"


@pytest.mark.skipif(os.name == "nt", reason="no limit of processor time there")
def test_a_long_archive_is_no_endless_loop():
    """Its articles together take about three times what one source may before its first."""
    record = {"title": "Ferry", "text": "The ferry left the harbour at dawn on Thursday. " * 80}
    archive = (json.dumps(record) + "\n").encode() * 300
    limits = ParserLimits(cpu_s=1, wall_s=20)
    with ParserPool(1, limits, piece_counter=MODELS) as pool:
        (outcome,) = pool.parse([task("archive.jsonl", archive)])
    assert (outcome.problems, len(outcome.articles)) == ((), 300)


def test_what_libraries_print_is_no_message(misbehaving):
    for outcome in outcomes(misbehaving(), "noise.txt", "noise.txt"):
        assert outcome.articles[0][0].text == GOOD.decode().strip()


def test_secrets_in_the_environment_stay_with_the_parent(misbehaving, monkeypatch):
    monkeypatch.setenv("ARTICLE_QA_LLM_KEY", "secret")
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    (outcome,) = outcomes(misbehaving(), "who.txt")
    text = outcome.articles[0][0].text
    assert "PATH" in text
    assert "KEY" not in text


def test_a_child_that_died_idle_is_replaced(misbehaving):
    pool = misbehaving()
    before = pid_of(pool)
    os.kill(before, signal.SIGTERM)
    assert gone(before)
    assert pid_of(pool) != before


def test_an_answer_that_is_too_long(misbehaving, monkeypatch):
    monkeypatch.setattr(process, "MAX_REPLY_BYTES", 1000)
    bad, good = misbehaving().parse([task("long.txt", b"word " * 300), task("good.txt")])
    assert (bad.articles, len(bad.problems)) == ((), 1)
    assert "of text" in bad.problems[0]
    assert good.articles


def test_a_child_that_cannot_start(monkeypatch):
    broken = (sys.executable, "-c", "raise SystemError('no such package')")
    monkeypatch.setattr(process, "COMMAND", broken)
    with ParserPool(1) as pool, pytest.raises(BuildFailedError, match="no such package"):
        outcomes(pool, "a.txt")


def test_stopping_early_ends_the_children_at_work(misbehaving):
    pool = misbehaving(2)
    found = pool.parse(task(name) for name in ("who.txt", "sleep.txt", "sleep.txt", "who.txt"))
    pid = int(next(found).articles[0][0].text.split()[0])
    began = time.monotonic()
    found.close()
    pool.close()
    assert time.monotonic() - began < 5
    assert gone(pid)
    assert pid_of(pool), "a closed pool may be used again"


def test_an_error_of_the_callers_tasks_comes_through(pool):
    def tasks():
        yield task("a.txt")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(pool.parse(tasks()))
    assert outcomes(pool, "b.txt")[0].articles


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")
def test_children_end_with_a_parent_that_is_killed():
    script = """
        import io, os, time
        from index.parsing.pool import ParserPool, ParseTask
        pool = ParserPool(1)
        source = ParseTask(key=1, name="a.txt", open=lambda: io.BytesIO(b"One sentence."))
        list(pool.parse([source]))
        print(pool._idle[0]._process.pid, flush=True)
        time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.kill()
        parent.wait()
    assert gone(pid)


CONFINED = """
import os, socket, subprocess, sys, shutil, tempfile, urllib.request, zoneinfo
from pathlib import Path
from index.parsing.confine import DEFAULT_LIMITS, confine
canary, folder = Path(sys.argv[1]), sys.argv[2]
confine(DEFAULT_LIMITS)
ACTS = dict(
    read=lambda: canary.read_text(),
    read_bytes_path=lambda: open(os.fsencode(canary)),
    read_link=lambda: open(folder + "/index/../canary.txt"),
    descriptor=lambda: os.open(canary, os.O_RDONLY),
    passwd=lambda: open("/etc/passwd"),
    environ=lambda: open("/proc/self/environ"),
    write=lambda: Path(folder, "new.txt").write_text("x"),
    append=lambda: open(canary, "a"),
    create=lambda: os.open(folder + "/new.txt", os.O_CREAT | os.O_WRONLY),
    write_code=lambda: Path(sys.prefix, "new.pth").write_text("x"),
    remove=lambda: canary.unlink(),
    rename=lambda: canary.rename(folder + "/other.txt"),
    mkdir=lambda: os.mkdir(folder + "/new"),
    rmtree=lambda: shutil.rmtree(folder),
    temporary=lambda: tempfile.NamedTemporaryFile(dir=folder),
    system=lambda: os.system("true"),
    popen=lambda: subprocess.run(["true"]),
    fork=lambda: os.fork(),
    spawn=lambda: os.posix_spawn("/bin/true", ["true"], {}),
    execute=lambda: os.execv("/bin/true", ["true"]),
    socket=lambda: socket.socket(),
    connect=lambda: socket.create_connection(("127.0.0.1", 9)),
    lookup=lambda: socket.getaddrinfo("localhost", 80),
    url=lambda: urllib.request.urlopen("http://127.0.0.1:9/"),
    file_url=lambda: urllib.request.urlopen(canary.as_uri()),
)
done = []
for name, act in ACTS.items():
    try:
        act()
    except (OSError, PermissionError):
        continue
    done.append(name)
import csv, colorsys, docx, pypdf, trafilatura, lxml.etree  # code may still be loaded
print("allowed:", *done)
print(zoneinfo.ZoneInfo("UTC"))
"""


@pytest.mark.skipif(os.name == "nt", reason="calls of POSIX")
def test_a_confined_process_has_no_files_no_network_no_children(tmp_path):
    canary = tmp_path / "canary.txt"
    canary.write_text("secret")
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CONFINED, canary, tmp_path],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert run.stdout.splitlines() == ["allowed:", "UTC"], run.stderr
    assert os.listdir(tmp_path) == ["canary.txt"]


FEED = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>Sound Post</title>
<item><title>Ferry resumes</title><link>https://post.example/ferry</link></item></channel></rss>"""


def test_listings_are_read_there_too(pool):
    feed, page, bomb = pool.parse(
        [
            task("https://post.example/feed", FEED, kind="listing"),
            task("https://post.example/", b"<html><body>No feed</body></html>", kind="listing"),
            task(
                "bomb", FEED.replace(b"<rss", b'<!DOCTYPE r [<!ENTITY a "b">]><rss'), kind="listing"
            ),
        ]
    )
    assert feed.listing == read_listing(FEED)
    assert [link.url for link in feed.listing.links] == ["https://post.example/ferry"]
    assert (page.listing, page.problems) == (None, ())
    assert bomb.listing is None
    assert bomb.problems


GROWN_UP = """
import subprocess, sys
held = bytearray(b"x") * {held}
code = (
    "from index.parsing.confine import DEFAULT_LIMITS, confine, peak_memory; "
    "confine(DEFAULT_LIMITS); small = peak_memory(); taken = bytearray(b'x') * 200_000_000; "
    "print(small, peak_memory())"
)
subprocess.run([sys.executable, "-c", code], check=True)
"""


@pytest.mark.skipif(not LINUX, reason="elsewhere the peak is told in another way, or not")
def test_the_size_of_its_parent_is_not_held_against_a_child():
    # regression: under a large building process every source cost a new child, a second each
    done = subprocess.run(
        [sys.executable, "-c", GROWN_UP.format(held=900_000_000)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    small, grown = map(int, done.stdout.split())
    assert 0 < small < 100_000_000
    assert grown > 200_000_000
