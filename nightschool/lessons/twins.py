"""Replacing values in a request: in one pass, everywhere, and only where it can still be read as before."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence

from nightschool.lessons.atoms import TURN, Atom, atoms, is_unspaced
from nightschool.lessons.explain import Span

_TURN = re.compile(rf"\s*{TURN}\s*")
_CALL = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)


class Substitution:
    """A text with some spans replaced."""

    def __init__(self, text: str, replaced: Mapping[Span, str]) -> None:
        self._text = text
        self._replaced = sorted(replaced.items())

    @property
    def text(self) -> str:
        return self._between(0, len(self._text))

    def at(self, span: Span) -> str | None:
        """What a span of the old text has become; None where a replaced span lies only partly in it."""
        start, end = span
        for (a, b), _ in self._replaced:
            if a < end and b > start and not (start <= a and b <= end):
                return None
        return self._between(start, end)

    def _between(self, start: int, end: int) -> str:
        made, at = [], start
        for (a, b), new in self._replaced:
            if start <= a and b <= end:
                made += [self._text[at:a], new]
                at = b
        return "".join([*made, self._text[at:end]])


def occurrences(text: str, value: str, fixed: Collection[Span]) -> list[Span]:
    """Where a value stands as whole atoms, outside of fixed spans."""
    row, wanted = atoms(text), [a.text for a in atoms(value)]
    found: list[Span] = []
    k = 0
    while wanted and k + len(wanted) <= len(row):
        window = row[k : k + len(wanted)]
        span = (window[0].start, window[-1].end)
        if text[slice(*span)] == value and not any((a.start, a.end) in fixed for a in window):
            found.append(span)
            k += len(wanted)
        else:
            k += 1
    return found


def alike(new: str, pool: Sequence[str]) -> bool:
    """Whether a value is written as values of the pool are: the same kinds of atoms or of characters between
    words, as many words as one of them."""
    marks = {c for value in pool for c in value if not c.isalnum()}
    if any(not c.isalnum() and c not in marks for c in new) or new != new.strip():
        return False
    if new and all(is_unspaced(c) for c in new):
        return any(is_unspaced(c) for value in pool for c in value)
    shapes = {_shape(atoms(value)) for value in pool}
    return _shape(atoms(new)) in shapes


def _shape(row: Sequence[Atom]) -> tuple[str, ...]:
    return tuple(a.text if a.kind == "mark" else "number" if a.kind == "code" else a.kind for a in row)


def atomwise(span: Span, old: str, new: str) -> dict[Span, str]:
    """A replacement as replacements of single atoms where both texts have the same kinds of them: then a part
    of the old text has become the same part of the new one."""
    before, after = atoms(old), atoms(new)
    if _shape(before) != _shape(after):
        return {span: new}
    return {(span[0] + a.start, span[0] + a.end): b.text for a, b in zip(before, after, strict=True)}


def collides(new: str, old: str, others: Collection[str]) -> bool:
    """Whether a new value has an atom that the request has elsewhere, so that it could be read otherwise."""
    own = {a.text for a in atoms(old)}
    return any(a.text in others and a.text not in own for a in atoms(new) if a.kind != "mark")


def same_json(old: str, new: str) -> bool:
    """Whether all that was JSON in a text still is, with the same types at the same places."""
    before, after = _TURN.split(old), _TURN.split(new)
    if len(before) != len(after):
        return False
    pairs = list(zip(before, after, strict=True))
    calls = [(_CALL.findall(a), _CALL.findall(b)) for a, b in pairs]
    if any(len(a) != len(b) for a, b in calls):
        return False
    pairs += [pair for a, b in calls for pair in zip(a, b, strict=True)]
    return all(_same_shape(a, b) for a, b in pairs)


def _same_shape(old: str, new: str) -> bool:
    shape = json_shape(old)
    return shape is None or shape == json_shape(new)


def json_shape(text: str) -> object | None:
    """The types of a JSON text; None where it is no JSON."""
    try:
        return _types(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _types(value: object) -> object:
    if isinstance(value, dict):
        return ("object", *((key, _types(item)) for key, item in value.items()))
    if isinstance(value, list):
        return ("array", *(_types(item) for item in value))
    return type(value).__name__
