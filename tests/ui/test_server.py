"""The checks in front of the server, what it serves, and how it starts and stops."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from index.errors import QuestionError, ServerError
from index.types import Article, IndexSummary
from qa.types import (
    Answer,
    AnswerEvent,
    StageEvent,
    StoredArticle,
    StreamEvent,
    TextEvent,
    Turn,
)
from ui import chat, guard, server

ROOT = Path(__file__).parents[2]
STORED = Article.create(text="It rained.", title="Weather", url="https://example.org/1", id="a1")
OLD = Article.create(text="It snowed.", title="Weather", url="https://example.org/1", id="a1")


class Parrot:
    """An engine that knows one article and repeats the question."""

    summary = IndexSummary(
        n_articles=1,
        n_passages=1,
        generation=7,
        built_at=datetime(2026, 11, 22, tzinfo=UTC),
        first_published=date(2023, 5, 22),
        last_published=date(2023, 5, 22),
        embedder="none",
    )

    def stream(self, question: str, history: Sequence[Turn] = ()) -> Iterator[StreamEvent]:
        if question == "too long":
            raise QuestionError("The question is too long.")
        if question == "broken":
            raise RuntimeError("not for the eyes of users")
        yield StageEvent("read", f"Read {len(history)} turns", 1.0)
        yield TextEvent(question)
        if question != "cut off":
            yield AnswerEvent(Answer(question=question, understood=question, text="!", found=True))

    def stored(self, article_id: str, version: str | None = None) -> StoredArticle | None:
        if article_id == STORED.id and version == OLD.version:
            return StoredArticle(article=OLD, superseded=datetime(2023, 5, 23, tzinfo=UTC))
        return StoredArticle(article=STORED) if article_id == STORED.id else None


@pytest.fixture(scope="module")
def client():
    from fastapi.testclient import TestClient

    app = asyncio.run(server.create_app(Parrot(), examples=["Did it rain?"]))
    with TestClient(app, base_url="http://127.0.0.1:7860") as client:
        yield client


def test_health_names_the_generation(client):
    reply = client.get("/healthz")
    assert reply.status_code == 200
    assert reply.json() == {"status": "ok", "generation": 7}


@pytest.mark.parametrize("path", ["/", "/healthz", "/article/a1", "/page/chat.css", "/nothing"])
def test_every_answer_carries_the_security_headers(client, path):
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers
    policy = headers["content-security-policy"]
    scripts = re.search(r"script-src ([^;]*);", policy)[1]
    assert "unsafe" not in scripts
    assert "default-src 'self'" in policy
    assert "object-src 'none'" in policy
    assert "http" not in policy


def test_the_page_may_run_exactly_its_own_scripts(client):
    reply = client.get("/")
    inline = guard.INLINE_SCRIPT.findall(reply.content)
    assert inline
    assert reply.headers["content-security-policy"].count("'sha256-") == len(inline)
    assert int(reply.headers["content-length"]) == len(reply.content)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:9", "[::1]:7860", "LOCALHOST"])
def test_our_own_names_are_known(client, host):
    assert client.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.2", "", "a b", "[::1", "0.0.0.0"]
)
def test_another_host_name_is_refused(client, host):
    reply = client.get("/healthz", headers={"host": host})
    assert reply.status_code == 400
    assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://localhost:7860", "http://127.0.0.1:1", "", "http://"],
)
def test_another_origin_is_refused(client, method, origin):
    for path in ("/gradio_api/queue/join", "/healthz"):
        reply = client.request(method, path, headers={"origin": origin})
        assert reply.status_code == 403
        assert "access-control-allow-origin" not in reply.headers


def test_our_own_origin_and_programs_without_one_are_served(client):
    assert client.get("/config", headers={"origin": "http://127.0.0.1:7860"}).status_code == 200
    assert client.get("/config").status_code == 200


@pytest.mark.parametrize(
    ("site", "mode", "status"),
    [
        ("cross-site", "no-cors", 403),
        ("same-site", "cors", 403),
        ("cross-site", "navigate", 200),
        ("same-origin", "cors", 200),
        ("none", "navigate", 200),
    ],
)
def test_other_sites_may_link_to_us_but_not_embed_us(client, site, mode, status):
    headers = {"sec-fetch-site": site, "sec-fetch-mode": mode}
    assert client.get("/article/a1", headers=headers).status_code == status


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=http://example.org/",
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file%3D/etc/passwd",
        "/gradio_api/proxy=https://example.org/",
        "/gradio_api/upload",
        "/gradio_api/run/predict",
        "/gradio_api/call/ask",
        "/gradio_api/component_server",
        "/gradio_api/runs",
        "/gradio_api/run-history/records",
        "/gradio_api/info",
        "/gradio_api/openapi.json",
        "/gradio_api/queue/join/../../upload",
        "/monitoring",
        "/openapi.json",
        "/docs",
        "/redoc",
        "/login",
        "/page/../server.py",
        "/page/%2e%2e/server.py",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_the_page_does_not_need_is_closed(client, method, path):
    assert client.request(method, path).status_code in {404, 405}


def test_a_long_request_is_refused_before_it_is_read(client):
    path = "/gradio_api/queue/join"
    assert client.post(path, content=b"x" * (guard.MAX_BODY + 1)).status_code == 413
    assert client.post(path, content=iter([b"x"])).status_code == 411
    assert client.post(path, headers={"content-length": "-1"}).status_code == 400


def test_an_article_page_marks_and_a_missing_one_says_so(client):
    reply = client.get("/article/a1?mark=1:3-9&mark=nonsense")
    assert reply.status_code == 200
    assert reply.headers["cache-control"] == "no-store"
    assert '<mark id="mark-1" data-number="1">rained</mark>' in reply.text
    old = client.get(f"/article/a1?version={OLD.version}&mark=1:3-9")
    assert old.status_code == 200
    assert '<mark id="mark-1" data-number="1">snowed</mark>' in old.text
    assert "an earlier version" in old.text
    other = client.get("/article/a1?version=0&mark=1:3-9")
    assert other.status_code == 200
    assert "<mark" not in other.text
    gone = client.get("/article/%3Cscript%3E")
    assert gone.status_code == 404
    assert "no longer in the index" in gone.text


def test_the_page_tells_nobody_and_names_no_other_host(client):
    config = client.get("/config").json()
    assert config["analytics_enabled"] is False
    assert config["run_history"] is False
    assert config["footer_links"] == []
    assert all(item["api_visibility"] == "private" for item in config["dependencies"])


def test_a_conversation_grows_and_the_next_question_gets_its_history():
    first = list(chat.converse(Parrot(), "Did it rain?", []))
    assert first[0][-1].busy
    assert not first[-1][-1].busy
    second = list(chat.converse(Parrot(), "When?", first[-1]))[-1]
    assert [item.number for item in second] == [1, 2]
    assert second[1].stages[0].detail == "Read 1 turns"
    assert chat.history(second) == [
        Turn(question="Did it rain?", answer="!"),
        Turn(question="When?", answer="!"),
    ]


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("too long", "The question is too long."),
        ("broken", chat.BROKEN),
        ("cut off", chat.BROKEN),
    ],
)
def test_an_error_becomes_words_and_the_chat_goes_on(question, message):
    after = list(chat.converse(Parrot(), question, []))[-1]
    assert after[-1].error == message
    assert not after[-1].busy
    assert chat.history(after) == []


def test_only_this_machine_is_served():
    for host in ("0.0.0.0", "192.168.1.5", "example.org", "::", ""):
        with pytest.raises(ServerError, match="no accounts"):
            server.serve(Parrot, host=host)


def test_a_port_in_use_is_noticed_before_the_engine_is_opened():
    def open_engine():
        raise AssertionError("opened too early")

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ServerError) as caught:
            server.serve(open_engine, port=port)
    assert str(caught.value) == (
        f"Port {port} is already in use. Stop the other program or choose another: "
        f"article-qa chat --port {port + 1}"
    )


def test_addresses_to_open():
    assert server.page_address("127.0.0.1", 7860) == "http://127.0.0.1:7860"
    assert server.page_address("::1", 80) == "http://[::1]:80"


PROGRAM = """
    import sys
    sys.path[:0] = [{root!r}, {here!r}]
    from test_server import Parrot
    from ui.server import serve
    serve(Parrot, port=0, on_ready=lambda address: print(address, flush=True))
    print("ended", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no signals to send there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_quickly_with_an_open_event_stream(number):
    code = textwrap.dedent(PROGRAM.format(root=str(ROOT), here=str(Path(__file__).parent)))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        host, port = process.stdout.readline().strip().removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as stream:
            stream.sendall(b"GET /gradio_api/heartbeat/s1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert b"text/event-stream" in stream.recv(4096)
            process.send_signal(number)
            out, err = process.communicate(timeout=server.STOP_WITHIN_S + 3)
    assert process.returncode == 0, err
    assert out == "ended\n"
    assert err == ""
