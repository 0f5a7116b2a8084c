"""Other numbers for a number: of the size, width, padding, grouping and decimals of those seen."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

# A mark that groups three digits (or two, before the last three, as in India), then perhaps decimals.
_GROUPED = (
    r"[1-9]\d{0,2}(?P<by>[ \u00a0\u202f.,'’٬])(?:\d{2,3}(?P=by))*\d{3}"  # 1.200, 12,34,567
    r"(?:(?!(?P=by))[.,٫]\d+)?"
)
_DECIMAL = r"\d+[.,٫]\d+"
NUMBER = rf"(?<!\d)(?<!\d[.,])(?:{_GROUPED}|{_DECIMAL})(?![.,]?\d)|\d+"
_LONG = 15  # digits: more of them are a name, not an amount
_TRIES = 20
_NAMES = 4  # digits from which a number may be a name (a year, a code) whose width is fixed
_SPREAD = 20  # how far from the numbers seen others are at least: a rule has to meet many


def plain(text: str) -> str:
    """A text with its digits, of whatever script, as 0 to 9."""
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)


def written(text: str, like: str) -> str:
    """A text of plain digits with the digits of another."""
    zero = next((ord(char) - unicodedata.decimal(char) for char in like if char.isdecimal()), ord("0"))
    return "".join(chr(zero + int(char)) if "0" <= char <= "9" else char for char in text)


@dataclass(frozen=True)
class Numeral:
    """How a number is written: its digits as one whole number, and what stands between them."""

    digits: str
    by: str = ""
    groups: tuple[int, ...] = ()
    mark: str = ""
    decimals: int = 0

    @property
    def value(self) -> int:
        return int(self.digits)

    @property
    def padded(self) -> bool:
        return len(self.digits) > max(1, self.decimals + 1) and self.digits[0] == "0"

    @property
    def least(self) -> int:
        """The smallest that is still grouped, if this one is."""
        return 10 ** (self.groups[-1] + self.decimals) if self.by else 1

    def write(self, value: int, width: int = 1) -> str:
        """Another value in this layout."""
        digits = str(value).zfill(max(width, self.decimals + 1))
        cut = len(digits) - self.decimals
        whole, decimals = digits[:cut], digits[cut:]
        if self.by:
            last = self.groups[-1]
            size = self.groups[-2] if len(self.groups) > 2 else last
            head, parts = whole[:-last], [whole[-last:]]
            while head:
                head, parts = head[:-size], [head[-size:], *parts]
            whole = self.by.join(parts)
        return whole + self.mark + decimals


@lru_cache(maxsize=1 << 12)
def read(text: str) -> Numeral | None:
    """The layout of a number. Three digits behind the only mark are a group, except after a leading zero."""
    match = re.fullmatch(_GROUPED, text)
    if match:
        whole, mark, decimals = text, "", ""
        rest = re.search(r"([.,٫])(\d+)$", text)
        if rest and rest[1] != match["by"]:
            whole, mark, decimals = text[: rest.start()], rest[1], rest[2]
        parts = whole.split(match["by"])
        return Numeral("".join(parts) + decimals, match["by"], tuple(map(len, parts)), mark, len(decimals))
    match = re.fullmatch(r"(\d+)(?:([.,٫])(\d+))?", text)
    if not match:
        return None
    whole, mark, decimals = match[1], match[2] or "", match[3] or ""
    return Numeral(whole + decimals, mark=mark, decimals=len(decimals))


def other(text: str, rng: Random, seen: Sequence[str] = ()) -> str | None:
    """Another number as this one is written; never zero. The texts have plain digits, all of them."""
    mine = read(text)
    if mine is None:
        return None
    if len(mine.digits) > _LONG:
        return other_digits(text, rng)
    others = [found for found in map(read, seen) if found and len(found.digits) <= _LONG]
    alike = [mine, *(found for found in others if found.decimals == mine.decimals)]
    padded = not mine.decimals and any(found.padded for found in alike)
    width = len(mine.digits) if padded or mine.padded else 1
    least, most = _bounds(mine, alike, padded=width > 1)
    for _ in range(_TRIES):
        value = _draw([found.value for found in alike], rng)
        if least <= value <= most and value != mine.value:
            return mine.write(value, width)
    value = rng.randint(least, most)
    return mine.write(value, width) if value != mine.value else None


def _bounds(mine: Numeral, alike: Sequence[Numeral], *, padded: bool) -> tuple[int, int]:
    """The least and the most there may be: where all have as many digits, four or more, so has another."""
    widths = {len(found.digits) for found in alike}
    width = len(mine.digits)
    if padded:
        return 1, 10**width - 1
    if widths == {width} and width >= _NAMES and not mine.decimals:
        return max(mine.least, 10 ** (width - 1)), 10**width - 1
    return mine.least, 10 ** (width + 2) - 1


def _draw(seen: Sequence[int], rng: Random) -> int:
    """Mostly about where those seen are, as far from them as they are from each other; else half to twice as
    large as one of them. Half the time as round as they all are."""
    low, high = min(seen), max(seen)
    if len(seen) > 1 and rng.random() < 3 / 4:
        far = max(high - low, _SPREAD)
        value = rng.randint(max(1, low - far), high + far)
    else:
        one = rng.choice(seen)
        value = rng.randint(max(1, one // 2), max(2 * one, one // 2 + _SPREAD))
    step = _roundness(seen)
    if step > 1 and len(seen) > 1 and rng.random() < 1 / 2:
        value = max(step, round(value / step) * step)
    return value


def _roundness(seen: Sequence[int]) -> int:
    """The largest of 1, 5, 10, 50, 100 and so on that divides all."""
    step = 1
    for factor in (5, 2) * _LONG:
        if not any(seen) or any(value % (step * factor) for value in seen):
            break
        step *= factor
    return step


def other_digits(text: str, rng: Random) -> str:
    """Other digits in the same places; the first is zero only where it was."""

    def another(match: re.Match[str]) -> str:
        first = "0" if match[0][0] == "0" and len(match[0]) > 1 else rng.choice("123456789")
        return first + "".join(rng.choice("0123456789") for _ in match[0][1:])

    return re.sub(r"\d+", another, text)
