"""Parts of a text and ways to rewrite one: words, letters, case, joints, zeros, separators."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from nightschool.lessons.atoms import is_combining
from nightschool.lessons.proposals import Examples, Transformation


@dataclass(frozen=True)
class Step:
    """A function of a text, and the bits it costs to suppose it. `words` say what it does, with "{}" for the
    text and "{letters}" for what it consists of."""

    words: str
    cost: float
    apply: Callable[[str], str | None]
    drops: slice | None = None  # the characters that it leaves away

    def settles(self, values: Sequence[str]) -> bool:
        """False where it drops what all values have there: that belongs to the form, not to the value."""
        return self.drops is None or len({value[self.drops] for value in values}) > 1


ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")
COUNTS = ("one", "two", "three", "four", "five", "six", "seven", "eight")


def characters(text: str) -> list[str]:
    """The characters of a text, each with its combining marks."""
    found: list[str] = []
    for c in text:
        if found and is_combining(c):
            found[-1] += c
        else:
            found.append(c)
    return found


# Parts


def word(k: int, text: str) -> str | None:
    """The k-th of several words."""
    words = text.split()
    return words[k] if len(words) > 1 and -len(words) <= k < len(words) else None


def words(start: int, stop: int | None, text: str) -> str | None:
    """The words from `start` to `stop`, of several."""
    found = text.split()
    return " ".join(found[start:stop]) or None if len(found) > 1 else None


def head(k: int, text: str) -> str | None:
    """The first `k` characters."""
    return _together(characters(text)[:k], k)


def tail(k: int, text: str) -> str | None:
    """The last `k` characters."""
    return _together(characters(text)[-k:], k)


def _together(found: list[str], k: int) -> str | None:
    """Characters as one text, where there are `k` and no white space among them."""
    return "".join(found) if len(found) == k and not any(c.isspace() for c in found) else None


def after(k: int, text: str) -> str | None:
    """What follows the first `k` characters."""
    return "".join(characters(text)[k:]) or None


def before(k: int, text: str) -> str | None:
    """What precedes the last `k` characters."""
    return "".join(characters(text)[:-k]) or None


def run(pattern: str, k: int, text: str) -> str | None:
    """The k-th match of a pattern, where that is not the whole text."""
    found = re.findall(pattern, text)
    return found[k] if (len(found) > 1 or found != [text]) and -len(found) <= k < len(found) else None


def only(keep: Callable[[str], bool], text: str) -> str | None:
    """The characters that are kept, where some are not."""
    kept = "".join(c for c in characters(text) if keep(c[0]))
    return kept if kept and kept != text else None


def initials(joint: str, end: str, text: str) -> str | None:
    """The first letters of several words."""
    found = [characters(w)[0] for w in re.split(r"[\s-]+", text) if w and w[0].isalpha()]
    return joint.join(found) + end if len(found) > 1 else None


_LETTERS, _DIGITS = r"[^\W\d_]+", r"\d+"
_INITIALS = (("", ""), (".", "."), (". ", "."), (".", ""), ("-", ""), (" ", ""))


def _parts() -> Iterator[Step]:
    yield Step("{}", 0.0, str)
    for k in range(4):
        yield Step(f"the {ORDINALS[k]} word of {{}}", 1.5 + k / 2, partial(word, k))
    yield Step("the last word of {}", 1.5, partial(word, -1))
    yield Step("the last word but one of {}", 3.5, partial(word, -2))
    yield Step("{} without its first word", 2.5, partial(words, 1, None))
    yield Step("{} without its last word", 2.5, partial(words, 0, -1))
    for k, cost in enumerate((2.0, 2.5, 2.0, 3.0, 4.5, 5.0), start=1):
        yield Step(f"the first {_counted(k)} of {{}}", cost, partial(head, k))
        yield Step(f"the last {_counted(k)} of {{}}", cost + (0.5 if k in (2, 3, 4) else 2), partial(tail, k))
    for k in (1, 2, 3):
        yield Step(f"{{}} without its first {_counted(k)}", 4.0 + k / 2, partial(after, k), slice(k))
        yield Step(f"{{}} without its last {_counted(k)}", 4.0 + k / 2, partial(before, k), slice(-k, None))
    for k in (0, 1, 2):
        yield Step(f"the {ORDINALS[k]} digits of {{}}", 2.0 + k / 2, partial(run, _DIGITS, k))
        yield Step(f"the {ORDINALS[k]} letters of {{}}", 2.0 + k / 2, partial(run, _LETTERS, k))
    yield Step("the last digits of {}", 3.0, partial(run, _DIGITS, -1))
    yield Step("the last letters of {}", 3.0, partial(run, _LETTERS, -1))
    yield Step("the digits of {}", 2.0, partial(only, str.isdecimal))
    yield Step("the letters of {}", 2.0, partial(only, str.isalpha))
    yield Step("the {letters} of {} backwards", 4.0, lambda t: "".join(reversed(characters(t))))
    for joint, end in _INITIALS:
        yield Step("the initials of {}", 2.0, partial(initials, joint, end))


def _counted(k: int) -> str:
    return "{letter}" if k == 1 else f"{COUNTS[k - 1]} {{letters}}"


# Styles


def pieces(text: str) -> list[str]:
    """The words that an identifier or a phrase consists of: camelCase, snake_case and so on taken apart."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return [p for p in re.split(r"[^\w]+|_+", parted) if p]


def joined(joint: str, style: Callable[[str], str], text: str) -> str | None:
    """Several words, taken out of an identifier too, in a style and joined anew."""
    return _joined(joint, style, pieces(text))


def respaced(joint: str, style: Callable[[str], str], text: str) -> str | None:
    """Words between white space only, as "McGourty" is one."""
    return _joined(joint, style, text.split())


def _joined(joint: str, style: Callable[[str], str], found: list[str]) -> str | None:
    return joint.join(style(p) for p in found) if len(found) > 1 else None


def camel(first: Callable[[str], str], text: str) -> str | None:
    """Several words in camel case, the first in a style of its own."""
    found = pieces(text)
    return first(found[0]) + "".join(p.capitalize() for p in found[1:]) if len(found) > 1 else None


def padded(width: int, text: str) -> str | None:
    """A number with zeros before it."""
    return text.zfill(width) if text.isdecimal() else None


def unpadded(text: str) -> str | None:
    """A number without zeros before it."""
    return text.lstrip("0") or "0" if text.isdecimal() else None


def changed(old: str, new: str, text: str) -> str | None:
    """The text with one mark for another."""
    return text.replace(old, new) if old in text else None


def plain(text: str) -> str | None:
    """Letters without their accents."""
    parted = unicodedata.normalize("NFD", text)
    return "".join(c for c in parted if not unicodedata.combining(c))


def grouped(size: int, joint: str, text: str) -> str | None:
    """Groups of `size` characters, counted from the left."""
    if not text.isalnum() or len(text) <= size:
        return None
    return joint.join(text[k : k + size] for k in range(0, len(text), size))


def turned(text: str) -> str | None:
    """Several words in reverse order."""
    found = text.split()
    return " ".join(reversed(found)) if len(found) > 1 else None


def listed(text: str) -> str | None:
    """The last word, a comma, the words before it."""
    found = text.split()
    return f"{found[-1]}, {' '.join(found[:-1])}" if len(found) > 1 else None


_JOINTS = ("_", "-", ".", "", " ", "/", "+")
_SEPARATORS = " -.,/_:"


def _cases() -> Iterator[Step]:
    yield Step("{}, in capitals", 1.0, str.upper)
    yield Step("{}, in small letters", 1.0, str.lower)
    yield Step("{}, each word with a capital", 1.0, str.title)
    yield Step("{}, its first letter a capital and the rest small", 1.5, str.capitalize)
    yield Step("{}, its first letter a capital", 1.5, lambda t: t[:1].upper() + t[1:])
    yield Step("{}, in small letters with ß as ss", 3.5, str.casefold)
    yield Step("{} without accents", 3.0, plain)
    yield Step("{} without accents, in small letters", 3.5, lambda t: (plain(t) or "").lower())
    yield Step("{} without accents, in capitals", 3.5, lambda t: (plain(t) or "").upper())


def _joins() -> Iterator[Step]:
    for joint in _JOINTS:
        how = f"joined by {_quoted(joint)}" if joint else "written together"
        for style, case in ((str, ""), (str.lower, ", in small letters"), (str.upper, ", in capitals")):
            for join in (joined, respaced):
                yield Step(f"the parts of {{}} {how}{case}", 2.5, partial(join, joint, style))
        without = f"the parts of {{}} {how}, in small letters without accents"
        yield Step(without, 4.0, partial(joined, joint, lambda p: (plain(p) or "").lower()))
    titled = "the parts of {} joined by spaces, each with a capital"
    yield Step(titled, 2.5, partial(joined, " ", str.capitalize))
    yield Step("{} in camel case", 2.0, partial(camel, str.lower))
    yield Step("{} in Pascal case", 2.0, partial(camel, str.capitalize))
    yield Step("the words of {} in reverse order", 2.5, turned)
    yield Step("{}, last word first", 2.5, listed)


def _quoted(mark: str) -> str:
    return "spaces" if mark == " " else f"“{mark}”"


def _digits() -> Iterator[Step]:
    for width in range(2, 9):
        yield Step(f"{{}} padded with zeros to {COUNTS[width - 1]} digits", 2.5, partial(padded, width))
    yield Step("{} without leading zeros", 2.5, unpadded)


def _separators() -> Iterator[Step]:
    for old in _SEPARATORS:
        for new in ("", *_SEPARATORS):
            if old != new:
                how = f"with {_quoted(new)} for {_quoted(old)}" if new else f"without {_quoted(old)}"
                yield Step(f"{{}} {how}", 2.5, partial(changed, old, new))
    yield Step("the letters and digits of {}", 2.5, partial(only, str.isalnum))
    for size in (2, 3, 4):
        for joint in (" ", "-", "."):
            yield Step(f"{{}} in groups of {COUNTS[size - 1]}", 4.0, partial(grouped, size, joint))


PARTS: tuple[Step, ...] = tuple(_parts())
_AS_IS = Step("{}", 0.0, str)
_CASES, _JOINS, _DIGITS_ONLY, _SEPARATED = (
    tuple(_cases()),
    tuple(_joins()),
    tuple(_digits()),
    tuple(_separators()),
)


def styles(text: str) -> Iterator[Step]:
    """The ways to rewrite a text that may change one like it."""
    yield _AS_IS
    cased = text.lower() != text.upper()
    if cased or not text.isascii():
        yield from _CASES
    if cased and len(pieces(text)) > 1:
        yield from _JOINS
    if text.isdecimal():
        yield from _DIGITS_ONLY
    if len(text) > 1:
        yield from _SEPARATED


def text_family(examples: Examples) -> Iterator[Transformation]:
    """A part of the text (a word, some letters, the digits), rewritten (case, joined words, zeros)."""
    first, answer = examples.values[0], examples.answers[0]
    plain_answer = folded(answer)
    for part in PARTS:
        chosen = part.apply(first)
        if chosen is None or not _hinted(chosen, plain_answer) or not part.settles(examples.values):
            continue
        for style in styles(chosen):
            made = style.apply(chosen)
            if made and made in answer:
                words = style.words.replace("{}", part.words)
                yield Transformation(words, part.cost + style.cost, partial(_applied, part, style))


def _applied(part: Step, style: Step, values: Sequence[str]) -> str | None:
    """The part of a text in the style; None where it has no such part."""
    chosen = part.apply(values[0])
    return None if chosen is None else style.apply(chosen)


@lru_cache(maxsize=1024)
def folded(text: str) -> str:
    """A text without case and accents, for comparison."""
    return (plain(text) or "").casefold()


def _hinted(chosen: str, answer: str) -> bool:
    """Whether the answer has the first letter, in any case: else no style of the text stands there."""
    words = pieces(chosen)
    return not words or words[0].isdecimal() or folded(words[0])[:1] in answer
