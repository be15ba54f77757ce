"""Who says so? Finds the speaker of a sentence that reports somebody's words.

News states little itself: most sentences are somebody's account. Turning "X claimed that P" into
"P" is the commonest fault of generated answers (arXiv 2509.25498), so an answer keeps the speaker.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from index.types import Span
from qa.names import SENTENCE_OPENERS, TITLES, full_names, mentions

REPORTING = re.compile(
    r"\b(?P<verb>said|says|told|tells|claim(?:s|ed|ing)|announced?s?|stated|denie[sd]|declared"
    r"|warned|alleged|accused|reported|insisted|confirmed|wrote|vow(?:s|ed)|argued|added|blamed"
    r"|maintained|acknowledged|admitted|suggested|called|describe[sd])\b"
)
# "was declared a terrorist organisation" reports no words of its subject.
PASSIVE = re.compile(r"\b(?:was|were|is|are|been|be|being|had been)\s+(?:\w+ly\s+)?$")
ACCORDING = re.compile(r"\baccording to (?P<who>[^,.;]+)|\bin the words of (?P<who2>[^,.;]+)", re.I)
ASIDE = re.compile(r"(,|—|–) (?:who|which|whose|an?|the|formed|founded|a former)\b[^,—–]*\1 ?")
SPEAKING_PRONOUN = re.compile(r"\b(he|she|they|it)\b", re.IGNORECASE)
PRONOUN = re.compile(r"\b(he|she)\b", re.IGNORECASE)
GROUP = re.compile(
    r"\b(?:[Tt]he|[Ii]ts|[Hh]is|[Tt]heir) (?:\w+ )?(?:group|legion|corps|ministry|army|government"
    r"|agency|company|bank|service|military|police|authorities|officials|office|statement"
    r"|regulator|spokes\w+|governor|president|minister|raiders|kremlin|watchdog)\b"
)
CAPITALISED = re.compile(r"\b[^\W\d_a-z][\w’'-]*(?:\s+[^\W\d_a-z][\w’'-]*)*")
NEARBY = 600  # characters before a sentence in which "he" can have been named


@dataclass(frozen=True, slots=True)
class Attribution:
    """Reported speech: who speaks, if the sentence or the one before tells, and with which verb."""

    speaker: str | None
    verb: str


def attribute(text: str, span: Span) -> Attribution | None:
    """Return whose words the sentence `text[span]` reports, or None if it states things itself."""
    sentence = text[span.start : span.end]
    if match := ACCORDING.search(sentence):
        return Attribution(_named(text, span, match["who"] or match["who2"]), "according to")
    plain = _blank(ASIDE, _blank(re.compile(r"[\"“][^\"“”]*[\"”]"), sentence))
    for match in REPORTING.finditer(plain):
        if PASSIVE.search(plain[: match.start()]):
            continue
        before, after = plain[: match.start()], plain[match.end() :]
        who = _subject(before) or _inverted(after)
        if who or SPEAKING_PRONOUN.search(before):
            return Attribution(_named(text, span, who), match["verb"])
    return None


def _blank(pattern: re.Pattern[str], sentence: str) -> str:
    """Replace matches by blanks of the same length, so that positions stay."""
    return pattern.sub(lambda match: " " * len(match.group()), sentence)


def _subject(before: str) -> str | None:
    """Return the noun phrase nearest before the verb that can speak, None for a pronoun."""
    if re.search(r"\b(he|she|they|it|who)\s+(?:also |then |had |has )?$", before, re.IGNORECASE):
        return None
    groups = [match for match in GROUP.finditer(before)]
    names = [
        match
        for match in CAPITALISED.finditer(before)
        if match.group().casefold() not in SENTENCE_OPENERS
    ]
    last = max([*groups, *names], key=lambda match: match.end(), default=None)
    return last.group() if last else None


def _inverted(after: str) -> str | None:
    """Return the speaker of `"…", said Jane Roe`."""
    match = re.match(r"\s+((?:the )?" + CAPITALISED.pattern.removeprefix(r"\b") + ")", after)
    return match[1] if match else None


def _named(text: str, span: Span, who: str | None) -> str | None:
    """Return the speaker's full name where the article gives it."""
    if who is None:
        return last_person(text, span)
    who = who.strip()
    sentence = text[span.start : span.end]
    whole = [name for _, name in full_names(sentence) if who.endswith(name) or name.endswith(who)]
    if whole:
        return whole[-1]
    for mention in mentions(text, span):
        short = text[mention.span.start : mention.span.end]
        if short in who or who in short:
            return mention.full_name
    words = who.split()
    while len(words) > 1 and words[0].casefold() in TITLES:
        words = words[1:]
    return " ".join(words)


def last_person(text: str, span: Span) -> str | None:
    """Return the name "he" or "she" most likely means: the subject of the sentence before."""
    paragraph = text.rfind("\n", max(0, span.start - NEARBY), span.start)
    start = max(0, span.start - NEARBY) if paragraph < 0 else paragraph
    people = [name for _, name in full_names(text[start : span.start]) if " of " not in name]
    if people:
        return people[0]
    earlier = [name for _, name in full_names(text[max(0, span.start - NEARBY) : span.start])]
    return earlier[-1] if earlier else None
