"""From sessions to lessons: what is practised, what is held back, what is dropped and why."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightschool.lessons.build import build_lesson
from nightschool.lessons.questions import Questions
from nightschool.lessons.writing import Answered, Writer
from nightschool.types import BASE, Lesson, Message, Session, ToolCall
from tests.lessons.conftest import Reader


def session(*texts: str, system: str | None = None) -> Session:
    roles = ("user", "assistant")
    turns = [Message(roles[i % 2], t) for i, t in enumerate(texts)]  # type: ignore[arg-type]
    return Session("s1", (*([Message("system", system)] if system else []), *turns))


def lesson(of: Session, seed: int = 0, variations: int = 20, held_back: int = 8) -> Lesson:
    return build_lesson(of, seed=seed, variations=variations, held_back=held_back)


INVOICES = session(
    "Invoice INV-2041 from Acme Ltd over 1250.00 EUR.",
    "PAY | Acme Ltd | INV-2041 | 1250.00",
    "Invoice INV-7718 from Northwind GmbH over 389.50 EUR.",
    "PAY | Northwind GmbH | INV-7718 | 389.50",
    system="You keep the books.",
)


def test_a_lesson_has_its_own_requests_and_variations_of_them() -> None:
    made = lesson(INVOICES)
    assert made.context == INVOICES.messages
    recorded = [p for p in made.practice if p.kind == "recorded"]
    assert [p.expected for p in recorded] == [INVOICES.messages[2].content, INVOICES.messages[4].content]
    assert len([p for p in made.practice if p.kind == "varied"]) == 20
    assert len(made.held_back) == 8
    assert all(p.expected is not None for p in made.held_back)  # those that measure best
    for request in (*recorded, *made.held_back):
        assert [m.role for m in request.messages] == ["system", "user"]


def test_nothing_held_back_is_practised_and_the_seed_decides() -> None:
    made = lesson(INVOICES)
    practised = {p.messages[-1].content for p in made.practice}
    assert not practised & {p.messages[-1].content for p in made.held_back}
    assert lesson(INVOICES) == made
    assert lesson(INVOICES, seed=1) != made


@settings(max_examples=25)
@given(st.integers(0, 99), st.integers(0, 40), st.integers(0, 40))
def test_the_split_never_leaks(seed: int, variations: int, held_back: int) -> None:
    made = lesson(INVOICES, seed, variations, held_back)
    standalone = [p for p in made.practice if p.kind != "replayed"]
    texts = [p.messages[-1].content for p in (*standalone, *made.held_back)]
    assert len(texts) == len(set(texts))
    assert len(made.held_back) <= held_back


def test_a_fact_is_asked_in_other_words_and_never_made_of_other_entities() -> None:
    made = lesson(
        session(
            "What is the code name of the Berlin office?",
            "The Berlin office is KESTREL.",
            "What is the code name of the Oslo office?",
            "The Oslo office is BADGER.",
        )
    )
    assert made.held_back
    for request in (*made.practice, *made.held_back):
        asked = request.messages[-1].content.lower()
        assert ("berlin" in asked) != ("oslo" in asked)
        assert (
            request.expected
            == f"The {'Berlin office is KESTREL' if 'berlin' in asked else 'Oslo office is BADGER'}."
        )


FACTS = (
    ("Who leads the Ghent office?", "Mira Stone does."),
    ("What opens the gate?", "Code 7731, of course."),
    ("Our lawyer is Ines Corvo.", "Thank you."),
)
NEW = ("Mira", "Stone", "7731", "lawyer", "Ines", "Corvo")


def facts_lesson(seed: int = 0, variations: int = 24, held_back: int = 9, written: int = 12) -> Lesson:
    """Of three facts: about the first, `written` questions are admitted, about the last, which is told, 3."""
    model = Reader(NEW, lambda prompt, version: "Mira Stone, Ines Corvo")

    def about(note: str, count: int) -> list[str]:
        asked = "How is the Ghent office led" if "Ghent" in note else "Is our lawyer known"
        return [f"{asked}, way {i}?" for i in range(count if "Ghent" in note else 3)]

    def write(noted: Sequence[Answered], count: int) -> list[list[str]]:
        return [about(note, count) for note, _ in noted]

    questions = Questions(model, BASE, Writer(model, BASE), write, written)
    of = session(*(text for both in FACTS for text in both), system="Be brief.")
    return build_lesson(of, seed=seed, variations=variations, held_back=held_back, questions=questions)


def test_facts_share_the_places_and_only_half_of_what_each_has_is_held_back() -> None:
    made = facts_lesson()
    practised = Counter(p.expected for p in made.practice if p.kind == "varied")
    held = Counter(p.expected for p in made.held_back)
    lead, gate, told = FACTS[0][1], FACTS[1][1], FACTS[2][0]
    assert practised == {lead: 8, gate: 14, told: 2}  # of 12 questions, 26 places and 3 questions
    assert held == {lead: 4, gate: 4, told: 1}
    assert facts_lesson() == made
    assert facts_lesson(seed=1) != made
    few = facts_lesson(variations=6, held_back=3).practice
    assert Counter(p.expected for p in few if p.kind == "varied") == {lead: 2, gate: 2, told: 2}


@settings(max_examples=25)
@given(st.integers(0, 99), st.integers(0, 40), st.integers(0, 40), st.integers(0, 12))
def test_what_is_asked_of_facts_never_leaks(seed: int, variations: int, held_back: int, written: int) -> None:
    made = facts_lesson(seed, variations, held_back, written)
    asked = [p.messages for p in (*made.practice, *made.held_back)]
    assert len(asked) == len(set(asked))
    assert len(made.held_back) <= held_back
    assert len([p for p in made.practice if p.kind == "varied"]) <= variations


def test_a_told_turn_is_no_request_wherever_it_stood() -> None:
    made = facts_lesson()
    assert FACTS[2][0] not in {p.messages[-1].content for p in (*made.practice, *made.held_back)}
    assert [p.kind for p in made.practice if p.kind != "varied"] == ["recorded", "recorded", "replayed"]


def test_every_request_about_a_fact_is_right_by_what_it_names() -> None:
    made = facts_lesson()
    says = {FACTS[0][1]: "Mira Stone", FACTS[1][1]: "7731", FACTS[2][0]: "Ines Corvo"}
    for request in (*made.practice, *made.held_back):
        assert request.expected
        own, *others = request.names
        assert own == says[request.expected]
        ends = {"lawyer"} if own != "Ines Corvo" else set()  # the told fact's other end
        assert {*others} == {*says.values(), *ends} - {own}


def test_one_exchange_alone_is_never_twinned() -> None:
    made = lesson(session("Pay INV-20 to Acme Ltd", "ACME|20"))
    assert {p.expected for p in (*made.practice, *made.held_back)} == {"ACME|20"}


def test_no_probe_has_only_values_that_are_practised() -> None:
    made = lesson(INVOICES, variations=60, held_back=20)
    practised = " ".join(p.messages[-1].content for p in made.practice if p.kind == "varied")
    for probe in made.held_back:
        values = re.findall(r"INV-\d+|\d+\.\d\d", probe.messages[-1].content)
        assert not all(value in practised for value in values)


def test_an_answer_that_may_have_been_corrected_is_not_known() -> None:
    made = lesson(
        session("Who leads Ghent?", "Mira Stone leads Ghent.", "No, try again.", "Paul Verne leads Ghent.")
    )
    assert "Mira Stone leads Ghent." not in {p.expected for p in (*made.practice, *made.held_back)}


def test_a_session_in_a_script_without_spaces_has_twins() -> None:
    made = lesson(session("第9周订12箱苹果。", "苹果 x12 @W9", "第3周订5箱梨。", "梨 x5 @W3"))
    twins = [p for p in made.practice if p.kind == "varied"]
    assert len(twins) == 20
    for twin in twins:
        week, boxes, fruit = re.fullmatch(r"第(\d+)周订(\d+)箱(\S+)。", twin.messages[-1].content).groups()  # type: ignore[union-attr]
        assert twin.expected == f"{fruit} x{boxes} @W{week}"


def test_too_few_twins_are_reported() -> None:
    made = lesson(session("Monday?", "1", "Tuesday?", "2"), variations=500)
    assert [drop for drop in made.drops if drop.reason.endswith("wanted twins exist")]


def flow(name: str, number: str) -> list[Message]:
    """Find, then act."""
    find = ToolCall("c1", "find", f'{{"name": "{name}"}}')
    close = ToolCall("c2", "close", f'{{"customer": "{number}", "queue": "Q7"}}')
    return [
        Message("user", f"Please close the account of {name}."),
        Message("assistant", "", (find,)),
        Message("tool", f'{{"customer": "{number}", "name": "{name}"}}', tool_call_id="c1"),
        Message("assistant", "", (close,)),
        Message("tool", "ok", tool_call_id="c2"),
        Message("assistant", f"Closed: {number}."),
    ]


FLOWS = Session("s1", (*flow("Anna Smith", "C-482"), *flow("Peter Jones", "C-771")))


def test_every_step_of_a_tool_flow_is_a_request() -> None:
    made = lesson(FLOWS)
    recorded = [p for p in made.practice if p.kind == "recorded"]
    assert [len(p.messages) for p in recorded] == [1, 3, 5, 1, 3, 5]
    assert (
        recorded[0].expected
        == '<tool_call>\n{"name": "find", "arguments": {"name": "Anna Smith"}}\n</tool_call>'
    )
    assert recorded[2].expected == "Closed: C-482."


def test_a_tool_flow_varies_its_request_calls_and_results_together() -> None:
    made = lesson(FLOWS, variations=60)
    acts = [p for p in made.practice if p.kind == "varied" and len(p.messages) == 3 and p.expected]
    assert len(acts) >= 5
    for one in acts:
        result = json.loads(one.messages[2].content)
        asked = json.loads(one.messages[1].tool_calls[0].arguments)["name"]
        assert asked == result["name"]
        assert asked in one.messages[0].content
        call = {"customer": result["customer"], "queue": "Q7"}
        assert (
            one.expected == f'<tool_call>\n{{"name": "close", "arguments": {json.dumps(call)}}}\n</tool_call>'
        )
    assert len({p.messages[2].content for p in acts}) == len(acts)
    varied = [p for p in made.practice if p.kind == "varied"]
    assert all(p.expected for p in varied)  # names vary freely: another customer had the same form of answer
    last = [p for p in varied if len(p.messages) == 5]
    assert all(json.loads(p.messages[3].tool_calls[0].arguments)["queue"] == "Q7" for p in last)


def test_each_turn_is_replayed_where_it_stood() -> None:
    made = lesson(FLOWS)
    replayed = [p for p in made.practice if p.kind == "replayed"]
    assert [p.messages for p in replayed] == [FLOWS.messages[:i] for i in (7, 9, 11)]  # the rest stood alone
    assert [p.turns for p in replayed] == [1, 3, 5]
    assert replayed[2].expected == "Closed: C-771."


def test_a_rejected_answer_is_no_right_one() -> None:
    of = session("Pay INV-20 to Acme Ltd.", "Acme Ltd: INV-20", "Pay INV-31 to Bell Ltd.", "INV-31: Bell Ltd")
    made = build_lesson(of, seed=0, variations=8, held_back=2, rejected={1})
    known = {p.expected for p in made.practice if p.kind in ("recorded", "replayed")}
    assert known == {None, "INV-31: Bell Ltd"}


def test_a_session_without_requests_teaches_nothing() -> None:
    made = lesson(Session("s", (Message("assistant", "hello"),)))
    assert made.practice == made.held_back == ()


SCRIPT = """
from tests.lessons.test_build import INVOICES, lesson
print(lesson(INVOICES, variations=40))
"""


@pytest.mark.slow
def test_another_process_makes_the_same_lesson() -> None:
    """Whatever order sets have there, those that faker makes its lists of included."""
    made = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert made[0] == made[1]
    assert "varied" in made[0]
