"""Numbers as people write them: reading and writing with separators, exactly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, InvalidOperation

MARKS = (".", ",", "٫")
_GROUPS = " \u00a0\u202f\u2009'’٬.,"
_SHAPE = re.compile(rf"[-−]?\d+(?:[{_GROUPS}٫]\d+)*")
_SAMPLE = Decimal("1234.56")
ROUNDINGS = {  # with words for people
    ROUND_HALF_UP: "rounded to {}",
    ROUND_HALF_EVEN: "rounded to {}, halves to even",
    ROUND_DOWN: "cut off to {}",
}


@dataclass(frozen=True)
class Format:
    """How a number is written. `decimals` None: as many as needed."""

    group: str = ""
    mark: str = "."
    decimals: int | None = None

    @property
    def precision(self) -> str:
        """How many decimals it has, for people."""
        if self.decimals is None:
            return "as many decimals as needed"
        return f"{self.decimals} decimal{'s' * (self.decimals > 1)}" if self.decimals else "a whole number"

    @property
    def sample(self) -> str:
        """A number in this format, for people."""
        return self.write(_SAMPLE) or ""

    def write(self, value: Decimal, rounding: str = ROUND_HALF_UP) -> str | None:
        """The number in this format; None where it would have to be rounded and `rounding` is empty."""
        if abs(value) >= Decimal(10) ** 18 or len(value.as_tuple().digits) > 24:
            return None
        plain = self._plain(value, rounding)
        if plain is None:
            return None
        sign, whole, part = plain
        if self.group:
            whole = self.group.join(_threes(whole))
        return sign + whole + (self.mark + part if part else "")

    def _plain(self, value: Decimal, rounding: str) -> tuple[str, str, str] | None:
        if self.decimals is not None:
            rounded = value.quantize(Decimal(1).scaleb(-self.decimals), rounding=rounding or ROUND_HALF_UP)
            if not rounding and rounded != value:
                return None
            value = rounded
        whole, _, part = f"{value:f}".lstrip("-").partition(".")
        if self.decimals is None:
            part = part.rstrip("0")
        return "-" if value < 0 else "", whole, part


def _threes(whole: str) -> list[str]:
    first = len(whole) % 3
    return [p for p in (whole[:first], *(whole[k : k + 3] for k in range(first, len(whole), 3))) if p]


def read(text: str, mark: str) -> Decimal | None:
    """The number that a text is where `mark` stands before the decimals; None where it is none."""
    text = text.strip()
    if not _SHAPE.fullmatch(text):
        return None
    negative = text[0] in "-−"
    whole, found, part = text.lstrip("-−").partition(mark)
    separators = set(re.findall(r"\D", whole))
    if (found and not part.isdecimal()) or len(separators) > 1 or mark in part:
        return None
    groups = re.split(r"\D", whole)
    if separators and (len(groups[0]) > 3 or any(len(g) != 3 for g in groups[1:])):
        return None
    try:
        value = Decimal("".join(groups) + ("." + part if part else ""))
    except InvalidOperation:
        return None
    return -value if negative else value


def format_of(text: str, mark: str) -> Format:
    """How a number is written that `read` could read."""
    whole, _, part = text.strip().lstrip("-−").partition(mark)
    separators = re.findall(r"\D", whole)
    return Format(separators[0] if separators else "", mark, len(part))
