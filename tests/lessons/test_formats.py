"""House formats made at random, each with its own truth: no twin may be wrong."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import pytest

from nightschool.lessons.patterns import Case, patterns
from tests.lessons.test_patterns import twins

Made = Callable[[str], str]


@dataclass(frozen=True)
class Kind:
    """Values of one kind, how they are read out of a request, and what may become of them in an answer."""

    value: Callable[[random.Random], str]
    reads: str
    makes: tuple[Made, ...]


def _iso(text: str) -> date:
    return date.fromisoformat(text)


NAMES = "Anna Smith|Peter Jones|Otto Kern|Мария Котова|Иван Петров|Åsa Öberg|José Peña|Zoe Hart".split("|")
KINDS = (
    Kind(
        lambda r: r.choice(NAMES),
        r"[^\W\d_]+ [^\W\d_]+",
        (
            str,
            str.upper,
            lambda v: v.split()[1],
            lambda v: "".join(w[0] for w in v.split()),
            lambda v: ", ".join(reversed(v.split())),
            lambda v: v.lower().replace(" ", "_"),
        ),
    ),
    Kind(
        lambda r: f"{r.choice('ABCDE')}{r.randint(10, 99)}",
        r"[A-Z]\d+",
        (str, str.lower, lambda v: v[1:], lambda v: f"{v[0]}-{v[1:]}"),
    ),
    Kind(
        lambda r: str(r.randint(10, 9999)),
        r"\d+",
        (str, lambda v: str(int(v) + 3), lambda v: str(int(v) * 12), lambda v: v.zfill(6), lambda v: v[-1]),
    ),
    Kind(
        lambda r: str(date(2025, 1, 1) + timedelta(r.randrange(600))),
        r"\d{4}-\d\d-\d\d",
        (
            str,
            lambda v: f"{_iso(v):%d.%m.%Y}",
            lambda v: f"{_iso(v):%A}",
            lambda v: f"{_iso(v):%B}".upper(),
            lambda v: str(_iso(v) + timedelta(7)),
        ),
    ),
    Kind(
        lambda r: f"{r.randint(1, 3)}.{r.randint(100, 999)},{r.randint(10, 99)}",
        r"[\d.]+,\d\d",
        (str, lambda v: v.replace(".", "").replace(",", "."), lambda v: v.replace(",", "").replace(".", ",")),
    ),
    Kind(
        lambda r: f"{r.randint(7, 22):02d}:{r.choice((0, 15, 30, 45)):02d}",
        r"\d\d:\d\d",
        (str, lambda v: v.replace(":", ""), lambda v: f"{(int(v[:2]) + 11) % 12 + 1}:{v[3:]} {_half(v)}"),
    ),
)
CONSTANTS = "book für salle заказ احجز 予約 по with 방 | ; / : ( #".split()


def _half(time: str) -> str:
    return "am" if int(time[:2]) < 12 else "pm"


def _form(rng: random.Random) -> tuple[list[Case], Callable[[str], str | None]]:
    """A few exchanges of one form, and what is right for any request of it."""
    kinds = [rng.choice(KINDS) for _ in range(rng.randint(1, 4))]
    # Some constants touch the values beside them.
    before = [f"{rng.choice(CONSTANTS)}{rng.choice((' ', ' ', ': '))}" for _ in kinds]
    shown = [rng.randrange(len(kinds)) for _ in range(rng.randint(1, 4))]
    makes = [rng.choice(kinds[k].makes) for k in shown]
    joint = rng.choice((" ", "; ", " / ", "\n", " - "))
    reader = re.compile(" ".join(f"{re.escape(b)}({k.reads})" for b, k in zip(before, kinds, strict=True)))

    def answer(values: list[str]) -> str:
        return joint.join(make(values[k]) for make, k in zip(makes, shown, strict=True))

    def truth(request: str) -> str | None:
        found = reader.fullmatch(request)
        return answer(list(found.groups())) if found else None

    cases = []
    for _ in range(rng.randint(3, 5)):
        values = [kind.value(rng) for kind in kinds]
        request = " ".join(b + v for b, v in zip(before, values, strict=True))
        cases.append(Case(request, answer(values)))
    return cases, truth


@pytest.mark.parametrize("start", range(0, 60, 20))
def test_no_twin_of_a_random_form_is_wrong(start: int) -> None:
    explained = 0
    for seed in range(start, start + 20):
        shown, truth = _form(random.Random(seed))
        found = patterns(shown)
        explained += bool(found)
        for twin in (t for p in found for t in twins(p, 20, seed)):
            assert truth(twin.request) in (twin.answer, None), (shown, twin)
    assert explained >= 16
