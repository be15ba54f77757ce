"""Evidence → citations, checked against the stored text; citations that agree → one value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from index.errors import IndexDamagedError
from index.sentences import sentence_spans
from index.types import Span, text_version
from qa.agreement import same_name
from qa.attribution import REPORTING, Attribution, attribute
from qa.dates import EXPLICIT, WEEKDAY
from qa.reader import Evidence
from qa.types import Citation, Value

# Between a reporting verb and the day of speaking: "said on Monday", "said late on 22 May".
SAID_ON = re.compile(r"\s*(?:late |early |again )?(?:on |in )?(?:the )?\s*", re.IGNORECASE)


def cite(item: Evidence, number: int) -> Citation:
    """Return the citation of a piece of evidence, checked against the stored text.

    Raises:
        IndexDamagedError: If the text is not the one whose hash was stored with it.
        ValueError: If the reader's answer does not lie within what it quotes.
    """
    article, passage = item.found_in.article, item.found_in.passage
    if text_version(article.text) != article.version:
        raise IndexDamagedError(Path(article.source), f"article {article.id} was altered")
    if item.answer and not item.span.start <= item.answer.start < item.answer.end <= item.span.end:
        raise ValueError(f"the answer {tuple(item.answer)} is outside the quote {tuple(item.span)}")
    attribution = _attribution(item)
    start, end = min(passage.start, item.span.start), max(passage.end, item.span.end)
    return Citation(
        number=number,
        article_id=article.id,
        version=article.version,
        title=article.title,
        outlet=article.outlet,
        published=article.published,
        url=article.url,
        source=article.source,
        start=item.span.start,
        end=item.span.end,
        quote=article.text[item.span.start : item.span.end],
        context_start=start,
        context_end=end,
        context=article.text[start:end],
        kind=passage.kind,
        speaker=attribution.speaker if attribution else None,
        is_claim=attribution is not None,
        confidence=item.confidence,
        answer_start=item.answer.start if item.answer else None,
        answer_end=item.answer.end if item.answer else None,
        copies=item.found_in.copies,
    )


def value(citations: Sequence[Citation]) -> Value:
    """Return the value that citations agree on, in the words of the first.

    It is a claim if each of them reports it as somebody's words; then all who say so are named, if
    each of them tells.
    """
    newest = max(citations, key=lambda item: item.published or date.min)  # the first of equals
    claims = all(item.is_claim and not own_word(item) for item in citations)
    speakers = [item.speaker for item in citations if item.speaker]
    all_known = len(speakers) == len(citations)
    return Value(
        text=" ".join(answer_words(citations[0]).split()),
        citations=tuple(item.number for item in citations),
        is_claim=claims,
        speaker=_listed(_distinct(speakers)) if claims and all_known else None,
        outlet=newest.outlet,
        published=newest.published,
    )


def answer_words(citation: Citation) -> str:
    """Return the words that answer; the whole quote where it has none of its own."""
    if citation.answer_start is None or citation.answer_end is None:
        return citation.quote
    return citation.quote[
        citation.answer_start - citation.start : citation.answer_end - citation.start
    ]


def own_word(citation: Citation) -> bool:
    """Return whether the answer is the article's own word in a sentence that reports somebody's.

    So it is where the answer is the speaker himself, what the article says of him ("Jane Roe, the
    mayor of Norvik, said…"), or the day on which he spoke ("said on Monday that…").
    """
    if citation.answer_start is None or citation.answer_end is None:
        return False
    words = answer_words(citation)
    if citation.speaker and same_name(words, citation.speaker):
        return True
    start, end = citation.answer_start - citation.start, citation.answer_end - citation.start
    before = [match for match in REPORTING.finditer(citation.quote) if match.end() <= start]
    if before and (EXPLICIT.search(words) or WEEKDAY.search(words)):
        if SAID_ON.fullmatch(citation.quote[before[-1].end() : start]):
            return True
    after = REPORTING.search(citation.quote, end)
    if citation.speaker is None or after is None:
        return False
    name = re.escape(citation.speaker.split()[-1])
    # The speaker, the answer, the verb; and no second clause between them.
    named = list(re.finditer(rf"\b{name}\b", citation.quote[:start]))
    between = citation.quote[named[-1].end() if named else 0 : after.start()]
    return bool(named) and between.lstrip().startswith(",") and between.rstrip().endswith(",")


def _attribution(item: Evidence) -> Attribution | None:
    """Return whose words a quote reports, None if its first sentence states something itself.

    In "In 2014 he was the only deputy… He said that…" the first half is the article's own word. Of
    an answer in a few words, only its own sentence matters.
    """
    text = item.found_in.article.text
    if item.answer is None and item.span.start < item.sentence.start:
        first = sentence_spans(text[item.span.start : item.sentence.start])[0]
        if attribute(text, Span(item.span.start, item.span.start + first.end)) is None:
            return None
    return attribute(text, item.sentence)


def _distinct(speakers: Sequence[str]) -> list[str]:
    """Return the speakers, each once, by the longest of his names."""
    kept: list[str] = []
    for name in sorted(speakers, key=len, reverse=True):
        if not any(same_name(name, other) for other in kept):
            kept.append(name)
    return sorted(kept, key=speakers.index)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
