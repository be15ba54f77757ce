"""Checks in front of every request: what protects the server from other pages in the same browser.

Host and Origin must be ours, only the parts of Gradio that the chat uses can be reached, and the
content security policy lets no inline script run but the few that a page of ours begins with.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, MutableMapping
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Message, Receive, Send], Awaitable[None]]

SAFE_METHODS = frozenset({"GET", "HEAD"})
MAX_BODY = 256 * 1024  # bytes; a question is at most 2,000 characters

# Gradio's routes that the page uses; all others (files, proxy, uploads, run history, monitoring,
# API description, calls by name) are answered 404.
PAGE_ROUTES = re.compile(
    r"/|/(config|theme\.css|favicon\.ico|manifest\.json|robots\.txt)"
    r"|/(static|assets|svelte)/.+"
    r"|/gradio_api/(queue/(join|data)|heartbeat/[^/]+|cancel|reset|startup-events|app_id)/?"
)
INLINE_SCRIPT = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
POLICY = (
    "default-src 'self'; script-src 'self'{scripts}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; "
    "connect-src 'self'; frame-src 'none'; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self'"
)
HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=()",
}


def only_the_page(app: ASGIApp) -> ASGIApp:
    """Return Gradio's app without the routes that the chat page does not use."""

    async def gate(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not PAGE_ROUTES.fullmatch(scope["path"]):
            await respond(send, 404, "Not found")
        else:
            await app(scope, receive, send)

    return gate


class Guard:
    """ASGI middleware: refuses requests that other web pages can cause, and adds the headers."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "websocket":  # nothing here uses them
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        send = secured(send)
        if problem := refusal(scope["method"], headers, self.hosts):
            await respond(send, *problem)
            return
        # Uncompressed: to hash the page's scripts, and because it is faster on one machine.
        plain = [item for item in scope["headers"] if item[0] != b"accept-encoding"]
        state = scope["app"].state
        await self.app({**scope, "headers": plain}, until_stopped(receive, state), send)


def refusal(method: str, headers: dict[str, str], hosts: frozenset[str]) -> tuple[int, str] | None:
    """Return status and message for a request that is not for us, or None.

    A page elsewhere can make a browser send requests here, also under a name of its own that it
    points at this machine; it cannot hide its Origin or the name. Programs send no Origin.
    """
    host = headers.get("host", "")
    if hostname(host) not in hosts:
        return 400, "Unknown host"
    origin = headers.get("origin")
    if origin is not None and origin not in {f"http://{host}", f"https://{host}"}:
        return 403, "Requests from other sites are refused"
    elsewhere = headers.get("sec-fetch-site") in {"cross-site", "same-site"}
    following_a_link = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
    if elsewhere and not following_a_link:
        return 403, "Requests from other sites are refused"
    if method in SAFE_METHODS:
        return None
    if "transfer-encoding" in headers:
        return 411, "Say how long the request is"
    if not headers.get("content-length", "0").isdecimal():
        return 400, "Unreadable length"
    if int(headers.get("content-length", "0")) > MAX_BODY:
        return 413, "The request is too long"
    return None


def hostname(host: str) -> str | None:
    """Return the name in a Host header, in lower case, without port and brackets."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def secured(send: Send) -> Send:
    """Return a `send` that adds the security headers; HTML waits until its scripts are known."""
    start: Message | None = None
    page = bytearray()

    async def add_headers(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            kept = [
                (name, value)
                for name, value in message["headers"]
                if not name.lower().startswith(b"access-control-") and name.lower() not in HEADERS
            ]
            message = {**message, "headers": [*kept, *HEADERS.items()]}
            if dict(kept).get(b"content-type", b"").startswith(b"text/html"):
                start = message
                return
            message["headers"].append(policy(b""))
        elif start is not None:
            page.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            start["headers"].append(policy(bytes(page)))
            await send(start)
            message = {**message, "body": bytes(page)}
        await send(message)

    return add_headers


def policy(page: bytes) -> tuple[bytes, bytes]:
    """Return the content security policy header for a page: its own inline scripts may run."""
    hashes = [b64encode(sha256(script).digest()).decode() for script in INLINE_SCRIPT.findall(page)]
    scripts = "".join(f" 'sha256-{value}'" for value in hashes)
    return b"content-security-policy", POLICY.format(scripts=scripts).encode()


def until_stopped(receive: Receive, state: Any) -> Receive:  # noqa: ANN401 - starlette's State
    """Return a `receive` that reports the client gone once the server stops: streams end then."""

    async def receive_or_end() -> Message:
        if getattr(state, "stopping", False):
            return {"type": "http.disconnect"}
        return await receive()

    return receive_or_end


async def respond(send: Send, status: int, text: str) -> None:
    """Send a short plain answer."""
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{text}\n".encode()})
