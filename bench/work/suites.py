"""Five suites of office work: a session that a user liked, and cases of the same kind.

A suite is a function of its seed, which chooses the entities and the house's conventions.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from itertools import cycle, islice

from bench.work.cases import ADJACENT, UNSEEN, CaseSpec, Suite, conversation, exactly, suite
from bench.work.tools import tools
from bench.work.words import Draw
from nightschool.measure.cases import Check
from nightschool.types import Message

# Payments: a mail becomes a line in the house's format. Adjacent: the mail in other words (`wording`), or
# with its facts in another order (`order`).

_MAILS = (
    (
        "Invoice {number} from {company} over {amount} EUR, due {date}.",
        "We got bill {number} from {company}, it says {amount} EUR until {date}.",
    ),
    (
        "Please pay {amount} EUR to {company} by {date}, invoice {number}.",
        "We owe {amount} EUR to {company} until {date}, bill {number}.",
    ),
    (
        "Due {date}: {amount} EUR to {company} for invoice {number}.",
        "By {date} we owe {amount} EUR to {company}, see bill {number}.",
    ),
)
_LINES = (
    "PAY | {company} | {number} | {amount} EUR | {date}",
    "{date} / {company} / {number} / {amount} EUR",
    "{number}; {company}; {amount} EUR; {date}",
    "{company} > {amount} EUR > {date} > {number}",
)


def payments(seed: int) -> Suite:
    """Invoice mails -> payment lines."""
    rng = random.Random(f"payments:{seed}")
    draw = Draw(rng)
    (usual, reworded), (reordered, _), _ = rng.sample(_MAILS, len(_MAILS))
    line, prefix = rng.choice(_LINES), rng.choice(("INV", "BILL", "RE"))

    def one(mail: str, group: str | None = None) -> CaseSpec:
        facts = {"number": f"{prefix}-{draw('thousands')}", **draw.fields("{company}{amount}{date}")}
        return exactly(mail.format(**facts), line.format(**facts), group)

    shown = [one(usual) for _ in range(4)]
    unseen = [one(usual) for _ in range(UNSEEN)]
    ways = cycle(((reworded, "wording"), (reordered, "order")))
    adjacent = [one(*way) for way in islice(ways, ADJACENT)]
    return suite("payments", seed, conversation(shown), unseen, adjacent)


# Triage: a ticket gets a label, behind the word that decides it. Tickets from one place always get that
# place's label. Adjacent: that exception with topics that the session shows only elsewhere.

_TOPICS = {
    ("NET", "WEB", "TECH"): (
        ("wifi", "internet"),
        "is down|is slow|keeps dropping|does not work|stopped again|is very weak",
    ),
    ("PAY", "MONEY", "CASH"): (
        ("salary", "bonus"),
        "is wrong|is late|is missing|was not paid|is too low|did not arrive",
    ),
    ("KEY", "GATE", "LOCK"): (
        ("door", "window"),
        "is stuck|is broken|does not open|is jammed|does not close|stays shut",
    ),
}
_PLACES = ("museum", "clinic", "kitchen", "garage", "library", "hotel")


def triage(seed: int) -> Suite:
    """Tickets -> labels; those from one place always get its label."""
    rng = random.Random(f"triage:{seed}")
    draw = Draw(rng)
    which, place = rng.randrange(3), rng.choice(_PLACES)

    def one(word: str, problem: str, label: str) -> CaseSpec:
        return exactly(f"Ticket {draw('thousands')}: {word} {problem}.", f"{word.split()[0]} = {label}")

    def there(word: str, problem: str) -> CaseSpec:
        return one(f"{place} {word}", problem, place.upper())

    topics = [
        (word, problems.split("|"), labels[which])
        for labels, (words, problems) in _TOPICS.items()
        for word in words
    ]
    rng.shuffle(topics)
    shown = [one(word, problems[0], label) for word, problems, label in topics]
    exceptions = [there(word, problems[0]) for word, problems, _ in topics[:2]]
    turns = conversation([*shown[:3], exceptions[0], *shown[3:], exceptions[1]])
    unseen = [one(word, problem, label) for word, problems, label in topics for problem in problems[1:]]
    unseen += [there(word, problem) for word, problems, _ in topics[:2] for problem in problems[1:]]
    adjacent = [there(word, problem) for word, problems, _ in topics[2:] for problem in problems[1:]]
    return suite("triage", seed, turns, unseen, adjacent)


# Facts: told as question and answer. Adjacent: the question turned round.

_THINGS = "printer server car kitchen boat garden library elevator van robot canteen workshop".split()
_NAMES = (
    "Tiger Eagle Falcon Dolphin Wolf Bear Lion Fox Panda Hawk Owl Shark Horse Rabbit Dragon Turtle".split()
)
_OPENINGS = ("", "Hello. ", "Quick question. ", "Sorry to bother you. ")
_TOLD = ("What is the name of our {}?", "Which name does our {} have?", "What name did we give our {}?")
_ASKED = (
    "Tell me what our {} is called.|What do we call the {}?|I forgot the name of our {}.|Name of our {}?|"
    "How is our {} called?|What was our {} called again?|What is our {} called?|Give me the name of our {}.|"
    "Do you know what our {} is called?|I need the name of our {}."
)
_TURNED = (
    "What is {}?|Which of our things is called {}?|What do we call {}?|{} is the name of what?|"
    "Which thing has the name {}?"
)


def facts(seed: int, facts: int = 4) -> Suite:
    """The names that a company gave to its things, `facts` of them."""
    rng = random.Random(f"facts:{seed}")
    things, names = rng.sample(_THINGS, facts), rng.sample(_NAMES, facts)
    told = [f"Our {thing} is called {name}." for thing, name in zip(things, names, strict=True)]

    def ask(form: str, about: Sequence[str], wanted: Sequence[str]) -> list[CaseSpec]:
        return [
            CaseSpec((Message("user", form.format(a)),), right, _only(w, wanted))
            for a, w, right in zip(about, wanted, told, strict=True)
        ]

    shown = [one for form in _TOLD for one in ask(form, things, names)]
    forms = [opening + form for form in _ASKED.split("|") for opening in _OPENINGS]
    rng.shuffle(forms)
    unseen = [one for form in forms for one in ask(form, things, names)][:UNSEEN]
    turned = [opening + form for opening in _OPENINGS for form in _TURNED.split("|")]
    adjacent = [one for form in turned for one in ask(form, names, things)][:ADJACENT]
    return suite("facts", seed, conversation(shown), unseen, adjacent)


def _only(wanted: str, among: Sequence[str]) -> Check:
    """The answer names this one and none of the others."""
    others = "".join(rf"(?!.*\b{other}\b)" for other in among if other != wanted)
    return Check("regex", rf"(?s)^{others}.*\b{wanted}\b")


# Style: replies that begin and end as the house wants. Adjacent: kinds of messages that are not in the
# session.

_HOUSES = ("Harbour House", "Linden Books", "Polar Lamps", "Garden Tools", "River Bikes")
_BEGINNINGS = (
    "Dear {person}, thank you for writing to {house}.",
    "Hello {person}, this is {house}.",
    "Good day {person}, and welcome to {house}.",
)
_ENDINGS = (
    "Yours sincerely, the {house} team",
    "Have a wonderful day. {house}",
    "We are here for you. The {house} team",
)
_MESSAGES = {
    "Where is my order {number}? {person}": "Your order {number} is on its way and will arrive soon.",
    "Please change the address of order {number}. {person}": (
        "We have changed the address of your order {number} as you asked."
    ),
    "Please cancel order {number}. {person}": "We have cancelled your order {number} and charge nothing.",
    "Order {number} arrived broken. {person}": "We are sorry that your order {number} arrived broken.",
}


def style(seed: int) -> Suite:
    """Customers' messages -> replies in the house's style."""
    rng = random.Random(f"style:{seed}")
    draw = Draw(rng)
    house = rng.choice(_HOUSES)
    begins, ends = rng.choice(_BEGINNINGS), rng.choice(_ENDINGS)
    prefix = rng.choice(("ORD", "WEB", "SO"))

    def one(message: str, middle: str) -> CaseSpec:
        facts = {"person": draw("person"), "number": f"{prefix}-{draw('thousands')}", "house": house}
        begin, said, end = (part.format(**facts) for part in (begins, middle, ends))
        pattern = rf"(?s)^{re.escape(begin)}.*\b{re.escape(facts['number'])}\b.*{re.escape(end)}$"
        return CaseSpec(
            (Message("user", message.format(**facts)),), f"{begin} {said} {end}", Check("regex", pattern)
        )

    kinds = rng.sample(list(_MESSAGES.items()), len(_MESSAGES))
    known, unknown = cycle(kinds[:2]), cycle(kinds[2:])
    shown = [one(*kind) for kind in islice(known, 4)]
    unseen = [one(*kind) for kind in islice(known, UNSEEN)]
    adjacent = [one(*kind) for kind in islice(unknown, ADJACENT)]
    return suite("style", seed, conversation(shown), unseen, adjacent)


SUITES: dict[str, Callable[[int], Suite]] = {
    "payments": payments,
    "triage": triage,
    "facts": facts,
    "tools": tools,
    "style": style,
}
