"""Other dates and times, and other names of weekdays, months and halves of the day, in any language."""

from __future__ import annotations

import datetime
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from random import Random
from typing import Literal

from nightschool.lessons import scripts
from nightschool.lessons.calendars import Names, names_of

Order = Literal["day first", "month first"]

DATE = (
    r"\d{4}(?P<y>[-/.])\d{1,2}(?P=y)\d{1,2}"  # the year first
    r"|\d{1,2}(?P<d>[-/.])\d{1,2}(?P=d)(?:\d{4}|\d{2})"  # the year last
)
TIME = r"\d{1,2}[:：]\d{2}(?:[:：]\d{2})?"
_YEAR_FIRST = re.compile(r"(?P<year>\d{4})(?P<mark>[-/.])(?P<a>\d{1,2})(?P=mark)(?P<b>\d{1,2})")
_YEAR_LAST = re.compile(r"(?P<a>\d{1,2})(?P<mark>[-/.])(?P<b>\d{1,2})(?P=mark)(?P<year>\d{4}|\d{2})")
_COMPACT = re.compile(r"(?P<year>(?:19|20)\d{2})(?P<mark>)(?P<a>\d{2})(?P<b>\d{2})")
_CLOCK = re.compile(r"(\d{1,2})([:：.])(\d{2})(?:\2(\d{2}))?")
_STYLES: tuple[Callable[[str], str], ...] = (str, str.upper, str.lower, str.title)
_ORDERS: tuple[Order, ...] = ("day first", "month first")
_DAY = re.compile(r"0?[1-9]|[12]\d|3[01]", re.ASCII)
_YEAR = re.compile(r"[12]\d{3}", re.ASCII)
_TRIES = 200
_FAR = 366  # days around the dates seen
_NEAR = 6  # parts of a text between the month and the rest of its date


def names(text: str, seen: Sequence[str] = ()) -> Names | None:
    """The list that a text is in, if most of it and those seen in its place are."""
    found = [one for one in _index(scripts.signature(text)).get(_key(text), ()) if _at(one, text) is not None]
    if not found:
        return None
    shared = {one: 1 + sum(_at(one, other) is not None for other in seen) for one in found}
    best = max(found, key=lambda one: (shared[one], text.rstrip(".") in one.names, one.width == "wide"))
    return best if shared[best] * 2 > 1 + len(seen) else None


def other_name(text: str, rng: Random, seen: Sequence[str] = (), *, may_stay: bool = False) -> str | None:
    """Another weekday, month or half of the day, in the same language, form and case; perhaps the same."""
    one = names(text, seen)
    if one is None:
        return None
    here = _at(one, text)
    return _like(one, text, rng.choice([i for i in range(len(one.names)) if may_stay or i != here]))


def _at(listed: Names, text: str) -> int | None:
    """Which name of a list a text is, with its full stop or without. A short form also is an ordinary word
    somewhere (the German "so", "do"), so it counts only as CLDR writes it or all in capitals."""
    return next((i for i, name in enumerate(listed.names) if _style(listed, text, name)), None)


def _style(listed: Names, text: str, name: str) -> Callable[[str], str] | None:
    """The case in which a text is a name of a list; None where it is another one."""
    text = text.rstrip(".")
    styles = _STYLES if listed.width == "wide" else _STYLES[:2]
    return next((style for style in styles if style(name) == text), None)


def _like(listed: Names, text: str, position: int) -> str:
    """The name at a position, written as a text that is in the list."""
    style = next(filter(None, (_style(listed, text, name) for name in listed.names)))
    return style(listed.names[position]) + "." * text.endswith(".")


@lru_cache(maxsize=256)
def _index(like: tuple[str, ...]) -> Mapping[str, tuple[Names, ...]]:
    """All lists by the names in them, those of the most official languages first."""
    found: dict[str, dict[tuple[str, ...], Names]] = defaultdict(dict)
    for language in scripts.languages(like):
        for one in map(Names.bare, names_of(language)):
            # Single letters are letters first.
            if one.distinct and min(map(len, one.names)) > 1:
                for name in one.names:
                    found[_key(name)].setdefault(one.names, one)
    return {name: tuple(lists.values()) for name, lists in found.items()}


def _key(name: str) -> str:
    return name.casefold().rstrip(".")


def readings(text: str) -> Mapping[Order, datetime.date]:
    """The dates that a numeric date may mean."""
    match = _YEAR_FIRST.fullmatch(text) or _COMPACT.fullmatch(text) or _YEAR_LAST.fullmatch(text)
    if not match:
        return {}
    year = int(match["year"]) + (2000 if len(match["year"]) == 2 else 0)
    found: dict[Order, datetime.date] = {}
    for order in _ORDERS[1:] if match.start("year") == 0 else _ORDERS:
        day, month = (int(match[part]) for part in ("ab" if order == "day first" else "ba"))
        if (date := _date(year, month, day)) is not None:
            found[order] = date
    return found


def _date(year: int, month: int, day: int) -> datetime.date | None:
    try:
        return datetime.date(year, month, day)
    except ValueError:
        return None


def other_date(text: str, rng: Random, seen: Sequence[str] = ()) -> str:
    """Another date in the same layout, about the time of those seen. Where nothing tells which number is the
    month, both could be."""
    mine = readings(text)
    all_of_them = [mine, *map(readings, seen)]
    orders = [order for order in mine if all(order in one for one in all_of_them)] or list(mine)
    dates = [one[orders[0]] for one in all_of_them if orders[0] in one]
    new = _about(dates, rng)
    if len(orders) > 1:
        new = new.replace(day=rng.randint(1, 12))
    return _written(text, orders[0], new, padded=not any(map(_bare, (text, *seen))))


def _about(dates: Sequence[datetime.date], rng: Random) -> datetime.date:
    """A date among these, or as far from them as they are from each other (a year at least). It is of the
    same century: two digits of a year tell no other."""
    first, last = min(dates).toordinal(), max(dates).toordinal()
    far = max(last - first, _FAR)
    century = dates[0].year // 100 * 100
    least = datetime.date(max(century, 1), 1, 1).toordinal()
    most = datetime.date(century + 99, 12, 31).toordinal()
    return datetime.date.fromordinal(rng.randint(max(first - far, least), min(last + far, most)))


def _bare(text: str) -> bool:
    """Whether a date or time writes some number with one digit."""
    return any(len(digits) == 1 for digits in re.findall(r"\d+", text))


def _written(text: str, order: Order, date: datetime.date, *, padded: bool) -> str:
    """A date in the layout of a text."""
    match = _YEAR_FIRST.fullmatch(text) or _COMPACT.fullmatch(text) or _YEAR_LAST.fullmatch(text)
    assert match
    a, b = (date.day, date.month) if order == "day first" else (date.month, date.day)
    parts = [str(part).zfill(2 if padded else 1) for part in (a, b)]
    year = f"{date.year:04d}"[-len(match["year"]) :]
    return match["mark"].join([year, *parts] if match.start("year") == 0 else [*parts, year])


def clock(text: str) -> tuple[int, ...] | None:
    """The hour, the minute and the second, if there is one, of a valid time."""
    match = _CLOCK.fullmatch(text)
    if not match:
        return None
    found = tuple(int(part) for part in match.groups() if part and part.isdecimal())
    return found if found[0] < 24 and all(part < 60 for part in found[1:]) else None


def other_time(text: str, rng: Random, seen: Sequence[str] = ()) -> str:
    """Another time in the same layout. The hours seen tell whether there are twelve or more, and about when;
    the minutes, whether they are multiples of five."""
    times = [found for found in map(clock, (text, *seen)) if found]
    match = _CLOCK.fullmatch(text)
    assert match
    hours = [time[0] for time in times]
    least, most = max(0, min(hours) - 3), min(23, max(hours) + 3)
    if all(1 <= hour <= 12 for hour in hours):
        least, most = 1, 12
    hour = str(rng.randint(least, most)).zfill(1 if any(map(_bare, (text, *seen))) else 2)
    parts = [hour]
    for position in range(1, len(clock(text) or ())):
        step = 5 if all(time[position] % 5 == 0 for time in times if len(time) > position) else 1
        parts.append(f"{rng.randrange(0, 60, step):02d}")
    return match[2].join(parts)


def other_spelt(texts: Sequence[str], rng: Random) -> Mapping[int, str]:
    """Another date for one that is spelt with a month's name, among the parts of a text: the new texts of the
    month, the day, the year and the weekday. Empty where there is no such date."""
    lists = {i: one for i, text in enumerate(texts) if (one := names(text))}
    months = [i for i, one in lists.items() if one.field == "months"]
    if len(months) != 1:
        return {}
    month = months[0]
    day, year = _near(texts, month, _DAY), _near(texts, month, _YEAR)
    weekday = next((i for i, one in lists.items() if one.field == "days"), None)
    if (day, year) == (None, None):
        return {}
    old = _meant(texts, lists, month, day, year, weekday)
    if old is None:
        return {}
    language = lists[month].language
    new = _alike(old, rng, year=year is not None, language=language if _suffixed(texts, day) else None)
    made = {i + 1: texts[i + 1] for i in (month, day, year) if i is not None and _suffixed(texts, i)}
    made[month] = _like(lists[month], texts[month], new.month - 1)
    if day is not None:
        made[day] = str(new.day).zfill(2 if texts[day].startswith("0") else 1)
    if year is not None:
        made[year] = f"{new.year:04d}"
    if weekday is not None:
        made[weekday] = _like(lists[weekday], texts[weekday], new.weekday())
    return made


def _near(texts: Sequence[str], at: int, number: re.Pattern[str]) -> int | None:
    """Where such a number stands nearest to a part."""
    around = range(max(0, at - _NEAR), min(len(texts), at + _NEAR + 1))
    found = [i for i in around if number.fullmatch(texts[i])]
    return min(found, key=lambda i: abs(i - at), default=None)


def _meant(
    texts: Sequence[str],
    lists: Mapping[int, Names],
    month: int,
    day: int | None,
    year: int | None,
    weekday: int | None,
) -> datetime.date | None:
    """The date that the parts at these places say; of no certain year, one in which the weekday is right."""
    number = (_at(lists[month], texts[month]) or 0) + 1
    in_month = int(texts[day]) if day is not None else 1
    if year is not None:
        return _date(int(texts[year]), number, in_month)
    on = _at(lists[weekday], texts[weekday]) if weekday is not None else None
    return _date(_year(number, in_month, on), number, in_month)


def _year(month: int, day: int, weekday: int | None) -> int:
    """A year in which the weekday is right, where only a weekday tells it."""
    for year in range(2025, 2053):
        date = _date(year, month, day)
        if date is not None and weekday in (None, date.weekday()):
            return year
    return 2025


def _suffixed(texts: Sequence[str], at: int | None) -> bool:
    """Whether letters stand right behind a part, as in 3rd or 2024年."""
    return at is not None and at + 1 < len(texts) and texts[at + 1].isalpha()


def _alike(old: datetime.date, rng: Random, *, year: bool, language: str | None) -> datetime.date:
    """Another date: of the same year if none is said, with a day that takes the same ending in a language."""
    plural = scripts.cldr(language).get("ordinal_form") if language else None
    for _ in range(_TRIES):
        new = _about([old], rng)
        if not year:
            new = new.replace(year=old.year, day=min(new.day, 28))
        if plural is None or plural(new.day) == plural(old.day):
            return new
    return old
