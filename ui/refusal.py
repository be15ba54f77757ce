"""Why there is no answer, in one line for people, to follow "Your articles do not say."."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from index.filters import Filters
from qa.types import Answer
from ui.escape import count, day, visible

EMPTY_INDEX = "The index holds no articles yet. Add some: article-qa index FOLDER"
MAX_WORD = 40  # characters of a word that is repeated to whoever typed it


def explanation(answer: Answer, *, options: bool = False) -> str:
    """Return why an answer was not found, on one line, not escaped; "" if there is no reason.

    Args:
        answer: One that was not found.
        options: Whether to name filters as they are typed on the command line.
    """
    match answer.reason:
        case "empty_index":
            return EMPTY_INDEX
        case "filtered_out":
            names = filter_names(answer.excluded_by, options=options)
            return f"The filter leaves out what does: without {names} there is an answer."
        case "not_said":
            return " ".join((_near(answer), *_beyond(answer), *_absent(answer)))
        case "nothing_relevant":
            nothing = _nothing(answer, options=options)
            return " ".join((nothing, *_beyond(answer), *_absent(answer)))
        case _:
            return ""


def filter_names(filters: Filters, *, options: bool = False) -> str:
    """Return "from 1 May 2023, Meridian Wire", or "--after 2023-05-01 --outlet 'Meridian Wire'"."""
    first, last, outlets = filters.published_from, filters.published_to, filters.outlets
    if options:
        parts = [f"--after {first}"] * bool(first) + [f"--before {last}"] * bool(last)
        parts += [f"--outlet {shlex.quote(visible(name))}" for name in outlets]
        return " ".join(parts)
    parts = [f"“from {day(first)}”"] * bool(first) + [f"“to {day(last)}”"] * bool(last)
    return _listed([*parts, *map(_quoted, outlets)], "and")


def _near(answer: Answer) -> str:
    if not answer.topic or not answer.n_on_topic:
        return "Some passages come near, but none answers this."
    verb = "mentions" if answer.n_on_topic == 1 else "mention"
    none = "but does not answer" if answer.n_on_topic == 1 else "but none answers"
    topic = _listed(list(map(_quoted, answer.topic)), "and")
    return f"{count(answer.n_on_topic, 'passage')} {verb} {topic}, {none} this."


def _nothing(answer: Answer, *, options: bool) -> str:
    if not answer.filters:
        return "Nothing in them is about this."
    names = filter_names(answer.filters, options=options)
    if not answer.related:
        return f"No article passes the filter ({names})."
    return f"Nothing that passes the filter ({names}) is about this."


def _beyond(answer: Answer) -> list[str]:
    return ["There is no answer without the filter either."] if answer.filters else []


def _absent(answer: Answer) -> list[str]:
    words = list(map(_quoted, answer.absent_words))
    if not words:
        return []
    return [f"No article has the word{'s' * (len(words) > 1)} {_listed(words, 'or')}."]


def _quoted(word: str) -> str:
    shown = " ".join(visible(word).split())
    return f"“{shown if len(shown) <= MAX_WORD else shown[:MAX_WORD] + '…'}”"


def _listed(items: Sequence[str], last: str) -> str:
    *head, tail = items or [""]
    return f"{', '.join(head)} {last} {tail}" if head else tail
