"""What a model makes of notes: questions, and how likely and how surprising it finds them."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nightschool.engines.base import Engine, Generation, Prefix, Tokens, respond
from nightschool.engines.scripted import ScriptedModel
from nightschool.lessons import writing
from nightschool.lessons.atoms import atoms
from nightschool.lessons.writing import NOTHING, WAYS, Writer
from nightschool.models.hf import HFModel
from nightschool.types import BASE
from tests.conftest import tiny_net, tiny_tokenizer
from tests.lessons.conftest import Reader

NOTE, ANSWER = "Our lawyer is Ines Corvo.", "Ines Corvo"


class Writes(ScriptedModel):
    """Wants to write these questions."""

    def __init__(self, *questions: str, context_length: int = 4096) -> None:
        super().__init__(self._go_on, context_length=context_length)
        self._questions = questions

    def _go_on(self, prompt: str, _: str) -> str:
        so_far = prompt.rpartition("Question:")[2]
        return next(q for q in self._questions if q.startswith(so_far))[len(so_far) :]

    def likeliest(
        self, prompts: Sequence[Tokens], count: int, version: str = BASE, prefix: Prefix | None = None
    ) -> list[list[tuple[int, float]]]:
        firsts = {self.encode_answer(question)[0]: -1.0 for question in self._questions}
        return [[*firsts.items()][:count] for _ in prompts]


def written(*questions: str) -> list[str]:
    """What a writer makes of a model that wants to write these."""
    (found,) = Writer(Writes(*questions), BASE).questions([(NOTE, ANSWER)], 12, seed=0)
    return found


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

    Writer(ScriptedModel(script), BASE).questions([(NOTE, ANSWER)], 3, seed=0)
    assert len(seen) == WAYS


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[int, ...], list[int]]:
    """What was written behind each prompt: hardly anything of a random model comes to an end."""
    found = dict[tuple[int, ...], list[int]]()

    def watched(model: Engine, prompts: list[tuple[int, ...]], *given: Any, **how: Any) -> list[Generation]:
        out = respond(model, prompts, *given, **how)
        found.update(zip(prompts, (one.tokens for one in out), strict=True))
        return out

    monkeypatch.setattr(writing, "respond", watched)
    return found


def test_the_same_seed_writes_the_same(roomy: HFModel, rows: dict[tuple[int, ...], list[int]]) -> None:
    runs = []
    for seed in (1, 1, 2):
        rows.clear()
        Writer(roomy, BASE).questions([(NOTE, ANSWER)], 6, seed)
        runs.append(dict(rows))
    assert runs[0] == runs[1] != runs[2]


def test_what_is_written_about_a_note_does_not_depend_on_others(
    roomy: HFModel, rows: dict[tuple[int, ...], list[int]]
) -> None:
    Writer(roomy, BASE).questions([(NOTE, ANSWER)], 6, seed=1)
    alone = dict(rows)
    rows.clear()
    Writer(roomy, BASE).questions([("The gate code is 7731.", "7731"), (NOTE, ANSWER)], 6, seed=1)
    assert len(rows) > len(alone) > 0
    assert rows.items() >= alone.items()


def test_a_note_that_does_not_fit_spoils_no_other() -> None:
    model = Writes("Who?\n", context_length=800)
    writer, long = Writer(model, BASE), (NOTE * 20, ANSWER)
    assert writer.questions([long, (NOTE, ANSWER), long], 4, seed=0) == [[], ["Who?"], []]
    assert writer.questions([long], 4, seed=0) == [[]]
    likely, unlikely = writer.asks([("Who?", (NOTE, ANSWER)), ("Who?", long)])
    assert likely > unlikely == -math.inf


def test_how_likely_a_question_is_behind_a_note(roomy: HFModel) -> None:
    asked = ["Who is our lawyer?", "When?"]
    noted = [(NOTE, ANSWER), NOTHING, (NOTE, ANSWER)]
    pairs = [*zip((*asked, asked[0]), noted, strict=True)]
    together = Writer(roomy, BASE).asks(pairs)
    apart = [Writer(roomy, BASE).asks([one])[0] for one in pairs]
    assert together == pytest.approx(apart, abs=1e-3)
    assert Writer(roomy, BASE).asks([]) == []


def test_a_statement_is_likelier_as_a_note() -> None:
    writer = Writer(Reader(), BASE)
    told, asked = writer.tells(["Our lawyer is Ines Corvo.", "Who is our lawyer?"])
    assert told > 0 > asked
    assert writer.asks([("Who?", NOTHING)]) == [-100.0]


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
    assert model.heard.endswith("Note: Tea is at four.\n\nNote:")
    assert [(atom.text, logprob) for atom, logprob in found if logprob] == [("7731", -24.0)]


def test_first_tokens_are_gone_on_from_by_their_probability() -> None:
    likely = [(7, math.log(0.5)), (8, math.log(0.3)), (9, math.log(0.02))]
    assert writing._times(likely, 10) == {7: 6, 8: 4, 9: 0}  # 6.1, 3.7 and 0.2
    assert writing._times(likely, 1) == {7: 1, 8: 0, 9: 0}
    assert writing._times(likely[:1], 4) == {7: 4}


@given(st.lists(st.integers(-30, 0), min_size=1, max_size=20), st.integers(0, 50))
def test_all_of_them_are_shared_out(logprobs: list[int], total: int) -> None:
    times = writing._times([*enumerate(logprobs)], total)
    assert sum(times.values()) == total
    pairs = [(a, b) for a in times for b in times if logprobs[a] > logprobs[b]]
    assert all(times[a] >= times[b] for a, b in pairs)
