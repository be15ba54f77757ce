"""Citations → the text of an answer: the short answer, the sentences it stands in, who says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from index.types import Article, Span
from qa.attribution import PRONOUN, last_person
from qa.dates import long_date, weekdays_before
from qa.names import mentions
from qa.types import Citation, Value

FIRST_WORDS = 12  # characters in which a pronoun is the subject, about whom the sentence is
NOT_FOUND = "Your articles do not say."
DIFFER = "The articles differ:"
ACCOUNTS_DIFFER = "The accounts differ:"  # of two people, in one article
UNDATED = "date unknown"


Cited = tuple[Citation, Article]


def compose(cited: Sequence[Cited], values: Sequence[Value] = (), *, differ: bool = False) -> str:
    """Return the text of an answer: lines with [n] marks, or one that says there is no answer.

    Where a few words answer, they come first, one line for each value with whose word it is; after
    an empty line come the quotes. If the values `differ`, a line before them says so, and each
    tells its outlet and date.

    A quote's line is the quoted sentence; before it, whose words it reports. Inside it, and inside
    values, short mentions and weekdays are followed by what they mean, in square brackets: the
    reader of a single sentence has not read the paragraphs before. The citation's own quote stays
    bare.
    """
    if not cited:
        return NOT_FOUND
    by_number = {pair[0].number: pair for pair in cited}
    short = [_value_line(value, by_number, differ=differ) for value in values]
    if differ:
        short.insert(0, _heading(cited))
    blocks = [short, _quote_lines(cited)]
    return "\n\n".join("\n".join(lines) for lines in blocks if lines)


def _heading(cited: Sequence[Cited]) -> str:
    return DIFFER if len({article.id for _, article in cited}) > 1 else ACCOUNTS_DIFFER


def _value_line(value: Value, by_number: Mapping[int, Cited], *, differ: bool) -> str:
    """Return "45, according to Jane Roe [1][2]"; with outlet and date where the values differ."""
    citation, article = by_number[value.citations[0]]
    text = value.text
    if citation.answer_start is not None and citation.answer_end is not None:
        words = Span(citation.answer_start, citation.answer_end)
        text = _glossed(article, words, quote=Span(citation.start, citation.end))
    line = f"{text}{whose(value)}"
    if differ:
        published = long_date(value.published) if value.published else UNDATED
        # Of the newest article that has this value; without an outlet its title tells it apart.
        known = value.outlet or citation.title
        line += f" — {', '.join(filter(None, (known, published)))}"
    return f"{line} {''.join(f'[{number}]' for number in value.citations)}"


def whose(value: Value) -> str:
    """Return ", according to Jane Roe" if a value is a claim, and nothing if it is stated."""
    if not value.is_claim:
        return ""
    return f", according to {value.speaker}" if value.speaker else " (claim)"


def _quote_lines(cited: Sequence[Cited]) -> list[str]:
    """Return a line for each quote, with all its numbers: it may hold several values."""
    lines: dict[str, str] = {}
    for citation, article in cited:
        span = Span(citation.start, citation.end)
        line = f"{_lead(citation)}{_glossed(article, span, speaker=citation.speaker)}"
        key = f"{article.id} {span}"
        lines[key] = f"{lines.get(key, f'{line} ')}[{citation.number}]"
    return list(lines.values())


def _lead(citation: Citation) -> str:
    if not citation.is_claim:
        return ""
    return f"According to {citation.speaker} (claim): " if citation.speaker else "Claim: "


def _glossed(
    article: Article, span: Span, *, speaker: str | None = None, quote: Span | None = None
) -> str:
    """Return the span on one line with its glosses put in.

    Args:
        article: Whose text it is.
        span: What is shown.
        speaker: Already named, so not explained again.
        quote: The sentence around the span: it tells whether a weekday lies in the future.
    """
    notes = [
        (item.span.end, item.full_name)
        for item in mentions(article.text, span)
        if item.full_name != speaker
    ]
    sentence = article.text[span.start : span.end]
    if article.published:
        around = quote or span
        days = weekdays_before(article.text[around.start : around.end], article.published)
        ends = ((around.start + item.span.end, item.day) for item in days)
        notes += [(end, long_date(day)) for end, day in ends if span.start < end <= span.end]
    pronoun = PRONOUN.search(sentence)
    person = last_person(article.text, span)
    if (
        pronoun
        and person
        and pronoun.start() < FIRST_WORDS
        and person not in sentence
        and person != speaker
    ):
        notes.append((span.start + pronoun.end(), person))
    pieces, position = [], span.start
    for place, note in sorted(set(notes)):
        pieces.append(f"{article.text[position:place]} [{note}]")
        position = place
    return " ".join("".join((*pieces, article.text[position : span.end])).split())
