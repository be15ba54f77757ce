"""Who says so? Finds the speaker of a sentence that reports somebody's words.

News states little itself: most sentences are somebody's account. Turning "X claimed that P" into
"P" is the commonest fault of generated answers (arXiv 2509.25498), so an answer keeps the speaker.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from index.types import Span
from qa.names import IMPERSONAL, SENTENCE_OPENERS, full_names, mentions, people

REPORTING = re.compile(
    r"\b(?P<verb>said|says|told|tells|claim(?:s|ed|ing)|announced?s?|stated|denie[sd]|declared"
    r"|warned|alleged|accused|reported|insisted|confirmed|wrote|vow(?:s|ed)|argued|added|blamed"
    r"|maintained|acknowledged|admitted|suggested|(?<!so-)called|describe[sd])\b"
)
# "was declared a terrorist organisation" reports no words of its subject.
PASSIVE = re.compile(r"\b(?:was|were|is|are|been|be|being|had been)\s+(?:\w+ly\s+)?$")
ACCORDING = re.compile(r"\baccording to (?P<who>[^,.;]+)|\bin the words of (?P<who2>[^,.;]+)", re.I)
QUOTED = re.compile(r"[\"“][^\"“”]*[\"”]")
PRONOUN = re.compile(r"\b(he|she)\b", re.IGNORECASE)
SPEAKING_PRONOUN = re.compile(
    r"\b(?P<who>he|she|they|it)(?:\s+(?:also|then|had|has|later|again))*\s*$", re.IGNORECASE
)
# What may stand between a speaker and the verb: "the ministry later said", "Kyiv on Monday denied"
_BETWEEN = r"(?:\s+(?:has|had|have|also|later|then|again|once|on [A-Z]\w+day|\w+ly))*\s*$"
_WORD = r"[^\W\d_a-z][\w’'.&-]*"  # capitalised
_NAME = rf"{_WORD}(?:\s+(?:of\s+)?{_WORD})*"
NAME_AT_END = re.compile(rf"(?P<who>\b(?:{_NAME} and (?:the )?)?{_NAME}){_BETWEEN}")
NAME_AT_START = re.compile(rf"\W*(?P<who>{_WORD}(?:\s+{_WORD})+)(?= (?:of|from|in|at) )")
GROUP_AT_END = re.compile(
    r"(?P<who>\b(?:the|its|his|her|their|a|two|three|several)\s+(?:(?!the\b)[\w’'-]+\s+){0,2}?"
    r"(?:groups?|legion|corps|ministry|army|government|agency|company|banks?|service|military"
    r"|police|authorities|officials|office|statement|regulator|spokes\w+|governor|president"
    rf"|minister|raiders|kremlin|watchdog|report|newspaper|units?|fighters)){_BETWEEN}",
    re.IGNORECASE,
)
THAT_CLAUSE = re.compile(r"(?:\s+[\w’'-]+){0,4}?\s+that\b")
MAX_SUBJECT = 300  # characters before a verb in which its subject is looked for
NEARBY = 600  # characters before a sentence in which "he" can have been named


@dataclass(frozen=True, slots=True)
class Attribution:
    """Reported speech: who speaks, if the sentence or the one before tells, and with which verb."""

    speaker: str | None
    verb: str


def attribute(text: str, span: Span) -> Attribution | None:
    """Return whose words the sentence `text[span]` reports, or None if it states things itself.

    The speaker is None where the sentence does not tell, or where it says "he" and more than one
    person could be meant: no name is better than a wrong one.
    """
    sentence = text[span.start : span.end]
    if match := ACCORDING.search(sentence):
        return Attribution(_named(text, span, match["who"] or match["who2"]), "according to")
    plain = QUOTED.sub(lambda match: " " * len(match.group()), sentence)
    for match in REPORTING.finditer(plain):
        before, after = plain[: match.start()], plain[match.end() :]
        if PASSIVE.search(before):
            continue
        if pronoun := SPEAKING_PRONOUN.search(before):
            person = pronoun["who"].casefold() in {"he", "she"}
            return Attribution(last_person(text, span) if person else None, match["verb"])
        if who := _subject(before) or _inverted(before, after):
            return Attribution(_named(text, span, who), match["verb"])
        if THAT_CLAUSE.match(after):
            return Attribution(None, match["verb"])
    return None


def _subject(before: str) -> str | None:
    """Return the speaker named before a reporting verb, None if the words there name none."""
    before = before[-MAX_SUBJECT:].rstrip()
    if before.endswith(","):  # "Ilya Ponomarev, an exiled politician who …, said"
        return _subject(before[:-1].rpartition(",")[0]) if before.count(",") > 1 else None
    for pattern in (NAME_AT_END, GROUP_AT_END):
        match = pattern.search(before)
        if match and match["who"].casefold() not in SENTENCE_OPENERS:
            relative = re.search(r"\b(?:who|which)\b(?!.*,)", before[: match.start()])
            return None if relative else match["who"]
    clause = re.split(r"[,;—–]\s", before)[-1]
    match = NAME_AT_START.match(clause)  # "Andriy Yusov of Ukraine's military intelligence said"
    return match["who"] if match else None


def _inverted(before: str, after: str) -> str | None:
    """Return the speaker of `"…", said Jane Roe`: the quote is blanked, nothing else is before."""
    match = re.match(r"\s+(?P<who>[^\W\d_a-z][\w’'.-]*(?:\s+[^\W\d_a-z][\w’'.-]*)*)", after)
    return match["who"] if match and not before.strip(" ,") else None


def _named(text: str, span: Span, who: str) -> str:
    """Return the speaker's full name where the article gives it, else the words themselves."""
    words = who.split()
    while len(words) > 1 and words[0].casefold() in SENTENCE_OPENERS:  # "Saturday Roscosmos"
        words = words[1:]
    who = " ".join(words)
    if persons := people(who):
        return persons[-1]
    for mention in mentions(text, span):
        if text[mention.span.start : mention.span.end] in who:
            return mention.full_name
    names = [name for _, name in full_names(text[: span.end]) if name.endswith(who)]
    return names[-1] if names else who


def last_person(text: str, span: Span) -> str | None:
    """Return whom "he" or "she" at `span` means, if only one person can be meant.

    That is, if the paragraph up to there names one person and no other; where the paragraph begins
    with the pronoun, the same is asked of the paragraph before.
    """
    start = text.rfind("\n", 0, span.start) + 1
    if not text[start : span.start].strip():
        start = text.rfind("\n", 0, len(text[: span.start].rstrip())) + 1
    part = Span(max(start, span.start - NEARBY), span.start)
    persons = set(people(text[part.start : part.end]))
    meant = {mention.full_name for mention in mentions(text, part)}
    persons |= {name for name in meant if not IMPERSONAL.search(name)}
    return persons.pop() if len(persons) == 1 else None
