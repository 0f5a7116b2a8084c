"""A transformation and its sources in plain English."""

from __future__ import annotations

from nightschool.lessons.atoms import atoms
from nightschool.lessons.calendars import is_calendar, lists_with, read_time
from nightschool.lessons.explain import Piece
from nightschool.lessons.sources import kind_of


def described(piece: Piece) -> str:
    """What a piece's transformation does to its sources, each said with what it looks like and its first
    value."""
    values = piece.inputs[0].split("\0")
    letter = "letter" if values[0].isalpha() else "digit" if values[0].isdecimal() else "character"
    named = [f"the {_noun(value)} (“{value}”)" for value in values]
    return piece.transformation.words.format(*named, letter=letter, letters=f"{letter}s")


def _noun(value: str) -> str:
    """What a value looks like."""
    names, row = lists_with(value), atoms(value)
    kinds = {kind_of(a) for a in row}
    if names:
        return names[0].what
    if len(row) == 1 and kinds <= {"date", "time", "number", "word"}:
        return kinds.pop()
    if read_time(value) is not None:
        return "time"
    if len(row) > 2 and is_calendar(value):
        return "date"
    if kinds == {"word"} and " " in value:
        return "words"
    return "code" if {"word", "number"} <= kinds and " " not in value else "text"
