"""Scoring against plain transformers on a tiny random model."""

import pytest
import torch

from nightschool.engines.base import GenerateRequest, Sampling
from nightschool.models.hf import HFModel
from nightschool.types import Message
from tests.helpers import PAIRS, TOLERANCE, oracle, plain_logps, randomised, tokens


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


def test_the_likeliest_tokens_come_with_their_log_probabilities(tiny: HFModel) -> None:
    session, prompts = tokens(9, 20), [tokens(1, 5), tokens(2, 8), tokens(1, 5)]
    found = tiny.likeliest(prompts, 3, prefix=tiny.prefix(session))
    for prompt, likely in zip(prompts, found, strict=True):
        expected = oracle()(torch.tensor([[*session, *prompt]])).logits[0, -1].log_softmax(-1).topk(3)
        assert [token for token, _ in likely] == expected.indices.tolist()
        assert [nats for _, nats in likely] == pytest.approx(expected.values.tolist(), abs=TOLERANCE)
    assert len(tiny.likeliest(prompts[:1], 10**6)[0]) == tiny.logits(torch.zeros(1, 32)).shape[1]


def test_agreeing_is_what_greedy_decoding_would_have_said(tiny: HFModel) -> None:
    tiny.publish("n@1", randomised(tiny))
    prompts = [tuple(tiny.encode([Message("user", f"hello {i}")])) for i in range(40)]
    generations = tiny.generate([GenerateRequest(p, Sampling(5), "n@1") for p in prompts])
    wrong = [(*g.tokens[:-1], (g.tokens[-1] + 1) % 258) for g in generations]
    assert all(tiny.agrees([(p, g.tokens) for p, g in zip(prompts, generations, strict=True)], "n@1"))
    assert not any(tiny.agrees(list(zip(prompts, wrong, strict=True)), "n@1"))
