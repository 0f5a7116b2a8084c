"""Writing systems: which script a letter is of, which languages are written in it, what CLDR says of them."""

from __future__ import annotations

import pickle
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from itertools import groupby, islice
from pathlib import Path
from random import Random
from typing import Any

# Scripts that put no space between words.
UNSPACED = frozenset({"CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR"})
_REACH = 25  # as many letters as A is from Z


def first_name(char: str) -> str:
    """The first word of a character's Unicode name, which is the script of a letter; empty if it has none."""
    return unicodedata.name(char, "").partition(" ")[0]


@lru_cache(maxsize=1 << 16)
def script(char: str) -> str:
    """The script of a letter. Empty for what is no letter, and for marks and modifiers: these belong to the
    letter before them."""
    if unicodedata.category(char) not in ("Lu", "Ll", "Lt", "Lo"):
        return ""
    return first_name(char)


@lru_cache(maxsize=1 << 12)
def signature(text: str) -> tuple[str, ...]:
    """The scripts of a text in order, each stretch of one script once."""
    return tuple(name for name, _ in groupby(filter(None, map(script, text))))


def is_letter(char: str) -> bool:
    """Whether a character is part of a word: a letter, or a mark upon one."""
    return unicodedata.category(char)[0] in "LM"


def is_word(text: str) -> bool:
    return text.isalpha() or all(map(is_letter, text))


@lru_cache(maxsize=1 << 12)
def neighbours(char: str) -> str:
    """The letters of the same script and case that Unicode puts near this one, itself among them."""
    code, like = ord(char), (unicodedata.category(char), script(char))
    near = map(chr, range(max(0, code - _REACH), min(0x10FFFF, code + _REACH) + 1))
    return "".join(c for c in near if (unicodedata.category(c), script(c)) == like)


def letter(char: str, rng: Random, seen: str = "") -> str:
    """Another letter for this one. Enough letters that were seen tell the range (a to f in a checksum)."""
    if not script(char):
        return char
    choice = neighbours(char)
    if len(seen) >= 8 and char in seen:
        choice = "".join(c for c in choice if min(seen) <= c <= max(seen))
    return rng.choice(choice)


def scripts(texts: Iterable[str]) -> frozenset[str]:
    """The scripts that texts are really written in: a stray foreign letter does not count."""
    count = Counter(filter(None, (script(char) for text in texts for char in text)))
    return frozenset(name for name, n in count.items() if n * 50 >= count.total())


@cache
def cldr(language: str) -> Mapping[str, Any]:
    """What CLDR says of a language itself, without what it takes over from others.

    Read from babel's file: `babel.localedata.load` keeps one copy a language, with or without what it takes
    over, whichever was asked for first.
    """
    from babel.localedata import resolve_locale_filename

    with Path(resolve_locale_filename(language)).open("rb") as file:
        data: Mapping[str, Any] = pickle.load(file)
    return data


def code(language: str) -> str:
    """The code of the script that a language (or a locale such as `sr_Latn` or `de_AT`) is written in."""
    from babel.core import get_global

    base, *rest = language.split("_")
    if rest and len(rest[0]) == 4:
        return rest[0]
    likely: str = get_global("likely_subtags").get(base, "")
    return likely.split("_")[1] if likely.count("_") == 2 else ""


@lru_cache(maxsize=256)
def languages(names: Sequence[str]) -> tuple[str, ...]:
    """The languages written in these scripts that are official somewhere, in most territories first."""
    first, *rest = [_languages().get(name, ()) for name in names] or [()]
    return tuple(language for language in first if all(language in other for other in rest))


@cache
def _languages() -> Mapping[str, tuple[str, ...]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for language in _official():
        groups[code(language)].append(language)
    found: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for group in groups.values():
        # One language shows the scripts of all that share its code (Japanese is written in three).
        called = islice(cldr(group[0]).get("languages", {}).values(), 100)
        for name in scripts(map(str, called)):
            found[name] += tuple(group)
    return found


def _official() -> list[str]:
    from babel.core import get_global
    from babel.localedata import locale_identifiers

    count: Counter[str] = Counter()
    for spoken in get_global("territory_languages").values():
        count.update(language.split("_")[0] for language, how in spoken.items() if how["official_status"])
    # A language, or one of its scripts; a territory's variety adds few names of its own.
    roots = (i for i in locale_identifiers() if all(len(part) == 4 for part in i.split("_")[1:]))
    official = [i for i in roots if count[i.split("_")[0]]]
    return sorted(official, key=lambda i: (-count[i.split("_")[0]], i))
