"""The chat page: questions in, streamed answers left, the words they rest on right.

Gradio carries the events; every piece of HTML comes from `render`. `gr.Markdown` shows it, not
`gr.HTML`: that one builds its templates with `Function()`, which a strict content security policy
forbids, and runs `${…}` in values inserted with `{{ }}` as code. Each block of our HTML is one
line, which Markdown passes on untouched and leaves in the page while other blocks change.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from index.errors import ArticleQAError
from index.types import IndexSummary
from qa.types import AnswerEvent, StageEvent, StoredArticle, StreamEvent, TextEvent, Turn
from ui import render
from ui.render import Exchange

if TYPE_CHECKING:
    import gradio as gr

LOG = logging.getLogger(__name__)

MAX_WAITING = 32  # questions in the queue; the next one is told that the server is busy
AT_ONCE = 4  # answers computed at the same time: two per core on the smallest machine we test
PAINT_EVERY_S = 0.08  # at most a dozen updates a second, however small the pieces of text are

ASK, STOP = "Ask", "Stop"
BROKEN = (
    "Something went wrong while answering. Please ask again; the reason is in the server's log."
)
STYLES = '<link rel="stylesheet" href="/page/chat.css"><script src="/page/chat.js" defer></script>'


class Engine(Protocol):
    """What the chat needs of `qa.answer.Answerer` and of `qa.live.LiveAnswerer`."""

    @property
    def summary(self) -> IndexSummary:
        """What the index in service holds."""

    def stream(self, question: str, history: Sequence[Turn] = ()) -> Iterator[StreamEvent]:
        """Yield stages, pieces of text, and last the complete answer."""

    def stored(self, article_id: str, version: str | None = None) -> StoredArticle | None:
        """Return an article, in the version asked for if it is kept; None if it is not there."""


def build_page(engine: Engine, *, examples: Sequence[str] = ()) -> gr.Blocks:
    """Return the chat page; `server` puts it behind its checks and serves it.

    Args:
        engine: Answers the questions.
        examples: Questions offered while the chat is empty.
    """
    import gradio as gr  # here, not above: 3 s of CPU, and only this function needs it

    page = gr.Blocks(title=render.PRODUCT, delete_cache=(3_600, 3_600))
    with page:
        exchanges = gr.State([])  # Gradio forgets it when the page is closed
        head = _html(render.header(engine.summary), elem_id="aq-header")
        with gr.Row(elem_id="aq-main", equal_height=False):
            with gr.Column(scale=5, min_width=320, elem_id="aq-left"):
                with gr.Column(elem_id="aq-chat"):
                    log = _html(render.conversation([], engine.summary), elem_id="aq-log")
                    with gr.Column(elem_id="aq-examples") as cards:
                        buttons = [gr.Button(text, elem_classes="aq-example") for text in examples]
                with gr.Row(elem_id="aq-ask"):
                    box = _question_box()
                    clear = gr.Button("New chat", elem_id="aq-clear", size="sm", scale=0)
            with gr.Column(scale=4, min_width=300, elem_id="aq-right"):
                panel = _html(render.sources([]), elem_id="aq-panel")
        page.load(  # when it is opened: the index may have changed since the server started
            lambda: render.header(engine.summary),
            outputs=[head],
            api_visibility="private",
            show_progress="hidden",
        )
        _wire(engine, box, buttons, clear, exchanges, [head, log, panel, cards, box, exchanges])
    page.queue(max_size=MAX_WAITING, default_concurrency_limit=AT_ONCE, api_open=False)
    return page


def look() -> dict[str, Any]:
    """Return the arguments of `mount_gradio_app` that make the page look as it should."""
    import gradio as gr
    from gradio.themes.utils.fonts import LocalFont

    # Gradio ships the 600 weight as a subset with missing letters; 400 and 700 are whole.
    plex = LocalFont("IBM Plex Sans", weights=(400, 700))
    theme = gr.themes.Default(
        primary_hue="indigo", neutral_hue="slate", font=[plex, "system-ui", "sans-serif"]
    )
    return {"theme": theme, "head": STYLES}


def _html(value: str, *, elem_id: str) -> gr.Markdown:
    import gradio as gr

    # The sanitiser stays on as a second line behind `render`'s escaping; LaTeX stays off.
    return gr.Markdown(value, elem_id=elem_id, latex_delimiters=[], sanitize_html=True)


def _question_box() -> gr.Textbox:
    import gradio as gr

    return gr.Textbox(
        elem_id="aq-box",
        label="Question",
        show_label=False,
        container=False,
        placeholder="Ask a question",
        lines=1,
        max_lines=6,
        autofocus=True,
        submit_btn=ASK,
        scale=1,
    )


def _wire(
    engine: Engine,
    box: gr.Textbox,
    buttons: Sequence[gr.Button],
    clear: gr.Button,
    exchanges: gr.State,
    outputs: Sequence[gr.Component | gr.Column],
) -> None:
    """Connect the widgets; `outputs` are in the order of `_view`."""
    import gradio as gr

    def ask(question: str, so_far: list[Exchange]) -> Iterator[list[Any]]:
        if not question.strip():
            yield [gr.skip()] * len(outputs)
            return
        for state in converse(engine, question, so_far):
            yield _view(state, engine.summary)

    def stop(so_far: list[Exchange]) -> list[Any]:
        halted = [replace(item, stopped=True) if item.busy else item for item in so_far]
        return _view(halted, engine.summary)

    def restart() -> list[Any]:
        return _view([], engine.summary)

    # All through the queue: what goes round it uses the route for calls by name, which is closed.
    shared: dict[str, Any] = {"outputs": outputs, "show_progress": "hidden"}
    shared |= {"api_visibility": "private"}
    running = [
        trigger(ask, [asked, exchanges], concurrency_limit=AT_ONCE, **shared)
        for trigger, asked in [(box.submit, box), *((item.click, item) for item in buttons)]
    ]
    # First the running answer ends, then the page changes: the other way round, a last piece of the
    # answer could arrive after the change and undo it.
    ending: dict[str, Any] = {"fn": None, "cancels": running}
    box.stop(**ending).then(stop, [exchanges], **shared)
    clear.click(**ending).then(restart, None, **shared)


def converse(engine: Engine, question: str, so_far: Sequence[Exchange]) -> Iterator[list[Exchange]]:
    """Yield the conversation as it grows by one question, at most every `PAINT_EVERY_S`.

    The first and the last state are always yielded. An error becomes words in the conversation.
    """
    current = Exchange(number=len(so_far) + 1, question=question)
    yield [*so_far, current]
    painted = time.monotonic()
    try:
        for event in engine.stream(question, history(so_far)):
            current = extended(current, event)
            if time.monotonic() - painted >= PAINT_EVERY_S:
                yield [*so_far, current]
                painted = time.monotonic()
    except ArticleQAError as error:
        current = replace(current, error=str(error))
    except Exception:
        LOG.exception("a question could not be answered")
        current = replace(current, error=BROKEN)
    yield [*so_far, replace(current, error=BROKEN) if current.busy else current]


def history(exchanges: Sequence[Exchange]) -> list[Turn]:
    """Return the exchanges that were answered, oldest first, as the engine takes them."""
    return [
        Turn(question=item.question, answer=item.answer.text)
        for item in exchanges
        if item.answer is not None
    ]


def extended(item: Exchange, event: StreamEvent) -> Exchange:
    """Return the exchange with one more event of its stream."""
    match event:
        case StageEvent():
            return replace(item, stages=(*item.stages, event))
        case TextEvent(text=text):
            return replace(item, text=item.text + text)
        case AnswerEvent(answer=answer):
            return replace(item, answer=answer)


def _view(exchanges: list[Exchange], summary: IndexSummary) -> list[Any]:
    """Return the updates of head, log, panel, example cards, question box and state."""
    import gradio as gr

    busy = any(item.busy for item in exchanges)
    just_asked = busy and not exchanges[-1].stages and not exchanges[-1].text
    box: dict[str, Any] = {"submit_btn": not busy and ASK, "stop_btn": busy and STOP}
    if just_asked or not exchanges:
        box["value"] = ""  # only now: later, the next question may already be half typed
    return [
        render.header(summary),  # the answer may be the first from a new generation
        render.conversation(exchanges, summary),
        render.sources(exchanges),
        gr.Column(visible=not exchanges),
        gr.Textbox(**box),
        exchanges,
    ]
