"""Divergences between next-token distributions: teacher p (never differentiated), student q.

All take logits [tokens, vocabulary] of any float dtype and return nats per token [tokens], in float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Divergence = Callable[[Tensor, Tensor], Tensor]


def forward_kl(teacher_NV: Tensor, student_NV: Tensor) -> Tensor:
    """KL(p || q), over the full vocabulary: the student must cover whatever the teacher would say."""
    logp, logq = _logp(teacher_NV), _logq(student_NV)
    return (logp.exp() * (logp - logq)).sum(-1)


def reverse_kl(teacher_NV: Tensor, student_NV: Tensor) -> Tensor:
    """KL(q || p): the student must not say what the teacher would not."""
    logp, logq = _logp(teacher_NV), _logq(student_NV)
    return (logq.exp() * (logq - logp)).sum(-1)


def jensen_shannon(teacher_NV: Tensor, student_NV: Tensor) -> Tensor:
    """Half KL(p || m) plus half KL(q || m) with m = (p + q) / 2: symmetric, at most ln 2."""
    logp, logq = _logp(teacher_NV), _logq(student_NV)
    logm = torch.logaddexp(logp, logq) - math.log(2)
    return ((logp.exp() * (logp - logm)).sum(-1) + (logq.exp() * (logq - logm)).sum(-1)) / 2


def top_k(k: int) -> Divergence:
    """KL(p || q) over the teacher's k likeliest tokens and one bin that holds all others: a lower bound of
    `forward_kl` (data processing), without the bias of dropping the tail."""

    def divergence(teacher_NV: Tensor, student_NV: Tensor) -> Tensor:
        logp, logq = _logp(teacher_NV), _logq(student_NV)
        top, index = logp.topk(min(k, logp.shape[-1]))
        picked = logq.gather(-1, index)
        tail_p, tail_q = _log_rest(top), _log_rest(picked)
        # An empty tail weighs nothing, but 0 * inf is nan.
        tail = torch.where(tail_p.exp() > 1e-9, tail_p.exp() * (tail_p - tail_q), torch.zeros_like(tail_p))
        return (top.exp() * (top - picked)).sum(-1) + tail

    return divergence


def divergence(name: str, k: int) -> Divergence:
    """The divergence that the settings name; `k` is for `top_k`."""
    if name == "top_k":
        return top_k(k)
    return {"forward_kl": forward_kl, "reverse_kl": reverse_kl, "jensen_shannon": jensen_shannon}[name]


def _logp(logits: Tensor) -> Tensor:
    return logits.detach().float().log_softmax(-1)


def _logq(logits: Tensor) -> Tensor:
    return logits.float().log_softmax(-1)


def _log_rest(logs_NK: Tensor) -> Tensor:
    """log(1 - sum of exp), kept finite [N]."""
    return torch.log1p(-logs_NK.exp().sum(-1).clamp(max=1 - 1e-7))
