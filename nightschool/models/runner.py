"""The forwards of one network: prefill, hidden states with and without gradients, and the head.

Rows that run together are packed one after the other, without padding. Behind a shared prefix, its key-value
cache is not computed again (`models.attention`), nor copied, but for neighbours that begin alike behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nightschool.engines.base import PromptAnswer, Tokens, common_beginning
from nightschool.errors import ContextTooLong
from nightschool.models import lora
from nightschool.models.attention import Attention, Continued, Packed
from nightschool.models.cache import Cache, PrefixCache, joined, length
from nightschool.models.decoder import Decoder, supports
from nightschool.models.generic import Generic

# Fewest tokens of a common prefix that get a forward of their own. Not measured: more than a chat template's
# opening marks, fewer than a system turn.
_MIN_SHARED = 8
# Tokens that must be saved for each one of a past that is copied for it: a long session's is not copied for
# the few words that two requests begin with. (Chosen, not measured.)
_COPYING = 1 / 8


class Runner:
    """A frozen network. Each forward is given its adapter; this class knows no version's name."""

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
        """Final hidden states [tokens, width] of one forward, whatever its rows are."""
        return self.body.run(ids_T, positions_T, attention, spans)

    def run_rows(
        self,
        rows: Sequence[Tokens],
        attention: Attention,
        adapter: lora.Adapter | None,
        before: Sequence[int] | None = None,
    ) -> list[Tensor]:
        """Each row's final hidden states [length, width]; row i stands behind `before[i]` cached tokens.
        Raises ContextTooLong."""
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
        """Compute prompts, prompt i behind `pasts[i]`. Returns, for each, the final hidden state [width] of
        its last token, and the cache of its own tokens. What neighbours begin with alike (usually all with a
        system turn) is computed once. Raises ContextTooLong."""
        shared, behind = self._beginnings(prompts, adapter, pasts or [None] * len(prompts))
        own = [prompt[length(beginning) :] for prompt, beginning in zip(prompts, shared, strict=True)]
        last, caches = self._prefill_packed(own, adapter, behind)
        return last, [joined(beginning, cache) for beginning, cache in zip(shared, caches, strict=True)]

    def _beginnings(
        self, prompts: Sequence[Tokens], adapter: lora.Adapter | None, pasts: Sequence[Cache | None]
    ) -> tuple[list[Cache | None], list[Cache | None]]:
        """For each prompt, the cache of the beginning that it shares with its neighbours behind the same
        past, if that is long enough to be computed apart, and the past with it."""
        shared: list[Cache | None] = [None] * len(prompts)
        behind = list(pasts)
        runs = [run for run in _runs(prompts, pasts) if run.saved > length(pasts[run.start]) * _COPYING]
        if not runs:
            return shared, behind
        heads = [prompts[run.start][: run.shared] for run in runs]
        _, caches = self._prefill_packed(heads, adapter, [pasts[run.start] for run in runs])
        for run, cache in zip(runs, caches, strict=True):
            rows = slice(run.start, run.stop)
            shared[rows] = [cache] * (run.stop - run.start)
            behind[rows] = [joined(pasts[run.start], cache)] * (run.stop - run.start)
        return shared, behind

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
        """For each (prompt, answer), the final hidden states [answer, width] that predict the answer. They
        are views of the forward's output. Raises ContextTooLong.

        A token is predicted by the state of the token before it. So the first state is that of the prompt's
        last token, and the answer's last token (EOS) is not run.
        """
        prompts, past = [prompt for prompt, _ in pairs], prefix.layers if prefix else None
        shared, behind = self._beginnings(prompts, adapter, [past] * len(pairs))
        starts = [length(beginning) for beginning in shared]
        rows = [[*prompt[n:], *answer[:-1]] for n, (prompt, answer) in zip(starts, pairs, strict=True)]
        attention = Packed([len(row) for row in rows], behind)
        hidden = self.run_rows(rows, attention, adapter, [length(cache) for cache in behind])
        return [h[len(prompt) - n - 1 :] for h, n, prompt in zip(hidden, starts, prompts, strict=True)]

    def train_hidden(self, pairs: Sequence[PromptAnswer], adapter: lora.Adapter) -> list[Tensor]:
        """As `hidden`, but differentiable in the adapter.

        No gradient flows through the prompts' keys and values: that takes a third less time and learns the
        same (docs/performance.md).
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
        """The gradient with respect to the logits [tokens, vocabulary] -> to the hidden states [tokens,
        width]."""
        weight: Tensor = self.net.get_output_embeddings().weight
        return gradient_TV.to(weight.dtype) @ weight

    def weight(self, layer: str) -> Tensor:
        """The weight [out, in] of the linear layer with this module name."""
        found: Tensor = self.net.get_submodule(layer).weight
        return found

    def check_length(self, tokens: int) -> None:
        """Raises ContextTooLong if the model's context has no room for so many tokens."""
        if tokens > self.context_length:
            raise ContextTooLong(
                f"{tokens} tokens do not fit into the model's context of {self.context_length}: "
                "shorten the request",
                code="context_length_exceeded",
            )


@dataclass(frozen=True)
class _Run:
    """Prompts `start` to `stop` - 1 begin with the same `shared` tokens; each has one more at least."""

    start: int
    stop: int
    shared: int

    @property
    def saved(self) -> int:
        """Tokens that need not be computed again and again."""
        return self.shared * (self.stop - self.start - 1)


def _runs(prompts: Sequence[Tokens], pasts: Sequence[Cache | None]) -> list[_Run]:
    """Neighbours behind the same past that have a beginning in common that is worth a forward of its own."""
    runs = list[_Run]()
    for i, (prompt, past) in enumerate(zip(prompts, pasts, strict=True)):
        if runs and past is pasts[runs[-1].start]:
            start, most = runs[-1].start, runs[-1].shared
            shared = common_beginning([*prompts[start][:most]], [*prompt[:-1]])
            if shared >= _MIN_SHARED:
                runs[-1] = _Run(start, i + 1, shared)
                continue
        runs.append(_Run(i, i + 1, len(prompt) - 1))
    return runs


def _context_length(config: Any) -> int:
    """In tokens. A model with a sliding window is used within it, where it attends like any other."""
    window = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    return int(min(config.max_position_embeddings, window or config.max_position_embeddings))
