"""Scoring against plain transformers on a tiny random model."""

import pytest

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


def test_agreeing_is_what_greedy_decoding_would_have_said(tiny: HFModel) -> None:
    tiny.publish("n@1", randomised(tiny))
    prompts = [tuple(tiny.encode([Message("user", f"hello {i}")])) for i in range(40)]
    generations = tiny.generate([GenerateRequest(p, Sampling(5), "n@1") for p in prompts])
    wrong = [(*g.tokens[:-1], (g.tokens[-1] + 1) % 258) for g in generations]
    assert all(tiny.agrees([(p, g.tokens) for p, g in zip(prompts, generations, strict=True)], "n@1"))
    assert not any(tiny.agrees(list(zip(prompts, wrong, strict=True)), "n@1"))
