"""Numbers in other formats, and what is reckoned from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from nightschool.lessons.amounts import MARKS, ROUNDINGS, Format, format_of, read
from nightschool.lessons.proposals import Examples, Transformation, number_bits, numbers_in


def number_family(examples: Examples) -> Iterator[Transformation]:
    """A number written otherwise, plus or times a fitted number, a percentage of it, rounded."""
    for mark in _marks(examples.values):
        start = read(examples.values[0], mark)
        if start is None:
            continue
        for form in _formats(examples.answers):
            yield from _rewritten(examples.values, mark, form)
            for target in examples.targets:
                goal = read(target, form.mark)
                if goal is not None:
                    yield from _fitted(mark, form, start, goal)


def _marks(values: Sequence[str]) -> list[str]:
    """The decimal marks with which all values can be read, those that read the same only once."""
    found: dict[tuple[Decimal, ...], str] = {}
    for mark in MARKS:
        numbers = [read(value, mark) for value in values]
        if None not in numbers:
            found.setdefault(tuple(n for n in numbers if n is not None), mark)
    return list(found.values())


@lru_cache(maxsize=64)
def _formats(answers: tuple[str, ...]) -> list[Format]:
    """The formats that numbers of the answers may have."""
    seen = {Format(), Format(decimals=0)}
    for answer in answers:
        for text in numbers_in(answer):
            for mark in MARKS:
                if read(text, mark) is not None:
                    form = format_of(text, mark)
                    seen |= {form, Format(form.group, mark), Format("", mark, form.decimals)}
    return sorted(seen, key=lambda f: (f.group, f.mark, -1 if f.decimals is None else f.decimals))


def _rewritten(values: Sequence[str], mark: str, form: Format) -> Iterator[Transformation]:
    numbers = [(value, read(value, mark)) for value in values]
    if not form.group and all(n is not None and form.write(n) == value for value, n in numbers):
        return  # that is "as is"
    if form.decimals is not None:
        for rounding, words in ROUNDINGS.items():
            yield _number(f"{{}} {words.format(form.precision)}", 2.5, mark, form, lambda x: x, rounding)
    whole = not form.group and all(value.isdecimal() for value in values)
    how = "without leading zeros" if whole else f"written like {form.sample}"
    yield _number(f"{{}} {how}", 2.0, mark, form, lambda x: x)


def _fitted(mark: str, form: Format, start: Decimal, goal: Decimal) -> Iterator[Transformation]:
    difference = goal - start
    if difference:
        sign = "plus" if difference > 0 else "minus"
        words = f"{{}} {sign} {_shown(abs(difference))}"
        yield _number(words, 3 + number_bits(difference), mark, form, lambda x: x + difference)
    if not start or not goal:
        return
    factor = goal / start
    if factor != 1 and len(factor.normalize().as_tuple().digits) <= 5:
        words = f"{_shown(factor)} times {{}}"
        yield _number(words, 4 + number_bits(factor), mark, form, _times(factor))
    inverse = start / goal
    if inverse != 1 and inverse == int(inverse) and len(str(int(inverse))) <= 4:
        yield _number(
            f"{{}} divided by {_shown(inverse)}", 4 + number_bits(inverse), mark, form, lambda x: x / inverse
        )
    if form.decimals is not None:
        yield from _percentages(mark, form, start, goal)


def _percentages(mark: str, form: Format, start: Decimal, goal: Decimal) -> Iterator[Transformation]:
    """Percentages of a number that round to the goal: 19% of it, and it plus or minus 19%."""
    near = int((goal / start * 100).to_integral_value(ROUND_HALF_UP))
    for percent in range(max(1, near - 2), min(200, near + 3)):
        factor = Decimal(percent) / 100
        scaled = _times(factor)
        for rounding, words in ROUNDINGS.items():
            if form.write(scaled(start), rounding) == form.write(goal):
                yield _number(
                    f"{percent}% of {{}}, {words.format(form.precision)}", 11.0, mark, form, scaled, rounding
                )


def _times(factor: Decimal) -> Callable[[Decimal], Decimal]:
    return lambda number: number * factor


def _number(
    words: str,
    cost: float,
    mark: str,
    form: Format,
    function: Callable[[Decimal], Decimal],
    rounding: str = "",
) -> Transformation:
    def apply(values: Sequence[str]) -> str | None:
        value = read(values[0], mark)
        return None if value is None else form.write(function(value), rounding)

    return Transformation(words, cost, apply)


def _shown(number: Decimal) -> str:
    return f"{number.normalize():f}"


PAIRS: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "{} plus {}": lambda a, b: a + b,
    "{} minus {}": lambda a, b: a - b,
    "{} times {}": lambda a, b: a * b,
}


def pair_family(first: Examples, second: Examples) -> Iterator[Transformation]:
    """Sum, difference and product of two numbers."""
    for left in _marks(first.values):
        for right in _marks(second.values):
            a, b = read(first.values[0], left), read(second.values[0], right)
            if a is None or b is None:
                continue
            for words, function in PAIRS.items():
                value = function(a, b)
                for form in _formats(first.answers):
                    for rounding in ("", *(ROUNDINGS if form.decimals is not None else ())):
                        if form.write(value, rounding) in first.targets:
                            yield _pair(words, function, left, right, form, rounding)


def _pair(
    words: str,
    function: Callable[[Decimal, Decimal], Decimal],
    left: str,
    right: str,
    form: Format,
    rounding: str,
) -> Transformation:
    def apply(values: Sequence[str]) -> str | None:
        a, b = read(values[0], left), read(values[1], right)
        return None if a is None or b is None else form.write(function(a, b), rounding)

    return Transformation(words, 6.0 if rounding else 5.0, apply)
