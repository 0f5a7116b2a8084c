"""The interface that learning needs of a model beyond `engines.base.Engine`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from nightschool.engines.base import Prefix, PromptAnswer
from nightschool.models.lora import Adapter
from nightschool.types import BASE


class Trainable(Protocol):
    """A model whose adapters can be differentiated. Versions are addressed by name.

    Losses work on final hidden states, which are small enough to hold for whole answers. They apply the head
    to a few tokens at a time: `logits` forwards, `logits_vjp` backwards.
    """

    device: torch.device
    dtype: torch.dtype

    def hidden(
        self,
        pairs: Sequence[PromptAnswer],
        version: str = BASE,
        prefix: Prefix | None = None,
        *,
        at_once: int | None = None,
    ) -> list[Tensor]:
        """For each (prompt, answer), the final hidden states [answer, width] that predict the answer.

        No gradient. `at_once` pairs run in one forward (None: all of them). Raises VersionError,
        ContextTooLong.
        """
        ...

    def train_hidden(self, pairs: Sequence[PromptAnswer], version: str) -> list[Tensor]:
        """As `hidden`, but differentiable in the adapter of `version`, which must not be base. The prompts'
        keys and values are constants: the adapter learns to answer, not to read."""
        ...

    def logits(self, hidden_TW: Tensor) -> Tensor:
        """[tokens, width] -> [tokens, vocabulary], in the model's dtype."""
        ...

    def logits_vjp(self, gradient_TV: Tensor) -> Tensor:
        """The vector-Jacobian product of `logits`: a loss's gradient with respect to the logits
        [tokens, vocabulary] -> with respect to the hidden states [tokens, width]."""
        ...

    def fresh_adapter(self, rank: int, seed: int) -> Adapter:
        """A new adapter, not published, with which the model still answers as base."""
        ...

    def adapter(self, version: str) -> Adapter | None:
        """The adapter of a loaded version; None for the base model. Raises VersionError."""
        ...
