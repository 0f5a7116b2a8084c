"""Finds entities in a text (numbers, dates, codes, names) and makes others of the same shape. Pure.

The patterns know English only. The lists of words were written for this and come from nowhere else.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["email", "date", "time", "code", "number", "day", "month", "name"]

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = tuple(
    "January February March April May June July August September October November December".split()
)
_M = "|".join(_MONTHS) + "|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec"
# Words that are capitalised at the start of sentences, greetings and forms, and are no part of a name.
_ORDINARY = frozenset(
    "A About After All Also Am An And Any Are As Ask At Attached Be Before But By Can Check Could Dear "
    "Did Do Does Due For From Give Good Has Have He Hello Here Hey Hi How I If In Invoice Is It Its Just "
    "Kind Let Like Look May Me My Need New No Not Of On Once One Open Or Order Our Out Pay Payable "
    "Payment Please Quick Read Regards Reply See Send She Should Show So Sorry Tell Thank Thanks That The "
    "Their Then There These They This Those Ticket To Today Tomorrow Total Up Urgent Us Use Was We Were "
    "What When Where Which Who Why Will With Would Write Wrong Yes Yesterday You Your".split()
)
# Parts of a name that are kept when it is replaced; a company's legal form may change into another one.
_LEGAL_FORMS = tuple("Ltd Limited GmbH Inc Corp LLC Plc AG SA BV Oy KG Co Group".split())
_KEPT_PARTS = frozenset((*_LEGAL_FORMS, *"Mr Mrs Ms Dr Prof Bank Street Road".split()))
_WORDS = tuple(
    "Abbott Alder Amber Anchor Apex Arden Argent Arrow Aspen Aster Atlas Aurora Avalon Baker Barlow Basil "
    "Beacon Benson Birch Boreal Bramble Briar Bridge Bright Bristol Cactus Calder Cannon Canyon Carmine "
    "Castle Cedar Chester Cinder Clover Cobalt Comet Copper Coral Cosmos Crane Crest Cypress Dalton "
    "Dawson Delta Dover Dune Eagle Echo Eden Elder Elm Ember Everest Falcon Fenwick Fern Field Finch "
    "Flint Forest Foster Fox Frost Gale Garnet Glacier Globe Granite Grant Grove Gull Hanson Harbour "
    "Harper Hawk Hazel Heath Helix Hilton Holly Horizon Hudson Indigo Iris Iron Island Ivory Jasper "
    "Jensen Juniper Keller Kestrel Lagoon Lantern Larch Laurel Lawson Lark Linden Lotus Lunar Magnet "
    "Maple Marble Marlow Meadow Mercer Meridian Mill Mint Mistral Morgan Nash Nectar Nelson Nimbus North "
    "Nova Oak Oasis Ocean Olive Onyx Opal Orbit Orchard Orion Osprey Otter Palm Parker Pearl Pebble Pine "
    "Pioneer Polar Poplar Prairie Prism Quarry Quartz Quill Rapid Raven Redwood Reed Ridge River Robin "
    "Rowan Ruby Saffron Sage Sawyer Sierra Silver Slate Solar Spruce Star Sterling Stone Summit Swan "
    "Talbot Tangent Teal Thistle Timber Topaz Trident Tulip Turner Valley Vector Velvet Venture Vertex "
    "Violet Walker Warren Watson Willow Winter Wren Yarrow Zenith Zephyr".split()
)

_ONSETS = "b br c ch d dr f fl g gr h j k kl l m n p pr qu r s sh sl st t tr v w z".split()
_RIMES = "a al an ar e ed el en er i il in is ix o ol on or os u ul um us y".split()

_PATTERNS: tuple[tuple[Kind, str], ...] = (
    ("email", r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    (
        "date",
        rf"\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}}"
        rf"|\d{{1,2}}(?:st|nd|rd|th)?\ (?:{_M})\b(?:\ \d{{4}})?"
        rf"|(?:{_M})\ \d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\ \d{{4}})?",
    ),
    ("time", r"\d{1,2}:\d{2}(?::\d{2})?"),
    ("code", r"(?=[A-Za-z0-9_-]*\d)(?=[A-Za-z0-9_-]*[A-Za-z])[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*"),
    ("number", r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"),
    ("day", "|".join(_DAYS)),
    ("month", "|".join(_MONTHS)),
    ("name", r"[A-Z][a-z]+[A-Za-z]*(?:(?:\ &)?\ [A-Z][a-z]+[A-Za-z]*)*"),
)
# Whole tokens only: 12 is not found in INV-12 or 12.50. A full stop at the end is not part of a token.
_FINDER = re.compile(
    r"(?<![\w])(?<![\w][-_.,/@])(?:"
    + "|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _PATTERNS)
    + r")(?![\w])(?![-_/.,@]\w)"
)
_SENTENCE_START = re.compile(r"(?:^|[.!?:;\n]\s*|^\W*)$")


@dataclass(frozen=True)
class Entity:
    """A piece of a text that could as well have been another one of its kind."""

    text: str
    kind: Kind
    start: int


def find(text: str) -> list[Entity]:
    """All entities, in the order of the text."""
    out = []
    for match in _FINDER.finditer(text):
        kind: Kind = match.lastgroup  # type: ignore[assignment]
        found, start = match[0], match.start()
        if kind == "name":
            found, start = _name(text, found, start)
        if found:
            out.append(Entity(found, kind, start))
    return out


def _name(text: str, found: str, start: int) -> tuple[str, int]:
    """A name without the ordinary words before it, and where it starts; empty if a sentence merely began."""
    while found.split(" ")[0] in _ORDINARY:
        _, _, rest = found.partition(" ")
        start, found = start + len(found) - len(rest), rest
    begins = _SENTENCE_START.search(text[:start]) is not None
    if begins and " " not in found:
        return "", start  # any word would be capitalised here
    return found, start


def fresh(entity: Entity, rng: random.Random) -> str:
    """Another entity of the same kind and shape. Raises ValueError if fifty attempts give the same text."""
    for _ in range(50):
        made = _MAKERS[entity.kind](entity.text, rng)
        if made != entity.text:
            return made
    raise ValueError(f"no other {entity.kind} of the shape of {entity.text!r}")


def _digits(text: str, rng: random.Random) -> str:
    """Other digits in the same places; a number starts with zero only if it did before."""

    def other(match: re.Match[str]) -> str:
        run = match[0]
        first = "0" if run[0] == "0" and len(run) > 1 else str(rng.randint(1, 9))
        return first + "".join(str(rng.randint(0, 9)) for _ in run[1:])

    return re.sub(r"\d+", other, text)


def _number(text: str, rng: random.Random) -> str:
    """A number of about the same size: one in three has a digit more or less."""
    whole, dot, decimals = text.partition(".")
    if rng.random() < 1 / 3 and len(whole) > 1 and "," not in whole and whole[0] != "0":
        whole = rng.choice((whole[1:], whole + "0"))
    return _digits(whole, rng) + dot + "".join(str(rng.randint(0, 9)) for _ in decimals)


def _code(text: str, rng: random.Random) -> str:
    """Other digits and lower-case words; capitals stay, since they often are a type, such as INV."""
    made = _digits(text, rng)
    return re.sub(r"(?<![A-Za-z])[a-z]{3,}(?![A-Za-z])", lambda _: rng.choice(_WORDS).lower(), made)


def _date(text: str, rng: random.Random) -> str:
    day, month = rng.randint(1, 28), rng.randint(1, 12)
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return f"{text[:4]}-{month:02d}-{day:02d}"
    if match := re.fullmatch(r"(\d+)([./])(\d+)([./]\d+)", text):
        # Which one is the month is not known: both stay plausible as one.
        first, second = (str(rng.randint(1, 12)).zfill(len(match[i])) for i in (1, 3))
        return f"{first}{match[2]}{second}{match[4]}"
    spelt = re.search(rf"{_M}", text)
    assert spelt
    name = _MONTHS[month - 1] if spelt[0] in _MONTHS else _MONTHS[month - 1][:3]
    made = text.replace(spelt[0], name, 1)
    return re.sub(r"(?<!\d)\d{1,2}(?:st|nd|rd|th)?(?!\d)", _ordinal(text, day), made, count=1)


def _ordinal(like: str, day: int) -> str:
    if not re.search(r"\d(?:st|nd|rd|th)", like):
        return str(day)
    return f"{day}{'th' if 11 <= day <= 13 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"


def _time(text: str, rng: random.Random) -> str:
    hour, *rest = text.split(":")
    return ":".join([str(rng.randint(0, 23)).zfill(len(hour)), *(f"{rng.randint(0, 59):02d}" for _ in rest)])


def _name_like(text: str, rng: random.Random) -> str:
    """Another name. One in three is a word longer or shorter, and a company's legal form may change: a model
    that has only practised one shape of name fails on the next."""
    words = text.split(" ")
    if words[-1] in _LEGAL_FORMS and len(words) > 1:
        words[-1] = rng.choice((words[-1], words[-1], rng.choice(_LEGAL_FORMS), "another"))
    plain = [i for i, word in enumerate(words) if word not in _KEPT_PARTS and word != "&"]
    if rng.random() < 1 / 3 and plain and "&" not in words:
        at = plain[0]
        words[at : at + 1] = [] if len(plain) > 1 and rng.random() < 1 / 2 else [words[at]] * 2
    return " ".join(w if w in _KEPT_PARTS or w == "&" else _word(rng) for w in words)


def _word(rng: random.Random) -> str:
    """A word that could be a name; one in four is made up of syllables."""
    if rng.random() < 3 / 4:
        return rng.choice(_WORDS)
    syllables = [rng.choice(_ONSETS) + rng.choice(_RIMES) for _ in range(rng.choice((2, 2, 3)))]
    return "".join(syllables).capitalize()


def _email(text: str, rng: random.Random) -> str:
    _, _, domain = text.partition("@")
    end = domain.partition(".")[2]
    return f"{_word(rng).lower()}@{_word(rng).lower()}.{end}"


_MAKERS: dict[Kind, Callable[[str, random.Random], str]] = {
    "email": _email,
    "date": _date,
    "time": _time,
    "code": _code,
    "number": _number,
    "day": lambda _, rng: rng.choice(_DAYS),
    "month": lambda _, rng: rng.choice(_MONTHS),
    "name": _name_like,
}


def same_date(a: str, b: str) -> bool:
    """Whether two spellings mean one date for sure: the same day, month and, if both have one, year."""
    left, right = _parts(a), _parts(b)
    if left is None or right is None:
        return False
    return left[1:] == right[1:] and (left[0] is None or right[0] is None or left[0] == right[0])


def _parts(text: str) -> tuple[int | None, int, int] | None:
    """Year, month and day; None if the order of day and month is not known."""
    if match := re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})", text):
        return int(match[1]), int(match[2]), int(match[3])
    spelt = re.search(rf"{_M}", text)
    day = re.search(r"(?<!\d)\d{1,2}(?!\d)", text)
    if not spelt or not day:
        return None
    year = re.search(r"\d{4}", text)
    month = next(i for i, name in enumerate(_MONTHS, 1) if name.startswith(spelt[0][:3]))
    return (int(year[0]) if year else None), month, int(day[0])
