"""The forwards: prompts that share a beginning, prompts behind a past, and the head's derivative."""

import pytest
import torch
from torch import Tensor

from nightschool.errors import ContextTooLong
from nightschool.models.attention import Attention
from nightschool.models.cache import joined, length
from nightschool.models.hf import HFModel
from nightschool.models.lora import Spans
from nightschool.models.runner import Runner
from tests.helpers import PAIRS, randomised, tokens


@pytest.fixture
def ran(tiny: HFModel, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of tokens of each forward."""
    counts: list[int] = []
    inner = tiny.runner.run

    def run(ids_T: Tensor, positions_T: Tensor, attention: Attention, spans: Spans) -> Tensor:
        counts.append(len(ids_T))
        return inner(ids_T, positions_T, attention, spans)

    monkeypatch.setattr(tiny.runner, "run", run)
    return counts


def prefilled_alone(runner: Runner, prompt: list[int]) -> tuple[Tensor, list[Tensor]]:
    (last,), (cache,) = runner.prefill([prompt], None)
    return last, cache


@torch.no_grad()
def test_a_common_beginning_is_computed_once(tiny: HFModel, ran: list[int]) -> None:
    system = tokens(1, 20)
    prompts = [[*system, *tokens(2, 5)], [*system, *tokens(3, 9)]]
    last, caches = tiny.runner.prefill(prompts, None)
    assert ran == [20, 5 + 9]
    for prompt, state, cache in zip(prompts, last, caches, strict=True):
        alone, its_cache = prefilled_alone(tiny.runner, prompt)
        torch.testing.assert_close(state, alone)
        torch.testing.assert_close(cache, its_cache)


@torch.no_grad()
def test_a_short_common_beginning_is_not_worth_a_forward(tiny: HFModel, ran: list[int]) -> None:
    tiny.runner.prefill([[5, 6, 7, *tokens(2, 5)], [5, 6, 7, *tokens(3, 9)]], None)
    assert ran == [8 + 12]


@torch.no_grad()
def test_neighbours_share_beginnings_behind_a_past(tiny: HFModel, ran: list[int]) -> None:
    past, one, other = tokens(1, 12), tokens(2, 20), tokens(3, 10)
    prompts = [[*one, 5], [*one, *tokens(4, 5)], tokens(5, 9), [*other, 6, 7], [*other, 8]]
    _, (cache,) = tiny.runner.prefill([past], None)
    ran.clear()
    last, caches = tiny.runner.prefill(prompts, None, [cache] * len(prompts))
    assert ran == [20 + 10, 1 + 5 + 9 + 2 + 1]
    for prompt, state, own in zip(prompts, last, caches, strict=True):
        alone, its_cache = prefilled_alone(tiny.runner, [*past, *prompt])
        torch.testing.assert_close(state, alone)
        torch.testing.assert_close(joined(cache, own), its_cache)


@torch.no_grad()
def test_a_prompt_goes_on_behind_its_past(tiny: HFModel) -> None:
    prompts = [tokens(1, 12), tokens(2, 30)]
    _, pasts = tiny.runner.prefill([prompts[0][:7], prompts[1][:21]], None)
    last, caches = tiny.runner.prefill([prompts[0][7:], prompts[1][21:]], None, pasts)
    assert [length(cache) for cache in caches] == [5, 9]
    for prompt, state, past, cache in zip(prompts, last, pasts, caches, strict=True):
        alone, its_cache = prefilled_alone(tiny.runner, prompt)
        torch.testing.assert_close(state, alone)
        torch.testing.assert_close(joined(past, cache), its_cache)


def test_states_with_and_without_gradients_are_the_same(tiny: HFModel) -> None:
    adapter = randomised(tiny)
    adapter.trainable(True)
    trained = tiny.runner.train_hidden(PAIRS, adapter)
    assert all(state.requires_grad for state in trained)
    for (_, answer), state, frozen in zip(PAIRS, trained, tiny.runner.hidden(PAIRS, adapter), strict=True):
        assert len(state) == len(answer)
        assert not frozen.requires_grad
        torch.testing.assert_close(state.detach(), frozen)


def test_the_heads_derivative_is_autograds(tiny: HFModel) -> None:
    hidden = torch.randn(5, 32, requires_grad=True)
    logits = tiny.runner.logits(hidden)
    upstream = torch.randn_like(logits)
    (expected,) = torch.autograd.grad(logits, hidden, upstream)
    torch.testing.assert_close(tiny.runner.logits_vjp(upstream), expected)


def test_what_does_not_fit_is_refused_before_it_runs(tiny: HFModel, ran: list[int]) -> None:
    with pytest.raises(ContextTooLong, match="do not fit"):
        tiny.runner.prefill([tokens(1, 513)], None)
    assert not ran


def test_a_layers_weight_is_found_by_its_name(tiny: HFModel) -> None:
    for group in tiny.runner.groups.values():
        for name, outputs in group.parts:
            assert tiny.runner.weight(name).shape == (outputs, group.inputs)
