"""Dates, times of day, weekdays and months in other layouts, in parts, and shifted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache, partial

from nightschool.lessons.atoms import atoms
from nightschool.lessons.calendars import (
    Names,
    Order,
    case_like,
    lists_naming,
    lists_with,
    orders_of,
    read_date,
    read_spelt,
    read_time,
)
from nightschool.lessons.proposals import Examples, Transformation, number_bits

DateReader = Callable[[str], date | None]


def date_family(examples: Examples) -> Iterator[Transformation]:
    """A date in other layouts, its parts, its weekday; days later."""
    for reader, order in _readers(examples.values):
        first = reader(examples.values[0])
        if first is None:
            continue
        for words, cost, write in _layouts(first, order, examples.answers[0]):
            if write(first) in examples.answers[0]:
                yield _dated(words, cost, reader, write)
        yield from _later(reader, first, examples.answers[0])


def _readers(values: Sequence[str]) -> Iterator[tuple[DateReader, Order | None]]:
    for order in orders_of(values):
        yield partial(read_date, order=order), order
    words = [a.text for a in atoms(values[0]) if a.kind == "word"]
    for names in dict.fromkeys(n for w in words for n in (*lists_with(w), *lists_with(w + "."))):
        if names.what == "month" and all(read_spelt(value, names) for value in values):
            yield partial(read_spelt, names=names), None


Layout = tuple[str, float, Callable[[date], str]]
_PARTS: dict[str, Callable[[date], str]] = {
    "the day of {}": lambda d: str(d.day),
    "the day of {} in two digits": lambda d: f"{d.day:02d}",
    "the number of the month of {}": lambda d: str(d.month),
    "the number of the month of {} in two digits": lambda d: f"{d.month:02d}",
    "the year of {}": lambda d: f"{d.year:04d}",
    "the last two digits of the year of {}": lambda d: f"{d.year % 100:02d}",
    "the quarter of {}": lambda d: str((d.month + 2) // 3),
    "the number of the weekday of {}": lambda d: str(d.isoweekday()),
}


def _layouts(first: date, order: Order | None, answer: str) -> Iterator[Layout]:
    for words, write in _PARTS.items():
        yield words, 1.5, write
    yield from _numeric_layouts()
    for what, index in (("weekday", first.weekday()), ("month", first.month - 1)):
        for names in lists_naming(answer, what, index):
            for case, rewrite in _CASES.items():
                yield f"the {what} of {{}} {names.manner}{case}", 2.5, _namer(names, rewrite)


@lru_cache(maxsize=1)
def _numeric_layouts() -> tuple[Layout, ...]:
    orders = {"year, month, day": "{y}{s}{m}{s}{d}", "day, month, year": "{d}{s}{m}{s}{y}"}
    orders["month, day, year"] = "{m}{s}{d}{s}{y}"
    found: list[Layout] = []
    for words, template in orders.items():
        for separator in ("-", ".", "/", "", " ", ". "):
            for pad in ("02d", "d"):
                for years in (10000, 100):
                    found.append((f"{{}} as {words}", 3.0, _layout(template, separator, pad, years)))
    return tuple(found)


def _layout(template: str, separator: str, pad: str, years: int) -> Callable[[date], str]:
    def write(d: date) -> str:
        year = f"{d.year % years:0{4 if years > 100 else 2}d}"
        return template.format(y=year, m=format(d.month, pad), d=format(d.day, pad), s=separator)

    return write


_CASES: dict[str, Callable[[str], str]] = {
    "": str,
    ", in capitals": str.upper,
    ", in small letters": str.lower,
    ", with a capital": lambda s: s[:1].upper() + s[1:],
}


def _namer(names: Names, rewrite: Callable[[str], str]) -> Callable[[date], str]:
    if names.what == "weekday":
        return lambda d: rewrite(names.names[d.weekday()])
    return lambda d: rewrite(names.names[d.month - 1])


def _dated(words: str, cost: float, reader: DateReader, write: Callable[[date], str]) -> Transformation:
    def apply(values: Sequence[str]) -> str | None:
        found = reader(values[0])
        try:
            return None if found is None else write(found)
        except OverflowError:  # past the last day that a date can be
            return None

    return Transformation(words, cost, apply)


_DAYS_LATER = (*range(-7, 0), *range(1, 32), 45, 60, 90, 180, 365)


def _later(reader: DateReader, first: date, answer: str) -> Iterator[Transformation]:
    """The date some days later or earlier, in any layout with separators."""
    for days in _DAYS_LATER:
        goal = first + timedelta(days)
        for _, _, write in _numeric_layouts():
            made = write(goal)
            if not made.isdecimal() and made in answer:
                shifted = lambda d, write=write, days=days: write(d + timedelta(days))  # noqa: E731
                words = f"{_counted(abs(days), 'day')} {'after' if days > 0 else 'before'} {{}}"
                yield _dated(words, 5 + number_bits(Decimal(days)), reader, shifted)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number > 1)}"


def name_family(examples: Examples) -> Iterator[Transformation]:
    """A weekday or month by its place in the calendar, or by its name elsewhere; and back."""
    answer, first = examples.answers[0], examples.values[0]
    known = [n for n in lists_with(first) if all(n.index(v) is not None for v in examples.values)]
    for what in dict.fromkeys(n.what for n in known):
        lists = [n for n in known if n.what == what]
        index = _index(lists, first)
        if index is None:
            continue
        for words, write in _PLACES.items():
            if write(index) in answer:
                yield _place(words.format(what), lists, write)
        for other in lists_naming(answer, what, index):
            yield from _renamed(examples.values, lists, other)
    yield from _named_by_number(examples)


def _index(lists: Sequence[Names], name: str) -> int | None:
    """The place of a name in lists that know it; None where they differ."""
    found = {n.index(name) for n in lists} - {None}
    return found.pop() if len(found) == 1 else None


_PLACES: dict[str, Callable[[int], str]] = {
    "the place of {{}} among the {}s": lambda k: str(k + 1),
    "the place of {{}} among the {}s, counted from 0": lambda k: str(k),
    "the place of {{}} among the {}s, in two digits": lambda k: f"{k + 1:02d}",
    "the place of {{}} among the {}s, Sunday first": lambda k: str((k + 1) % 7 + 1),
}


def _place(words: str, lists: Sequence[Names], write: Callable[[int], str]) -> Transformation:
    def apply(values: Sequence[str]) -> str | None:
        index = _index(lists, values[0])
        return None if index is None else write(index)

    return Transformation(words, 1.5, apply)


def _renamed(values: Sequence[str], lists: Sequence[Names], other: Names) -> Iterator[Transformation]:
    """As another list writes it, in the list's own case or in that of the value."""
    for like in (lambda name, value: name, case_like):

        def apply(found: Sequence[str], like: Callable[[str, str], str] = like) -> str | None:
            index = _index(lists, found[0])
            return None if index is None else like(other.names[index], found[0])

        if any(apply([value]) != value for value in values):  # else it is "as is"
            yield Transformation(f"{{}} {other.manner}", 2.0, apply)


def _named_by_number(examples: Examples) -> Iterator[Transformation]:
    for what, most in (("weekday", 7), ("month", 12)):
        numbers = [_small(value) for value in examples.values]
        if not all(1 <= number <= most for number in numbers):
            continue
        for names in lists_naming(examples.answers[0], what, numbers[0] - 1):
            words = f"the {what} that {{}} stands for, {names.manner}"
            yield Transformation(words, 2.5, partial(_nth, names))


def _nth(names: Names, values: Sequence[str]) -> str | None:
    number = _small(values[0])
    return names.names[number - 1] if 1 <= number <= len(names.names) else None


def _small(value: str) -> int:
    """The number that a text of one to three digits is; 0 for others."""
    return int(value) if value.isdecimal() and len(value) <= 3 else 0


_CLOCKS: dict[str, Callable[[int], str]] = {
    "{} on the 24-hour clock, the hour in two digits": lambda t: f"{t // 60:02d}:{t % 60:02d}",
    "{} on the 24-hour clock": lambda t: f"{t // 60}:{t % 60:02d}",
    "{} with a full stop for the colon": lambda t: f"{t // 60:02d}.{t % 60:02d}",
    "{} without a colon": lambda t: f"{t // 60:02d}{t % 60:02d}",
    "{} with an h for the colon": lambda t: f"{t // 60}h{t % 60:02d}",
    "{} with an h for the colon, the hour in two digits": lambda t: f"{t // 60:02d}h{t % 60:02d}",
    "{} on the 12-hour clock": lambda t: f"{_twelve(t)}:{t % 60:02d} {_half(t)}",
    "{} on the 12-hour clock, in capitals": lambda t: f"{_twelve(t)}:{t % 60:02d} {_half(t).upper()}",
    "{} on the 12-hour clock, without a space": lambda t: f"{_twelve(t)}:{t % 60:02d}{_half(t)}",
    "{} on the 12-hour clock, without a space, in capitals": lambda t: (
        f"{_twelve(t)}:{t % 60:02d}{_half(t).upper()}"
    ),
    "the hour of {} on the 12-hour clock": lambda t: str(_twelve(t)),
    "the hour of {} with am or pm": lambda t: f"{_twelve(t)}{_half(t)}",
    "am or pm, as {} is": lambda t: _half(t),
    "AM or PM, as {} is": lambda t: _half(t).upper(),
    "the hour of {}": lambda t: str(t // 60),
    "the hour of {} in two digits": lambda t: f"{t // 60:02d}",
    "the minutes of {}": lambda t: f"{t % 60:02d}",
    "the minutes from midnight to {}": str,
}


def _twelve(minutes: int) -> int:
    return (minutes // 60 + 11) % 12 + 1


def _half(minutes: int) -> str:
    return "am" if minutes < 720 else "pm"


def time_family(examples: Examples) -> Iterator[Transformation]:
    """A time of day on another clock, its parts, and some minutes later."""
    times = [read_time(value) for value in examples.values]
    first = times[0]
    if first is None or None in times:
        return
    answer = examples.answers[0]
    for words, write in _CLOCKS.items():
        if write(first) in answer:
            yield _clock(words, 2.5, write, 0)
    for goal in (read_time(a.text) for a in atoms(answer) if a.kind == "time"):
        if goal is None or goal == first:
            continue
        later = (goal - first) % 1440
        for write in list(_CLOCKS.values())[:2]:
            if write(goal) in answer:
                words = f"{_counted(later, 'minute')} after {{}}"
                yield _clock(words, 5 + number_bits(Decimal(later)), write, later)


def _clock(words: str, cost: float, write: Callable[[int], str], later: int) -> Transformation:
    def apply(values: Sequence[str]) -> str | None:
        minutes = read_time(values[0])
        return None if minutes is None else write((minutes + later) % 1440)

    return Transformation(words, cost, apply)
