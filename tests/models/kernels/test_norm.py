"""The norm and its derivative against autograd through the formula."""

import pytest
import torch

from nightschool.models.kernels.norm import rms_norm


@pytest.mark.parametrize("gradients", [False, True])
def test_norm_is_the_formula(gradients: bool) -> None:
    x, weight = torch.randn(3, 5, 16), torch.randn(16)
    plain = x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * weight
    with torch.set_grad_enabled(gradients):
        torch.testing.assert_close(rms_norm(x, weight, 1e-5), plain)


def test_derivative_is_autograds() -> None:
    x, weight = torch.randn(3, 5, 16, dtype=torch.float64), torch.randn(16, dtype=torch.float64)
    upstream = torch.randn(3, 5, 16)
    x.requires_grad_()
    plain = x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * weight
    (expected,) = torch.autograd.grad(plain, x, upstream.double())
    ours = x.detach().float().requires_grad_()
    (found,) = torch.autograd.grad(rms_norm(ours, weight.float(), 1e-5), ours, upstream)
    torch.testing.assert_close(found, expected.float(), rtol=1e-4, atol=1e-5)
