"""Drift against torch's own KL divergence."""

import pytest
import torch

from nightschool.measure.drift import Drift
from nightschool.models.hf import HFModel
from nightschool.types import BASE, Message
from tests.models.test_hf import randomised


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
