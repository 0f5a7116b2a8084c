"""The decoder of Llama and its relatives, in fewer operations than transformers' own forward.

The weights are the same and so are the results (the tests compare the two). There is no padding, one product
for queries, keys and values and one for gate and up, queries and keys are rotated together, and on a CPU the
weights are packed for its kernels beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, pad
from torch.utils.checkpoint import checkpoint
from transformers.activations import ACT2FN

from nightschool.models import lora
from nightschool.models.attention import Attention
from nightschool.models.kernels import native
from nightschool.models.kernels.norm import rms_norm

KINDS = ("llama", "mistral", "qwen2", "qwen3")
_STATIC_ROPE = ("default", "linear", "llama3", "yarn")  # the angles depend on the position alone
_SILU = (nn.SiLU, type(ACT2FN["silu"]))
# Tokens above which the backward computes each layer again instead of storing it: half the memory in about
# the same time. At 800 tokens it takes a third longer (docs/performance.md).
_MAX_STORED_TOKENS = 1024
# Tokens up to which oneDNN's packed weights are used. Measured to be faster at 1 and 16 rows
# (docs/performance.md); where they stop to be was not recorded.
_MAX_REORDERED_TOKENS = 64
_ROWS_HINT = 8  # the number of rows that oneDNN's layout is chosen for; other values were not measured
# Longer forwards are padded to a multiple of this: oneDNN keeps a compiled kernel for each number of rows, a
# thousand in all, and a dream would meet every number (memory: docs/performance.md). Others: not measured.
_PADDED_TO = 32


def supports(config: Any) -> bool:
    """Whether a model with this transformers configuration runs here."""
    return config.model_type in KINDS and (config.rope_parameters or {}).get("rope_type") in _STATIC_ROPE


class Projection:
    """A frozen linear layer, or several that read the same input."""

    def __init__(self, name: str, layers: list[nn.Linear]) -> None:
        self.name = name
        self.weight = _join([layer.weight for layer in layers])
        self.bias = None if layers[0].bias is None else _join([layer.bias for layer in layers])
        self._packed: Tensor | None = None

    def __call__(self, x: Tensor, spans: lora.Spans = (), residual: Tensor | None = None) -> Tensor:
        """x [tokens, in] -> [tokens, out]: the layers' outputs, plus the adapters', plus `residual`."""
        y = self._product(x)
        y = lora.add(y, x, self.name, spans)
        return y if residual is None else y + residual

    def _product(self, x: Tensor) -> Tensor:
        """The product alone, with packed weights where they are faster: always for our own kernel, for few
        tokens with oneDNN's."""
        ours = native.fast_product(self.weight)
        plain = x.device.type != "cpu" or x.dtype != torch.bfloat16 or torch.is_grad_enabled()
        if not ours and (plain or x.shape[0] > _MAX_REORDERED_TOKENS or not _reorders()):
            return linear(x, self.weight, self.bias)
        if self._packed is None:
            self._packed = (native.packed if ours else _reorder)(self.weight)
        if ours:
            y = native.product(x, self._packed, len(self.weight))
            return y if self.bias is None else y + self.bias
        z: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._packed, self.bias, "none", [], "")
        return z


@cache
def _reorders() -> bool:
    """Whether oneDNN has bfloat16 kernels for this CPU; where it has none, it refuses to reorder."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _reorder(weight: Tensor) -> Tensor:
    """The weights in oneDNN's layout for few tokens."""
    reordered: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, _ROWS_HINT)
    return reordered


@dataclass(frozen=True)
class _Layer:
    norm_in: nn.Module
    qkv: Projection
    norms: tuple[nn.Module, nn.Module] | None  # one for query heads, one for key heads (Qwen 3)
    out: Projection
    norm_mid: nn.Module
    gate_up: Projection
    act: Any
    down: Projection


class Decoder:
    """Runs a transformers model, whose weights it shares. `groups` are the linear layers that an adapter may
    change."""

    def __init__(self, net: Any) -> None:
        config, body = net.config, net.model
        self._embed, self._norm, self._eps = body.embed_tokens, body.norm, config.rms_norm_eps
        self._head_width = body.layers[0].self_attn.head_dim
        self._keys = config.num_key_value_heads
        self._layers = [_layer(f"model.layers.{i}", layer) for i, layer in enumerate(body.layers)]
        self._head = Projection("lm_head", [net.get_output_embeddings()])
        self._angles = _rotations(body, config.max_position_embeddings)
        self.groups: lora.Groups = {
            name: group
            for i, layer in enumerate(body.layers)
            for name, group in _groups(f"model.layers.{i}", layer)
        }

    def run(self, ids_T: Tensor, positions_T: Tensor, attention: Attention, spans: lora.Spans) -> Tensor:
        """Final hidden states [tokens, width] of tokens at these positions. Differentiable in the adapters of
        `spans` where gradients are enabled."""
        real = len(ids_T)
        padding = _padded_length(real) - real if ids_T.device.type == "cpu" else 0
        x = _padded(self._embed(ids_T), padding)
        turn = [table[positions_T][:, None] for table in self._angles]
        recompute = torch.is_grad_enabled() and real > _MAX_STORED_TOKENS
        for i, layer in enumerate(self._layers):
            see = partial(attention, i)
            if recompute:
                x = checkpoint(self._through, layer, x, turn, see, spans, use_reentrant=False)
            else:
                x = self._through(layer, x, turn, see, spans)
        return self._normed(self._norm, x)[:real]

    def _through(
        self, layer: _Layer, x: Tensor, turn: Sequence[Tensor], see: Callable[..., Tensor], spans: lora.Spans
    ) -> Tensor:
        """One layer: [padded tokens, width] -> the same."""
        real = len(turn[0])
        qkv = layer.qkv(self._normed(layer.norm_in, x), spans)[:real].view(real, -1, self._head_width)
        qk, v = qkv[:, : -self._keys], qkv[:, -self._keys :]
        if layer.norms:
            q, k = qk[:, : -self._keys], qk[:, -self._keys :]
            qk = torch.cat(
                [self._normed(norm, part) for norm, part in zip(layer.norms, (q, k), strict=True)], 1
            )
        qk = rotated(qk, *turn)
        seen = see(qk[:, : -self._keys], qk[:, -self._keys :], v)
        x = layer.out(_padded(seen.reshape(real, -1), len(x) - real), spans, residual=x)
        gate_up = layer.gate_up(self._normed(layer.norm_mid, x), spans)
        return layer.down(gated(layer.act, gate_up), spans, residual=x)

    def logits(self, hidden_TW: Tensor) -> Tensor:
        """[tokens, width] -> [tokens, vocabulary]."""
        return self._head(hidden_TW)

    def _normed(self, norm: Any, x: Tensor) -> Tensor:
        return rms_norm(x, norm.weight, self._eps)


def _padded_length(tokens: int) -> int:
    """The number of tokens that a forward of so many runs with on a CPU."""
    return tokens if tokens <= _MAX_REORDERED_TOKENS else -(-tokens // _PADDED_TO) * _PADDED_TO


def _padded(x_TW: Tensor, padding: int) -> Tensor:
    return pad(x_TW, (0, 0, 0, padding)) if padding else x_TW


def _layer(name: str, layer: Any) -> _Layer:
    attn, mlp = layer.self_attn, layer.mlp
    return _Layer(
        norm_in=layer.input_layernorm,
        qkv=Projection(f"{name}.self_attn.qkv", [attn.q_proj, attn.k_proj, attn.v_proj]),
        norms=(attn.q_norm, attn.k_norm) if hasattr(attn, "q_norm") else None,
        out=Projection(f"{name}.self_attn.o_proj", [attn.o_proj]),
        norm_mid=layer.post_attention_layernorm,
        gate_up=Projection(f"{name}.mlp.gate_up", [mlp.gate_proj, mlp.up_proj]),
        act=mlp.act_fn,
        down=Projection(f"{name}.mlp.down_proj", [mlp.down_proj]),
    )


def _groups(name: str, layer: Any) -> list[tuple[str, lora.Group]]:
    attn, mlp = (f"{name}.self_attn", layer.self_attn), (f"{name}.mlp", layer.mlp)
    out = []
    for (prefix, module), fused, leaves in (
        (attn, "qkv", ("q_proj", "k_proj", "v_proj")),
        (attn, "o_proj", ("o_proj",)),
        (mlp, "gate_up", ("gate_proj", "up_proj")),
        (mlp, "down_proj", ("down_proj",)),
    ):
        linears = [(f"{prefix}.{leaf}", getattr(module, leaf)) for leaf in leaves]
        parts = tuple((full, one.out_features) for full, one in linears)
        out.append((f"{prefix}.{fused}", lora.Group(linears[0][1].in_features, parts)))
    return out


def _join(tensors: list[Tensor]) -> Tensor:
    """All rows in one tensor. The given tensors become views of it, so nothing is stored twice."""
    if len(tensors) == 1:
        return tensors[0].detach()
    joined = torch.cat([t.detach() for t in tensors])
    for tensor, part in zip(tensors, joined.split([len(t) for t in tensors]), strict=True):
        tensor.data = part
    return joined


def _rotations(body: Any, length: int) -> tuple[Tensor, Tensor]:
    """Cosines and signed sines [positions, head width], so that rotating is x * cos + (halves swapped) *
    sin."""
    positions = torch.arange(length, device=body.embed_tokens.weight.device)[None]
    cos, sin = (table[0] for table in body.rotary_emb(body.embed_tokens.weight[:1], positions))
    half = sin.shape[-1] // 2
    return cos, torch.cat([-sin[:, :half], sin[:, half:]], -1)


def rotated(x_THD: Tensor, cos_T1D: Tensor, sin_T1D: Tensor) -> Tensor:
    """Each head rotated to its token's position (RoPE, arXiv 2104.09864); possibly in place where gradients
    are disabled."""
    if native.serves(x_THD, cos_T1D):
        native.rotate(x_THD, cos_T1D, sin_T1D)
        return x_THD
    return torch.addcmul(x_THD * cos_T1D, x_THD.roll(x_THD.shape[-1] // 2, -1), sin_T1D)


def gated(act: nn.Module, gate_up: Tensor) -> Tensor:
    """act(first half) * second half: [tokens, 2 * inner] -> [tokens, inner]."""
    if isinstance(act, _SILU) and native.serves(gate_up):
        return native.gated_silu(gate_up)
    gate, up = gate_up.chunk(2, -1)
    out: Tensor = act(gate) * up
    return out
