"""What learning asks of a model beyond an `engines.base.Engine`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from nightschool.engines.base import Prefix, PromptAnswer
from nightschool.models.lora import Adapter
from nightschool.types import BASE


class Trainable(Protocol):
    """A model whose adapters are differentiated. Versions are addressed by name.

    A loss works on final hidden states, not on logits: they are small enough to be kept for whole answers,
    and the head is applied to a few tokens at a time (`logits` forwards, `logits_vjp` backwards).
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
        """For each pair, the final hidden states [answer, width] that predict the answer's tokens.

        No gradient. `at_once` pairs run in one forward (None: all of them).
        """
        ...

    def train_hidden(self, pairs: Sequence[PromptAnswer], version: str) -> list[Tensor]:
        """As `hidden`, differentiable in the adapter of `version`. The prompts' keys and values are
        constants: what is learned is how to answer, not how to read."""
        ...

    def logits(self, hidden_TW: Tensor) -> Tensor:
        """[tokens, width] -> [tokens, vocabulary], in the model's dtype."""
        ...

    def logits_vjp(self, gradient_TV: Tensor) -> Tensor:
        """The vector-Jacobian product of `logits`: a gradient by the logits -> by the hidden states."""
        ...

    def fresh_adapter(self, rank: int, seed: int) -> Adapter:
        """A new adapter that changes nothing yet; not published."""
        ...

    def adapter(self, version: str) -> Adapter | None:
        """The adapter of a loaded version, None for the base model. Raises VersionError."""
        ...
