"""What only a session says: which parts of its turns, and which of them are facts."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightschool.lessons.atoms import atoms
from nightschool.lessons.exchanges import Exchange
from nightschool.lessons.facts import SURPRISE, Fact, Noted, _parts, facts
from nightschool.lessons.writing import Writer
from nightschool.types import BASE, Message
from tests.helpers import turns
from tests.lessons.conftest import Reader

NEW = ("lawyer", "Ines", "Corvo", "Ghent", "Lyon", "Mira", "Stone", "7731", "8842", "gate", "pelican", "9")


def noted(request: str, answer: str, known: bool = True) -> Noted:
    exchange = Exchange((), (Message("user", request),), answer if known else None)
    return Noted(request, answer, exchange)


def found(*of: Noted, new: Sequence[str] = NEW) -> list[Fact]:
    return facts(Writer(Reader(new), BASE), of)[0]


def says(*of: Noted, new: Sequence[str] = NEW) -> list[str]:
    return [fact.says for fact in found(*of, new=new)]


TOLD = noted("Our lawyer is Ines Corvo.", "Thank you.")
ASKED = noted("Who is our lawyer?", "Our lawyer is Ines Corvo.")
GATE = noted("The gate has code 7731.", "Noted.")


def parts(text: str, known: str) -> list[str]:
    surprises = [(atom, 0.0 if atom.text in known.split() else SURPRISE - 1) for atom in atoms(text)]
    return [part.text for part in _parts(text, surprises)]


@pytest.mark.parametrize(
    ("text", "known", "expected"),
    [
        ("It is called pelican-9.", "It is called", ["pelican-9"]),
        ("It is blue-Harbor-42!", "It is", ["blue-Harbor-42"]),
        ("Lyon, Ghent", "", ["Lyon", "Ghent"]),
        ("Ines Corvo, Lyon", "", ["Ines Corvo", "Lyon"]),
        ("a.b@c.de writes", "writes", ["a.b@c.de"]),
        ("the -9", "the", ["9"]),
        ("pelican- 9", "", ["pelican", "9"]),
        ("王小明です", "で す", ["王小明"]),
        ("Nothing is new.", "Nothing is new", []),
    ],
)
def test_what_is_surprising_in_a_row_is_one_part_marks_inside_included(
    text: str, known: str, expected: list[str]
) -> None:
    assert parts(text, known) == expected


@given(st.text(max_size=40), st.lists(st.floats(-20, 0), min_size=40, max_size=40))
def test_parts_are_stretches_of_any_text_in_order(text: str, nats: list[float]) -> None:
    given_ = [*zip(atoms(text), nats, strict=False)]
    end = 0
    for part in _parts(text, given_):
        assert end <= part.start < part.end <= len(text)
        assert part.text == text[part.start : part.end]
        of = [(atom, p) for atom, p in given_ if part.start <= atom.start < part.end]
        assert part.logprob == pytest.approx(sum(p for atom, p in of if atom.kind != "mark"))
        assert all(p < SURPRISE for atom, p in of if atom.kind != "mark")
        assert "mark" not in (of[0][0].kind, of[-1][0].kind)
        end = part.end


def test_a_told_fact_is_asked_for_from_either_end() -> None:
    one, other = found(TOLD)
    assert (one.says, other.says) == ("Ines Corvo", "lawyer")
    for fact in (one, other):
        assert fact.told
        assert fact.note == TOLD.request
        assert fact.exchange == Exchange((), (Message("user", TOLD.request),), TOLD.request)
        assert fact.turns == tuple(turns(TOLD.request, TOLD.answer))


def test_a_fact_is_told_whether_or_not_its_answer_is_known_to_be_right() -> None:
    assert says(noted(TOLD.request, "Thank you.", known=False)) == ["Ines Corvo", "lawyer"]
    assert says(noted(TOLD.request, "Noted: Ines Corvo is.", known=False)) == ["Ines Corvo", "lawyer"]


def test_an_answer_that_says_something_new_is_what_was_asked_for() -> None:
    one, other = found(ASKED)
    assert (one.says, other.says) == ("Ines Corvo", "lawyer")  # "Who is Ines Corvo?", too
    assert not one.told
    assert one.exchange == ASKED.exchange
    assert one.note == f"{ASKED.request} {ASKED.answer}"
    assert says(noted("Who is our lawyer?", "Ines Corvo")) == ["Ines Corvo"]  # it does not name its subject


def test_no_mark_need_part_a_request_from_its_answer() -> None:
    assert says(noted("who leads Ghent", "Mira Stone")) == ["Mira Stone"]


def test_an_answer_that_may_be_wrong_says_no_fact() -> None:
    assert says(noted("Who leads Ghent?", "Mira Stone", known=False)) == []


def test_what_is_asked_for_and_told_is_one_fact() -> None:
    both, told = facts(Writer(Reader(NEW), BASE), [TOLD, GATE, ASKED])
    assert [(fact.says, fact.told) for fact in both] == [
        ("7731", True),
        ("gate", True),
        ("Ines Corvo", False),
        ("lawyer", False),
    ]
    assert told == {TOLD.request, GATE.request}  # neither is a request


def test_of_two_that_are_told_the_later_one_counts() -> None:
    later = noted("The gate has code 8842.", "Noted.")
    assert "8842" in says(GATE, later)
    assert "7731" not in says(GATE, later)
    assert facts(Writer(Reader(NEW), BASE), [GATE, later])[1] == {GATE.request, later.request}


@pytest.mark.parametrize("answer", ["No.", "Yes, it is."])
def test_a_question_with_a_short_answer_is_not_taken_for_told(answer: str) -> None:
    asked = noted("Is the gate of Ghent open?", answer)
    assert facts(Writer(Reader(NEW), BASE), [asked]) == ([], frozenset())


def test_a_turn_with_one_surprise_tells_of_nothing_else() -> None:
    assert says(noted("It is Ghent.", "I see.")) == []


def test_a_text_is_no_fact() -> None:
    assert says(noted("Which ones?", "Ines, Ghent, Lyon, Mira, 7731")) == []
    assert says(noted("Ines, Ghent, Lyon, Mira, 7731.", "I see.")) == []
    assert says(noted("Who is our lawyer?", "Ines Corvo. " + "That is so. " * 30)) == []


def test_a_note_that_says_the_same_is_not_shown_before_it() -> None:
    """What the other notes say would not be surprising any more."""
    heard = []

    class Hears(Reader):
        def _nats(self, before: str, text: str) -> list[float]:
            heard.append((before, text))
            return super()._nats(before, text)

    facts(Writer(Hears(NEW), BASE), [TOLD, GATE, ASKED])
    before = next(before for before, text in heard if text.strip().startswith(TOLD.text))
    assert GATE.text in before
    assert ASKED.text not in before


def test_a_statement_that_is_answered_with_something_new_is_a_task_and_so_are_others_of_its_form() -> None:
    door = noted("Ticket 54: the door is stuck.", "door = 7731")
    ghent = noted("Ticket 91: the Ghent lawyer is stuck.", "Ghent")
    assert facts(Writer(Reader(NEW), BASE), [door, ghent]) == ([], frozenset())
    assert facts(Writer(Reader(NEW), BASE), [ghent])[1] == {ghent.request}  # alone, it may just tell that
    assert says(door, ghent, ASKED) == ["Ines Corvo", "lawyer"]


def test_a_statement_is_no_fact_where_another_request_is_put_into_the_same_form() -> None:
    lyon = noted("The gate of Lyon has code 7731.", "[LYON] gate = 7731")
    ghent = noted("How is the gate of Ghent with code 8842?", "[GHENT] gate = 8842")
    assert facts(Writer(Reader(NEW), BASE), [lyon])[1] == {lyon.request}
    assert facts(Writer(Reader(NEW), BASE), [lyon, ghent])[1] == frozenset()
    assert facts(Writer(Reader(NEW), BASE), [lyon, GATE])[1] == {lyon.request, GATE.request}
