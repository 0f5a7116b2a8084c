"""Anchors: a version's own answers, the same ones whenever a step asks for them."""

import torch

from nightschool.learn.anchors import AnchorPool, Rehearsal
from nightschool.models.hf import HFModel
from nightschool.types import BASE, Message
from tests.learn.conftest import pool
from tests.models.test_hf import randomised


def test_a_step_sees_the_same_anchors_whenever_it_comes(tiny: HFModel) -> None:
    forwards, backwards = pool(tiny), pool(tiny)
    one = [forwards.take(step, 2) for step in range(4)]
    other = [backwards.take(step, 2) for step in (3, 2, 1, 0)][::-1]
    assert [[a.answer for a in step] for step in one] == [[a.answer for a in step] for step in other]


def test_hidden_states_are_the_versions(tiny: HFModel) -> None:
    tiny.put("n@1", randomised(tiny))
    prompts = [tuple(tiny.encode([Message("user", "hello")]))]
    (anchor,) = AnchorPool(tiny, "n@1", prompts, max_tokens=4, seed=0).take(0, 1)
    (logps,) = tiny.score([(anchor.prompt, anchor.answer)], "n@1")
    index = torch.arange(len(anchor.answer)), torch.tensor(anchor.answer)
    torch.testing.assert_close(
        tiny.logits(anchor.hidden_AD).log_softmax(-1)[index], torch.tensor(logps), atol=1e-5, rtol=1e-5
    )


def test_no_anchors_is_no_error(tiny: HFModel) -> None:
    assert AnchorPool(tiny, BASE, [], max_tokens=1, seed=0).take(3, 4) == []
    assert Rehearsal([]).take(3, 4) == []


def test_earlier_lessons_take_turns_and_come_again() -> None:
    lessons = [[((lesson,), (lesson, i)) for i in range(2)] for lesson in range(3)]
    lessons[0].append(((0,), ()))  # no answer is known: nothing to rehearse
    rehearsal = Rehearsal(lessons)
    first = rehearsal.take(0, 3) + rehearsal.take(1, 3)
    assert [prompt for prompt, _ in first] == [(0,), (1,), (2,)] * 2
    assert sorted(answer for _, answer in first) == [(n, i) for n in range(3) for i in range(2)]
    assert rehearsal.take(2, 3) == first[:3]
