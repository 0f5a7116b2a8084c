"""What is admitted to practice, what a long session is split into, and which tokens are ever learned."""

import itertools
from dataclasses import replace

import pytest

from nightschool.config import LearnConfig
from nightschool.engines.base import GenerateRequest, Sampling
from nightschool.learn.admission import GAP, admit, report
from nightschool.learn.encoding import encode
from nightschool.learn.examples import PracticeSet, practice_set, stretches
from nightschool.learn.rule import RuleContext
from nightschool.learn.rules import make
from nightschool.lessons.build import build_lesson
from nightschool.models.hf import HFModel
from nightschool.types import BASE, Lesson, Message, PracticeRequest, Session
from tests.conftest import tiny_net, tiny_tokenizer
from tests.learn.conftest import QUICK
from tests.lessons.test_build import FLOWS

CONFIG = LearnConfig(max_new_tokens=4, self_asked=0, variations=8, held_back=4)


def request(text: str, expected: str | None) -> PracticeRequest:
    return PracticeRequest("s/x", "s", (Message("user", text),), "recorded", 1, expected)


def test_the_gap_is_how_much_surer_the_teacher_is(
    tiny: HFModel, lesson: Lesson, tiny_set: PracticeSet
) -> None:
    context = RuleContext(tiny, BASE, CONFIG)
    ((_, candidates),) = admit(context, [lesson], [tiny_set])
    assert [s.example.id for s in candidates] == [d.id for d in tiny_set.examples]
    for candidate in candidates:
        plain = [*tiny_set.prefix.tokens, *candidate.example.teacher]
        (needs_not_be_told,) = tiny.agrees([(plain, candidate.answer)])
        assert (candidate.example.informed is None) >= needs_not_be_told
        (teacher,) = tiny.score([(plain, candidate.answer)])
        (student,) = tiny.score([(candidate.example.student, candidate.answer)])
        gap = (sum(teacher) - sum(student)) / len(candidate.answer)
        assert candidate.gap == pytest.approx(gap, abs=1e-4)
        (does_it,) = tiny.agrees([(candidate.example.student, candidate.answer)])
        known = candidate.example.verifier is not None
        assert (candidate.rejected_because is not None) == (does_it or (gap < GAP and not known))
    counts = report(candidates)
    assert sum([*counts["practised"].values(), *counts["dropped"].values()]) == len(candidates)


def test_what_the_model_does_already_is_not_practised(tiny: HFModel) -> None:
    lesson = Lesson("s", (Message("user", "hello"), Message("assistant", "there")), (), ())
    made = practice_set(tiny, lesson, [request("hello", None)], BASE)
    (own,) = tiny.generate([GenerateRequest(made.examples[0].student, Sampling(3))])
    known = replace(made, examples=(replace(made.examples[0], answer=tuple(own.tokens)),))
    ((_, (candidate,)),) = admit(RuleContext(tiny, BASE, CONFIG), [lesson], [known])
    assert candidate.rejected_because == "the model does that already"


def long_session(turns: int) -> Lesson:
    messages = tuple(
        m
        for i in range(turns)
        for m in (Message("user", f"Pay INV-{1000 + i} to Acme Ltd"), Message("assistant", f"INV-{1000 + i}"))
    )
    session = Session("s", (Message("system", "Be brief."), *messages))
    return build_lesson(session, seed=0, variations=8, held_back=4)


def test_a_long_session_is_split_into_overlapping_stretches(tiny: HFModel) -> None:
    lesson = long_session(12)
    requests = [r for r in lesson.practice if r.kind == "varied"]
    parts, dropped = stretches(tiny, lesson, requests, answer=4)
    assert len(parts) > 1
    assert not dropped
    for part in parts:
        assert part.context[0] == lesson.context[0]  # the system turn
        practice_set(tiny, part, requests, BASE)  # fits
    for one, other in itertools.pairwise(parts):
        assert one.context[-2:] == other.context[1:3]  # the last request again
    covered = {m for part in parts for m in part.context}
    assert covered == set(lesson.context)


def test_a_short_session_is_one_stretch_and_a_turn_that_fits_nowhere_is_reported(tiny: HFModel) -> None:
    lesson = long_session(2)
    assert stretches(tiny, lesson, lesson.practice, 4) == ([lesson], [])
    giant = (Message("user", "x" * 600), Message("assistant", "y"))
    longer = Lesson("s", (*lesson.context, *giant), lesson.practice, lesson.held_back)
    parts, dropped = stretches(tiny, longer, lesson.practice, 4)
    assert [len(part.context) for part in parts] == [len(lesson.context)]
    assert dropped[0].what == "x" * 600


def test_each_practice_request_goes_to_the_stretch_that_teaches_it_best(tiny: HFModel) -> None:
    lesson = long_session(12)
    encoded = encode(tiny, lesson, BASE, CONFIG.model_copy(update={"replay_tokens": 100}))
    assert len(encoded.parts) > 1
    assert encoded.report()["stretches"] == [len(part.context) for part in encoded.parts]
    practised = [e.id for one in encoded.sets for e in one.examples]
    assert len(practised) == len(set(practised))
    assert any("more than learn.replay_tokens" in drop.reason for drop in encoded.drops)


def test_nothing_but_what_the_model_says_is_ever_learned() -> None:
    """Token by token on a tool-calling session: rules get loss on answers only, and those are the model's own
    turns; what users and tools said, and the template's marks, are never among them."""
    net = tiny_net()
    net.config.max_position_embeddings = 4096
    tiny = HFModel(net, tiny_tokenizer(), "tiny")
    lesson = build_lesson(FLOWS, seed=0, variations=0, held_back=0)
    made = practice_set(tiny, lesson, [r for r in lesson.practice if r.kind == "recorded"], BASE)
    whole = tiny.encode(FLOWS.messages, generate=False)
    rule = make("sft", RuleContext(tiny, BASE, QUICK))
    (step,) = rule.rollouts([rule.eligible(made.examples, 0)], BASE, 0)
    ((pairs, _),) = rule.objectives(made, [step])
    texts = [tiny.tokenizer.decode(list(answer)) for _, answer in pairs]
    own = [m for m in FLOWS.messages if m.role == "assistant"]
    assert len(texts) == len(own)
    for message, text in zip(own, texts, strict=True):
        written = message.content or f'"name": "{message.tool_calls[0].name}"'
        assert written in text
        assert text.endswith("<|im_end|>")
        assert text.count("<|im_end|>") == 1
        assert not any(mark in text for mark in ("<|im_start|>", "user\n", "<tool_response>", "Please close"))
    rendered = tiny.tokenizer.decode(whole)
    assert all(f"<|im_start|>assistant\n{text}" in rendered for text in texts)
    assert all(tiny.tokenizer.decode(list(p)).endswith("<|im_start|>assistant\n") for p, _ in pairs)


def test_who_is_better_with_the_session_in_context_teaches(
    tiny: HFModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    lesson = long_session(2)
    tiny.publish("live", tiny.fresh_adapter(2, 0))
    right = {"live": False, BASE: True}
    monkeypatch.setattr(
        tiny, "agrees", lambda pairs, version=BASE, prefix=None: [right[version]] * len(pairs)
    )
    encoded = encode(tiny, lesson, "live", CONFIG)
    assert {one.teacher for one in encoded.sets} == {BASE}
    assert (encoded.ceiling, encoded.report()["teacher"]) == (1.0, BASE)
    right["live"] = True  # of equals the live version
    assert {one.teacher for one in encode(tiny, lesson, "live", CONFIG).sets} == {"live"}
