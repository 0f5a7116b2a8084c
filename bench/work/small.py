"""Small lessons, each about another kind of work."""

from __future__ import annotations

import random
from dataclasses import dataclass

from bench.work.cases import CaseSpec, Suite, conversation, exactly, suite
from bench.work.words import Draw

EXCHANGES, UNSEEN = 3, 16  # in a session; cases of a lesson


@dataclass(frozen=True)
class _Domain:
    """What people write, and the line that the house wants; the fields are kinds that `Draw` knows."""

    name: str
    request: str
    line: str

    def lesson(self, seed: int) -> Suite:
        draw = Draw(random.Random(f"{self.name}:{seed}"))

        def one() -> CaseSpec:
            facts = draw.fields(self.request)
            return exactly(self.request.format(**facts), self.line.format(**facts))

        shown = [one() for _ in range(EXCHANGES)]
        return suite(self.name, seed, conversation(shown), [one() for _ in range(UNSEEN)])


_DOMAINS = (
    _Domain(
        "meetings",
        "Meeting with {person} on {date} at {time} in room B{tens}.",
        "{date} {time} / B{tens} / {person}",
    ),
    _Domain(
        "parcels", "Parcel PX-{hundreds} for {person}, {weight} kg.", "PX-{hundreds} | {person} | {weight}"
    ),
    _Domain("flights", "Flight LH{hundreds} goes to {city} at {time}.", "LH{hundreds} > {city} > {time}"),
    _Domain("hotels", "A hotel room for {person} from {date} to {date2}.", "{person}: {date} - {date2}"),
    _Domain(
        "rentals", "Car K-{hundreds} is rented by {person} until {date}.", "K-{hundreds} = {person} = {date}"
    ),
    _Domain(
        "stock", "There are {tens} boxes of SKU-{thousands} in {city}.", "SKU-{thousands} x {tens} @ {city}"
    ),
    _Domain("patients", "Patient P-{thousands} sees {person} at {time}.", "P-{thousands}; {time}; {person}"),
    _Domain("exams", "The exam of {person} was marked {tens} on {date}.", "{person} ({tens}) {date}"),
    _Domain("trucks", "Truck TR-{hundreds} reaches {city} at {time}.", "{time} TR-{hundreds} {city}"),
    _Domain("birthdays", "The birthday of {person} is {date}.", "BIRTHDAY {date} {person}"),
    _Domain(
        "books", "Book BK-{thousands} is lent to {person} until {date}.", "{person} < BK-{thousands} < {date}"
    ),
    _Domain(
        "meters", "Meter M-{hundreds} in {city} shows {thousands}.", "[{city}] M-{hundreds} [{thousands}]"
    ),
    _Domain("weather", "It was {weight} degrees in {city} at {time}.", "{city}, {time}, {weight}"),
    _Domain("taxis", "Taxi at {time} for {person} to {city}.", "TAXI {person} -> {city} {time}"),
    _Domain(
        "repairs",
        "Machine MC-{hundreds} was repaired by {person} on {date}.",
        "FIXED MC-{hundreds} {date}, {person}",
    ),
    _Domain(
        "calls", "A call from {person}, extension {hundreds}, at {time}.", "{hundreds} ~ {person} ~ {time}"
    ),
    _Domain("seats", "Seat S{tens} on train IC-{hundreds} for {person}.", "IC-{hundreds}: S{tens}: {person}"),
    _Domain(
        "loans",
        "Loan LN-{thousands} of {amount} EUR to {person}.",
        "LOAN {amount} / LN-{thousands} / {person}",
    ),
    _Domain(
        "samples",
        "Sample LAB-{hundreds} taken on {date} weighs {weight} grams.",
        "{date} LAB-{hundreds}: {weight}",
    ),
    _Domain(
        "flats", "The flat in {city} costs {thousands} EUR from {date}.", "{city} + {thousands} + {date}"
    ),
    _Domain("runners", "Runner {hundreds}, {person}, finished at {time}.", "#{hundreds} {time} {person}"),
    _Domain(
        "visas",
        "The visa of {person}, number V-{thousands}, ends on {date}.",
        "V-{thousands} {person} - {date}",
    ),
    _Domain("ferries", "The ferry from {city} to {city2} leaves at {time}.", "{city} {time} {city2}"),
    _Domain(
        "keys", "Key KY-{hundreds} was given to {person} at {time}.", "{person} has KY-{hundreds}, {time}"
    ),
)


def small_lessons(seed: int, count: int) -> list[Suite]:
    """`count` unlike ones, in an order that the seed chooses; there are 24 kinds of work."""
    domains = random.Random(f"stream:{seed}").sample(_DOMAINS, count)
    return [domain.lesson(seed) for domain in domains]
