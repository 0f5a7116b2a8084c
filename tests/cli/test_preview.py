"""What was understood of a session and what a dream would practise of it, shown beforehand."""

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from nightschool.cli.preview import preview, print_preview
from nightschool.config import Config, load
from nightschool.errors import NotFound
from nightschool.store import Store
from nightschool.types import BASE, Feedback, Message
from tests.helpers import SUM, turns

FIELDS = {"id", "kind", "request", "prompt_tokens", "answer", "known", "gap", "dropped"}


@pytest.fixture
def config(tiny_dir: Path) -> Config:
    settings = {"learn.variations": "8", "learn.held_back": "4", "learn.max_new_tokens": "1"}
    return load({**settings, "model.id": str(tiny_dir), "model.dtype": "float32"}, env={})


@pytest.fixture
def session(store: Store) -> str:
    """Requests with known answers, and one where right is what the session makes the teacher say."""
    said = [
        Message("user", "Pay INV-20 to Acme Ltd"),
        Message("assistant", "Acme Ltd INV-20"),
        Message("assistant", "many " * 6),
        *turns(*SUM),
        Message("user", "How many are they?"),
    ]
    store.sessions.add("work", user=None, messages=said, tools=())
    store.feedback.rate(Feedback("f", "work", "good"))
    return "work"


def reading(request: str, answer: str | None, role: str, **more: Any) -> dict[str, Any]:
    return {"request": request, "answer": answer, "role": role, "pattern": None, "reliable": None, **more}


def practice(kind: str, request: str, dropped: str | None = None, known: bool = True) -> dict[str, Any]:
    row = {"id": "s/x", "kind": kind, "request": request, "prompt_tokens": 9, "answer": "FRI 15:05 L85"}
    return row | {"known": known, "gap": 1.25, "dropped": dropped}


REPORT: dict[str, Any] = {
    "session": "s",
    "version": BASE,
    "refusal": None,
    "practised": {"recorded": 1, "varied": 6},
    "dropped": {"replayed: the model does that already": 1},
    "held_back": 10,
    "stretches": [8],
    "drops": [["No, try again.", "may follow up"], ["Book room L85", "only 6 of 96 wanted twins exist"]],
    "readings": [
        reading("Book room L85", "FRI 15:05 L85", "stands alone", pattern=0, reliable=True),
        reading("Book room [b]U10[/b]", "WED 11:35 U10", "stands alone", pattern=0, reliable=False),
        reading("Who leads Ghent?", None, "unknown: its answer may have been corrected later"),
        reading("No, try again.", "Paul Verne.", "unknown: may follow up"),
        reading("Who leads Lyon?", "Ada Abbot.", "stands alone", reliable=True),
    ],
    "understood": [
        {
            "requests": ["Book room L85", "Book room [b]U10[/b]"],
            "how": ["the first three letters of the weekday (“Friday”), in capitals"],
            "twins": [["Book room B13", "THU 17:30 B13"]],
        },
        {"requests": ["Book / {}", "Book / {1}"], "how": ["the code (“L85”)"], "twins": []},
    ],
    "practice": [
        practice("recorded", "Book room L85"),
        *(practice("varied", f"Book room V{n}") for n in range(6)),
        practice("replayed", "Who leads Lyon?", "the model does that already"),
        practice("recorded", "Who leads whom?", known=False),
    ],
}


def printed(report: dict[str, Any], width: int = 80) -> list[str]:
    console = Console(width=width, record=True)
    print_preview(report, console)
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    assert all(len(line) <= width for line in lines)
    return lines


def section(lines: list[str], title: str) -> list[str]:
    """The lines below a heading, until an empty one."""
    start = lines.index(title) + 1
    return [line.strip() for line in lines[start : lines.index("", start)]]


def test_every_turn_is_there_and_every_request_with_its_gap_or_why_it_is_not_practised(
    home: Path, config: Config, session: str
) -> None:
    found = preview(config, home, session)
    assert (found["session"], found["version"]) == (session, BASE)
    assert {"practised", "dropped", "held_back", "ceiling", "teacher", "stretches", "drops"} < found.keys()
    # How reliable a random teacher is does not matter.
    assert [one | {"reliable": None} for one in found["readings"]] == [
        reading("Pay INV-20 to Acme Ltd", "many many many many many many", "stands alone"),
        *(reading(request, "n", "stands alone") for request in SUM[::2]),
        reading("How many are they?", None, "unknown: was not answered"),
    ]
    assert found["refusal"] is None
    assert all(row.keys() == FIELDS for row in found["practice"])
    kept = [row for row in found["practice"] if row["dropped"] is None]
    assert len(kept) >= sum(found["practised"].values()) > 0
    assert all(row["known"] or row["gap"] >= 0.05 for row in kept)
    recorded = {row["request"]: row for row in found["practice"] if row["kind"] == "recorded"}
    assert recorded["Pay INV-20 to Acme Ltd"]["known"]
    assert recorded["Pay INV-20 to Acme Ltd"]["answer"].startswith("Acme Ltd INV-20")
    assert printed(found)[0] == "Exchanges"


def test_a_session_of_too_little_evidence_and_one_that_nobody_judged_are_refused(
    home: Path, store: Store, config: Config
) -> None:
    store.sessions.add("bare", user=None, messages=turns("注文は?"), tools=())  # no answer
    assert "`nightschool good bare`" in preview(config, home, "bare")["refusal"]
    store.feedback.rate(Feedback("f", "bare", "good"))
    found = preview(config, home, "bare")
    assert found["refusal"] == "needs 2 more exchanges of this kind"
    last = printed(found)[-1]
    assert last == "A dream would not learn this session: needs 2 more exchanges of this kind."


def test_the_exchanges_are_numbered_with_what_was_made_of_them() -> None:
    assert section(printed(REPORT), "Exchanges") == [
        "1 Book room L85",
        "-> FRI 15:05 L85",
        "stands alone; pattern 1; the teacher is right",
        "2 Book room [b]U10[/b]",
        "-> WED 11:35 U10",
        "stands alone; pattern 1; the teacher is wrong",
        "3 Who leads Ghent?",
        "-> ?",
        "unknown: its answer may have been corrected later",
        "4 No, try again.",
        "-> Paul Verne.",
        "unknown: may follow up; right where it was asked",
        "5 Who leads Lyon?",
        "-> Ada Abbot.",
        "stands alone; the teacher is right",
    ]


def test_each_pattern_says_how_answers_are_made_and_has_twins() -> None:
    lines = printed(REPORT)
    assert section(lines, "Pattern 1: exchanges 1, 2") == [
        "the answer takes",
        "- the first three letters of the weekday (“Friday”), in capitals",
        "and so to others",
        "- Book room B13",
        "-> THU 17:30 B13",
    ]
    step = section(lines, "Pattern 2: 2 answers on the way to the last")
    assert step == ["the answer takes", "- the code (“L85”)"]


def test_reliability_is_counted_overall_and_by_pattern_where_the_teacher_was_asked() -> None:
    head, *by_pattern = section(printed(REPORT), "Teacher")
    assert head.startswith("right on 2 of 3 when left out")
    assert by_pattern == ["pattern 1: 1 of 2", "without a pattern: 1 of 1"]
    unasked = [one | {"reliable": None} for one in REPORT["readings"]]
    assert "Teacher" not in printed(REPORT | {"readings": unasked})


def test_what_is_unknown_is_said_once_and_why() -> None:
    assert section(printed(REPORT), "Unknown") == [
        "- exchange 3: its answer may have been corrected later",
        "- exchange 4: may follow up",
        "- exchange 5: how the answer is made, so there are no twins",
        "- Book room L85: only 6 of 96 wanted twins exist",
    ]


def test_of_each_kind_of_practice_some_requests_are_shown() -> None:
    lines = printed(REPORT, width=120)
    legend, head, *rows = section(lines, "Practice (gap: nats per token by which the session helps)")
    assert legend.startswith("recorded: by itself; varied: with other values or words; replayed: ")
    assert head.split() == ["kind", "gap", "request", "right", "answer"]
    assert [row.split()[0] for row in rows] == [*["recorded"] * 2, *["varied"] * 5]
    assert rows[6].split() == ["varied", "...", "and", "2", "more"]
    assert rows[0].split(maxsplit=2)[2].split("  ")[-1].strip() == "FRI 15:05 L85"
    assert "(the teacher's) FRI" in rows[1]
    (row,) = [line for line in lines if line.startswith("replayed")]
    assert row.endswith("the model does that already")
    assert lines[-1] == "Practised: 1 recorded, 6 varied. Held back: 10."


def test_a_long_session_is_not_printed_whole() -> None:
    many = [reading(f"Book room {n} " + "for days " * 50, "x", "stands alone") for n in range(50)]
    lines = printed(REPORT | {"readings": many})
    assert "   and 10 more (--json shows all)" in lines
    assert len(lines) < 300


def test_an_unknown_session_is_said_before_a_model_is_loaded(home: Path) -> None:
    with pytest.raises(NotFound, match="there is no session nobody"):
        preview(Config(), home, "nobody")
