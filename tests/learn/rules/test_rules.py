"""What each of the other rules learns on, and from whom."""

import pytest
import torch

from nightschool.config import RULES, OpsdConfig
from nightschool.learn.examples import Example, PracticeSet
from nightschool.learn.objectives import Distil, Imitate
from nightschool.learn.rule import RuleContext
from nightschool.learn.rules import make
from nightschool.learn.rules._phases import Phases
from nightschool.learn.rules.cd import CD
from nightschool.learn.rules.rlvr import RLVR
from nightschool.learn.rules.sft import SFT
from nightschool.learn.rules.trd_from_error import FromError, first_mistake
from nightschool.learn.rules.trd_rewrite import Rewrite
from nightschool.models.hf import HFModel
from nightschool.types import BASE
from tests.learn.conftest import QUICK


def context(model: HFModel, **changes: object) -> RuleContext:
    return RuleContext(model, BASE, QUICK.model_copy(update={"seed": 1, **changes}))


def test_sft_says_what_the_transcript_says_where_it_was_said(tiny: HFModel, tiny_set: PracticeSet) -> None:
    rule = SFT(context(tiny))
    eligible = rule.eligible(tiny_set.examples, 0)
    assert {d.kind for d in eligible} == {"recorded", "replayed"}
    (step,) = rule.rollouts([eligible], BASE, 0)
    ((pairs, signal),) = rule.objectives(tiny_set, [step])
    assert pairs == [(d.student, d.answer) for d in eligible]
    assert isinstance(signal, Imitate)


def test_imitation_is_the_mean_surprise_at_what_was_said(tiny: HFModel) -> None:
    logits = torch.randn(3, 258, requires_grad=True)
    loss, gradient = Imitate([[7, 1], [9]])(tiny, slice(0, 3), logits.detach())
    expected = torch.nn.functional.cross_entropy(logits, torch.tensor([7, 1, 9]), reduction="none")
    torch.testing.assert_close(loss, expected.detach())
    expected.mean().backward()
    torch.testing.assert_close(gradient, logits.grad)
    part, _ = Imitate([[7, 1], [9]])(tiny, slice(1, 3), logits.detach()[1:3])
    torch.testing.assert_close(part, expected.detach()[1:])


def test_cd_learns_the_teachers_own_answers_asked_once(tiny: HFModel, tiny_set: PracticeSet) -> None:
    rule = CD(context(tiny))
    (step,) = rule.rollouts([tiny_set.examples[:3]], BASE, 0)
    ((pairs, signal),) = rule.objectives(tiny_set, [step])
    assert all(answer for _, answer in pairs)
    assert isinstance(signal, Distil)
    prompts = [d.teacher for d in tiny_set.examples[:3]]
    asked = [([*tiny_set.prefix.tokens, *p], a) for p, (_, a) in zip(prompts, pairs, strict=True)]
    expected = torch.tensor([x for row in tiny.score(asked) for x in row])
    said = [t for _, answer in pairs for t in answer]
    found = tiny.logits(signal.teacher_NW).log_softmax(-1)[range(len(said)), said]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    ((again, _),) = rule.objectives(tiny_set, [step])
    assert again == pairs


def test_the_first_mistake_is_what_the_teacher_holds_for_a_tenth_as_likely() -> None:
    p = torch.tensor([[0.5, 0.4, 0.1], [0.9, 0.05, 0.05], [0.1, 0.1, 0.8]])
    assert first_mistake(p.log(), [1, 0, 2]) == 3  # nothing is wrong
    assert first_mistake(p.log(), [1, 1, 2]) == 1
    assert first_mistake(p.log(), [2, 1, 0]) == 1  # a fifth of the likeliest is no mistake


def test_from_error_keeps_what_was_sound_and_the_teacher_goes_on(
    tiny: HFModel, tiny_set: PracticeSet
) -> None:
    rule = FromError(context(tiny, opsd=OpsdConfig(reference_fraction=0.0), max_new_tokens=6))
    (step,) = rule.rollouts([tiny_set.examples[:4]], BASE, 0)
    ((pairs, signal),) = rule.objectives(tiny_set, [step])
    changed = 0
    for t, (_, refined) in zip(step, pairs, strict=True):
        prompt = (*tiny_set.prefix.tokens, *t.example.teacher)
        (thought,) = tiny.hidden([(prompt, t.answer)])
        sound = first_mistake(tiny.logits(thought), t.answer)
        assert refined[:sound] == t.answer[:sound]
        changed += refined != t.answer
    assert changed  # a random model makes mistakes
    assert isinstance(signal, Distil)
    assert len(signal.teacher_NW) == sum(len(answer) for _, answer in pairs)


def test_rewrite_shows_the_teacher_the_try_and_learns_what_it_writes(
    tiny: HFModel, tiny_set: PracticeSet
) -> None:
    rule = Rewrite(context(tiny, opsd=OpsdConfig(reference_fraction=0.0), max_new_tokens=6))
    (step,) = rule.rollouts([tiny_set.examples[:2]], BASE, 0)
    (refined,) = [rule.refine(tiny_set, step)]
    for t, (prompt, _) in zip(step, refined, strict=True):
        seen = tiny.tokenizer.decode([*tiny_set.prefix.tokens, *prompt])
        tried = tiny.tokenizer.decode(list(t.answer)).removesuffix("<|im_end|>")
        assert f"{tried}<|im_end|>\n<|im_start|>user\nWrite that answer again" in seen
        assert seen.endswith("<|im_start|>assistant\n")


def test_one_rule_follows_another(tiny: HFModel, tiny_set: PracticeSet) -> None:
    known = [d for d in tiny_set.examples if d.verifier]
    rule = Phases(SFT(context(tiny)), RLVR(context(tiny)), until=2)
    assert {d.kind for d in rule.eligible(tiny_set.examples, 1)} == {"recorded", "replayed"}
    assert "varied" in {d.kind for d in rule.eligible(tiny_set.examples, 2)}
    for step, given in ((0, True), (2, False)):
        (rollouts,) = rule.rollouts([known[:4]], BASE, step)
        assert all(t.is_reference == given for t in rollouts)
    nothing_to_check = [Example("x", (1,), (1,), answer=(2,))]
    assert rule.eligible(nothing_to_check, 2) == nothing_to_check  # the first rule goes on there


@pytest.mark.parametrize("name", RULES)
def test_every_file_is_a_rule(tiny: HFModel, name: str) -> None:
    assert callable(make(name, context(tiny)).objectives)


def test_two_names_are_two_phases(tiny: HFModel, tiny_set: PracticeSet) -> None:
    rule = make("sft+cd", context(tiny, steps=6))
    kinds = [{e.kind for e in rule.eligible(tiny_set.examples, step)} for step in (3, 4)]
    assert "varied" not in kinds[0]
    assert "varied" in kinds[1]
