"""Any other causal language model, run by transformers' own forward.

Its linear layers are wrapped for adapters and its attention is replaced by `models.attention`, so callers see
no difference. It is slower than `models.decoder`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface

from nightschool.errors import ModelError
from nightschool.models import lora
from nightschool.models.attention import Attention

NAME = "nightschool"


class LoraLinear(nn.Module):
    """A frozen linear layer plus the adapters of its owner's running forward."""

    def __init__(self, base: nn.Linear, name: str, owner: Generic) -> None:
        super().__init__()
        self.base, self.name = base, name
        self._owner = owner

    @property
    def weight(self) -> Tensor:
        return self.base.weight

    def forward(self, x: Tensor) -> Tensor:
        """x [..., in] -> [..., out]; the leading dimensions hold the forward's tokens in order."""
        flat = x.reshape(-1, x.shape[-1])
        y = lora.add(self.base(flat), flat, self.name, self._owner.spans)
        return y.view(*x.shape[:-1], -1)


class Generic:
    """The interface of `models.decoder.Decoder`. `spans` and `attention` belong to the running forward, so a
    model can run in one thread at a time."""

    def __init__(self, net: Any) -> None:
        self._net = net
        self.spans: lora.Spans = ()
        self.attention: Attention | None = None
        self.groups: lora.Groups = self._wrap()
        for module in net.modules():
            if hasattr(module, "layer_idx"):  # the modules that transformers passes to `_attention`
                module.nightschool_owner = self
        net.set_attn_implementation(NAME)

    def run(self, ids_T: Tensor, positions_T: Tensor, attention: Attention, spans: lora.Spans) -> Tensor:
        """Final hidden states [tokens, width]. Raises ModelError if the attention is of a kind that ours does
        not compute."""
        self.spans, self.attention = spans, attention
        out = self._net.base_model(
            input_ids=ids_T[None],
            position_ids=positions_T[None],
            # Transformers passes a mask of four dimensions on as it is, and builds one if there is none.
            attention_mask=torch.empty(0, 0, 0, 0, device=ids_T.device),
            use_cache=False,
        )
        hidden: Tensor = out.last_hidden_state[0]
        return hidden

    def logits(self, hidden_TW: Tensor) -> Tensor:
        """[tokens, width] -> [tokens, vocabulary]."""
        out: Tensor = self._net.get_output_embeddings()(hidden_TW)
        return out

    def _wrap(self) -> lora.Groups:
        """Wrap every linear layer but the head. Returns each as a group of its own."""
        head = self._net.get_output_embeddings()
        found = [(n, m) for n, m in self._net.named_modules() if isinstance(m, nn.Linear) and m is not head]
        for name, module in found:
            parent, _, leaf = name.rpartition(".")
            setattr(self._net.get_submodule(parent), leaf, LoraLinear(module, name, self))
        return {n: lora.Group(m.in_features, ((n, m.out_features),)) for n, m in found}


def _attention(
    module: Any,
    q_1HTD: Tensor,
    k_1GTD: Tensor,
    v_1GTD: Tensor,
    mask: Any,
    scaling: float | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """An attention function as transformers calls it: output [1, tokens, heads, head width], no weights."""
    if softcap is not None or s_aux is not None:
        raise ModelError("this model's attention has soft caps or sinks, which are not supported")
    if scaling is not None:  # ours divides by the square root of the head width
        q_1HTD = q_1HTD * (scaling * q_1HTD.shape[-1] ** 0.5)
    q, k, v = (t[0].transpose(0, 1) for t in (q_1HTD, k_1GTD, v_1GTD))
    attention: Attention = module.nightschool_owner.attention
    return attention(module.layer_idx, q, k, v)[None], None


AttentionInterface.register(NAME, _attention)
