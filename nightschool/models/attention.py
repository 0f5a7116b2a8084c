"""Attention without copies: PyTorch's scaled dot product with grouped queries, whatever the mask.

Transformers' own "sdpa" repeats keys and values for every query head as soon as there is a mask, which
costs more than the attention itself when a long prefix is shared.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask

NAME = "nightschool"


def causal() -> Tensor:
    """The mask that stands for plain causal attention.

    Transformers hands a four-dimensional mask through as it is. Given none, it would build one, asking the
    cache for sizes in a way that changes from release to release.
    """
    return torch.empty(0, 0, 0, 0)


def attention(
    module: Any,
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    v_BGKD: Tensor,
    mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Returns [batch, queries, heads, width]. An empty mask: causal, as many queries as keys."""
    if mask is not None and mask.numel() == 0:
        mask = None
    if q_BHQD.shape[2] == 1:
        out = _one_query(q_BHQD, k_BGKD, v_BGKD, mask, scaling)
    else:
        out = scaled_dot_product_attention(
            q_BHQD,
            k_BGKD,
            v_BGKD,
            attn_mask=mask,
            is_causal=mask is None,
            scale=scaling,
            enable_gqa=q_BHQD.shape[1] != k_BGKD.shape[1],
        )
    return out.transpose(1, 2).contiguous(), None


def _one_query(
    q_BH1D: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, mask: Tensor | None, scale: float | None
) -> Tensor:
    """Decoding: the query heads that share a key head become its queries, so nothing is repeated."""
    batch, heads, _, width = q_BH1D.shape
    groups = k_BGKD.shape[1]
    q = q_BH1D.view(batch, groups, heads // groups, width)
    out = scaled_dot_product_attention(q, k_BGKD, v_BGKD, attn_mask=mask, scale=scale)
    return out.reshape(batch, heads, 1, width)


AttentionInterface.register(NAME, attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
