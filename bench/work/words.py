"""Invented people, companies and numbers. Practice draws from none of these names."""

from __future__ import annotations

import random
from collections.abc import Callable
from string import Formatter

_FIRST = (
    "Anna Peter Maria John Tomas Ingrid Pedro Yuki Farid Leonie Marta Sven Aisha Bruno Carla Dmitri Elif "
    "Gustav Hana Igor Julia Karim Laura Martin Nora Oscar Priya Rosa Stefan Teresa"
).split()
_LAST = (
    "Smith Jones Lopez Miller Novak Berg Lima Tanaka Haddad Weiss Rossi Holm Diallo Costa Vidal Orlov Kaya "
    "Lind Sato Petrov Becker Moreau Dubois Eriksen Fischer Gomez Hansen Ivanov Kowalski Larsen"
).split()
_FIRMS = (
    "Tailspin Contoso Fabrikam Litware Wingtip Adatum Proseware Lucerne Trey Margie Humongous "
    "Woodgrove Relecloud Munson Bellows Acme Northwind Bluebird Parnell Southridge Alpine Lamna"
).split()
_TRADES = (
    "Toys Supply Works Partners Services Paper Tools Dairy Optics Travel Glass Energy Ltd GmbH Inc".split()
)
_CITIES = (
    "Berlin Lisbon Oslo Dublin Madrid Vienna Prague Athens Helsinki Warsaw Zurich Porto Lyon Hamburg Turin "
    "Seville Geneva Antwerp Bergen Krakow Malmo Naples Bilbao Leipzig Utrecht Basel Nantes Graz Aarhus "
    "Bremen Cologne Dresden Florence Ghent Lille Munich Nice Odense Palermo Riga Salzburg Tallinn Valencia "
    "Verona Vilnius Bologna Budapest Bucharest Sofia Zagreb"
).split()


def stranger(rng: random.Random) -> str:
    """A person who is in none of the sessions of `kinds`, which take the first four of each list."""
    return f"{rng.choice(_FIRST[4:20])} {rng.choice(_LAST[4:20])}"


class Draw:
    """Draws the entities of one suite, none of them twice, so that its cases share none with its session."""

    def __init__(self, rng: random.Random) -> None:
        self._drawn: set[str] = set()
        self._makers: dict[str, Callable[[], str]] = {
            "person": lambda: f"{rng.choice(_FIRST)} {rng.choice(_LAST)}",
            "company": lambda: f"{rng.choice(_FIRMS)} {rng.choice(_TRADES)}",
            "city": lambda: rng.choice(_CITIES),
            "date": lambda: f"2026-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}",
            "time": lambda: f"{rng.randint(8, 19):02d}:{rng.choice(range(0, 60, 5)):02d}",
            "amount": lambda: f"{rng.randint(20, 4000)}.{rng.randint(0, 99):02d}",
            "weight": lambda: f"{rng.randint(10, 60)}.{rng.randint(1, 9)}",
            "tens": lambda: str(rng.randint(10, 99)),
            "hundreds": lambda: str(rng.randint(100, 999)),
            "thousands": lambda: str(rng.randint(1000, 9999)),
        }

    def __call__(self, kind: str) -> str:
        """A new entity of one of the kinds above."""
        while (made := self._makers[kind]()) in self._drawn:
            pass
        self._drawn.add(made)
        return made

    def fields(self, template: str) -> dict[str, str]:
        """An entity for each field of a template, by the field's name: its kind, or that with a digit behind
        it (`city`, `city2`)."""
        names = [name for _, name, _, _ in Formatter().parse(template) if name]
        return {name: self(name.rstrip("0123456789")) for name in dict.fromkeys(names)}
