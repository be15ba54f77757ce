"""The web server: the chat, the article pages and the health check, on this machine only.

There are no accounts yet, so only loopback addresses are served. `guard` stands in front.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from index.errors import ServerError
from ui.article import ARTICLE_PATH, article_page, parse_marks
from ui.chat import Engine, build_page, look
from ui.guard import Guard, only_the_page

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI, Request, Response

E = TypeVar("E", bound=Engine)

ASSETS = Path(__file__).parent / "assets"
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
STOP_WITHIN_S = 2  # then requests still running are dropped


def serve(
    open_engine: Callable[[], E],
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    examples: Callable[[E], Sequence[str]] = lambda engine: (),
    open_browser: bool = False,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the chat until Ctrl-C or SIGTERM.

    Args:
        open_engine: Opens what answers; called once the port is ours, so that a port in use is
            noticed before anything slow happens.
        host: A loopback address or name.
        port: 0 takes a free one.
        examples: Returns the questions offered while the chat is empty.
        open_browser: Whether to open the page in the user's browser.
        on_ready: Called with the page's address once it can be opened.

    Raises:
        ServerError: If the host is not loopback or the port cannot be had.
    """
    with listen(host, port) as listener:
        engine = open_engine()
        app = asyncio.run(create_app(engine, host=host, examples=examples(engine)))
        address = page_address(host, listener.getsockname()[1])

        def ready() -> None:
            if on_ready is not None:
                on_ready(address)
            if open_browser:  # in a thread: some browsers' launchers return when they are closed
                threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()

        with ended_by_signals():
            build_server(app, ready).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """Return a socket listening on a loopback address.

    Raises:
        ServerError: If `host` is not one, or the port cannot be had.
    """
    if not is_loopback(host):
        raise ServerError(
            f"{host!r} is not an address of this machine only. The chat has no accounts yet, so it "
            "would be open to everybody on the network. Use --host 127.0.0.1, and an SSH tunnel to "
            "reach it from elsewhere: ssh -L 7860:127.0.0.1:7860 THIS_MACHINE"
        )
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    if sys.platform != "win32":  # there it would let two programs share the port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        if error.errno != errno.EADDRINUSE:
            raise ServerError(f"Cannot listen on {host}, port {port}: {error.strerror}.") from error
        raise ServerError(
            f"Port {port} is already in use. Stop the other program or choose another: "
            f"article-qa chat --port {port + 1}"
        ) from error
    return listener


def is_loopback(host: str) -> bool:
    """Whether `host` can be reached from this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def page_address(host: str, port: int) -> str:
    """Return the address to open in a browser."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def create_app(
    engine: Engine, *, host: str = "127.0.0.1", examples: Sequence[str] = ()
) -> FastAPI:
    """Return the whole application: checks, health, article pages, style files, chat.

    A coroutine, because Gradio makes an event loop for each of its locks where none is running, and
    never closes them.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported
    os.environ["HF_HUB_OFFLINE"] = "1"
    from fastapi import FastAPI
    from fastapi.routing import Mount
    from fastapi.staticfiles import StaticFiles
    from gradio.routes import App, mount_gradio_app

    app = FastAPI(openapi_url=None)
    app.add_route("/healthz", _health(engine))
    app.add_route(f"{ARTICLE_PATH}{{article_id:path}}", _article(engine))
    app.mount("/page", StaticFiles(directory=ASSETS))
    app.add_middleware(Guard, hosts=LOOPBACK_NAMES | {host})
    page = build_page(engine, examples=examples)
    mount_gradio_app(
        app,
        page,
        path="/",
        server_name=host,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        show_error=False,
        max_file_size=0,
        **look(),
    )
    mounted = app.router.routes[-1]
    assert isinstance(mounted, Mount)
    assert isinstance(mounted.app, App)
    app.state.end_streams = mounted.app.stop_event.set
    mounted.app = only_the_page(mounted.app)
    return app


def _health(engine: Engine) -> Callable[[Request], Response]:
    from fastapi.responses import JSONResponse

    def health(request: Request) -> Response:
        return JSONResponse({"status": "ok", "generation": engine.summary.generation})

    return health


def _article(engine: Engine) -> Callable[[Request], Response]:
    from fastapi.responses import HTMLResponse

    def show(request: Request) -> Response:
        version = request.query_params.get("version", "")
        stored = engine.stored(request.path_params["article_id"], version or None)
        page = article_page(stored, parse_marks(request.query_params.getlist("mark")), version)
        return HTMLResponse(page, 404 if stored is None else 200, {"cache-control": "no-store"})

    return show


def build_server(app: FastAPI, on_ready: Callable[[], None]) -> uvicorn.Server:
    """Return the server for an app of `create_app`; it says when it is ready and stops quickly."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            on_ready()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            app.state.stopping = True  # open event streams would otherwise hold us up
            app.state.end_streams()
            await super().shutdown(sockets)

    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_WITHIN_S,
    )
    return Server(config)


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the server without a traceback or a failing exit status.

    uvicorn handles them itself, and raises them again when it has stopped: to no effect here.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _ignore) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore(number: int, frame: object) -> None:
    """Do nothing; unlike SIG_IGN, this is not inherited by child processes."""
