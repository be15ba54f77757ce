"""Text → exact sentence spans, for news: titles, initials, initialisms, times, quotes, datelines.

Rules, not a model: a candidate is a terminator with its closing quotes and brackets; what stands
before and after it decides. Nothing here knows about tokens: very long sentences are chunk.py's.
Time is linear in the text: every pattern either matches at once or looks at a bounded window.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from index.types import Span


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Followed by a name or a number, so their full stop never ends a sentence.
TITLES = _words(
    """Mr Mrs Ms Mx Dr Drs Prof Gen Col Lt Sgt Capt Cmdr Cdr Maj Cpl Pvt Pfc Adm Brig Sen Sens Rep
    Reps Gov Govs Rev Hon Pres Supt Det Insp Amb Atty Messrs Mme Mlle Mt Ft Fr Sra Dra Rs vs v
    e.g i.e cf viz ca approx sq Sq Op"""
)
# May end a sentence: they do when what follows looks like the start of one.
ABBREVIATIONS = _words(
    """Inc INC Co CO Corp CORP Ltd LTD Plc Bros Cos Jr Sr Esq St Ave Blvd Rd Dept Univ Assn Ph.D
    etc al est ft lb lbs oz hr hrs sec min Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec Mon
    Tue Tues Wed Thu Thur Thurs Fri Sat Sun Ala Ariz Ark Calif Colo Conn Del Fla Ga Ill Ind Kan
    Ky La Mass Md Mich Minn Miss Mo Mont Neb Nev Okla Ore Pa Tenn Tex Va Vt Wash Wis Wyo"""
)
NUMBERED = _words("No Nos no nos Art Sec Fig Vol vol pg pp p ch pt Nr b c d r pop")  # before a 3
EXCLAIMED = _words("Yahoo Yum Jeopardy")  # names that carry their own exclamation mark

# Words that open a sentence and rarely continue a name: "the U.S. The" against "the U.S. Senate".
STARTERS = _words(
    """A About Above According Across After Again Against All Almost Along Already Also Although
    Amid Among An And Another Any Anyone Are Around As Asked At Back Because Before Behind Being
    Below Beside Besides Between Beyond Both But By Can Could Critics Despite Did Do Does During
    Each Earlier Either Even Eventually Every Everyone Everything Few Finally First For Former
    From Further Had Has Have He He'd He'll He's Her Here His How However I I'd I'll I'm I've If
    In Indeed Inside Instead Into Is It It'll It's Its Just Last Later Let Let's Like Many Maybe
    Meanwhile More Moreover Most Mr Mrs Ms Much My Near Nearly Neither Never Nevertheless Next
    No Nobody None Nor Not Nothing Now Of Officials On Once One Only Or Other Others Our Outside
    Over People Perhaps Police Previously Rather Recently Residents Several Shares She She'd
    She'll She's Should Since So Some Someone Sometimes Soon Still Such Than Thank That That's
    The Their Then There There's Therefore These They They'd They'll They're They've This Those
    Though Three Through Throughout Thus To Today Together Tomorrow Tonight Too Toward Towards
    Two Under Unless Unlike Until Up Upon Very Was We We'd We'll We're We've Were What What's
    When Where Whether Which While Who Whose Why With Within Without Witnesses Would Yes
    Yesterday Yet You You'll You're Your"""
)
# After "5 p.m." these belong to the time of day; any other capital starts a sentence.
TIME_WORDS = _words(
    """Monday Tuesday Wednesday Thursday Friday Saturday Sunday Mon Tue Tues Wed Thu Thur Thurs Fri
    Sat Sun January February March April May June July August September October November
    December Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec Eastern Central Mountain Pacific
    Greenwich EST EDT ET CST CDT CT MST MDT MT PST PDT PT GMT BST UTC CET CEST EET EEST IST JST
    MSK AEST AEDT HKT Alaska Hawaii"""
)

LINE_ENDS = "\n\r\u2028\u2029"
ALWAYS = "。！？｡؟۔।॥։።។။"  # end a sentence with or without a blank after them
QUOTES = "\"'“”‘’«»‹›„‚「『"
FOOTNOTES = r"(?:\[[\w ?-]{1,24}\]|:\d{1,4}(?:[–-]\d{1,4})?)*"  # [1] [citation needed] :32–36
CANDIDATE = re.compile(
    rf"[{LINE_ENDS}]"
    rf"|[{ALWAYS}][.!?…{ALWAYS}]*[\"'”’»)\]）」』】》〉]*"  # “ would open the next one here
    rf"|[.!?…]+{FOOTNOTES}[\"'”’“‘»›)\]}}*_]*{FOOTNOTES}"
    r"(?:[ \u00a0\u202f]»(?!\w))?"  # French sets a blank before its closing quote
)
# What follows a candidate: blanks; opening marks; a word; the character after it.
NEXT = re.compile(
    rf"\s*([{re.escape(QUOTES)}(\[{{（【《¿¡*_—–…-]{{0,9}}[ \u00a0]?)([\w'’]{{0,20}})(.?)"
)
STRAY = ".,;:!?)]}%+=&|"  # a sentence does not begin with one of these and no word
WORD = re.compile(r"\w")
HANGS_ON = re.compile(r"[-–—/(\[]")
DASHES = tuple("-–—")
LOOKAHEAD = 120  # code points: longer than four names and a verb
LOOKBACK = 24  # code points: longer than any abbreviation with the word it hangs on
INITIALS = re.compile(r"[^\W\d_]|(?:[^\W\d_]{1,2}\.)+[^\W\d_]{1,2}")  # J  U.S  Ph.D
CLOCK = _words("a.m p.m A.M P.M")
ZONE_TIME = re.compile(r"[A-Z]\w{0,24} time\b")  # "5 p.m. Kyiv time"
LIST_MARK = re.compile(r"\s*[(\[]?(?:\d{1,3}|[A-Za-z]|[ivx]{1,4})")  # "1." "a." "iv." open a line
LIST_MARK_LENGTH = 8  # code points, blanks included
# "Why?" Ms. Reyes asked: a name and a verb of speech go on with the sentence of the quote.
ATTRIBUTION = re.compile(
    r"(?:[A-Z][\w'’-]{0,24}\.?\s){1,4}"
    r"(?:said|says|asked|asks|added|told|replied|answered|wondered|wrote|shouted|cried)\b"
)


def sentence_spans(text: str) -> list[Span]:
    """Return the spans of the sentences of `text`: in order, trimmed, never empty or overlapping.

    Every character that is not white space lies in exactly one span. A line break always ends a
    sentence; quotes and brackets belong to the sentence they close. No text gives no spans.
    """
    spans: list[Span] = []
    start = line_start = 0
    first_word = -1  # where the current sentence's first letter or digit is, once known
    for match in CANDIDATE.finditer(text):
        at, end = match.span()
        if text[at] in LINE_ENDS:
            _append(spans, text, start, end)
            start = line_start = end
            continue
        if first_word < start:
            found = WORD.search(text, start)
            first_word = found.start() if found else len(text)
        if first_word > at:  # marks alone are no sentence
            continue
        is_list_mark = (
            start == line_start
            and at - start < LIST_MARK_LENGTH
            and LIST_MARK.fullmatch(text, start, at)
        )
        if not is_list_mark and _ends_sentence(text, first_word, at, end):
            _append(spans, text, start, end)
            start = end
    _append(spans, text, start, len(text))
    return spans


def _append(spans: list[Span], text: str, start: int, end: int) -> None:
    """Append `text[start:end]` without its outer white space, unless nothing is left."""
    sentence = text[start:end]
    left = sentence.lstrip()
    if left:
        spans.append(Span(end - len(left), start + len(sentence.rstrip())))


class _Context(NamedTuple):
    """A mark that may end a sentence, with what stands before and after it."""

    mark: str  # terminators, then the quotes and brackets they close
    before: str  # the word before it, without what it hangs on: "N.Y" of "(D-N.Y.)"
    in_aside: bool  # it closes a bracket that was opened inside the sentence
    opening: str  # quotes, brackets and dashes that follow
    word: str  # the word after those, with straight apostrophes
    after: str  # the character after the word
    rest: str  # the text from that word on, as far as any rule looks

    @property
    def is_quoted(self) -> bool:
        """Say whether the mark closes a quote."""
        return any(char in QUOTES for char in self.mark)

    @property
    def is_capital(self) -> bool:
        """Say whether a word follows that begins with a letter that is not lower-case."""
        return self.word[:1].isalpha() and not self.word[:1].islower()

    @property
    def is_starter(self) -> bool:
        """Say whether a word follows that opens sentences and not names."""
        return self.word in STARTERS and (self.after != "." or self.word in TITLES)


def _context(text: str, first_word: int, at: int, end: int) -> _Context:
    """Return the context of the candidate `text[at:end]` in the sentence with that first word."""
    follow = NEXT.match(text, end)
    assert follow  # every part of NEXT may be empty
    opening, word, after = follow.groups()
    words = text[max(first_word, at - LOOKBACK) : at].split()
    return _Context(
        mark=text[at:end],
        before=HANGS_ON.split(words[-1])[-1].lstrip(QUOTES) if words else "",
        in_aside=text[end - 1] in ")]" and text[max(0, first_word - 1)] not in "([",
        opening=opening,
        word=word.strip("'’").replace("’", "'"),
        after=after,
        rest=text[follow.start(2) : follow.start(2) + LOOKAHEAD],
    )


def _ends_sentence(text: str, first_word: int, at: int, end: int) -> bool:
    """Say whether the candidate `text[at:end]` ends the sentence whose words begin there."""
    if text[at] in ALWAYS or end == len(text):
        return True
    if not text[end].isspace():
        return False
    here = _context(text, first_word, at, end)
    if not here.word and here.after and here.after in STRAY:
        return False
    if here.is_quoted and here.opening.startswith(DASHES):  # “… ceiling.” – Smith looked around
        return False
    if "!" in here.mark or "?" in here.mark:
        return _shout_ends(here)
    if here.mark.startswith(("..", "…")) or not here.before.strip("."):
        return _ellipsis_ends(here)
    return _stop_ends(here)


def _shout_ends(here: _Context) -> bool:
    """Say whether "!" or "?" ends a sentence: not before `he asked` or after `Yahoo`."""
    if here.before in EXCLAIMED or here.in_aside:
        return here.is_starter
    is_name = here.word in TITLES or not here.is_starter
    is_said = here.is_quoted and is_name and ATTRIBUTION.match(here.rest)
    return not (is_said or here.word[:1].islower())


def _ellipsis_ends(here: _Context) -> bool:
    """Say whether an ellipsis ends a sentence: before a capital, but not in "I … I don't"."""
    if here.in_aside:
        return here.is_starter
    return here.is_capital and here.word.lower() != here.before.lower()


def _stop_ends(here: _Context) -> bool:
    """Say whether a full stop ends a sentence: the word before it decides, then the one after."""
    before, word = here.before, here.word
    if before in TITLES or (before in NUMBERED and word[:1].isdigit()):
        return False
    if before in CLOCK:
        is_time = word in TIME_WORDS or ZONE_TIME.match(here.rest)
        return here.is_capital and not is_time and not here.in_aside
    if before in ABBREVIATIONS:
        return here.is_starter or '"' in here.opening or "“" in here.opening
    if INITIALS.fullmatch(before) and (len(before) > 1 or not before.islower()):
        return here.is_starter
    if word[:1].islower():
        # New only where it is quoted (“and then …”) or a name such as iPhone or al-Shabab.
        is_name = not word[:3].islower() or (word == "al" and here.after == "-")
        return is_name or any(char in QUOTES for char in here.opening)
    return True
