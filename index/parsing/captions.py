"""Picture captions: telling them from paragraphs, and the words from the photographer's credit."""

from __future__ import annotations

import re
from collections.abc import Sequence

MAX_CREDIT_CHARACTERS = 120
MAX_LABEL_CHARACTERS = 60  # the line over a caption; less than a line of wrapped text

_AGENCY = (
    r"(?:Getty(?: Images)?|AFP|Reuters|REUTERS|AP Photo|AP|Associated Press|EPA(?:-EFE)?"
    r"|Shutterstock|iStock(?:photo)?|Alamy(?: Stock Photo)?|Anadolu(?: Agency)?|TASS|Sputnik"
    r"|Bloomberg|Xinhua|NurPhoto|Zuma(?: Press)?|ZUMA(?: Press)?|UPI|PA(?: Images| Wire| Media)?"
    r"|Corbis|Unsplash|Keystone|dpa|EyePress|Newscom|Pool|POOL)"
)
_WORD = r"(?:[^\W\d_a-z][\w'’.-]*|al-\w+|de|da|di|del|della|van|von|der|den|bin|ibn|and|of|the|&)"
_NAMES = rf"{_WORD}(?:,? {_WORD}){{0,7}}"
_CREDIT = re.compile(
    rf"(?:{_NAMES} ?/ ?)+{_AGENCY}(?: ?/ ?{_AGENCY})*(?: (?:via|VIA) {_AGENCY})?"
    rf"|{_AGENCY} ?/ ?{_NAMES}(?: ?/ ?{_NAMES})*"
    rf"|{_NAMES},? (?:(?:via|VIA|for) )?{_AGENCY}"
    rf"|{_AGENCY}(?: ?/ ?{_AGENCY})*"
    r"|(?:AP )?(?:[Pp]hotos?|[Pp]hotograph|[Pp]icture|[Ii]mage|[Ii]llustration|[Vv]ideo|[Cc]redit)"
    r"(?: [Cc]redit| [Cc]ourtesy)?"
    rf"(?:: ?.+| (?:by|courtesy of) {_NAMES}(?: ?/ ?{_NAMES})*(?:,? for {_NAMES})?"
    rf"| ?/ ?{_NAMES})"
    rf"|(?:[Vv]ia|VIA|[Cc]ourtesy of|[Hh]andout via|[Cc]ourtesy) {_NAMES}(?: ?/ ?{_NAMES})*"
)
_SENTENCE_END = re.compile(r"[.!?…][\"”’')\]]*\s+")
_IN_BRACKETS = re.compile(r"\s*[(\[]([^()\[\]]{2,120})[)\]]\.?$")
_AGENCY_LAST = re.compile(
    rf"\s((?:REUTERS|Reuters|AP Photo) ?/ ?{_NAMES}|{_AGENCY}(?:/{_AGENCY})+)$"
)


def split_credit(text: str) -> tuple[str, str | None]:
    """Return a caption's words and its credit: ("A bridge.", "JO DOE/AFP"), or (text, None).

    A credit is what follows the last sentence or stands in brackets at the end, if it has the form
    of one; a caption that is nothing but a credit gives an empty first part.
    """
    text = text.strip()
    if _is_credit(text):
        return "", text
    tail = text[-MAX_CREDIT_CHARACTERS - 20 :]
    offset = len(text) - len(tail)
    bracketed = _IN_BRACKETS.search(tail)
    if bracketed and _is_credit(bracketed[1]):
        return text[: offset + bracketed.start()], bracketed[1]
    for end in _SENTENCE_END.finditer(tail):
        if _is_credit(tail[end.end() :]):
            return text[: offset + end.end()].rstrip(), tail[end.end() :]
    if last := _AGENCY_LAST.search(tail):
        return text[: offset + last.start()], last[1]
    return text, None


def read_caption(lines: Sequence[str]) -> str | None:
    """Return the words of the caption that a block of lines is, without label and credit.

    None if it is an ordinary paragraph: only the credit at its end tells a caption from one. An
    empty string if there is a credit and nothing else.
    """
    label, *rest = lines
    if rest and len(label) <= MAX_LABEL_CHARACTERS and not label.rstrip().endswith((".", "!", "?")):
        words, credit = split_credit(" ".join(rest))
        if credit is not None:
            return words
    words, credit = split_credit(" ".join(lines))
    return words if credit is not None else None


def _is_credit(text: str) -> bool:
    text = text.strip().rstrip(".")
    return len(text) <= MAX_CREDIT_CHARACTERS and _CREDIT.fullmatch(text) is not None
