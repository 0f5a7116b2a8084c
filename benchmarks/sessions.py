"""Short sessions of five unlike kinds, each from import to eval through the command line.

    python -m benchmarks.sessions [--seed 0] [--out docs/results/sessions] [KIND ...] [--learn.x y]

Each kind starts from the base model in a home of its own; `--chain` dreams them one after the other in one
home instead and measures every kind after each night. Writes OUT.json and OUT.md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import describe, write
from nightschool.cli.demo import MORNING, unseen

Turn = tuple[str, str]  # what the user says, the answer that is right
_FIRST = (
    "Tomas Ingrid Paulo Yuki Farid Leonie Marta Sven Aisha Bruno Carla Dmitri Elif Gustav Hana Igor".split()
)
_LAST = (
    "Novak Berg Lima Tanaka Haddad Weiss Rossi Holm Diallo Costa Vidal Orlov Kaya Lind Sato Petrov".split()
)


@dataclass(frozen=True)
class Kind:
    """A session, and how its unseen cases are made."""

    session: list[Turn]
    cases: Callable[[random.Random], list[Turn]]


def _person(rng: random.Random) -> str:
    return f"{rng.choice(_FIRST)} {rng.choice(_LAST)}"


def _invoices(rng: random.Random) -> list[Turn]:
    return [(i.mail, i.line) for i in unseen(40, rng.randrange(10**6))]


def _meeting(person: str, day: str, time: str, room: str) -> Turn:
    return f"Meeting with {person} on {day} at {time} in room {room}.", f"{day} {time} / {room} / {person}"


def _meetings(rng: random.Random) -> list[Turn]:
    def one() -> Turn:
        day = f"2026-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
        time = f"{rng.randint(8, 18):02d}:{rng.choice(('00', '15', '30', '45'))}"
        return _meeting(_person(rng), day, time, f"{rng.choice('ABCDE')}{rng.randint(10, 49)}")

    return [one() for _ in range(40)]


def _parcel(code: str, person: str, weight: str) -> Turn:
    return f"Parcel {code} for {person}, {weight} kg.", f"{code} | {person.upper()} | {weight}"


def _parcels(rng: random.Random) -> list[Turn]:
    def one() -> Turn:
        return _parcel(
            f"PX-{rng.randint(100, 999)}", _person(rng), f"{rng.randint(1, 60)}.{rng.randint(1, 9)}"
        )

    return [one() for _ in range(40)]


_TICKETS = {
    "NET": "The wifi is down|The VPN connection drops|The internet is slow|The router keeps restarting",
    "PAY": "My salary is wrong|My expenses were not paid|The refund did not arrive|My bonus is missing",
    "KEY": "My door card does not open|I lost my key|The lock is stuck|The gate does not open",
}


def _tickets(rng: random.Random) -> list[Turn]:
    texts = [(text, label) for label, some in _TICKETS.items() for text in some.split("|")]
    made = [(*texts[i % len(texts)], _person(rng), rng.randint(1000, 9999)) for i in range(40)]
    return [(f"{text}. {person}, ticket {number}", f"QUEUE {label}") for text, label, person, number in made]


_NAMES = {"Berlin": "KESTREL", "Lisbon": "MARLIN", "Oslo": "BADGER", "Dublin": "HERON"}
_ASKED = (
    "Tell me the code name of our office in {}.|Which code name does the {} office have?|"
    "What do we call the office in {}?|I forgot the code name for {}.|Code name for {}?|"
    "How is the {} office called?|Give me the code name of {}.|{} office: code name?|"
    "What was the code name of the {} office again?|What is the code name of our office in {}?"
)


def _code_names(rng: random.Random) -> list[Turn]:
    return [(f.format(c), f"The {c} office is {n}.") for f in _ASKED.split("|") for c, n in _NAMES.items()]


KINDS = {
    "invoices": Kind([(i.mail, i.line) for i in MORNING], _invoices),
    "meetings": Kind(
        [
            _meeting("Anna Smith", "2026-03-12", "14:30", "B12"),
            _meeting("Peter Jones", "2026-07-01", "09:15", "C40"),
            _meeting("Maria Lopez", "2026-11-23", "16:00", "A27"),
        ],
        _meetings,
    ),
    "parcels": Kind(
        [
            _parcel("PX-310", "Anna Smith", "12.5"),
            _parcel("PX-774", "Peter Jones", "3.2"),
            _parcel("PX-652", "Maria Lopez", "40.8"),
            _parcel("PX-129", "John Miller", "7.1"),
        ],
        _parcels,
    ),
    "tickets": Kind(
        [
            ("The wifi is slow on floor 3. Anna Smith, ticket 4471", "QUEUE NET"),
            ("My salary is too low this month. Peter Jones, ticket 5120", "QUEUE PAY"),
            ("My badge does not open the door. Maria Lopez, ticket 7733", "QUEUE KEY"),
            ("The VPN does not work. John Miller, ticket 2958", "QUEUE NET"),
        ],
        _tickets,
    ),
    "code names": Kind(
        [(f"What is the code name of the {c} office?", f"The {c} office is {n}.") for c, n in _NAMES.items()],
        _code_names,
    ),
}


class Home:
    """A home of Nightschool, used through its command line."""

    def __init__(self, folder: Path, settings: list[str]) -> None:
        self._folder, self._settings = folder, settings

    def __call__(self, *arguments: str, fine: tuple[int, ...] = (0,)) -> Any:
        """Run a command; its JSON."""
        command = [sys.executable, "-m", "nightschool", *arguments, "--json", *self._settings]
        environment = os.environ | {"NIGHTSCHOOL_HOME": str(self._folder)}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode not in fine:
            raise SystemExit(f"{' '.join(arguments)} ended with {done.returncode}")
        return json.loads(done.stdout)

    def teach(self, name: str) -> str:
        """Import a kind's session and like it; its id."""
        turns = KINDS[name].session
        messages = [
            m for q, a in turns for m in ({"role": "user", "content": q}, {"role": "assistant", "content": a})
        ]
        session = name.replace(" ", "-")
        file = self._folder / f"{session}.jsonl"
        file.write_text(json.dumps({"id": session, "messages": messages}) + "\n")
        self("import", str(file))
        self("good", session)
        return session

    def accuracy(self, name: str, seed: int, *options: str) -> float:
        """On unseen cases of a kind."""
        cases = KINDS[name].cases(random.Random(seed))
        lines = [
            {"id": str(i), "messages": [{"role": "user", "content": q}], "check": {"exact": a}}
            for i, (q, a) in enumerate(cases)
        ]
        file = self._folder / "cases.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return float(self("eval", str(file), *options)["accuracy"])


def one_by_one(names: list[str], seed: int, settings: list[str]) -> list[dict[str, Any]]:
    """Each kind from the base model."""
    rows = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            home = Home(Path(folder), ["--learn.seed", str(seed), *settings])
            session = home.teach(name)
            outcome = home("dream", session, fine=(0, 1))
            row = {
                "kind": name,
                "base": home.accuracy(name, seed, "--version", "base"),
                "in_context": home.accuracy(name, seed, "--version", "base", "--with-session", session),
                "after": home.accuracy(name, seed),
                **_numbers(outcome),
            }
        print(json.dumps(row), flush=True)
        rows.append(row)
    return rows


def chained(names: list[str], seed: int, settings: list[str]) -> list[dict[str, Any]]:
    """One night after the other in one home; every kind learned so far is measured after each."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder), ["--learn.seed", str(seed), *settings])
        for i, name in enumerate(names):
            outcome = home("dream", home.teach(name), fine=(0, 1))
            after = {earlier: home.accuracy(earlier, seed) for earlier in names[: i + 1]}
            rows.append({"kind": name, "accuracy": after, **_numbers(outcome)})
            print(json.dumps(rows[-1]), flush=True)
    return rows


def _numbers(outcome: dict[str, Any]) -> dict[str, Any]:
    return {
        "status": outcome["status"],
        "reasons": outcome["verdict"]["reasons"],
        "kl_to_base": outcome["verdict"]["numbers"]["kl_to_base"],
        "steps": outcome["steps"],
        "seconds": outcome["seconds"],
        "peak_memory_mb": round(outcome["peak_memory_bytes"] / 1e6),
    }


def _page(rows: list[dict[str, Any]], command: str) -> str:
    """The rows as a Markdown table."""
    heads = [key for key in rows[0] if key != "reasons"]
    lines = [
        f"`{command}`",
        f"({describe()})",
        "",
        "| " + " | ".join(heads) + " |",
        "|" + "---|" * len(heads),
    ]
    for row in rows:
        cells = [f"{v:.3f}" if isinstance(v, float) else str(v) for k, v in row.items() if k in heads]
        lines.append("| " + " | ".join(cells) + " |")
    refused = [f"- {row['kind']}: {reason}" for row in rows for reason in row["reasons"]]
    return "\n".join([*lines, "", *(["Refused by the gate:", "", *refused, ""] if refused else [])])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--chain", action="store_true")
    parser.add_argument("--out", type=Path)
    known, settings = parser.parse_known_args()
    rows = (chained if known.chain else one_by_one)(known.kinds, known.seed, settings)
    page = _page(rows, " ".join(["python -m benchmarks.sessions", *sys.argv[1:]]))
    print(page)
    if known.out:
        known.out.with_suffix(".md").write_text(page)
        write(known.out, {"machine": describe(), "rows": rows})


if __name__ == "__main__":
    main()
