"""Another value for one of a session's: of the same type, shape, script and locale, so that it could really
stand in its place. What else the session has there tells the range, the width and the style.

A value is cut into parts (dates, times, numbers, words, letters of a code, marks), and each is drawn anew,
like what stands at its place in the session's values of the same layout; what all of them share stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from random import Random
from typing import Literal

from nightschool.lessons import moments, numerals, scripts, words

Kind = Literal["date", "time", "number", "word", "code", "phrase", "email", "mark"]
Piece = Literal["date", "time", "number", "digits", "word", "letters", "mark"]

_TRIES = 30
_SEEN = 1 / 8  # how often a value is one that the session has there
_RESHAPED = 1 / 4  # how often a phrase takes the form of another that the session has there
_MOST = 16  # values of the session that are looked at
_NAME = 5  # parts that a name of CLDR may have: segunda-feira, พ.ค.
_CODE = 3  # letters that are a code if they are capitals or stand beside digits
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@.]+")
_NUMERIC = re.compile(
    rf"(?<!\d)(?<!\d[-/.:])(?:(?P<date>{moments.DATE})|(?P<time>{moments.TIME}))(?![-/.:]?\d)"
    rf"|(?P<number>{numerals.NUMBER})"
)


@dataclass(frozen=True)
class Part:
    """A stretch of a value that is drawn by itself."""

    kind: Piece
    text: str


def draw(value: str, rng: Random, pool: Sequence[str] = ()) -> str | None:
    """Another value that could stand in this one's place, or none; `pool` is what the session has there."""
    what, written = kind(value), _written_in(value)
    alike = [p for p in dict.fromkeys(pool) if p != value and kind(p) == what and _written_in(p) == written]
    alike = alike[:_MOST]
    for _ in range(_TRIES):
        made = _another(value, what, rng, alike)
        if made.casefold() != value.casefold() and _written_in(made) == written:
            return made
    return rng.choice(alike) if alike else None


def kind(value: str) -> Kind:
    """What a value is, as a whole."""
    if _EMAIL.fullmatch(value):
        return "email"
    kinds = [part.kind for part in _parts(value) if part.kind != "mark"]
    if not kinds:
        return "mark"
    if len(kinds) > 1 and any(map(str.isspace, value)):
        return "phrase"
    first = kinds[0]
    if first == "digits" or first == "letters" or (len(kinds) > 1 and set(kinds) != {"word"}):
        return "code"
    return first


def _another(value: str, what: Kind, rng: Random, alike: Sequence[str]) -> str:
    if alike and rng.random() < _SEEN:
        return rng.choice(alike)
    if what == "email":  # the part of the world it belongs to stays
        name, _, top = value.rpartition(".")
        return f"{_compose(name, rng, [p.rpartition('.')[0] for p in alike])}.{top}"
    if what == "phrase" and alike and rng.random() < _RESHAPED:
        value, alike = (shape := rng.choice(alike)), [value, *(p for p in alike if p != shape)]
    return _compose(value, rng, alike)


def _compose(value: str, rng: Random, alike: Sequence[str]) -> str:
    """The parts of a value drawn anew."""
    parts, others = _parts(value), [_parts(other) for other in alike]
    same = [other for other in others if _layout(other) == _layout(parts)]
    letters = "".join(p.text for some in (parts, *others) for p in some if p.kind == "letters")
    several = sum(part.kind != "mark" for part in parts) > 1
    made = dict(moments.other_spelt([part.text for part in parts], rng))
    for i, part in enumerate(parts):
        seen = [other[i].text for other in same if other[i].text != part.text]
        if part.kind == "mark" or (same and not seen):
            made[i] = part.text
        elif i not in made:
            made[i] = _draw(part, rng, seen or _loose(part, others), letters, may_stay=several)
    return "".join(made[i] for i in range(len(parts)))


def _loose(part: Part, others: Sequence[Sequence[Part]]) -> Sequence[str]:
    """What a word can be like where no value has this layout: any word of theirs."""
    return [one.text for other in others for one in other if one.kind == part.kind == "word"]


def _layout(parts: Sequence[Part]) -> tuple[tuple[Piece, str], ...]:
    return tuple((part.kind, part.text if part.kind == "mark" else "") for part in parts)


def _draw(part: Part, rng: Random, seen: Sequence[str], letters: str, *, may_stay: bool) -> str:
    """Another text for a part, or its own where there is no other."""
    if part.kind in ("word", "letters") and (
        name := moments.other_name(part.text, rng, seen, may_stay=may_stay)
    ):
        return name
    if part.kind == "letters":
        return _spelt(part.text, rng, letters)
    if part.kind == "word":
        return _word(part.text, rng, seen)
    text, seen = numerals.plain(part.text), [numerals.plain(one) for one in seen]
    return numerals.written(_numeric(part.kind, text, rng, seen) or text, part.text)


def _numeric(kind: Piece, text: str, rng: Random, seen: Sequence[str]) -> str | None:
    if kind == "date" or (kind == "number" and all(map(moments.readings, (text, *seen)))):
        return moments.other_date(text, rng, seen)
    if kind == "time" or _clearly_times((text, *seen)):
        return moments.other_time(text, rng, seen)
    if kind == "digits" and all(len(one) == len(text) for one in seen):
        return numerals.other_digits(text, rng)
    return numerals.other(text, rng, seen) or numerals.other_digits(text, rng)


def _clearly_times(texts: Sequence[str]) -> bool:
    """Whether three decimals or more all are times with a full stop (14.05), in steps of five minutes."""
    times = [moments.clock(text) for text in texts]
    return len(texts) >= 3 and all(time is not None and time[1] % 5 == 0 for time in times)


def _word(text: str, rng: Random, seen: Sequence[str]) -> str:
    capitals = [one for one in (text, *seen) if one.isupper() and len(one) == len(text) <= _CODE + 2]
    if seen and len(capitals) == len(seen) + 1:
        return _spelt(text, rng)
    if len(text) == 1 and not words.one_by_one(text):
        return _spelt(text, rng)
    if made := words.other(text, rng, seen):
        return made
    runs = ["".join(run) for run in _runs(text)]
    if len(runs) > 1:
        return "".join(words.other(run, rng) or _spelt(run, rng) for run in runs)
    return _spelt(text, rng)


def _spelt(text: str, rng: Random, seen: str = "") -> str:
    """Other letters of the same script and case in the same places."""
    return "".join(scripts.letter(char, rng, seen) for char in text)


def _runs(text: str) -> Iterator[Iterator[str]]:
    """The stretches of one script in a word; marks belong to what is before them."""
    last = ""

    def script(char: str) -> str:
        nonlocal last
        last = scripts.script(char) or last
        return last

    return (run for _, run in groupby(text, script))


@lru_cache(maxsize=1 << 12)
def _parts(value: str) -> tuple[Part, ...]:
    return tuple(_with_codes(_with_names(_cut(value))))


def _cut(value: str) -> list[Part]:
    """Numbers, dates and times; between them words and marks."""
    parts: list[Part] = []
    end = 0
    for match in _NUMERIC.finditer(numerals.plain(value)):
        parts += _words_and_marks(value[end : match.start()])
        parts += _checked(value[match.start() : match.end()], match)
        end = match.end()
    return parts + _words_and_marks(value[end:])


def _checked(text: str, match: re.Match[str]) -> list[Part]:
    """A date or time if it is one, else the numbers it consists of."""
    if match["number"]:
        return [Part("number", text)]
    if match["date"] and moments.readings(match[0]):
        return [Part("date", text)]
    if match["time"] and moments.clock(match[0]):
        return [Part("time", text)]
    return [Part("number" if run.isdecimal() else "mark", run) for run in re.split(r"(\D)", text)]


def _words_and_marks(text: str) -> list[Part]:
    parts: list[Part] = []
    for are_letters, run in groupby(text, scripts.is_letter):
        if are_letters:
            parts += (Part("word", word) for word in _camel("".join(run)))
        else:
            parts += (Part("mark", mark) for mark in run)
    return parts


def _camel(run: str) -> list[str]:
    """The words of a name in camel case; what some list has as it is (GmbH, McDonald) is one word."""
    cuts = [i for i in range(1, len(run)) if run[i].isupper() and _begins(run, i)]
    if not cuts or words.known(run):
        return [run]
    return [run[a:b] for a, b in zip([0, *cuts], [*cuts, len(run)], strict=True)]


def _begins(run: str, i: int) -> bool:
    """Whether a capital begins a word: after a small letter, or before one (the S in HTTPServer)."""
    return run[i - 1].islower() or run[i + 1 : i + 2].islower()


def _with_names(parts: Sequence[Part]) -> Iterator[Part]:
    """Names of weekdays and months that consist of several parts, put together."""
    i = 0
    while i < len(parts):
        size = next((n for n in range(_NAME, 1, -1) if _is_name(parts[i : i + n], n)), 1)
        yield parts[i] if size == 1 else Part("word", "".join(part.text for part in parts[i : i + size]))
        i += size


def _is_name(parts: Sequence[Part], size: int) -> bool:
    if len(parts) < size or not any(part.kind == "word" for part in parts):
        return False
    return moments.names("".join(part.text for part in parts)) is not None


def _with_codes(parts: Iterator[Part]) -> Iterator[Part]:
    """Letters and digits that stand together, and short capitals, are codes."""
    joined: list[Part] = []
    for part in parts:
        if part.kind in ("number", "word"):
            joined.append(part)
            continue
        yield from _code(joined)
        yield part
        joined = []
    yield from _code(joined)


def _code(joined: Sequence[Part]) -> Iterator[Part]:
    """Numbers and words with nothing between: long words stay words, unless numbers alternate with them."""
    numbers = sum(part.kind == "number" for part in joined)
    mixed, tangled = 0 < numbers < len(joined), 1 < numbers < len(joined) - 1
    for part in joined:
        if part.kind == "number":
            yield Part("digits" if mixed else "number", part.text)
        else:
            short = len(part.text) <= _CODE and (mixed or part.text.isupper())
            yield Part("letters" if tangled or short else "word", part.text)


def _written_in(value: str) -> frozenset[str]:
    """The scripts of a value's letters and digits."""
    digits = {numerals.written("0", char) for char in value if char.isdecimal()}
    return frozenset(digits | set(map(scripts.script, value)) - {""})
