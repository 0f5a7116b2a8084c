"""What a token is drawn from, against the definitions written out."""

from collections import Counter
from dataclasses import replace
from itertools import accumulate

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nightschool.engines.base import GenerateRequest, Sampling
from nightschool.errors import BadRequest
from nightschool.models.hf import HFModel
from nightschool.models.masks import Matcher
from nightschool.models.sampling import Sampler, sample

WIDTH = 6
numbers = st.floats(-3, 3, width=32)
logits = st.lists(numbers, min_size=WIDTH, max_size=WIDTH).map(torch.tensor)
samplings = st.builds(
    Sampling,
    max_tokens=st.just(9),
    temperature=st.sampled_from([0.0, 0.05, 0.5, 1.0, 2.0]),
    top_p=st.sampled_from([0.0, 0.3, 0.9, 1.0]),
    top_k=st.sampled_from([0, 1, 3, 99]),
    min_p=st.sampled_from([0.0, 0.1, 0.7, 1.0]),
    frequency_penalty=st.sampled_from([0.0, 0.7, -2.0]),
    presence_penalty=st.sampled_from([0.0, 1.5]),
    logit_bias=st.dictionaries(st.integers(0, WIDTH - 1), st.floats(-100, 100), max_size=3).map(
        lambda bias: tuple(bias.items())
    ),
    seed=st.integers(0, 99),
)


def no_grammar(_: str) -> Matcher:
    raise AssertionError


def sampler(sampling: Sampling, before: list[int]) -> Sampler:
    made = Sampler(sampling, WIDTH, no_grammar)
    for token in before:
        made.take(token)
    return made


def adjusted(logits_V: Tensor, how: Sampling, before: list[int]) -> list[float]:
    """OpenAI's definition: mu[j] - c[j] * frequency - (c[j] > 0) * presence, and the bias added."""
    times, bias = Counter(before), dict(how.logit_bias)
    return [
        mu - times[j] * how.frequency_penalty - (times[j] > 0) * how.presence_penalty + bias.get(j, 0)
        for j, mu in enumerate(logits_V.double().tolist())
    ]


def possible(mu: list[float], how: Sampling) -> set[int]:
    """The tokens that may be drawn, in vLLM's order: temperature, min_p, top_k, top_p. It is generous where
    rounding decides."""
    hottest = max(mu)
    p = {j: 2.718281828459045 ** ((x - hottest) / how.temperature) for j, x in enumerate(mu)}
    p = {j: x for j, x in p.items() if x >= how.min_p * (1 - 1e-5)}
    if how.top_k:
        least = sorted(p.values(), reverse=True)[: how.top_k][-1]
        p = {j: x for j, x in p.items() if x >= least * (1 - 1e-5)}
    ordered = sorted(p, key=lambda j: -p[j])
    whole = sum(p.values())
    before = [0.0, *accumulate(p[j] for j in ordered)]
    kept = {
        j for j, sum_before in zip(ordered, before, strict=False) if sum_before < how.top_p * whole + 1e-5
    }
    least = min((p[j] for j in kept), default=1.0)
    return {j for j in p if p[j] >= least * (1 - 1e-5)}


@given(logits, samplings, st.lists(st.integers(0, WIDTH - 1), max_size=8))
def test_a_token_is_one_that_may_be_drawn(logits_V: Tensor, how: Sampling, before: list[int]) -> None:
    mu = adjusted(logits_V, how, before)
    (found,) = sample(logits_V[None].clone(), [sampler(how, before)])
    if how.temperature == 0:
        assert mu[found.token] == pytest.approx(max(mu), abs=1e-4)
    else:
        assert found.token in possible(mu, how)
    # The log-probability is the model's own, whatever was done to draw it.
    assert found.logprob == pytest.approx(logits_V.log_softmax(-1)[found.token].item(), abs=1e-5)


def test_how_often_tokens_are_drawn() -> None:
    logits_V = torch.tensor([1.0, 0.0, 2.0, -1.0, 0.5, 1.5])
    how = Sampling(9, 0.7, top_k=4, frequency_penalty=0.5, logit_bias=((3, 3.0),), seed=1)
    one = sampler(how, [2, 2])
    drawn = Counter(one.draw(logits_V, logits_V.logsumexp(-1)).item() for _ in range(1500))
    mu = adjusted(logits_V, how, [2, 2])
    expected = (torch.tensor(mu).topk(4).values / 0.7).softmax(-1)
    for share, token in zip(expected.tolist(), torch.tensor(mu).topk(4).indices.tolist(), strict=True):
        assert drawn[token] / 1500 == pytest.approx(share, abs=0.065)  # five standard deviations


@pytest.mark.parametrize("how", [Sampling(9, 0.01), Sampling(9, 1e-6), Sampling(9, 1.0, top_p=0.0)])
def test_almost_greedy_is_greedy(how: Sampling) -> None:
    logits_RV = torch.zeros(1, 4096)  # no token is likely, so that all powers could become zero
    logits_RV[0, 7] = 0.5
    assert [sample(logits_RV, [sampler_of(how, 4096)])[0].token for _ in range(5)] == [7] * 5


def sampler_of(how: Sampling, width: int) -> Sampler:
    return Sampler(how, width, no_grammar)


def test_what_was_dropped_is_not_drawn_by_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    almost_one = torch.tensor([1 - 2**-24])
    monkeypatch.setattr(torch, "rand", lambda *_, **__: almost_one)
    (found,) = sample(torch.tensor([[1.0, 1.1, 1.2, 0.9]]), [sampler_of(Sampling(9, 1.0, top_k=1), 4)])
    assert found.token == 2


def test_the_likeliest_tokens_are_told() -> None:
    logits_RV = torch.tensor([[1.0, 3.0, 2.0], [0.0, 0.0, 0.0]])
    first, second = sample(logits_RV, [sampler_of(Sampling(9, top=2), 3), sampler_of(Sampling(9), 3)])
    logps = logits_RV[0].log_softmax(-1)
    assert [token for token, _ in first.top] == [1, 2]
    assert [logp for _, logp in first.top] == pytest.approx([logps[1].item(), logps[2].item()])
    assert (first.logprob, second.top) == (first.top[0][1], ())
    (whole,) = sample(logits_RV[:1], [sampler_of(Sampling(9, top=20), 3)])
    assert len(whole.top) == 3


@pytest.mark.parametrize("token", [-1, 258])
def test_a_bias_for_no_token_is_refused(tiny: HFModel, token: int) -> None:
    how = Sampling(4, logit_bias=((7, 1.0), (token, 1.0)))
    with pytest.raises(BadRequest, match=f"no token {token}, only 0 to 257") as refused:
        tiny.prepare(how)
    assert refused.value.param == "logit_bias"
    batch = tiny.batch()
    with pytest.raises(BadRequest):
        batch.add([GenerateRequest((5,), how)])
    assert not len(batch)


def test_penalties_count_what_was_sampled_and_not_the_prompt(tiny: HFModel) -> None:
    prompt, two = (77, 78, 78, 77, 77), Sampling(24, logit_bias=((77, 50.0), (78, 50.0)))
    how = [two, replace(two, frequency_penalty=2.0), Sampling(24)]
    biased, penalised, usual = tiny.generate([GenerateRequest(prompt, one) for one in how])
    assert {*biased.tokens} <= {77, 78}
    assert penalised.tokens[0] == biased.tokens[0]
    assert min(Counter(penalised.tokens).values()) >= 10  # in turns
    assert usual.tokens == tiny.generate([GenerateRequest(prompt, Sampling(24))])[0].tokens
