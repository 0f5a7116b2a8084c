"""Every divergence against values worked out by hand, and properties that must hold for any logits."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nightschool.learn.losses import divergence, forward_kl, jensen_shannon, reverse_kl, top_k

P = torch.tensor([[0.5, 0.25, 0.25]]).log()
Q = torch.tensor([[0.25, 0.5, 0.25]]).log()
# Asymmetric, so that the two directions differ.
R = torch.tensor([[0.8, 0.1, 0.1]]).log()


def test_forward_kl_weighs_by_the_teacher() -> None:
    by_hand = 0.8 * math.log(0.8 / 0.5) + 2 * 0.1 * math.log(0.1 / 0.25)
    assert forward_kl(R, P).item() == pytest.approx(by_hand, abs=1e-6)


def test_reverse_kl_weighs_by_the_student() -> None:
    by_hand = 0.5 * math.log(0.5 / 0.8) + 2 * 0.25 * math.log(0.25 / 0.1)
    assert reverse_kl(R, P).item() == pytest.approx(by_hand, abs=1e-6)


def test_jensen_shannon_by_hand() -> None:
    # m = (0.375, 0.375, 0.25); both halves are equal here.
    half = 0.5 * math.log(0.5 / 0.375) + 0.25 * math.log(0.25 / 0.375)
    assert jensen_shannon(P, Q).item() == pytest.approx(half, abs=1e-6)


def test_top_k_puts_the_tail_into_one_bin() -> None:
    by_hand = 0.8 * math.log(0.8 / 0.5) + 0.2 * math.log(0.2 / 0.5)
    assert top_k(1)(R, P).item() == pytest.approx(by_hand, abs=1e-5)


def test_top_k_of_everything_is_the_full_kl() -> None:
    assert top_k(3)(R, P).item() == pytest.approx(forward_kl(R, P).item(), abs=1e-5)


def test_only_the_student_gets_a_gradient() -> None:
    for name in ("forward_kl", "reverse_kl", "jensen_shannon", "top_k"):
        teacher, student = R.clone().requires_grad_(), P.clone().requires_grad_()
        divergence(name, 2)(teacher, student).sum().backward()
        assert teacher.grad is None
        assert student.grad is not None
        assert student.grad.abs().sum() > 0


logits = st.lists(st.floats(-20, 20), min_size=5, max_size=5).map(lambda x: torch.tensor([x]))


@given(logits, logits)
def test_never_negative_and_bounded(p: torch.Tensor, q: torch.Tensor) -> None:
    full = forward_kl(p, q).item()
    assert full >= -1e-5
    assert reverse_kl(p, q).item() >= -1e-5
    assert -1e-5 <= jensen_shannon(p, q).item() <= math.log(2) + 1e-5
    assert top_k(2)(p, q).item() <= full + 1e-3  # merging bins loses information, never adds


@given(logits)
def test_zero_for_itself(p: torch.Tensor) -> None:
    for name in ("forward_kl", "reverse_kl", "jensen_shannon", "top_k"):
        assert divergence(name, 2)(p, p).item() == pytest.approx(0, abs=1e-4)
