"""The root-mean-square norm (arXiv 1910.07467), in an eighth of the time of torch's on a CPU (94 instead of
796 us for 400 tokens, docs/performance.md)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.linalg import vecdot

from nightschool.models.kernels import native


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x [..., width] / (its root mean square over the width) * weight, computed in float32. Differentiable in
    x only: the weight is frozen."""
    if torch.is_grad_enabled():
        out: Tensor = _RMSNorm.apply(x, weight, eps)  # type: ignore[no-untyped-call]
        return out
    if native.serves(x, weight):
        return native.rms_norm(x, weight, eps)
    return _normed(x, eps)[0].mul_(weight).to(x.dtype)


def _normed(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """x scaled to a root mean square of 1, and the factors that did it, in float32."""
    normed = x.to(torch.float32, copy=True)
    inverse = vecdot(normed, normed).div_(x.shape[-1]).add_(eps).rsqrt_()[..., None]
    return normed.mul_(inverse), inverse


class _RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        normed, inverse = _normed(x, eps)
        ctx.save_for_backward(x, inverse, weight)  # `normed` would take twice the memory
        return (normed * weight).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        x, inverse, weight = ctx.saved_tensors
        normed = x * inverse
        g = gradient * weight.float()
        along = vecdot(g, normed).div_(normed.shape[-1])[..., None]
        return g.addcmul_(normed, along, value=-1).mul_(inverse).to(gradient.dtype), None, None
