"""What holds in every test: no settings from outside, no network beyond this machine.

With `ARTICLE_QA_REQUIRE_BROWSER=1`, as on the build server, a browser test that is skipped fails.
"""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
from collections.abc import Callable, Generator
from typing import Any

import hypothesis
import pytest

# On a busy machine any example may be slow; what must not hang has pytest's timeout.
hypothesis.settings.register_profile("busy machine", deadline=None)
hypothesis.settings.load_profile("busy machine")
SETTINGS = "ARTICLE_QA_"
BROWSER_REQUIRED = os.environ.get("ARTICLE_QA_REQUIRE_BROWSER", "") not in {"", "0"}


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Take SIGINT as usual: what a script runs in the background inherits that it is ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def hermetic() -> Generator[None]:
    """Forget the settings of whoever runs the tests, and guard every socket of this process."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(SETTINGS)]:
            patch.delenv(name)
        for method in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, method, guarded(getattr(socket.socket, method)))
        patch.setattr(socket, "getaddrinfo", guarded_lookup(socket.getaddrinfo))
        yield


def guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a socket method that takes no address outside this machine."""

    def call(self: socket.socket, *args: Any) -> Any:
        address = args[-1]  # connect(address), sendto(data[, flags], address)
        if self.family in {socket.AF_INET, socket.AF_INET6} and not is_local(address[0]):
            forbid(f"connect to {address[0]}")
        return method(self, *args)

    return call


def guarded_lookup(lookup: Callable[..., Any]) -> Callable[..., Any]:
    """Return a `getaddrinfo` that asks no name server: this machine's names and addresses only."""

    def call(host: str | bytes | None, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host or "localhost"
        if not is_local(name) and not is_address(name):
            forbid(f"look up {name}")
        return lookup(host, *args, **kwargs)

    return call


def is_address(host: str) -> bool:
    """Whether `host` is an IP address rather than a name."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def is_local(host: str) -> bool:
    """Whether `host` names this machine."""
    if not is_address(host):
        return host in {"", "localhost", socket.gethostname()}
    address = ipaddress.ip_address(host.partition("%")[0])
    return address.is_loopback or address.is_unspecified


def forbid(act: str) -> None:
    """Fail the test, past any `except Exception` on the way."""
    pytest.fail(f"a test tried to {act}; tests may use this machine only", pytrace=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped browser test into a failure where a browser is required."""
    report = yield
    if BROWSER_REQUIRED and item.get_closest_marker("browser") and not hasattr(report, "wasxfail"):
        fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Do the same for a browser test file that is skipped as a whole."""
    report = yield
    if BROWSER_REQUIRED and "browser" in collector.path.parts:
        fail_if_skipped(report)
    return report


def fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Change the outcome of a skipped test; its reason becomes the message."""
    if report.outcome == "skipped":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"a browser is required here: {reason}"
