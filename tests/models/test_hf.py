"""Scoring against plain transformers on a tiny random model, and what the room's other tests share."""

import pytest
import torch
from transformers import LlamaForCausalLM

from nightschool.engines.base import GenerateRequest, Sampling
from nightschool.models import lora
from nightschool.models.hf import HFModel
from nightschool.types import Message
from tests.conftest import tiny_net

TOLERANCE = 1e-4  # nats, float32


def oracle() -> LlamaForCausalLM:
    """The same weights, nothing of ours installed."""
    net = tiny_net()
    net.config._attn_implementation = "eager"
    return net.eval()


@torch.no_grad()
def plain_logps(net: torch.nn.Module, prompt: list[int], answer: list[int]) -> list[float]:
    logits = net(torch.tensor([[*prompt, *answer]])).logits[0]
    logp = logits.log_softmax(-1)
    return [logp[len(prompt) - 1 + i, token].item() for i, token in enumerate(answer)]


def tokens(seed: int, length: int) -> list[int]:
    return torch.randint(2, 258, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


PAIRS = [(tokens(1, 7), [*tokens(2, 5), 1]), (tokens(3, 12), [*tokens(4, 3), 1]), (tokens(5, 4), [1])]


def randomised(model: HFModel, seed: int = 7) -> lora.Adapter:
    """An adapter that changes something."""
    adapter = model.fresh_adapter(4, seed)
    rng = torch.Generator().manual_seed(seed)
    for _, b in adapter.masters.values():
        b.copy_(torch.randn(b.shape, generator=rng) * 0.1)
    adapter.refresh()
    return adapter


def test_score_equals_the_full_forward_with_padding_and_eos(tiny: HFModel) -> None:
    for (prompt, answer), found in zip(PAIRS, tiny.score(PAIRS), strict=True):
        assert found == pytest.approx(plain_logps(oracle(), prompt, answer), abs=TOLERANCE)


def test_score_behind_a_prefix_equals_the_full_forward(tiny: HFModel) -> None:
    session = tokens(9, 33)
    prefix = tiny.prefix(session)
    for _ in range(2):  # the prefix is not used up
        for (prompt, answer), found in zip(PAIRS, tiny.score(PAIRS, prefix=prefix), strict=True):
            assert found == pytest.approx(plain_logps(oracle(), session + prompt, answer), abs=TOLERANCE)
    assert prefix.length == 33


def test_agreeing_is_what_greedy_decoding_would_have_said(tiny: HFModel) -> None:
    tiny.publish("n@1", randomised(tiny))
    prompts = [tuple(tiny.encode([Message("user", f"hello {i}")])) for i in range(40)]
    generations = tiny.generate([GenerateRequest(p, Sampling(5), "n@1") for p in prompts])
    wrong = [(*g.tokens[:-1], (g.tokens[-1] + 1) % 258) for g in generations]
    assert all(tiny.agrees([(p, g.tokens) for p, g in zip(prompts, generations, strict=True)], "n@1"))
    assert not any(tiny.agrees(list(zip(prompts, wrong, strict=True)), "n@1"))
