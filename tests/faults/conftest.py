"""What the fault tests share: forked children, a tally for the table, time enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.faults.harness import Zygote, namespace_prefix
from tests.faults.tally import PROPERTY, Tally
from tests.faults.tier import TIER


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:  # of the whole session, not of this folder only
        if Path(__file__).parent in item.path.parents and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(TIER.timeout_s))


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    with Zygote(tmp_path_factory.mktemp("children")) as zygote:
        yield zygote


@pytest.fixture(scope="module")
def mounting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """Children that see mounts of their own, gone with them."""
    prefix = namespace_prefix()
    if prefix is None:
        pytest.skip("needs mounts of its own: root, or user namespaces")
    with Zygote(tmp_path_factory.mktemp("mounting"), prefix=prefix) as zygote:
        yield zygote


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Callable[..., AbstractContextManager[Tally]]:
    """Return what opens the one tally of a test; when it closes, the test fails if a try did."""

    @contextmanager
    def counted(name: str, what: str) -> Iterator[Tally]:
        made = Tally(name, what)
        try:
            yield made
        finally:
            # What `record_property` does, which warns about other readers of a JUnit report.
            request.node.user_properties.append((PROPERTY, made.line()))
        made.settle()

    return counted
