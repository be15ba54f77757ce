"""A real server over a small real index, and a real browser that reports all it asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from index.types import Article

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

ROOT = Path(__file__).parents[2]
# Read now: the tests' environment has no settings from outside.
CHROMIUM = os.environ.get("ARTICLE_QA_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
QUIET = (
    "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update "
    "--disable-sync --disable-quic --no-first-run"
).split()

IMAGE = '<img src="https://evil.example/a.png" onerror="window.hacked = 1">'
ATTACK = (
    f"{IMAGE}"
    "<script>window.hacked = 2</script>"
    "![pixel](https://evil.example/b.png) [x](javascript:window.hacked=3) ${window.hacked=4}"
    '<style>body{background:url("https://evil.example/c.png")}</style>'
    "</mark></p></section></article><svg onload=window.hacked=5>"
)
ARTICLES = [
    Article.create(
        id="ferry",
        title="Ferries Return to the Sound After Eleven Months",
        text="The first ferry since June left Norhavn for Lysoe at dawn on Monday.\n\n"
        "Captain Ingrid Solberg steered the ferry on its first crossing to Lysoe.\n\n"
        "The company had stopped all crossings in June after cracks were found in two hulls. "
        "Repairs cost 41 million crowns.",
        outlet="Harbour Gazette",
        published=date(2021, 5, 3),
        url="https://gazette.example/ferries",
    ),
    Article.create(
        id="bridge",
        title="Council Approves a Bridge to Lysoe, and Pays for It With a Toll That Will Be Raised "
        "Every Second Year Until the Debt Has Been Paid Back in Full",
        text="The council of Norhavn approved a bridge to the island of Lysoe on Tuesday.\n\n"
        + "The debate went on until midnight and every member of the council spoke. " * 40
        + "\n\nMayor Henrik Dahl signed the contract for the bridge in the town hall.",
        outlet="Harbour Gazette",
    ),
    Article.create(
        id="bill",
        title="Island Council Reckons Up the Ferry Bill",
        text="Repairs of the ferries cost 55 million crowns, the council of Lysoe found.",
        outlet="Island Post",
        published=date(2021, 5, 9),
    ),
    Article.create(
        id="attack",
        title=f"Lighthouse {ATTACK}",
        text=f"{ATTACK}\n\nThe lighthouse keeper Tobias Lund repaired the lamp {IMAGE} in October. "
        f"{ATTACK}\n\n{ATTACK}",
        outlet=f"Post {ATTACK}",
        byline=ATTACK,
        url="javascript:window.hacked=6",
    ),
]

# A question that ends in "slowly" takes its time, so that there is something to stop.
PROGRAM = """
import sys, time
sys.path.insert(0, {root!r})
from qa.answer import Answerer
from ui.server import serve

class Patient:
    def __init__(self, engine):
        self.engine, self.stored = engine, engine.stored
    summary = property(lambda self: self.engine.summary)
    def stream(self, question, history=()):
        for event in self.engine.stream(question, history):
            time.sleep(0.5 if question.endswith("slowly") else 0)
            yield event

serve(
    lambda: Patient(Answerer.open({index!r})),
    port=0,
    examples=lambda _: ["Who steered the ferry?", "Who signed the contract for the bridge?"],
    on_ready=lambda address: print(address, flush=True),
)
"""


@pytest.fixture(scope="session")
def address(tmp_path_factory) -> Iterator[str]:
    """Where the server listens."""
    from index.build import build_index

    index_dir = tmp_path_factory.mktemp("index")
    build_index(ARTICLES, index_dir)
    code = PROGRAM.format(root=str(ROOT), index=str(index_dir))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as process:
        line = process.stdout.readline().strip()
        assert line.startswith("http"), "the server did not start"
        yield line
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture(scope="session")
def image() -> str:
    """An element that would load from elsewhere and run a script; it is in an article's text."""
    return IMAGE


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for the tests of a file.

    Not for the session: while Playwright runs, no other test in this process can use asyncio.
    """
    if CHROMIUM is None:
        pytest.skip("Chromium not found: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page, and everything it has done that somebody should know of."""

    page: Page
    address: str
    requests: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # errors in the console

    def watch(self) -> None:
        """Note requests and errors from now on."""
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on(
            "console",
            lambda entry: entry.type in {"error", "warning"} and self.problems.append(entry.text),
        )

    def open(self) -> None:
        """Go to the chat and wait until a question can be typed."""
        self.page.goto(self.address)
        self.page.locator("#aq-box textarea").wait_for()

    def ask(self, question: str) -> None:
        """Type a question, send it, and wait for the complete answer."""
        turn = self.page.locator(".aq-turn").count() + 1
        self.page.locator("#aq-box textarea").fill(question)
        self.page.keyboard.press("Enter")
        self.page.locator(f"#turn-{turn} .aq-answer:not(.aq-busy)").wait_for()

    def check_quiet(self) -> None:
        """Assert that no other host was asked for anything, and that nothing failed."""
        assert self.requests
        outside = [url for url in self.requests if not url.startswith(self.address)]
        assert [url for url in outside if not url.startswith(("data:", "blob:"))] == []
        assert self.problems == []
        assert self.page.evaluate("window.hacked") is None

    @property
    def too_wide(self) -> int:
        """How many pixels the page is wider than its window."""
        return self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


@pytest.fixture
def visit_with(browser, address):
    """Return a function that opens the chat in a new window with the given options."""
    contexts: list[BrowserContext] = []
    visits: list[Visit] = []

    def start(**options) -> Visit:
        contexts.append(
            browser.new_context(**{"viewport": {"width": 1400, "height": 900}} | options)
        )
        visit = Visit(contexts[-1].new_page(), address)
        visit.page.set_default_timeout(30_000)
        visit.watch()
        visit.open()
        visits.append(visit)
        return visit

    yield start
    for visit in visits:
        visit.check_quiet()
    for context in contexts:
        context.close()


@pytest.fixture
def visit(visit_with) -> Visit:
    """The chat, just opened on a large screen."""
    return visit_with()
