"""The forwards of one network: prefill, hidden states with and without a gradient, and the head.

Rows that run together are packed one after the other, without padding; behind a shared prefix they neither
copy nor recompute its key-value cache (`models.attention`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nightschool.engines.base import PromptAnswer, Tokens
from nightschool.errors import ContextTooLong
from nightschool.models import lora
from nightschool.models.attention import Attention, Continued, Packed
from nightschool.models.cache import Cache, PrefixCache, common_length, joined, length
from nightschool.models.decoder import Decoder, supports
from nightschool.models.generic import Generic

# Tokens that prompts must share for the shared part to get a forward of its own. Not measured: more than a
# chat template's opening marks, fewer than a system turn.
_MIN_SHARED = 8


class Runner:
    """A frozen network. Each forward is given its adapter; versions' names are not known here."""

    def __init__(self, net: Any) -> None:
        net.eval().requires_grad_(False)
        self.net = net
        self.device: torch.device = net.device
        self.dtype: torch.dtype = net.dtype
        self.context_length = _context_length(net.config)
        self.body = Decoder(net) if supports(net.config) else Generic(net)

    @property
    def groups(self) -> lora.Groups:
        """The linear layers that an adapter may change."""
        return self.body.groups

    def run(self, ids_T: Tensor, positions_T: Tensor, attention: Attention, spans: lora.Spans) -> Tensor:
        """Final hidden states [tokens, width] of one forward."""
        return self.body.run(ids_T, positions_T, attention, spans)

    def run_rows(
        self,
        rows: Sequence[Tokens],
        attention: Attention,
        adapter: lora.Adapter | None,
        before: Sequence[int] | None = None,
    ) -> list[Tensor]:
        """Final hidden states [length, width] of packed rows, row i behind `before[i]` cached tokens."""
        lengths = [len(row) for row in rows]
        before = before or [0] * len(rows)
        for n, b in zip(lengths, before, strict=True):
            self.check_length(b + n)
        ids_T = torch.tensor([t for row in rows for t in row], device=self.device)
        positions = [torch.arange(b, b + n) for n, b in zip(lengths, before, strict=True)]
        positions_T = torch.cat(positions).to(self.device)
        hidden_TW = self.run(ids_T, positions_T, attention, lora.all_tokens(adapter))
        return list(hidden_TW.split(lengths))

    def prefill(
        self, prompts: Sequence[Tokens], adapter: lora.Adapter | None, pasts: Sequence[Cache | None] = ()
    ) -> tuple[list[Tensor], list[Cache]]:
        """Read prompts, prompt i behind `pasts[i]`: the final hidden state [width] of each one's last token,
        and the keys and values of its own tokens. What all prompts begin with (usually a system turn) is
        computed once."""
        beginning = None if any(pasts) else self._beginning(prompts, adapter)
        if beginning is None:
            return self._prefill_packed(prompts, adapter, pasts)
        own = [prompt[length(beginning) :] for prompt in prompts]
        last, caches = self._prefill_packed(own, adapter, [beginning] * len(own))
        return last, [joined(beginning, cache) for cache in caches]

    def _beginning(self, prompts: Sequence[Tokens], adapter: lora.Adapter | None) -> Cache | None:
        """The cache of what all prompts begin with, if that is long enough to be computed apart."""
        shared = common_length(prompts) if len(prompts) > 1 else 0
        if shared < _MIN_SHARED:
            return None
        _, (cache,) = self._prefill_packed([prompts[0][:shared]], adapter)
        return cache

    def _prefill_packed(
        self, prompts: Sequence[Tokens], adapter: lora.Adapter | None, pasts: Sequence[Cache | None] = ()
    ) -> tuple[list[Tensor], list[Cache]]:
        lengths = [len(prompt) for prompt in prompts]
        attention = Packed(lengths, pasts, record=True)
        before = [length(past) for past in pasts] or None
        hidden = self.run_rows(prompts, attention, adapter, before)
        split = zip(*(kv.split(lengths, 2) for kv in attention.recorded), strict=True)
        return [h[-1] for h in hidden], [list(cache) for cache in split]

    @torch.no_grad()
    def hidden(
        self,
        pairs: Sequence[PromptAnswer],
        adapter: lora.Adapter | None,
        prefix: PrefixCache | None = None,
    ) -> list[Tensor]:
        """For each pair, the final hidden states [answer, width] that predict the answer's tokens; views of
        the forward's output.

        The state that predicts answer token t is that of the token before it: the first one is at the
        prompt's last token, and the answer's last token (EOS) predicts nothing.
        """
        shared, past = 0, prefix.layers if prefix else None
        if past is None and (past := self._beginning([prompt for prompt, _ in pairs], adapter)):
            shared = length(past)
        rows = [[*prompt[shared:], *answer[:-1]] for prompt, answer in pairs]
        attention = Packed([len(row) for row in rows], [past] * len(rows))
        hidden = self.run_rows(rows, attention, adapter, [length(past)] * len(rows))
        return [h[len(prompt) - shared - 1 :] for h, (prompt, _) in zip(hidden, pairs, strict=True)]

    def train_hidden(self, pairs: Sequence[PromptAnswer], adapter: lora.Adapter) -> list[Tensor]:
        """As `hidden`, differentiable in the adapter.

        No gradient flows through the prompts' keys and values. That costs a third of the time less, and
        learns the same (docs/performance.md).
        """
        heads = [prompt[:-1] for prompt, _ in pairs]
        rows = [[prompt[-1], *answer[:-1]] for prompt, answer in pairs]
        with torch.no_grad():
            _, caches = self.prefill(heads, adapter)
        attention = Continued([len(row) for row in rows], caches)
        return self.run_rows(rows, attention, adapter, [len(head) for head in heads])

    def logits(self, hidden_TW: Tensor) -> Tensor:
        """[tokens, width] -> [tokens, vocabulary], in the model's dtype."""
        return self.body.logits(hidden_TW)

    def logits_vjp(self, gradient_TV: Tensor) -> Tensor:
        """Gradient by the logits [tokens, vocabulary] -> by the hidden states [tokens, width]."""
        weight: Tensor = self.net.get_output_embeddings().weight
        return gradient_TV.to(weight.dtype) @ weight

    def weight(self, layer: str) -> Tensor:
        """The weight [out, in] of the linear layer with this module name."""
        found: Tensor = self.net.get_submodule(layer).weight
        return found

    def check_length(self, tokens: int) -> None:
        """Raises ContextTooLong if so many tokens do not fit."""
        if tokens > self.context_length:
            raise ContextTooLong(
                f"{tokens} tokens do not fit into the model's context of {self.context_length}: "
                "shorten the request",
                code="context_length_exceeded",
            )


def _context_length(config: Any) -> int:
    """In tokens. Within its sliding window, a model that has one attends like any other."""
    window = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    return int(min(config.max_position_embeddings, window or config.max_position_embeddings))
