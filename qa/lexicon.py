"""Words that news uses for one and the same thing: "hurt", "wounded", "injured".

A question and the sentence that answers it often share the event but not the word. A short list of
the verbs and nouns of news goes a long way where there is no trained reader; it was written from
general knowledge of news English, not from the gold questions.
"""

from __future__ import annotations

GROUPS = (
    "control seize capture liberate free freed occupy overrun recapture retake conquer",
    "kill killed die died dead death deaths casualties fatalities slain",
    "hurt injure injured injuries wound wounded",
    "attack raid strike struck incursion assault shelling bombardment shell",
    "begin began begun start started launch launched open opened",
    "end ended finish stop halt halted suspend suspended cancel cancelled lift lifted",
    "leave left flee fled evacuate evacuated resettle depart exit withdraw withdrew",
    "buy bought acquire acquisition purchase takeover rescue merge merger",
    "pay paid price spend spent",
    "job jobs employee employees staff work workers workforce employ",
    "head chief lead leader leads run runs command commands boss director",
    "succeed replace replaced successor",
    "destroy destroyed wreck blow blew blown breach breached collapse collapsed burst damage",
    "crash crashed plunge plunged collide collided impact",
    "arrest arrested detain detained custody jail jailed imprisoned",
    "promise promised vow vowed pledge pledged undertake guarantee",
    "agree agreed deal agreement accord pact treaty",
    "elect elected vote voted poll ballot election",
    "rise rose increase increased grow grew gain higher surge",
    "fall fell drop dropped decrease decline lower sink sank cut",
    "land landed touch touched descend arrive arrived reach reached",
    "move moved relocate transfer transferred travel travelled",
    "resign resigned quit step stepped",
    "find found discover discovered detect detected",
    "send sent deploy deployed dispatch",
    "fire fired shoot shot launch",
    "meet met talks summit meeting",
    "child children girl boy minors kids",
    "soldier soldiers troops fighters",
    "cause caused blame blamed responsible",
    "former ex previous earlier",
    "blast explosion explode exploded bomb detonate detonated",
)


def _relatives() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for group in GROUPS:
        words = group.split()
        for word in words:
            found.setdefault(word, set()).update(words)
    return {word: frozenset(relatives) for word, relatives in found.items()}


RELATIVES = _relatives()


def relatives(word: str) -> frozenset[str]:
    """Return the words that news uses for the same thing as `word`, itself among them, or none."""
    return RELATIVES.get(word, frozenset())
