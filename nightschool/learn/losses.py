"""Divergences between next-token distributions: teacher p (never differentiated), student q.

Each takes logits [tokens, vocabulary] of any float dtype and returns, in float32, its value in nats per token
[tokens] and its derivative by the student's logits [tokens, vocabulary]. Written out by hand, because the
vocabulary is what costs: one softmax for each side serves both, in place.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.linalg import vecdot

Divergence = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def forward_kl(teacher_NV: Tensor, student_NV: Tensor) -> tuple[Tensor, Tensor]:
    """KL(p || q), over the full vocabulary: the student must cover whatever the teacher would say."""
    (logp, p), (logq, q) = _normalised(teacher_NV), _normalised(student_NV)
    return vecdot(p, logp.sub_(logq)), q.sub_(p)


def reverse_kl(teacher_NV: Tensor, student_NV: Tensor) -> tuple[Tensor, Tensor]:
    """KL(q || p): the student must not say what the teacher would not."""
    (logp, _), (logq, q) = _normalised(teacher_NV), _normalised(student_NV)
    return _through_softmax(q, logq.sub_(logp))


def jensen_shannon(teacher_NV: Tensor, student_NV: Tensor) -> tuple[Tensor, Tensor]:
    """Half KL(p || m) plus half KL(q || m) with m = (p + q) / 2: symmetric, at most ln 2."""
    (logp, p), (logq, q) = _normalised(teacher_NV), _normalised(student_NV)
    logm = torch.logaddexp(logp, logq).sub_(math.log(2))
    from_q, gradient = _through_softmax(q, logq.sub_(logm))
    return (vecdot(p, logp.sub_(logm)) + from_q) / 2, gradient.div_(2)


def top_k(k: int) -> Divergence:
    """KL(p || q) over the teacher's k likeliest tokens and one bin that holds all others: a lower bound of
    `forward_kl` (data processing), without the bias of dropping the tail."""

    def divergence(teacher_NV: Tensor, student_NV: Tensor) -> tuple[Tensor, Tensor]:
        (logp, _), (logq, q) = _normalised(teacher_NV), _normalised(student_NV)
        top_logp, index = logp.topk(min(k, logp.shape[-1]))
        top_p, top_logq = top_logp.exp(), logq.gather(-1, index)
        rest_logp, rest_logq = (x.scatter(-1, index, -math.inf).logsumexp(-1) for x in (logp, logq))
        # Where the tail is empty it weighs nothing, but 0 * inf is nan.
        apart = torch.where(rest_logp.isfinite(), rest_logp - rest_logq, 0.0)
        value = vecdot(top_p, top_logp - top_logq) + rest_logp.exp() * apart
        gradient = (q * (1 - apart.exp())[:, None]).scatter(-1, index, top_logq.exp() - top_p)
        return value, gradient

    return divergence


def divergence(name: str, k: int) -> Divergence:
    """The divergence that the settings name; `k` is for `top_k`."""
    if name == "top_k":
        return top_k(k)
    return {"forward_kl": forward_kl, "reverse_kl": reverse_kl, "jensen_shannon": jensen_shannon}[name]


def _normalised(logits_NV: Tensor) -> tuple[Tensor, Tensor]:
    """(log-probabilities, probabilities), in half the time of `log_softmax` and `exp` on a CPU."""
    x = logits_NV.to(torch.float32, copy=True)
    p = x.sub_(x.amax(-1, keepdim=True)).exp()
    total = p.sum(-1, keepdim=True)
    return x.sub_(total.log()), p.div_(total)


def _through_softmax(q: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    """(mean of g under q, its derivative by q's logits where g = log q - log r + const): q (g - mean)."""
    mean = vecdot(q, g)
    return mean, q.mul_(g.sub_(mean[:, None]))
