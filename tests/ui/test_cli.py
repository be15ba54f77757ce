"""The command line as people and scripts meet it: what it prints, where, and its exit status."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from ui import cli

ROOT = Path(__file__).parents[2]
COMMANDS = [[], ["index"], ["ask"], ["chat"], ["articles"], ["articles", "list"]]
COMMANDS += [["articles", "show"], ["verify"]]
DAM = """The Norvik dam failed

The dam above Norvik failed on Monday night. The mayor of Norvik is Jane Roe, a former engineer.

"We had warned the company for years," Jane Roe said. Three villages were flooded.
"""
HARVEST = "A good year\n\nFarmers in the valley brought in 900 tons of apples, the union said."
ANSI_TITLE = "\x1b[31mRed\x1b]0;owned\x07 alert\u202e"
QUESTION = "Who is the mayor of Norvik?"


class Run(NamedTuple):
    code: int
    out: str
    err: str


Cli = Callable[..., Run]


def environment(**settings: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ARTICLE_QA_")}
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "100", **settings}


def run(*args: str, cwd: Path, text: str = "", **settings: str) -> Run:
    """Run the program in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "ui.cli", *args],
        cwd=cwd,
        env=environment(**settings),
        input=text,
        capture_output=True,
        encoding="utf-8",
        timeout=100,
    )
    return Run(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def called(tmp_path, monkeypatch, capsys) -> Cli:
    """Return a function that runs `main` in this process, standing in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def call(*args: str) -> Run:
        monkeypatch.setattr(sys, "argv", ["article-qa", *args])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        code = ended.value.code
        return Run(code if isinstance(code, int) else 0, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def desk(tmp_path_factory) -> Path:
    """Return a folder with `articles/`, good and bad ones, indexed in `.article-qa`."""
    folder = tmp_path_factory.mktemp("desk")
    articles = folder / "articles"
    articles.mkdir()
    (articles / "dam.txt").write_text(DAM)
    (articles / "harvest.md").write_text(HARVEST)
    line = json.dumps({"title": ANSI_TITLE, "text": f"Nothing to see. {ANSI_TITLE} It ended."})
    (articles / "red.jsonl").write_text(line)
    (articles / "picture.txt").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)))
    (articles / "broken.json").write_text("{")
    done = run("index", "articles", cwd=folder)
    (folder / "index.log").write_text(f"{done.code}\n{done.err}")
    return folder


@pytest.fixture
def copied(desk, tmp_path) -> Path:
    """Return an index of one's own to break."""
    shutil.copytree(desk / ".article-qa", tmp_path / "index")
    return tmp_path / "index"


def is_one_sentence(done: Run, *parts: str) -> None:
    """Assert that an error was told as one should be."""
    assert done.code == 2, done
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1, done.err
    assert "Traceback" not in done.err
    for part in parts:
        assert part in done.err


@pytest.mark.parametrize(
    ("command", "part"),
    [
        (["index"], "--watch looks at files and folders only, not at addresses."),
        (["index"], "put the command into cron: 0 * * * * article-qa index --index DIR"),
        (["articles", "show"], "What the source says of itself is trusted first, then what led to"),
        (["articles", "show"], "then the day in its file's name."),
    ],
)
def test_help_tells_what_is_not_to_be_guessed(command, part, called):
    assert part in " ".join(called(*command, "--help").out.split())


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_shows_an_example_that_works(command, called):
    done = called(*command, "--help")
    assert done.code == 0
    assert done.out == called(*command, "-h").out
    if command == ["articles"]:  # its two commands have theirs
        return
    (example,) = re.findall(r"Example: (article-qa .*)", done.out)
    for one in example.split("  then  "):
        words = one.split('"')[0].split()[1:]
        assert words[: len(command)] == command or not command
        options = {word for word in words if word.startswith("--")}
        assert all(option in called(*words[:1], "--help").out + done.out for option in options)


def test_the_examples_of_the_help_run(desk):
    shown = run("ask", "Who claimed control of Graivoron?", cwd=desk)
    assert shown.code in {0, 1}
    assert run("articles", "list", "--json", cwd=desk).code == 0


def test_indexing_names_what_could_not_be_read_and_goes_on(desk):
    code, *lines = (desk / "index.log").read_text().splitlines()
    assert code == "0"
    assert lines[0].startswith("3 articles, ")
    assert "in the index at .article-qa (3 new; " in lines[0]
    at = lines.index("2 sources could not be read, or not in full:")
    reasons = dict(line.strip().split(": ", 1) for line in lines[at + 1 :])
    assert set(reasons) == {"articles/picture.txt", "articles/broken.json"}
    assert all(reasons.values())


def test_ask_list_show_verify(desk):
    asked = run("ask", QUESTION, cwd=desk)
    assert (asked.code, asked.err) == (0, "")
    assert "Jane Roe" in asked.out
    assert "[1]" in asked.out
    assert all(len(line) <= 100 for line in asked.out.splitlines())
    assert run("ask", "-", cwd=desk, text=QUESTION).out == asked.out

    listed = run("articles", "list", cwd=desk)
    assert (listed.code, len(listed.out.splitlines())) == (0, 3)
    article_id = next(line for line in listed.out.splitlines() if "Norvik" in line).split()[0]
    shown = run("articles", "show", article_id, cwd=desk)
    assert shown.code == 0
    assert "The mayor of Norvik is Jane Roe, a former engineer." in shown.out

    sound = run("verify", cwd=desk)
    assert (sound.code, sound.err) == (0, "")
    assert sound.out.startswith("Generation 1 is sound: 3 articles, ")


def test_status_1_if_the_articles_do_not_say(desk, called):
    done = called("ask", "Who won the chess match in Paris?", "--index", str(desk / ".article-qa"))
    assert (done.code, done.err) == (1, "")
    assert done.out.startswith("Your articles do not say.")


@pytest.fixture(scope="module")
def dated(tmp_path_factory) -> str:
    """An index of two articles with a day and an outlet, and one with neither."""
    folder = tmp_path_factory.mktemp("dated")
    record = {"title": "Norvik", "text": DAM, "outlet": "Meridian Wire", "published": "2023-05-22"}
    orchard = {"title": "A good year", "text": HARVEST, "outlet": "Ledger", "date": "2023-06-02"}
    lines = map(json.dumps, [record, orchard, {"title": "Red", "text": "Nothing to see."}])
    (folder / "articles.jsonl").write_text("\n".join(lines))
    assert run("index", "articles.jsonl", cwd=folder).code == 0
    return str(folder / ".article-qa")


@pytest.mark.parametrize(
    ("options", "code", "part"),
    [
        ("--outlet meridian~WIRE --outlet Ledger", 0, "[1]"),
        ("--after 2023-05-22 --before 2023-05-22", 0, "[1]"),
        ("--after 2023-05-23", 1, "without --after 2023-05-23 there is an answer"),
        ("--before 2023-05-21 --after 2022-01-01", 1, "without --before 2023-05-21 there is"),
        ("--outlet Ledger --after 2023-01-01", 1, "without --outlet Ledger there is an answer"),
    ],
)
def test_asking_some_articles_only(options, code, part, dated, called):
    words = [word.replace("~", " ") for word in options.split()]
    done = called("ask", QUESTION, "--index", dated, *words)
    assert (done.code, done.err) == (code, "")
    assert part in " ".join(done.out.split())
    assert ("Outside the filter" in done.out) == (code == 1)
    assert ("Jane Roe" in done.out) == (code == 0 or "Outside" in done.out)


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--after", "yesterday"], ["--after 'yesterday' is not a day", "--after 2023-05-01"]),
        (["--before", "2023-06-31"], ["is not a day", "e.g. --before 2023-05-01"]),
        (["--after", ""], ["is not a day"]),
        (["--after", "2023-06-02", "--before", "2023-06-01"], ["Swap the two days"]),
        (["--outlet", "Meridan Wire"], ["'Meridan Wire'. Did you mean 'Meridian Wire'?"]),
        (["--outlet", "xyz"], ["'xyz'", "article-qa articles list"]),
        (["--outlet", " "], ["blank"]),
    ],
)
def test_filters_that_cannot_be_meant(options, parts, dated, called):
    is_one_sentence(called("ask", QUESTION, "--index", dated, *options), *parts)


def test_json(desk, called):
    where = ("--index", str(desk / ".article-qa"), "--json")
    answer = json.loads(called("ask", QUESTION, *where).out)
    assert answer["found"]
    assert answer["citations"][0]["quote"] in DAM
    articles = json.loads(called("articles", "list", *where).out)["articles"]
    assert len(articles) == 3
    assert "text" not in articles[0]
    shown = json.loads(called("articles", "show", articles[0]["id"], *where).out)
    assert shown["text"]
    report = json.loads(called("index", str(desk / "articles"), *where).out)
    assert (report["unchanged"], report["changed"]) == (3, False)


def test_what_an_article_is_called_does_not_reach_the_terminal(desk, called):
    where = ("--index", str(desk / ".article-qa"))
    listed = called("articles", "list", *where).out
    (line,) = [line for line in listed.splitlines() if "alert" in line]
    shown = called("articles", "show", line.split()[0], *where).out
    asked = called("ask", "Red alert ended?", *where).out
    for out in (listed, shown, asked):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", out)


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (["ask", QUESTION], "There is no index at .article-qa"),
        (["verify"], "There is no index at .article-qa"),
        (["articles", "list"], "There is no index at .article-qa"),
        (["articles", "show", "x"], "There is no index at .article-qa"),
        (["chat"], "There is no index at .article-qa"),
        (["index"], "There is no index at .article-qa yet"),
        (["index", "nowhere"], "There is no file or folder nowhere"),
        (["index", "."], "No article could be read from"),
    ],
    ids=" ".join,
)
def test_errors_where_there_is_nothing(args, part, called):
    is_one_sentence(called(*args), part)
    assert not Path(".article-qa/CURRENT").exists()


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (["ask", ""], "The question is empty"),
        (["ask", " \n "], "The question is empty"),
        (["ask", "x" * 100_000], "100,000 characters"),
        (["articles", "show", "nope"], "has no article 'nope'"),
        (["chat", "--host", "0.0.0.0", "--port", "0"], "not an address of this machine only"),
        (["chat", "--host", "example.org", "--port", "0"], "not an address of this machine only"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_errors_over_an_index(args, part, called, desk):
    is_one_sentence(called(*args, "--index", str(desk / ".article-qa")), part)


def test_a_port_in_use(called, desk):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = called("chat", "--index", str(desk / ".article-qa"), "--port", port)
    is_one_sentence(done, f"Port {port} is already in use")


def test_what_is_no_command_or_option_is_an_error(called):
    for args in (["aks", "?"], ["ask"], ["ask", "?", "--colour"], ["chat", "--port", "99999"]):
        done = called(*args)
        assert (done.code, done.out) == (2, "")
        assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [("TOP_K", "many", "a whole number"), ("PORT", "-1", "0 to 65535"), ("PROT", "1", "port")],
)
def test_a_bad_setting_in_the_environment(name, value, part, tmp_path):
    done = run("ask", QUESTION, cwd=tmp_path, **{f"ARTICLE_QA_{name}": value})
    is_one_sentence(done, f"ARTICLE_QA_{name}", part)


@pytest.mark.parametrize("text", ["top_k = ", "top_k = 'x'", "colour = 1", "\udc80"])
def test_a_broken_settings_file(text, called):
    Path("article-qa.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    is_one_sentence(called("ask", QUESTION), "article-qa.toml")


def test_the_settings_file_is_used_and_options_win(called, desk):
    Path("article-qa.toml").write_text('index_dir = "elsewhere"\nmax_question_chars = 5\n')
    is_one_sentence(called("verify"), "no index at elsewhere")
    is_one_sentence(called("ask", "123456", "--index", str(desk / ".article-qa")), "at most 5")


def test_an_index_of_another_embedder(called, copied):
    (path,) = copied.glob("gen-*/manifest.json")
    manifest = json.loads(path.read_text())
    manifest["settings"]["embedder"] = "other@1"
    path.write_text(json.dumps(manifest))
    done = called("ask", QUESTION, "--index", str(copied))
    is_one_sentence(done, "was built with 'other@1'", "--rebuild")


@pytest.mark.parametrize("name", ["manifest.json", "record.db"])
@pytest.mark.parametrize("damage", [b"", b"not what it was" * 400])
def test_a_damaged_index(name, damage, called, copied):
    (path,) = copied.glob(f"gen-*/{name}")
    path.write_bytes(damage)
    is_one_sentence(called("ask", QUESTION, "--index", str(copied)), "damaged", "--rebuild")


def test_verify_finds_a_flipped_byte(called, copied):
    (path,) = copied.glob("gen-*/record.db")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    done = called("verify", "--index", str(copied))
    assert done.code == 1
    assert done.out.startswith("wrong: record.db is missing or altered")
    assert "verify --repair" in done.err


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell is needed")
@pytest.mark.parametrize("reader", ["head -1", "true"])
def test_a_pipe_that_is_closed_early(reader, desk):
    done = subprocess.run(
        f'"{sys.executable}" -m ui.cli articles list | {reader}',
        shell=True,
        cwd=desk,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_any_encoding_of_the_terminal_will_do(desk):
    for encoding in ("ascii", "latin-1"):
        assert run("articles", "list", cwd=desk, PYTHONIOENCODING=encoding).code == 0


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT can be sent to another process there")
def test_a_stopped_run_goes_on_where_it_was(tmp_path):
    articles = tmp_path / "articles"
    articles.mkdir()
    for number in range(24):
        body = " ".join(f"Sentence {i} of story {number} is about the dam." for i in range(250))
        (articles / f"{number}.txt").write_text(f"Story {number}\n\n{body}")
    command = [sys.executable, "-m", "ui.cli", "index", "articles"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        staging = tmp_path / ".article-qa" / "staging"
        deadline = time.monotonic() + 60
        while not n_embedded(staging) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert (
        err == "Stopped. The index in service is unchanged; run the same command again to go on.\n"
    )
    assert not (tmp_path / ".article-qa" / "CURRENT").exists()
    again = run("index", "articles", cwd=tmp_path)
    assert again.code == 0
    assert "24 new" in again.err
    assert "resumed)" in again.err


def n_embedded(staging: Path) -> int:
    """Return how many vectors a build that is going on has stored."""
    uri = f"{(staging / 'record.db').as_uri()}?mode=ro"
    with suppress(sqlite3.Error), closing(sqlite3.connect(uri, uri=True)) as record:
        return record.execute("SELECT count(*) FROM vector").fetchone()[0]
    return 0


def test_the_version(tmp_path):
    done = run("--version", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(r"article-qa \d+\.\d+\.\d+\n", done.out)


def test_ctrl_c_while_a_question_is_awaited(desk, called, monkeypatch):
    def stopped() -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(read=stopped))
    done = called("ask", "-", "--index", str(desk / ".article-qa"))
    assert (done.code, done.out) == (130, "")
    assert "Traceback" not in done.err
