"""What a model makes of notes: questions, and how likely and how surprising it finds them."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nightschool.engines.base import Prefix
from nightschool.engines.scripted import ScriptedModel
from nightschool.lessons.atoms import atoms
from nightschool.lessons.writing import NOTHING, WAYS, Writer
from nightschool.models.hf import HFModel
from nightschool.types import BASE
from tests.conftest import tiny_net, tiny_tokenizer
from tests.lessons.conftest import Reader

NOTE, ANSWER = "Our lawyer is Ines Corvo.", "Ines Corvo"


def written(*questions: str) -> list[str]:
    """What a writer makes of a model that wants to write these, one after the other."""
    drawn: Iterator[str] = iter(())

    def script(prompt: str, _: str) -> str:
        nonlocal drawn
        so_far = prompt.rpartition("Question:")[2]
        if not so_far:  # a first token
            if (question := next(drawn, None)) is None:
                drawn = iter(questions)
                question = next(drawn)
            return question
        return next(q for q in questions if q.startswith(so_far))[len(so_far) :]

    return Writer(ScriptedModel(script), BASE).questions(NOTE, ANSWER, 12, seed=0)


def test_questions_are_gone_on_with_from_several_first_tokens() -> None:
    assert set(written("Who is it?\nNote: x", "Name her.\n")) == {"Who is it?", "Name her."}


def test_what_was_cut_off_or_is_empty_is_no_question() -> None:
    assert written("Whom do we call when it is too late?") == []
    assert written("\nWho?", " \n") == []
    assert written("") == []  # the model ended before it began


def test_the_examples_come_in_as_many_orders_as_there_are_ways_to_ask() -> None:
    seen = set[str]()

    def script(prompt: str, _: str) -> str:
        seen.add(prompt.rpartition("\n\n")[0])
        assert f"Note: {NOTE}\nAnswer: {ANSWER}\nQuestion:" in prompt
        return "Who?\n"

    Writer(ScriptedModel(script), BASE).questions(NOTE, ANSWER, 3, seed=0)
    assert len(seen) == WAYS


def test_the_same_seed_writes_the_same(roomy: HFModel) -> None:
    """Token by token: hardly anything that a random model writes comes to an end."""

    class Sampled(Writer):
        def _sample(self, *given: Any) -> list[list[int]]:
            tokens.append(found := super()._sample(*given))
            return found

    runs = []
    for seed in (1, 1, 2):
        tokens: list[list[list[int]]] = []
        Sampled(roomy, BASE).questions(NOTE, ANSWER, 6, seed)
        runs.append(tokens)
    assert runs[0] == runs[1] != runs[2]


def test_how_likely_a_question_is_behind_a_note(roomy: HFModel) -> None:
    asked = ["Who is our lawyer?", "When?"]
    together = Writer(roomy, BASE).asks(asked, NOTE, ANSWER)
    apart = [Writer(roomy, BASE).asks([one], NOTE, ANSWER)[0] for one in asked]
    assert together == pytest.approx(apart, abs=1e-3)
    assert Writer(roomy, BASE).asks([], NOTE, ANSWER) == []


def test_a_statement_is_likelier_as_a_note() -> None:
    writer = Writer(Reader(), BASE)
    told, asked = writer.tells(["Our lawyer is Ines Corvo.", "Who is our lawyer?"])
    assert told > 0 > asked
    assert writer.asks(["Who?"], *NOTHING) == [-100.0]


ROOMY = HFModel(tiny_net(), tiny_tokenizer(), "tiny")


@settings(max_examples=30)
@example("\u3000\n 7é 鵜-9")  # what stands before the note's first atom moves none
@given(st.text(st.characters(codec="utf-8", exclude_characters="\ufffd"), max_size=12))
def test_every_byte_of_an_atom_counts_to_it(text: str) -> None:
    """Its tokens are bytes, which split most characters of the world."""

    class Plain(Writer):
        def _behind(self, text: str) -> tuple[Prefix, tuple[int, ...]]:
            return super()._behind("Note:")  # no other notes: they would take time

    writer = Plain(ROOMY, BASE)
    before, last = writer._behind("")
    ((*nats,),) = ROOMY.score([(last, writer._tokens(f" {text}\n"))], BASE, before)
    found = writer.surprises(text, ())
    assert [atom for atom, _ in found] == [*atoms(text)]
    for atom, logprob in found:
        start, end = (len(f" {text[:at]}".encode()) for at in (atom.start, atom.end))
        assert logprob == pytest.approx(sum(nats[start:end]), abs=1e-4)


def test_what_other_notes_say_stands_before_a_note() -> None:
    class Hears(Reader):
        heard = ""

        def _nats(self, before: str, text: str) -> list[float]:
            self.heard = before
            return super()._nats(before, text)

    model = Hears({"7731"})
    found = Writer(model, BASE).surprises("The code is 7731.", ["Tea is at four."])
    assert model.heard.endswith("Note: Tea is at four.\n\nNote")
    assert [(atom.text, logprob) for atom, logprob in found if logprob] == [("7731", -24.0)]
