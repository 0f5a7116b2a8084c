"""Five short sessions of unlike kinds, three or four exchanges each, and unseen cases of the same kind.

A session is always the same one; the seed chooses its cases.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from bench.work.cases import UNSEEN, CaseSpec, Suite, conversation, exactly, suite
from bench.work.words import stranger
from nightschool.cli import demo


def invoice_cases(count: int, seed: int) -> list[CaseSpec]:
    """The demo's: a mail becomes a payment line."""
    return [exactly(invoice.mail, invoice.line) for invoice in demo.unseen(count, seed)]


def invoices(seed: int) -> Suite:
    shown = [exactly(invoice.mail, invoice.line) for invoice in demo.MORNING]
    unseen = invoice_cases(UNSEEN, random.Random(seed).randrange(10**6))
    return suite("invoices", seed, conversation(shown), unseen)


def meetings(seed: int) -> Suite:
    """A sentence about a meeting becomes a line of the calendar."""
    rng = random.Random(seed)

    def meeting(person: str, day: str, time: str, room: str) -> CaseSpec:
        request = f"Meeting with {person} on {day} at {time} in room {room}."
        return exactly(request, f"{day} {time} / {room} / {person}")

    def unseen() -> CaseSpec:
        day = f"2026-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
        time = f"{rng.randint(8, 18):02d}:{rng.choice(('00', '15', '30', '45'))}"
        return meeting(stranger(rng), day, time, f"{rng.choice('ABCDE')}{rng.randint(10, 49)}")

    shown = [
        meeting("Anna Smith", "2026-03-12", "14:30", "B12"),
        meeting("Peter Jones", "2026-07-01", "09:15", "C40"),
        meeting("Maria Lopez", "2026-11-23", "16:00", "A27"),
    ]
    return suite("meetings", seed, conversation(shown), [unseen() for _ in range(UNSEEN)])


def parcels(seed: int) -> Suite:
    """A parcel becomes a label, the name in capitals."""
    rng = random.Random(seed)

    def parcel(code: str, person: str, weight: str) -> CaseSpec:
        return exactly(f"Parcel {code} for {person}, {weight} kg.", f"{code} | {person.upper()} | {weight}")

    def unseen() -> CaseSpec:
        code = f"PX-{rng.randint(100, 999)}"
        return parcel(code, stranger(rng), f"{rng.randint(1, 60)}.{rng.randint(1, 9)}")

    shown = [
        parcel("PX-310", "Anna Smith", "12.5"),
        parcel("PX-774", "Peter Jones", "3.2"),
        parcel("PX-652", "Maria Lopez", "40.8"),
        parcel("PX-129", "John Miller", "7.1"),
    ]
    return suite("parcels", seed, conversation(shown), [unseen() for _ in range(UNSEEN)])


_TICKETS = {
    "NET": "The wifi is down|The VPN connection drops|The internet is slow|The router keeps restarting",
    "PAY": "My salary is wrong|My expenses were not paid|The refund did not arrive|My bonus is missing",
    "KEY": "My door card does not open|I lost my key|The lock is stuck|The gate does not open",
}


def tickets(seed: int) -> Suite:
    """A ticket gets the label of its queue."""
    rng = random.Random(seed)

    def ticket(text: str, person: str, number: int, label: str) -> CaseSpec:
        return exactly(f"{text}. {person}, ticket {number}", f"QUEUE {label}")

    texts = [(text, label) for label, some in _TICKETS.items() for text in some.split("|")]
    shown = [
        ticket("The wifi is slow on floor 3", "Anna Smith", 4471, "NET"),
        ticket("My salary is too low this month", "Peter Jones", 5120, "PAY"),
        ticket("My badge does not open the door", "Maria Lopez", 7733, "KEY"),
        ticket("The VPN does not work", "John Miller", 2958, "NET"),
    ]
    unseen = [
        ticket(text, stranger(rng), rng.randint(1000, 9999), label)
        for text, label in (texts[i % len(texts)] for i in range(UNSEEN))
    ]
    return suite("tickets", seed, conversation(shown), unseen)


_CODE_NAMES = {"Berlin": "KESTREL", "Lisbon": "MARLIN", "Oslo": "BADGER", "Dublin": "HERON"}
_QUESTIONS = (
    "Tell me the code name of our office in {}.|Which code name does the {} office have?|"
    "What do we call the office in {}?|I forgot the code name for {}.|Code name for {}?|"
    "How is the {} office called?|Give me the code name of {}.|{} office: code name?|"
    "What was the code name of the {} office again?|What is the code name of our office in {}?"
).split("|")


def code_names(seed: int) -> Suite:
    """Four facts, asked for in other words: the same cases for every seed."""

    def ask(question: str) -> list[CaseSpec]:
        return [
            exactly(question.format(city), f"The {city} office is {name}.")
            for city, name in _CODE_NAMES.items()
        ]

    shown = ask("What is the code name of the {} office?")
    unseen = [case for question in _QUESTIONS for case in ask(question)]
    return suite("code-names", seed, conversation(shown), unseen)


KINDS: dict[str, Callable[[int], Suite]] = {
    "invoices": invoices,
    "meetings": meetings,
    "parcels": parcels,
    "tickets": tickets,
    "code-names": code_names,
}
