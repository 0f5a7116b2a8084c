"""Which written questions about a fact are admitted."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from nightschool.lessons.exchanges import Exchange
from nightschool.lessons.facts import Fact
from nightschool.lessons.questions import Questions
from nightschool.lessons.writing import Answered, Writer
from nightschool.types import BASE, Message
from tests.helpers import turns
from tests.lessons.conftest import Reader


def fact(request: str, answer: str, says: str) -> Fact:
    exchange = Exchange((), (Message("user", request),), answer)
    subject = "Ghent" if "Ghent" in request else "lawyer"
    return Fact(f"{request} {answer}", says, subject, exchange, tuple(turns(request, answer)))


LAWYER = fact("Who is our lawyer?", "Our lawyer is Ines Corvo.", "Ines Corvo")
GHENT = fact("Who leads the Ghent office?", "Mira Stone does.", "Mira Stone")
SYSTEM = Message("system", "Be brief.")


class Asking:
    """A model that wrote these questions, and answers `answer` to each."""

    def __init__(self, *questions: str, answer: str = "Ines Corvo.", count: int = 9) -> None:
        self.heard: list[str] = []
        self.wanted: list[tuple[str, str, int]] = []
        self._answer, self._questions = answer, questions
        model = Reader(script=self._script)
        self.asking = Questions(model, BASE, Writer(model, BASE), self._write, count, [SYSTEM])

    def _script(self, prompt: str, _: str) -> str:
        self.heard.append(prompt)
        return self._answer

    def _write(self, noted: Sequence[Answered], count: int) -> Sequence[Sequence[str]]:
        self.wanted += [(*one, count) for one in noted]
        return [self._questions if note == LAWYER.note else () for note, _ in noted]

    def about(self, found: Sequence[Fact] = (LAWYER, GHENT)) -> list[str]:
        """What is asked about the lawyer."""
        return [question for fact, question in self.asking.about(found) if fact is LAWYER]


def test_good_questions_are_admitted_the_most_specific_first() -> None:
    asked = Asking("Our lawyer?", "Who now is our lawyer?", "Our lawyer?")
    assert asked.about() == ["Who now is our lawyer?", "Our lawyer?"]
    assert asked.wanted == [(LAWYER.note, "Ines Corvo", 9), (GHENT.note, "Mira Stone", 9)]


def test_the_teacher_knows_only_that_exchange() -> None:
    asked = Asking("Our lawyer?")
    asked.about()
    assert asked.heard == [
        "system: Be brief.\nuser: Who is our lawyer?\nassistant: Our lawyer is Ines Corvo.\n"
        "user: Our lawyer?\nassistant: "
    ]


@pytest.mark.parametrize("answer", ["It is Corvo, Ines.", "ines corvo"])
def test_the_teacher_may_answer_in_any_words(answer: str) -> None:
    assert Asking("Our lawyer?", answer=answer).about() == ["Our lawyer?"]


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ("Is our lawyer Ines?", "gives a part of the answer away"),
        ("who is our lawyer", "repeats the request"),
        ("Where do penguins live?", "speaks of nothing in the note"),
        ("Who leads our lawyer?", "is as likely where another fact was noted"),
        ("Our lawyer is.", "looks like a statement"),
    ],
)
def test_others_are_refused(question: str, why: str) -> None:
    asked = Asking(question)
    other = fact("Who leads our office?", "Mira Stone, lawyer.", "Mira Stone")
    assert asked.about((LAWYER, other)) == [], why


def test_a_question_that_is_as_likely_where_nothing_was_noted_is_refused() -> None:
    class Everywhere(Reader):
        def _nats(self, before: str, text: str) -> list[float]:
            return [-50.0]

    model = Everywhere(script=lambda prompt, _: "Ines Corvo.")
    asked = Questions(model, BASE, Writer(model, BASE), lambda *_: [["Our lawyer?"]], 9)
    assert asked.about([LAWYER]) == []


def test_a_question_that_the_teacher_answers_otherwise_is_refused() -> None:
    assert Asking("Our lawyer?", answer="I do not know.").about() == []
    assert Asking("Our lawyer?", answer="Ines.").about() == []


def test_the_other_end_of_the_same_note_is_no_other_fact() -> None:
    end = replace(LAWYER, says="lawyer", subject="Ines Corvo", turned=True)
    assert Asking("Our lawyer?").about((LAWYER, end)) == ["Our lawyer?"]


def test_none_are_written_where_none_are_wanted() -> None:
    asked = Asking("Our lawyer?", count=0)
    assert asked.about() == []
    assert asked.wanted == []


def test_a_question_about_another_fact_is_asked_about_this_one() -> None:
    asked = Asking(answer="Mira Stone.")
    about_others = [
        (LAWYER, "Who now is our lawyer?"),
        (LAWYER, "The lawyers?"),  # not a whole word
        (LAWYER, "Is a lawyer a lawyer?"),  # not once
    ]
    assert asked.asking.borrowed([LAWYER, GHENT], about_others) == [(GHENT, "Who now is our Ghent?")]
    assert Asking(answer="Nobody.").asking.borrowed([GHENT], about_others) == []
    assert Asking().asking.borrowed([replace(GHENT, subject="")], about_others) == []


def test_what_asks_for_a_fact_told_in_the_same_words_asks_for_this_one() -> None:
    lyon = replace(fact("Who leads the Lyon office?", "Hana Lopez does.", "Hana Lopez"), subject="Lyon")
    asked = Asking(answer="Nobody.")
    written = [(GHENT, "Which person leads Ghent?"), (LAWYER, "Who now is our lawyer?")]
    assert asked.asking.borrowed([LAWYER, GHENT, lyon], written) == [(lyon, "Which person leads Lyon?")]
    assert not any("leads Lyon?" in prompt for prompt in asked.heard)  # the teacher has no say
