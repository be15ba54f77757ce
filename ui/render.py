"""Answers and sources as HTML for the chat, and as plain text for a terminal.

Everything here is pure. Whatever came from outside (article, question, error) goes through
`escape`; the HTML around it is ours, and each block is one line, so that a Markdown renderer, which
is what the chat component puts it through, passes it on untouched.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from index.types import IndexSummary
from qa.types import Answer, Citation, Related, StageEvent
from ui.card import MAX_RELATED, also_in, card, related_card, shortened, tag_names
from ui.escape import (
    UNTITLED,
    count,
    day,
    duration,
    escape,
    origin,
    visible,
    web_link,
)
from ui.refusal import EMPTY_INDEX, explanation
from ui.short_answer import plain_lines, short_answer, split_text

PRODUCT = "Article QA"
MAX_QUESTION_SHOWN = 2_000  # characters; a longer one is refused anyway, and only echoed here

CITE_MARK = re.compile(r"\[(\d{1,3})\]")

NOT_FOUND = "Not in your articles"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One question of the conversation on the page, and what has come back so far."""

    number: int  # 1-based
    question: str
    stages: tuple[StageEvent, ...] = ()
    text: str = ""  # the pieces of the answer received so far
    answer: Answer | None = None  # set when it is complete
    error: str = ""  # why there is none, in words for people
    stopped: bool = False

    @property
    def busy(self) -> bool:
        """Whether more is to come."""
        return self.answer is None and not self.error and not self.stopped


def index_line(summary: IndexSummary) -> str:
    """Return "12,431 passages · 2,210 articles · index built 22 Nov 2026 · generation 3"."""
    return (
        f"{count(summary.n_passages, 'passage')} · {count(summary.n_articles, 'article')} · "
        f"index built {day(summary.built_at.date())} · generation {summary.generation}"
    )


def header(summary: IndexSummary) -> str:
    """Return the head of the chat page."""
    notice = f'<p class="aq-notice">{escape(summary.notice)}</p>' if summary.notice else ""
    return (
        f'<header class="aq-head"><h1>{PRODUCT}</h1><p>{escape(index_line(summary))}</p>'
        f"{notice}</header>"
    )


def conversation(exchanges: Sequence[Exchange], summary: IndexSummary) -> str:
    """Return the chat's messages, one block of one line for each exchange."""
    return "\n\n".join(map(exchange, exchanges)) or welcome(summary)


def welcome(summary: IndexSummary) -> str:
    """Return what an empty chat shows."""
    if not summary.n_articles:
        return f'<div class="aq-welcome"><p>{escape(EMPTY_INDEX)}</p></div>'
    dates = ""
    if summary.first_published is not None:
        dates = f"<p>They were published from {day(summary.first_published)}"
        dates += f" to {day(summary.last_published)}.</p>"
    return (
        '<div class="aq-welcome"><h2>Ask about your articles</h2><p>Every answer shows the exact '
        f"words it rests on. If the articles do not say, it says so.</p>{dates}</div>"
    )


def exchange(item: Exchange) -> str:
    """Return one question and its answer, as far as it has come."""
    asked = item.question.strip()
    if len(asked) > MAX_QUESTION_SHOWN:
        asked = asked[:MAX_QUESTION_SHOWN] + "…"
    return (
        f'<section class="aq-turn" id="turn-{item.number}"><div class="aq-question" dir="auto">'
        f'<span class="aq-sr">You asked: </span>{escape(asked)}</div>{reply(item)}</section>'
    )


def reply(item: Exchange) -> str:
    """Return the answer's side of an exchange."""
    if item.error:
        return _message("aq-error", f'<p class="aq-text">{escape(item.error)}</p>')
    if item.answer is not None:
        found = item.answer.found
        body = _found(item.number, item.answer) if found else _missing(item.answer)
        return _message("" if found else "aq-missing", _steps(item.stages) + body)
    text = _so_far(item.text)
    if item.stopped:
        return _message("aq-stopped", f'{text}<p class="aq-note">Stopped.</p>')
    now = _progress(item.stages[-1]) if item.stages else "Searching your articles"
    progress = f'<p class="aq-now"><span class="aq-dot"></span>{escape(now)}</p>'
    return _message("aq-busy", progress + text)


def _so_far(text: str) -> str:
    """Return the text received up to now; its marks are no links yet."""
    short, quotes = split_text(text)
    body = f'<p class="aq-text" dir="auto">{_with_marks(quotes, _plain_mark)}</p>' if quotes else ""
    return plain_lines(short, lambda line: _with_links(line, _plain_mark)) + body


def _message(kind: str, body: str) -> str:
    return f'<div class="{f"aq-answer {kind}".strip()}">{body}</div>'


def _steps(stages: Sequence[StageEvent]) -> str:
    if not stages:
        return ""
    since = [0.0, *(stage.elapsed_ms for stage in stages)]
    lines = "".join(
        f"<li>{escape(_progress(stage))} "
        f"<span>({escape(duration(stage.elapsed_ms - before))})</span></li>"
        for before, stage in zip(since, stages, strict=False)
    )
    total = escape(duration(stages[-1].elapsed_ms))
    head = f"{escape(stages[-1].detail)} <span>({total})</span>"
    return f'<details class="aq-steps"><summary>{head}</summary><ol>{lines}</ol></details>'


def _progress(stage: StageEvent) -> str:
    return f"Understood as: {stage.detail}" if stage.stage == "understood" else stage.detail


def _found(turn: int, answer: Answer) -> str:
    cited = {citation.number: citation for citation in answer.citations}
    link = _linker(turn, cited)
    facts = [
        f"Confidence {answer.confidence:.0%}",
        count(len(answer.citations), "quote"),
        f"generation {answer.generation}",
    ]
    _, quotes = split_text(answer.text)
    return (
        f"{_understood(answer)}{short_answer(answer, lambda line: _with_links(line, link))}"
        f'<p class="aq-text" dir="auto">{_with_marks(quotes, link)}</p>'
        f'<p class="aq-meta">{escape(" · ".join(facts))}'
        '<button type="button" class="aq-copy">Copy with sources</button></p>'
    )


def _missing(answer: Answer) -> str:
    reason = explanation(answer)
    note = (
        "What the filter leaves out is listed under Sources."
        if answer.reason == "filtered_out"
        else "The nearest passages are listed under Sources. They are related, not an answer."
    )
    near = _aside(note) if answer.related else ""
    return (
        f'<p class="aq-verdict">{NOT_FOUND}</p>{_understood(answer)}'
        f'<p class="aq-text" dir="auto">{escape(answer.text or reason)}</p>'
        f"{_aside(reason) if answer.text and answer.text != reason else ''}{near}"
    )


def _aside(text: str) -> str:
    return f'<p class="aq-note">{escape(text)}</p>'


def _understood(answer: Answer) -> str:
    if answer.understood.casefold().split() == answer.question.casefold().split():
        return ""
    return _aside(f"Understood as: {answer.understood}")


Linker = Callable[[int], str]


def _linker(turn: int, cited: dict[int, Citation]) -> Linker:
    def link(number: int) -> str:
        citation = cited.get(number)
        if citation is None:
            return escape(f"[{number}]")
        where = f"{citation.title}, {origin(citation)}: “{shortened(citation.quote)}”"
        return (
            f'<a class="aq-cite" href="#cite-{turn}-{number}" title="{escape(where)}">'
            f"&#91;{number}&#93;</a>"
        )

    return link


def _with_marks(text: str, link: Linker) -> str:
    lines = (
        f'<span class="aq-line">{_with_links(line, link)}</span>'
        for line in text.strip().split("\n")
    )
    return "&#10;".join(lines)


def _with_links(line: str, link: Linker) -> str:
    pieces = CITE_MARK.split(line)  # text, number, text, number, … text
    return "".join(link(int(piece)) if i % 2 else escape(piece) for i, piece in enumerate(pieces))


def _plain_mark(number: int) -> str:
    return f'<span class="aq-cite">&#91;{number}&#93;</span>'


def sources(exchanges: Sequence[Exchange]) -> str:
    """Return the panel of sources: a heading, and one block for each answered exchange."""
    blocks = [_source_block(item) for item in exchanges if item.answer is not None]
    if not blocks:
        blocks = ['<p class="aq-hint">The words that an answer rests on appear here.</p>']
    return "\n\n".join(['<h2 class="aq-heading">Sources</h2>', *blocks])


def _source_block(item: Exchange) -> str:
    answer = item.answer
    assert answer is not None  # the caller's filter
    cards = "".join(card(item.number, citation, answer.citations) for citation in answer.citations)
    if not answer.found:
        cards = '<p class="aq-hint">No sources: the articles do not say.</p>'
        if answer.related:
            cards += f'<h3 class="aq-sub">{_related_heading(answer)}</h3>'
            cards += "".join(map(related_card, answer.related))
    return (
        f'<section class="aq-sources" id="sources-{item.number}">'
        f'<p class="aq-for" dir="auto">{escape(shortened(item.question))}</p>{cards}</section>'
    )


def _related_heading(answer: Answer) -> str:
    return "Outside the filter" if answer.reason == "filtered_out" else "Related, not an answer"


def answer_as_text(answer: Answer, width: int = 80, *, strong: Callable[[str], str] = str) -> str:
    """Return an answer for a terminal: the text, then each source with its quote.

    Lines are at most `width` columns, longer words and addresses excepted. Control characters, and
    with them every terminal escape sequence, are left out.

    Args:
        answer: What is shown.
        width: Columns.
        strong: Makes a line of the short answer stand out, where the terminal can.
    """
    text = answer.text
    if not answer.found:
        text = f"{text} {explanation(answer, options=True)}".strip()
    short, quotes = split_text(text) if answer.values else ([], text)
    blocks = ["\n".join(_filled(line, width) for line in quotes.split("\n"))]
    if short:
        lines = "\n".join(_filled(line, width, rest="  ") for line in short).split("\n")
        blocks.insert(0, "\n".join(map(strong, lines)))
    if answer.found:
        blocks += [_source_as_text(citation, width) for citation in answer.citations]
    elif answer.related:
        blocks += [f"{_related_heading(answer)}:"]
        blocks += [_related_as_text(item, width) for item in answer.related]
    return "\n\n".join(blocks)


def _source_as_text(citation: Citation, width: int) -> str:
    label = f"[{citation.number}] "
    indent = " " * len(label)
    lines = [
        _filled(f"{citation.title or UNTITLED} ({origin(citation)})", width, label, indent),
        _filled(f"“{citation.quote}”", width, indent, indent),
    ]
    if copies := also_in(citation.copies):
        lines.append(_filled(copies, width, indent, indent))
    if tags := tag_names(citation):
        lines.append(_filled(", ".join(tags), width, indent, indent))
    if link := web_link(citation.url):
        lines.append(indent + link)
    return "\n".join(lines)


def _related_as_text(item: Related, width: int) -> str:
    head = _filled(f"{item.title or UNTITLED} ({origin(item)})", width, "- ", "  ")
    return f"{head}\n{_filled(shortened(item.text, MAX_RELATED), width, '  ', '  ')}"


def _filled(text: str, width: int, first: str = "", rest: str = "") -> str:
    return textwrap.fill(
        " ".join(visible(text).split()),
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
