"""What a transformation is, and the examples that one is proposed from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from nightschool.lessons.atoms import atoms

DIGIT_BITS = 3.3  # log2 of 10


@dataclass(frozen=True)
class Transformation:
    """A function from the values of its sources to a piece of an answer, None where it has no value there.

    `words` say what it does, with "{}" for what it is done to, and "{letter}" or "{letters}" for what that
    consists of.
    """

    words: str
    cost: float
    apply: Callable[[Sequence[str]], str | None]


@dataclass(frozen=True)
class Examples:
    """The values of one source in every case, and the answers they are looked for in."""

    values: tuple[str, ...]
    answers: tuple[str, ...]

    @property
    def targets(self) -> tuple[str, ...]:
        """The numbers of the first answer: what a fitted number is fitted to."""
        return numbers_in(self.answers[0])


@lru_cache(maxsize=512)
def numbers_in(answer: str) -> tuple[str, ...]:
    """The numbers of an answer, with and without a minus before them."""
    found = [a.text for a in atoms(answer) if a.kind in ("number", "code")]
    # "71 200" may be one number or two.
    found += [part for text in found if " " in text for part in text.split(" ")]
    signed = ["-" + text for text in found if "-" + text in answer]
    return tuple(dict.fromkeys(found + signed))


def bits(piece: str) -> float:
    """About how much a piece of an answer tells: the more, the less likely it stands there by chance."""
    return sum(4.0 if c.isalpha() else DIGIT_BITS if c.isdecimal() else 0.5 for c in piece)


def choice_bits(count: int) -> float:
    """What choosing one of `count` costs."""
    return math.log2(max(count, 1))


def number_bits(number: Decimal) -> float:
    """What a fitted number costs: its digits."""
    return DIGIT_BITS * len(number.normalize().as_tuple().digits)
