"""The commands that keep an index: versions, generations, repair, one file to take away."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from index.lock import hold
from tests.index.web_server import Answer, serving
from ui import cli

pytestmark = pytest.mark.filterwarnings(
    "ignore:legacy embedding function config:DeprecationWarning"  # Chroma's own
)
ROOT = Path(__file__).parents[2]
EMBEDDER = """
import hashlib, re
import numpy as np

class Tiny:
    model_id, dim = "tiny@1", 64
    def embed_query(self, text):
        vector = np.full(64, 1e-3, np.float32)
        for word in re.findall(r"\\w+", text.casefold()):
            vector[hashlib.sha256(word.encode()).digest()[0] % 64] += 1
        return vector / np.linalg.norm(vector)
    def embed_passages(self, texts):
        return np.array([self.embed_query(text) for text in texts], np.float32).reshape(-1, 64)
"""


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder of two articles to stand in, and an embedder that costs nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "tiny_model.py").write_text(EMBEDDER)
    monkeypatch.setenv("ARTICLE_QA_EMBEDDER", "tiny_model:Tiny")
    news = tmp_path / "news"
    news.mkdir()
    for name in ("ferry", "bridge"):
        text = f"The {name} story\n\nThe {name} was closed on Monday, said its master Jo Dale.\n"
        (news / f"{name}.txt").write_text(text)
    yield tmp_path
    sys.modules.pop("tiny_model", None)


@pytest.fixture
def called(desk, monkeypatch, capsys):
    def call(*args):
        monkeypatch.setattr(sys, "argv", ["article-qa", *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return SimpleNamespace(code=ended.value.code or 0, out=out, err=err)

    return call


def ids(called):
    lines = called("articles", "list").out.splitlines()
    return {line.split("  ")[-1]: line.split()[0] for line in lines}


def test_an_article_its_versions_and_what_changed(desk, called):
    assert called("index", "news").code == 0
    (desk / "news" / "ferry.txt").write_text(
        "The ferry story\n\nThe ferry was closed on Tuesday, said its master Jo Dale.\n"
    )
    assert called("index").code == 0
    ferry = ids(called)["The ferry story"]
    shown = called("articles", "show", ferry)
    assert "earlier:" in shown.out
    assert "title:      The ferry story   [" in shown.out  # and where that was found
    old = shown.out.split("earlier:")[1].split(",")[0].strip()
    diff = called("articles", "show", ferry, "--diff").out
    assert "-The ferry was closed on Monday" in diff
    assert "+The ferry was closed on Tuesday" in diff
    earlier = called("articles", "show", ferry, "--version", old).out
    assert earlier.startswith("This version is superseded")
    assert "on Monday" in earlier
    unknown = called("articles", "show", ferry, "--version", "nothing")
    assert (unknown.code, "Earlier versions: " + old in unknown.err) == (2, True)


def test_an_article_as_json_has_its_copies_and_versions(desk, called):
    story = " ".join(f"Boat {n} of the ferry line stayed in port {n * n}." for n in range(40))
    news = desk / "news"
    (news / "post.md").write_text(
        f"---\ndate: 2024-03-05\noutlet: The Post\nurl: https://post.example.org/1\n---\n"
        f"# Boats stay\n\n{story}\n"
    )
    wire = {"title": "All boats stay", "text": story, "url": "https://wire.example.org/1"}
    (news / "wire.json").write_text(json.dumps(wire))
    (news / "ferry.txt").write_text("The ferry story\n\nThe ferry was closed on Monday.\n")
    called("index", "news")
    (news / "ferry.txt").write_text("The ferry story\n\nThe ferry was closed on Tuesday.\n")
    called("index")
    known = ids(called)
    article = json.loads(called("articles", "show", known["The ferry story"], "--json").out)
    ((old,), copies) = article["versions"], article["copies"]
    assert (sorted(old), copies) == (["superseded", "version"], [])
    assert datetime.fromisoformat(old["superseded"]).utcoffset() == timedelta(0)
    args = ("articles", "show", known["The ferry story"], "--json", "--version", old["version"])
    earlier = json.loads(called(*args).out)
    assert (earlier["version"], earlier["versions"]) == (old["version"], [old])
    assert earlier["text"] == "The ferry was closed on Monday."
    (title,) = (name for name in known if name.startswith("All boats"))
    article = json.loads(called("articles", "show", known[title], "--json").out)
    assert (article["versions"], article["text"]) == ([], story)
    assert article["copies"] == [
        {
            "article_id": next(one for name, one in known.items() if name.startswith("Boats stay")),
            "title": "Boats stay",
            "outlet": "The Post",
            "url": "https://post.example.org/1",
            "published": "2024-03-05",
        }
    ]


def test_removing_and_restoring(desk, called):
    called("index", "news")
    ferry = ids(called)["The ferry story"]
    assert called("articles", "remove", ferry).code == 0
    called("index")
    assert list(ids(called)) == ["The bridge story"]
    assert called("articles", "restore", ferry).code == 0
    assert len(ids(called)) == 2
    wrong = called("articles", "remove", ferry[:-1] + "x")
    assert (wrong.code, f"Did you mean {ferry}" in wrong.err) == (2, True)
    one = called("articles", "remove", "news/ferry.txt")
    assert (one.code, "Removed: 1 article at or below news/ferry.txt. Back with:" in one.err) == (
        0,
        True,
    )
    assert called("articles", "restore", "news/ferry.txt").code == 0
    assert len(ids(called)) == 2
    assert called("articles", "remove", "news").code == 0
    assert ids(called) == {}


def test_going_back_a_generation_and_dropping_old_ones(desk, called):
    called("index", "news")
    (desk / "news" / "bus.txt").write_text("The bus story\n\nThe bus goes again on Friday.\n")
    called("index")
    listed = called("generations", "list").out.splitlines()
    assert [line.split()[0] for line in listed] == ["2", "1"]
    assert listed[0].endswith("in service")
    assert "Generation 1 of" in called("generations", "rollback").out
    assert len(ids(called)) == 2
    assert called("generations", "rollback", "2").code == 0
    assert len(ids(called)) == 3
    assert called("generations", "prune").out == "Dropped: 1.\n"
    gone = called("generations", "rollback")
    assert (gone.code, "There are: 2." in gone.err) == (2, True)


@pytest.mark.parametrize("damaged", ["chroma.sqlite3", "data_level0.bin"])
def test_repairing_the_vector_index(desk, called, damaged):
    called("index", "news")
    (path,) = desk.glob(f".article-qa/gen-*/chroma/**/{damaged}")
    path.write_bytes(b"nonsense")
    assert called("verify").code == 1
    done = called("verify", "--repair")
    assert (done.code, "made anew as generation 2" in done.out) == (0, True)
    assert called("verify").code == 0
    assert len(ids(called)) == 2


def test_repairing_by_going_back(desk, called):
    called("index", "news")
    (desk / "news" / "bus.txt").write_text("The bus story\n\nThe bus goes again on Friday.\n")
    called("index")
    (desk / ".article-qa/gen-000002/record.db").write_bytes(b"nonsense")
    done = called("verify", "--repair")
    assert (done.code, "generation 1 is in service now" in done.out) == (0, True)
    assert called("verify").code == 0


def test_a_repair_waits_for_nobody(desk, called):
    called("index", "news")
    (desk / ".article-qa" / "CURRENT").unlink()
    assert called("verify").out.startswith("wrong: CURRENT is missing")
    with hold(desk / ".article-qa"):
        busy = called("verify", "--repair")
    assert (busy.code, "Another process" in busy.err) == (75, True)
    done = called("verify", "--repair")
    assert (done.code, "generation 1 is in service now" in done.out) == (0, True)
    assert called("verify").code == 0


def test_an_index_in_one_file(desk, called):
    called("index", "news")
    assert called("export", "news.aqa").code == 0
    done = called("import", "news.aqa", "--index", "elsewhere")
    assert (done.code, "2 articles" in done.out) == (0, True)
    assert called("verify", "--index", "elsewhere").code == 0
    again = called("import", "news.aqa", "--index", "elsewhere")
    assert (again.code, "--replace" in again.err) == (2, True)
    assert called("import", "news.aqa", "--index", "elsewhere", "--replace").code == 0
    data = bytearray(Path("news.aqa").read_bytes())
    data[len(data) // 2] ^= 1
    Path("news.aqa").write_bytes(data)
    damaged = called("import", "news.aqa", "--index", "third")
    assert damaged.code == 2
    assert not list(Path("third").glob("gen-*"))


def test_lines_on_stdin_join_those_before(desk):
    def piped(*lines):
        command = [sys.executable, "-m", "ui.cli", "index", "-", "--json"]
        done = subprocess.run(
            command,
            input="\n".join(lines),
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{desk}"},
            check=False,
        )
        return json.loads(done.stdout)

    first = piped(json.dumps({"title": "One", "text": "The first text of all."}), "nonsense")
    assert first["n_articles"] == 1
    assert first["problems"][0]["source"] == "stdin, line 2"
    second = piped(json.dumps({"title": "Two", "text": "The second text, not the first."}))
    assert (second["n_articles"], second["removed"]) == (2, 0)


@pytest.fixture
def typed_in(monkeypatch):
    """Return what puts bytes on stdin."""

    def put(data):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="ascii"))

    return put


def test_stdin_without_an_article(desk, called, typed_in):
    typed_in(b"nonsense\r\n{}\r\n")
    nothing = called("index", "-")
    assert (nothing.code, "No article could be read" in nothing.err) == (2, True)
    assert "stdin, line 1: is not a JSON object" in nothing.err
    assert "stdin, line 2: has no text" in nothing.err
    assert called("index", "news").code == 0
    (desk / "news" / "bus.txt").write_text("The bus story\n\nThe bus goes again on Friday.\n")
    typed_in(b"")
    report = json.loads(called("index", "-", "--json").out)  # no look at the folders
    assert (report["n_articles"], report["changed"], report["problems"]) == (2, False, [])
    line = {"headline": "Tram", "text": "The tram stands.", "url": "https://post.example.org/t"}
    typed_in(b"\xef\xbb\xbf" + f"{json.dumps(line)}\r\nbad\r\n{json.dumps(line)}".encode())
    report = json.loads(called("index", "-", "--json", "--field", "title=headline").out)
    assert (report["n_articles"], report["added"]) == (3, 1)
    assert [item["source"] for item in report["problems"]] == ["stdin, line 2", "stdin, line 3"]
    assert "Tram" in ids(called)


def test_a_list_of_addresses(desk, called, typed_in, monkeypatch):
    monkeypatch.setenv("ARTICLE_QA_ALLOW_LOOPBACK", "1")
    page = "<html><head><title>The {0} story</title></head><body><article><p>The {0} was closed on "
    page += "Monday, said its master Jo Dale.</p></article></body></html>"
    pages = {f"/{name}": Answer(page.format(name).encode()) for name in ("tram", "bus")}
    with serving(pages) as server:
        text = (
            f"# Two pages\r\n\r\n{server.url}/tram\r\n  {server.url}/bus#top\t# with a comment\r\n"
            f"{server.url}/tram\r\n   # {server.url}/no\r\n{server.url}/bus\r\n"
        )
        typed_in(text.encode("utf-8-sig"))
        report = json.loads(called("index", "--urls", "-", "--json").out)
        assert (report["added"], report["problems"]) == (2, [])
        assert server.targets == ["/tram", "/bus"]
        (desk / "urls.txt").write_text(f"{server.url}/tram\n{server.url}/gone\n")
        report = json.loads(called("index", "news", "--urls", "urls.txt", "--json").out)
        assert (report["added"], report["n_articles"]) == (2, 4)
        (problem,) = report["problems"]
        assert problem["source"] == f"{server.url}/gone"
        assert server.targets[2:] == ["/tram", "/gone"]


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (
            b"https://a.example/1\n\n\xc3\xa9t\xc3\xa9\n",
            "line 3: 'été' is not an address",
        ),
        (b"\xef\xbb\xbf# nothing\r\n\r\n", "urls.txt holds no addresses."),
        (b"", "urls.txt holds no addresses."),
        (b"\xff\xfeh\x00", "urls.txt is not UTF-8"),
        (b"file:///etc/passwd", "line 1: 'file:///etc/passwd' is not an address"),
    ],
)
def test_a_list_of_addresses_that_cannot_be_used(desk, called, data, part):
    (desk / "urls.txt").write_bytes(data)
    done = called("index", "--urls", "urls.txt")
    assert (done.code, part in done.err) == (2, True), done.err
    assert not (desk / ".article-qa").exists()


def test_fields_are_mapped_by_their_usual_names_too(desk, called):
    row = "Story,When,Who\nThe tram stands.,2021-03-04,Jo Dale\n"
    (desk / "news" / "trams.csv").write_text(row)
    typed = ("--field", "text=Story", "--field", "date=When", "--field", "author=Who")
    assert called("index", "news/trams.csv", *typed).code == 0
    (key,) = ids(called).values()
    shown = json.loads(called("articles", "show", key, "--json").out)
    assert (shown["published"], shown["byline"]) == ("2021-03-04", "Jo Dale")


def test_patterns_of_one_folder_leave_the_others_alone(desk, called):
    (desk / "more").mkdir()
    (desk / "more" / "bus.md").write_text("# The bus\n\nThe bus goes again on Friday.\n")
    (desk / "more" / "note.txt").write_text("Note\n\nThe note is not wanted.\n")
    called("index", "news")
    assert "1 new" in called("index", "more", "--include", "*.md").err
    assert "nothing changed" in called("index").err
    assert "1 new" in called("index", "more", "--include", "").err


def test_what_is_typed_wrong(desk, called):
    for args, part in [
        (("index", "news", "--field", "nonsense"), "FIELD=KEY"),
        (("index", "news", "--embedder", "no_such_module:x"), "cannot be had"),
        (("index", "news", "--embedder", "nothing"), "There is no embedder"),
        (("index", "news", "-"), "stands alone"),
        (("index", "-", "--rebuild"), "--rebuild cannot be used with -"),
        (("index", "-", "--include", "*.md"), "--include cannot be used with -"),
        (("index", "-", "--exclude", "", "--watch"), "--exclude and --watch cannot be used with -"),
        (("index", "--urls", "missing.txt"), "cannot be read"),
        (("index", "http://127.0.0.1:1/feed.xml"), "ARTICLE_QA_ALLOW_LOOPBACK=1"),
    ]:
        done = called(*args)
        assert (done.code, part in done.err) == (2, True), (args, done.err)
        assert done.err.count("\n") < 4


def test_a_summary_says_that_all_was_made_anew(desk, called):
    def told(*args):
        line = called("index", "news", *args).err.splitlines()[0]
        return line.split("(")[1].split(";")[0]

    assert told("--rebuild") == "2 new"  # there was nothing to make anew
    assert told() == "nothing changed"
    assert told("--rebuild") == "all made anew, no text changed"
    other = EMBEDDER.replace("tiny@1", "tiny@2")
    (desk / "other_model.py").write_text(other)
    assert told("--embedder", "other_model:Tiny") == "all made anew, no text changed"
    (desk / "news" / "bus.txt").write_text("The bus story\n\nThe bus goes again on Friday.\n")
    assert told("--rebuild") == "1 new, all made anew"


def test_the_wrong_embedder_is_refused_with_what_to_do(desk, called, monkeypatch):
    called("index", "news")
    monkeypatch.delenv("ARTICLE_QA_EMBEDDER")
    done = called("ask", "Who is the master?")
    assert (done.code, "--rebuild" in done.err, "tiny@1" in done.err) == (2, True, True)


def test_no_build_replaces_a_foreign_embedder_by_mistake(desk, called, monkeypatch):
    called("index", "news")
    monkeypatch.delenv("ARTICLE_QA_EMBEDDER")
    for args in (("index",), ("index", "news"), ("articles", "restore", "x")):
        done = called(*args)
        assert (done.code, "'tiny@1'" in done.err, "--embedder NAME" in done.err) == (2, True, True)
    done = called("index", "--embedder", "bundled")
    assert done.code == 0, done.err
    assert called("index").code == 0


def test_a_report_for_machines(desk, called):
    (desk / "news" / "bad.json").write_text("{")
    called("index", "news", "--report", "report.json")
    report = json.loads(Path("report.json").read_text())
    assert (report["added"], report["problems"][0]["source"]) == (2, "news/bad.json")


def test_a_report_of_a_failure_takes_the_place_of_an_older_one(desk, called, typed_in):
    called("index", "news", "--report", "report.json")
    assert "error" not in json.loads(Path("report.json").read_text())
    Path("bad").mkdir()
    for number in range(12):  # more than the message lists
        Path(f"bad/{number}.json").write_text("{")
    done = called("index", "bad", "--index", "other", "--report", "report.json")
    report = json.loads(Path("report.json").read_text())
    assert (done.code, sorted(report)) == (2, ["error", "problems"])
    assert f"error: {report['error']}\n" == done.err
    assert {item["source"] for item in report["problems"]} == {f"bad/{n}.json" for n in range(12)}
    assert all(item["reason"] for item in report["problems"])
    typed_in(b"nonsense\n")
    called("index", "-", "--index", "other", "--report", "report.json")
    (problem,) = json.loads(Path("report.json").read_text())["problems"]
    assert problem == {"source": "stdin, line 1", "reason": "is not a JSON object"}
    with hold(desk / ".article-qa"):
        assert called("index", "--report", "report.json").code == 75
    report = json.loads(Path("report.json").read_text())
    assert ("Another process" in report["error"], report["problems"]) == (True, [])


def test_a_report_that_cannot_be_written_is_refused_before_the_build(desk, called):
    Path("taken").mkdir()
    for file in ("missing/report.json", "taken", "news/ferry.txt/report.json"):
        done = called("index", "news", "--report", file)
        assert (done.code, f"The report cannot be written to {file}" in done.err) == (2, True)
        assert done.err.count("\n") == 1
    assert not (desk / ".article-qa").exists()
    assert called("index", "news", "--report", "report.json").code == 0
    assert not [path for path in desk.iterdir() if "partial" in path.name or "tmp" in path.name]


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_stop_it_cleanly(desk, number, code):
    for n in range(400):
        words = " ".join(f"word{n * k % 977}" for k in range(300))
        (desk / "news" / f"{n}.txt").write_text(f"Story {n}\n\n{words}.\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "ui.cli", "index", "news", "--report", "report.json"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{desk}"},
    )
    for _ in range(200):
        if (desk / ".article-qa" / ".lock.pid").exists():
            break
        time.sleep(0.05)
    busy = subprocess.run(
        [sys.executable, "-m", "ui.cli", "index", "news"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{desk}"},
        check=False,
    )
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    if process.returncode == 0:
        pytest.skip("it was done before the signal came")
    assert process.returncode == code, err
    assert "run the same command again" in err
    assert json.loads((desk / "report.json").read_text())["error"] in err
    assert busy.returncode == 75
    assert "(number " in busy.stderr
