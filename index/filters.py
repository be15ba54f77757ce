"""Which articles a question may be answered from: published when, by which outlets."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Self

from index.errors import QuestionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What an article must be to be searched; falsy when every article passes.

    An article of unknown date passes no date filter, one of unknown outlet no outlet filter.
    Outlets are compared without regard to case and blanks.

    Raises:
        QuestionError: If no article can pass: the first day is after the last, or an outlet is
            blank.
    """

    published_from: date | None = None  # inclusive
    published_to: date | None = None  # inclusive
    outlets: tuple[str, ...] = ()  # any of them will do; none: every outlet passes

    def __post_init__(self) -> None:
        for name in ("published_from", "published_to"):
            if isinstance(day := getattr(self, name), datetime):  # a date to Python, not to us
                object.__setattr__(self, name, day.date())
        if isinstance(self.outlets, str):
            raise TypeError(f"outlets must be a tuple of names, not the string {self.outlets!r}")
        object.__setattr__(self, "outlets", tuple(self.outlets))
        first, last = self.published_from, self.published_to
        if first and last and first > last:
            raise QuestionError(
                f"No article is published on or after {first} and on or before {last}. "
                "Swap the two days, or leave one out."
            )
        if not all(map(outlet_key, self.outlets)):
            raise QuestionError('An outlet to filter by is blank. Name one, e.g. "Meridian Wire".')

    def __bool__(self) -> bool:
        return bool(self.published_from or self.published_to or self.outlets)

    def passes(self, published: date | None, outlet: str | None) -> bool:
        """Return whether an article of this day and outlet passes."""
        return not self.failed_by(published, outlet)

    def failed_by(self, published: date | None, outlet: str | None) -> Filters:
        """Return the parts of the filter that leave out an article of this day and outlet."""
        first, last = self.published_from, self.published_to
        wanted = set(map(outlet_key, self.outlets))
        return Filters(
            published_from=first if first and (not published or published < first) else None,
            published_to=last if last and (not published or published > last) else None,
            outlets=() if not wanted or outlet_key(outlet or "") in wanted else self.outlets,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary; dates are ISO 8601 strings."""
        return {
            "published_from": self.published_from and self.published_from.isoformat(),
            "published_to": self.published_to and self.published_to.isoformat(),
            "outlets": list(self.outlets),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the filter that `to_dict` described.

        Raises:
            KeyError: If a field is missing.
            ValueError: If a date is not ISO 8601.
        """
        first, last = values["published_from"], values["published_to"]
        return cls(
            published_from=first and date.fromisoformat(first),
            published_to=last and date.fromisoformat(last),
            outlets=tuple(values["outlets"]),
        )


def outlet_key(name: str) -> str:
    """Return an outlet's name as it is compared: composed, without case, single blanks."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


NO_FILTER = Filters()
