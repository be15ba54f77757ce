"""Who says so? Finds the speaker of a sentence that reports somebody's words.

News states little itself: most sentences are somebody's account. Turning "X claimed that P" into
"P" is the commonest fault of generated answers (arXiv 2509.25498), so an answer keeps the speaker.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from index.types import Span
from qa.names import IMPERSONAL, POSSESSIVE, SENTENCE_OPENERS, full_names, mentions, people

REPORTING = re.compile(
    r"\b(?P<verb>said|says|told|tells|claim(?:s|ed|ing)|announced?s?|stated|denie[sd]|declared"
    r"|warned|alleged|accused|reported|insisted|confirmed|wrote|vow(?:s|ed)|argued|added|blamed"
    r"|maintained|acknowledged|admitted|suggested|estimated?s?|(?<!so-)called|describe[sd]"
    r"|(?:spoke|spoken|speaks) of|(?:put|raised|lowered|revised) (?:the|its|his|her|their)"
    r"(?= (?:number|toll|figure|count|total|estimate)))\b"
)
# "was declared a terrorist organisation" reports no words of its subject.
PASSIVE = re.compile(r"\b(?:was|were|is|are|been|be|being|had been)\s+(?:\w+ly\s+)?$")
NEGATED = re.compile(r"\b(?:not|never|n[o'’]t|without|nothing)\s+(?:\w+\s+)?$")
# Full stops inside "U.S." and after "Mr." do not end a name. Nobody speaks in "according to plan".
_PARTY = r"(?:[^,.;\n]|\.(?=\w)|(?<=\b[A-Z])\.|(?<=\b(?:Mr|Ms|Dr|Lt))\.|(?<=\b(?:Mrs|Gen|Col))\.)+"
ACCORDING = re.compile(
    r"\b(?:according to|in the words of) (?!(?:the )?(?:plans?|schedule|rules?|law|whom|which)\b)"
    rf"(?P<who>{_PARTY})",
    re.IGNORECASE,
)
QUOTED = re.compile(r"[\"“][^\"“”]*[\"”]")
PRONOUN = re.compile(r"\b(he|she)\b", re.IGNORECASE)
SPEAKING_PRONOUN = re.compile(
    r"\b(?P<who>he|she|they|it)(?:\s+(?:also|then|had|has|later|again|first|earlier))*\s*$",
    re.IGNORECASE,
)
# What may stand between a speaker and the verb: "the ministry later said", "Kyiv on Monday denied"
_BETWEEN = (
    r"(?:\s+(?:has|had|have|also|later|then|again|once|first|earlier|on [A-Z]\w+day|\w+ly))*\s*$"
)
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
# A name after one of these is not the subject: "the mayor of Norvik said", "residents in Norvik".
COMPLEMENT = re.compile(
    r"\b(?:of|for|to|by|in|at|on|from|near|with|about|like|against|than|nor|or|named?|behind|under)"
    r"\s+(?:the\s+)?$",
    re.IGNORECASE,
)
# Words that make "… Adam Smith" another party than Adam Smith: his lawyer, a person near him.
OTHERS = re.compile(r"\b(?:of|for|to|by|in|at|on|from|near|with|about|and|or|nor)\b")
OPENING = re.compile(rf"(?:(?:{'|'.join(sorted(SENTENCE_OPENERS))})\s+)+", re.IGNORECASE)
INVERTED = re.compile(rf"\s+(?P<who>{_NAME})(?<!\.)")
SAYING = frozenset({"said", "says"})  # always reports, even where the words do not tell who speaks
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
    plain = QUOTED.sub(lambda match: " " * len(match.group()), sentence)
    if match := ACCORDING.search(plain):
        return Attribution(_named(text, span, sentence[slice(*match.span("who"))]), "according to")
    for match in REPORTING.finditer(plain):
        # Windows, or a text of many verbs would take time by the square of its length.
        before = plain[max(0, match.start() - MAX_SUBJECT) : match.start()]
        after = plain[match.end() : match.end() + MAX_SUBJECT]
        if PASSIVE.search(before) or NEGATED.search(before):
            continue
        if pronoun := SPEAKING_PRONOUN.search(before):
            person = pronoun["who"].casefold() in {"he", "she"}
            return Attribution(last_person(text, span) if person else None, match["verb"])
        if who := _inverted(before, after, match["verb"]) or _subject(before):
            return Attribution(_named(text, span, who), match["verb"])
        if THAT_CLAUSE.match(after) or match["verb"] in SAYING:
            return Attribution(None, match["verb"])
    return None


def _subject(before: str) -> str | None:
    """Return the speaker named before a reporting verb, None if the words there name none."""
    before = before.rstrip()
    if before.endswith(","):
        return _before_apposition(before)
    for pattern in (NAME_AT_END, GROUP_AT_END):
        match = pattern.search(before)
        if match and match["who"].casefold() not in SENTENCE_OPENERS:
            opening = OPENING.match(match["who"])  # "On Telegram Jane Roe wrote"
            lead = before[: match.start()] + (opening.group() if opening else "")
            relative = re.search(r"\b(?:who|which)\b(?!.*,)", lead)
            possessive = match["who"].endswith(POSSESSIVE)  # "Jane Roe's claims"
            return None if relative or possessive or COMPLEMENT.search(lead) else match["who"]
    clause = re.split(r"[,;—–]\s", before)[-1]
    match = NAME_AT_START.match(clause)  # "Andriy Yusov of Ukraine's military intelligence said"
    return match["who"] if match and people(match["who"]) else None


def _before_apposition(before: str) -> str | None:
    """Return the speaker of "Jane Roe, the mayor, said" and of "the mayor, Jane Roe, said"."""
    head, comma, apposition = before[:-1].rpartition(",")
    if not comma:
        return None
    if [apposition.strip()] == people(apposition):
        # With a further name or clause, "in Norvik, who has met Carl, Jane Roe, said", who knows?
        unclear = people(head) or re.search(r"\b(?:who|which|and)\b", head)
        return None if unclear else apposition.strip()
    return _subject(head)


def _inverted(before: str, after: str, verb: str) -> str | None:
    """Return the speaker of `"…", said Jane Roe`, and of `The dam broke, said Jane Roe`.

    Where no quotation mark tells, nothing but punctuation may follow the name: "Jane Roe, the
    mayor, said Adam Smith had left" is the other way round.
    """
    match = INVERTED.match(after)
    if match is None or match["who"].endswith(POSSESSIVE):
        return None
    if not before.strip(" ,"):
        return match["who"]
    ended = re.match(r"\s*(?:[,.;:!?]|$)", after[match.end() :])
    return match["who"] if ended and verb in SAYING and before.rstrip().endswith(",") else None


def _named(text: str, span: Span, who: str) -> str:
    """Return the speaker's full name where the article gives it, else the words themselves."""
    words = re.split(r"\s+(?:who|whose|which|that)\b", who)[0].split()
    # "Saturday Roscosmos", "The Kremlin"; but "the group" stays as it is.
    while len(words) > 1 and words[0].casefold() in SENTENCE_OPENERS and words[1][0].isupper():
        words = words[1:]
    who = " ".join(words)
    persons = people(who)
    if len(persons) == 1 and _is_all_of(persons[0], who):
        return persons[0]
    explained = [
        (text[slice(*mention.span)].removesuffix("'s").removesuffix("’s"), mention.full_name)
        for mention in mentions(text, span)
    ]
    explained += _endings(who, text[: span.start])
    for short, full_name in explained:
        if _is_all_of(short.removeprefix("the ").removeprefix("The "), who):
            return " ".join(full_name.split())
    return who


def _is_all_of(name: str, who: str) -> bool:
    """Return whether `who` is the name, or it with an office: not "the lawyer of" that name."""
    lead = who.removesuffix(name)
    return who.endswith(name) and not re.search(r"\w$", lead) and not OTHERS.search(lead)


def _endings(who: str, text: str) -> list[tuple[str, str]]:
    """Return the name in the text before that ends with these words, if there is only one."""
    fitting = {name for _, name in full_names(text) if name.endswith(f" {who}")}
    return [(who, fitting.pop())] if len(fitting) == 1 else []


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
