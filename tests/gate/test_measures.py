"""What the gate measures: answers to probes, and drift."""

import pytest
import torch

from nightschool.engines.base import GenerateRequest, Sampling
from nightschool.engines.scripted import ScriptedModel
from nightschool.gate.drift import Drift
from nightschool.gate.probes import Probe, passed
from nightschool.models.hf import HFModel
from nightschool.types import BASE, Message
from tests.models.test_hf import randomised


def test_an_answer_is_right_if_it_is_the_expected_one() -> None:
    model = ScriptedModel(lambda prompt, _: "PAY" if "INV" in prompt else "PAYABLE")
    right = (*map(ord, "PAY"), 0)
    probes = [
        Probe(str(i), tuple(map(ord, text)), right) for i, text in enumerate(("INV-1", "hello", "INV-2"))
    ]
    assert passed(model, probes, BASE) == [True, False, True]
    assert passed(model, [], BASE) == []
    assert Probe.from_json(probes[0].to_json()) == probes[0]


def test_agreeing_is_what_greedy_decoding_would_have_said(tiny: HFModel) -> None:
    tiny.publish("n@1", randomised(tiny))
    prompts = [tuple(tiny.encode([Message("user", f"hello {i}")])) for i in range(40)]
    said = tiny.generate([GenerateRequest(p, Sampling(5), "n@1") for p in prompts])
    wrong = [(*g.tokens[:-1], (g.tokens[-1] + 1) % 258) for g in said]
    assert all(tiny.agrees([(p, g.tokens) for p, g in zip(prompts, said, strict=True)], "n@1"))
    assert not any(tiny.agrees(list(zip(prompts, wrong, strict=True)), "n@1"))


def test_drift_is_the_kl_from_base_on_bases_own_answers(tiny: HFModel) -> None:
    tiny.publish("n@1", randomised(tiny))
    prompts = [tuple(tiny.encode([Message("user", f"hello {i}")])) for i in range(9)]
    drift = Drift(tiny, prompts, max_tokens=5)
    assert drift(BASE) == pytest.approx(0, abs=1e-6)
    total, count = 0.0, 0
    for prompt, answer in drift._pairs:
        base, other = (
            tiny.logits(tiny.hidden([(prompt, answer)], v)[0]).detach().log_softmax(-1) for v in (BASE, "n@1")
        )
        kl = torch.nn.functional.kl_div(other, base, log_target=True, reduction="none").sum(-1)
        total, count = total + kl.sum().item(), count + len(answer)
    assert drift("n@1") == pytest.approx(total / count, rel=1e-4)
    assert drift("n@1") > 0.01
