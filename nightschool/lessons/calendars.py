"""Dates, times of day, and the names of weekdays, months and halves of the day in many languages (CLDR)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Literal

from nightschool.lessons import scripts

# Those whose names are looked for in answers, English first: of equal lists the first language's is kept.
_LANGUAGES = (
    "en de fr es it pt nl sv da no fi pl cs sk hu ro bg ru uk el tr ar he fa hi bn ta te th ja zh ko vi id "
    "ms hr sr sl et lv lt is ga ca eu gl ka hy az kk ur mr gu pa ml kn sq mk af sw"
).split()

Order = tuple[str, str, str]
ORDERS: tuple[Order, ...] = (("y", "m", "d"), ("d", "m", "y"), ("m", "d", "y"))

# What CLDR calls its lists of names, and the keys of each in calendar order.
Field = Literal["days", "months", "day_periods"]
Width = Literal["wide", "abbreviated", "short", "narrow"]
_KEYS: Mapping[Field, Sequence[object]] = {
    "days": range(7),  # from Monday
    "months": range(1, 13),
    "day_periods": ("am", "pm"),
}
_WIDTHS: tuple[Width, ...] = ("wide", "abbreviated", "short", "narrow")
_WHAT: Mapping[Field, str] = {"days": "weekday", "months": "month", "day_periods": "half of the day"}


@dataclass(frozen=True)
class Names:
    """What one language calls the weekdays, the months or the halves of the day, in calendar order."""

    field: Field
    language: str
    width: Width
    names: tuple[str, ...]

    @property
    def what(self) -> str:
        """What each of the names is, in English."""
        return _WHAT[self.field]

    @property
    def manner(self) -> str:
        """The language, and that the names are short where they are, for people."""
        called = scripts.cldr("en")["languages"].get(self.language, self.language)
        return f"in {called}" + ("" if self.width == "wide" else ", abbreviated")

    def index(self, name: str) -> int | None:
        """The place of a name, whatever its case; None where it is not in the list."""
        return _folded(self.names).get(name.casefold())

    def bare(self) -> Names:
        """The names without their full stops, as many write abbreviations."""
        return replace(self, names=tuple(name.rstrip(".") for name in self.names))

    @property
    def distinct(self) -> bool:
        """Whether no two have the same name."""
        return len(set(self.names)) == len(self.names)


@lru_cache(maxsize=2048)
def _folded(names: tuple[str, ...]) -> dict[str, int]:
    return {name.casefold(): k for k, name in enumerate(names)}


def names_of(language: str) -> Iterator[Names]:
    """The complete lists that CLDR has of one language, full names before short ones."""
    data = scripts.cldr(language)
    for width in _WIDTHS:
        for context in ("format", "stand-alone"):
            for field, keys in _KEYS.items():
                forms = data.get(field, {}).get(context, {})
                # Where it is no mapping, it refers to another context, which has the names.
                called = forms.get(width) if isinstance(forms, dict) else None
                found = [called.get(key) for key in keys] if isinstance(called, dict) else []
                names = tuple(name for name in found if isinstance(name, str))
                if len(names) == len(keys):
                    yield Names(field, language, width, names)


@lru_cache(maxsize=1)
def calendars() -> tuple[Names, ...]:
    """The weekdays and months of many languages as lists of distinct names, each list once."""
    found: dict[tuple[str, ...], Names] = {}
    for language in _LANGUAGES:
        for listed in names_of(language):
            if listed.field != "day_periods" and listed.width in ("wide", "abbreviated"):
                for made in (listed, listed.bare()):
                    if made.distinct:
                        found.setdefault(made.names, made)
    return tuple(found.values())


@lru_cache(maxsize=1)
def _by_name() -> dict[str, tuple[Names, ...]]:
    found: dict[str, tuple[Names, ...]] = {}
    for names in calendars():
        for name in names.names:
            found[name.casefold()] = (*found.get(name.casefold(), ()), names)
    return found


def lists_with(name: str) -> tuple[Names, ...]:
    """The lists in which a name stands."""
    return _by_name().get(name.casefold(), ())


def lists_naming(text: str, what: str, index: int) -> list[Names]:
    """The lists of weekdays or months whose name at `index` stands in a text."""
    low = text.casefold()
    return [n for n in calendars() if n.what == what and n.names[index].casefold() in low]


def case_like(name: str, sample: str) -> str:
    """A name in the case that a sample of it has."""
    return name.upper() if sample.isupper() else name.lower() if sample.islower() else name


_NUMERIC = re.compile(r"(\d+)(\D+)(\d+)(\D+)(\d+)\D{0,2}")
_SPELT = re.compile(r"\d+|[^\W\d_][^\d\s,]*")


def read_date(text: str, order: Order) -> date | None:
    """A date of numbers only, its parts in `order`; None where it is none. Two digits are of this century."""
    found = _NUMERIC.fullmatch(text.strip())
    if not found or found.group(2)[0].isalpha() != found.group(4)[0].isalpha():
        return None
    parts = dict(zip(order, (found[1], found[3], found[5]), strict=True))
    if len(parts["y"]) not in ((4,) if order[0] == "y" else (2, 4)):
        return None
    if len(parts["d"]) > 2 or len(parts["m"]) > 2:
        return None
    return _valid(int(parts["y"]), int(parts["m"]), int(parts["d"]))


def read_spelt(text: str, names: Names) -> date | None:
    """A date whose month is spelt, as in "12. Mai 2025" or "May 12, 2025"."""
    day = year = month = None
    for part in _SPELT.findall(text):
        if not part.isdecimal():
            found = names.index(part) if names.index(part) is not None else names.index(part.rstrip("."))
            month = found if found is not None else month
        elif len(part) == 4:
            year = int(part)
        elif len(part) <= 2 and day is None:
            day = int(part)
    if day is None or month is None or year is None:
        return None
    return _valid(year, month + 1, day)


def _valid(year: int, month: int, day: int) -> date | None:
    try:
        return date(year + 2000 if year < 100 else year, month, day)
    except ValueError:
        return None


def is_calendar(text: str) -> bool:
    """Whether a text may be a date, a time of day, or a name of the calendar."""
    if len(text) > 40:
        return False
    if lists_with(text) or read_time(text) is not None or orders_of([text]):
        return True
    words = [word for word in _SPELT.findall(text) if not word.isdecimal()]
    return any(c.isdecimal() for c in text) and any(lists_with(w) or lists_with(w + ".") for w in words)


def orders_of(texts: Sequence[str]) -> list[Order]:
    """The orders in which every text is a date."""
    return [order for order in ORDERS if all(read_date(text, order) for text in texts)]


_TIME = re.compile(r"(\d\d?)(?::([0-5]\d))?(?::[0-5]\d)?\s*([ap])?\.?(?:m\.?)?", re.IGNORECASE)


def read_time(text: str) -> int | None:
    """Minutes since midnight of `9:30`, `21:30`, `9:30 pm` or `9 am`; None where it is no time."""
    found = _TIME.fullmatch(text.strip())
    if not found or not (found[2] or found[3]):
        return None
    hour, minute, half = int(found[1]), int(found[2] or 0), (found[3] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "p" else 0)
    return hour * 60 + minute if hour < 24 else None
