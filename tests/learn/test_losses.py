"""Every divergence against values worked out by hand, its derivative against autograd through the plain
formula, and properties that must hold for any logits."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nightschool.learn.losses import divergence, forward_kl, jensen_shannon, reverse_kl, top_k

P = torch.tensor([[0.5, 0.25, 0.25]]).log()
Q = torch.tensor([[0.25, 0.5, 0.25]]).log()
# Asymmetric, so that the two directions differ.
R = torch.tensor([[0.8, 0.1, 0.1]]).log()


def test_forward_kl_weighs_by_the_teacher() -> None:
    by_hand = 0.8 * math.log(0.8 / 0.5) + 2 * 0.1 * math.log(0.1 / 0.25)
    assert forward_kl(R, P)[0].item() == pytest.approx(by_hand, abs=1e-6)


def test_reverse_kl_weighs_by_the_student() -> None:
    by_hand = 0.5 * math.log(0.5 / 0.8) + 2 * 0.25 * math.log(0.25 / 0.1)
    assert reverse_kl(R, P)[0].item() == pytest.approx(by_hand, abs=1e-6)


def test_jensen_shannon_by_hand() -> None:
    # m = (0.375, 0.375, 0.25); both halves are equal here.
    half = 0.5 * math.log(0.5 / 0.375) + 0.25 * math.log(0.25 / 0.375)
    assert jensen_shannon(P, Q)[0].item() == pytest.approx(half, abs=1e-6)


def test_top_k_puts_the_tail_into_one_bin() -> None:
    by_hand = 0.8 * math.log(0.8 / 0.5) + 0.2 * math.log(0.2 / 0.5)
    assert top_k(1)(R, P)[0].item() == pytest.approx(by_hand, abs=1e-5)


def test_top_k_of_everything_is_the_full_kl() -> None:
    assert top_k(3)(R, P)[0].item() == pytest.approx(forward_kl(R, P)[0].item(), abs=1e-5)


def test_the_derivative_of_forward_kl_by_hand() -> None:
    assert forward_kl(R, P)[1][0].tolist() == pytest.approx([0.5 - 0.8, 0.25 - 0.1, 0.25 - 0.1], abs=1e-6)


def plain(name: str, k: int) -> Callable[[Tensor, Tensor], Tensor]:
    """The textbook formulas, for autograd."""

    def formula(teacher: Tensor, student: Tensor) -> Tensor:
        logp, logq = teacher.log_softmax(-1), student.log_softmax(-1)
        p, q = logp.exp(), logq.exp()
        if name == "forward_kl":
            return (p * (logp - logq)).sum(-1)
        if name == "reverse_kl":
            return (q * (logq - logp)).sum(-1)
        if name == "jensen_shannon":
            logm = ((p + q) / 2).log()
            return ((p * (logp - logm)).sum(-1) + (q * (logq - logm)).sum(-1)) / 2
        top, index = p.topk(k)
        picked, rest_p = q.gather(-1, index), 1 - top.sum(-1)
        tail = rest_p * (rest_p / (1 - picked.sum(-1))).log()
        return (top * (top / picked).log()).sum(-1) + tail

    return formula


@pytest.mark.parametrize("name", ["forward_kl", "reverse_kl", "jensen_shannon", "top_k"])
def test_value_and_derivative_are_those_of_the_plain_formula(name: str) -> None:
    rng = torch.Generator().manual_seed(0)
    teacher = torch.randn(5, 11, generator=rng) * 2
    student = (torch.randn(5, 11, generator=rng) * 2).requires_grad_()
    expected = plain(name, 3)(teacher, student)
    (by_autograd,) = torch.autograd.grad(expected.sum(), student)
    before = teacher.clone(), student.detach().clone()
    value, derivative = divergence(name, 3)(teacher, student.detach())
    torch.testing.assert_close(value, expected.detach(), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(derivative, by_autograd, atol=1e-5, rtol=1e-4)
    assert torch.equal(teacher, before[0])  # nothing given is written into
    assert torch.equal(student.detach(), before[1])


logits = st.lists(st.floats(-20, 20), min_size=5, max_size=5).map(lambda x: torch.tensor([x]))


@given(logits, logits)
def test_never_negative_and_bounded(p: Tensor, q: Tensor) -> None:
    full = forward_kl(p, q)[0].item()
    assert full >= -1e-5
    assert reverse_kl(p, q)[0].item() >= -1e-5
    assert -1e-5 <= jensen_shannon(p, q)[0].item() <= math.log(2) + 1e-5
    assert top_k(2)(p, q)[0].item() <= full + 1e-3  # merging bins loses information, never adds


@given(logits)
def test_zero_for_itself(p: Tensor) -> None:
    for name in ("forward_kl", "reverse_kl", "jensen_shannon", "top_k"):
        value, derivative = divergence(name, 2)(p, p)
        assert value.item() == pytest.approx(0, abs=1e-4)
        assert derivative.abs().max().item() == pytest.approx(0, abs=1e-4)
