"""A text as a row of atoms: the smallest parts that a request or an answer is compared by."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from nightschool.lessons import scripts

Kind = Literal["date", "time", "number", "word", "code", "mark"]

TURN = "\x1e"  # between the texts of several turns that are looked at as one
SEPARATOR = f"\n{TURN}\n"  # joins them

_DATE = re.compile(
    r"(?<![\d.,/-])(?:(\d{4})([-/.])(\d\d?)\2(\d\d?)|(\d\d?)([-/.])(\d\d?)\6(\d{4}|\d\d))(?![-/]?\d|\.\d)"
)
_TIME = re.compile(r"(?<![\d:])(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d)?(?!\d|:[0-5]\d)")
_GROUPED = re.compile(
    r"(?<![\d.,])(?:\d{1,3}(?:(?:,\d{3})+|(?:\.\d{3})+|(?:['’]\d{3})+|(?:٬\d{3})+"
    r"|(?:[ \u00a0\u202f\u2009]\d{3})+)"
    r"(?:[.,٫]\d+)?|\d+[.,٫]\d+)(?![.,]?\d)"
)
_DIGITS = re.compile(r"\d+")
_ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})')
# A comma that touches a letter separates fields: then no comma of this line groups digits.
_FIELDS = re.compile(r"[^\W\d_]\"?,\"?\w|\d,\"?[^\W\d_]")


@dataclass(frozen=True)
class Atom:
    """A part of a text, `text[start:end]`, and what kind of thing it looks like."""

    text: str
    start: int
    end: int
    kind: Kind


@lru_cache(maxsize=4096)
def atoms(text: str) -> tuple[Atom, ...]:
    """The atoms of a text in order; between them there is nothing but white space. A border between turns is
    a mark.

    Numeric dates, times and numbers with their separators are one atom each; a run of letters is one (their
    combining marks included), and so is a run of digits: `A27` is two. A script that puts no spaces between
    words has one atom a character. Whatever else there is stands by itself.
    """
    return tuple(_scan(text))


def _scan(text: str) -> Iterator[Atom]:
    at = 0
    while at < len(text):
        if text[at].isspace() and text[at] != TURN:
            at += 1
            continue
        end, kind = _next(text, at)
        yield Atom(text[at:end], at, end, kind)
        at = end


def _next(text: str, at: int) -> tuple[int, Kind]:
    """Where the atom ends that starts here, and its kind."""
    if text[at].isdecimal():
        return _digits(text, at)
    if is_letter(text[at]):
        return _word(text, at), "word"
    if escape := _ESCAPE.match(text, at):
        return escape.end(), "mark"
    return _with_marks(text, at + 1), "mark"


def _digits(text: str, at: int) -> tuple[int, Kind]:
    date = _DATE.match(text, at)
    if date and _is_date(date):
        return date.end(), "date"
    if time := _TIME.match(text, at):
        return time.end(), "time"
    number = _GROUPED.match(text, at)
    if number and not _spans_fields(text, number):
        return number.end(), "number"
    run = _DIGITS.match(text, at)
    end = run.end() if run else at + 1
    return end, "code" if text[at] == "0" and end - at > 1 else "number"


def _is_date(found: re.Match[str]) -> bool:
    """Whether the parts can be a day and a month in some order."""
    first, second = sorted(int(part) for part in (found[3] or found[5], found[4] or found[7]))
    return 1 <= first <= 12 and second <= 31


def _spans_fields(text: str, found: re.Match[str]) -> bool:
    if "," not in found[0]:
        return False
    start = text.rfind("\n", 0, found.start()) + 1
    end = text.find("\n", found.end())
    return _FIELDS.search(text, start, end if end >= 0 else len(text)) is not None


def _word(text: str, at: int) -> int:
    end = _with_marks(text, at + 1)
    if is_unspaced(text[at]):
        return end
    while end < len(text) and is_letter(text[end]) and not is_unspaced(text[end]):
        end = _with_marks(text, end + 1)
    return end


def _with_marks(text: str, at: int) -> int:
    """Past the combining marks that stand here: they belong to the character before them."""
    while at < len(text) and is_combining(text[at]):
        at += 1
    return at


@lru_cache(maxsize=4096)
def is_letter(character: str) -> bool:
    return character.isalpha()


@lru_cache(maxsize=4096)
def is_combining(character: str) -> bool:
    """Combining marks, joiners and variation selectors."""
    return unicodedata.category(character)[0] == "M" or character in "\u200d\u200c"


@lru_cache(maxsize=4096)
def is_unspaced(character: str) -> bool:
    """Whether the character's script writes words without spaces between them."""
    return is_letter(character) and scripts.first_name(character) in scripts.UNSPACED


def run_class(character: str) -> str:
    """What a character makes a run with: letters "a", digits "0", spaces " ", others nothing ("")."""
    if is_combining(character):
        return "a"
    if is_letter(character):
        return "" if is_unspaced(character) else "a"
    return "0" if character.isdecimal() else " " if character.isspace() else ""
