"""One gradient: what is to be learned at every token of some answers, sent back through the student once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from nightschool.learn.losses import Divergence
from nightschool.models.hf import HFModel
from nightschool.models.lora import Adapter

_CHUNK = 128  # tokens that go through the output head together: no larger part of the vocabulary is ever held
Pair = tuple[Sequence[int], Sequence[int]]  # prompt, answer


class Signal(Protocol):
    """What a batch of answers is to teach. Its N tokens are those of all answers, one after the other."""

    def __call__(self, model: HFModel, tokens: slice, student_CV: Tensor) -> tuple[Tensor, Tensor]:
        """For a stretch of tokens and the student's logits there: the loss of each token [C] (to report), and
        the derivative by the logits of what is to fall [C, V], weights included."""
        ...


@dataclass(frozen=True)
class Distil:
    """Be like the teacher: `weight` times the mean divergence over all tokens."""

    teacher_ND: Tensor  # the teacher's final hidden states that predict the tokens
    divergence: Divergence
    weight: float = 1.0

    def __call__(self, model: HFModel, tokens: slice, student_CV: Tensor) -> tuple[Tensor, Tensor]:
        loss_C, gradient_CV = self.divergence(model.logits(self.teacher_ND[tokens]), student_CV)
        return loss_C, gradient_CV.mul_(self.weight / len(self.teacher_ND))


def accumulate(
    model: HFModel, student: Adapter, batches: Sequence[tuple[Sequence[Pair], Signal]]
) -> list[Tensor]:
    """Add the gradient of all signals to the student's masters; returns each batch's losses by token [N].

    One forward and one backward serve all batches. Equal to backpropagating through the output head and the
    losses at once, without ever holding their [N, V] tensors.
    """
    hidden = model.learning_hidden([pair for pairs, _ in batches for pair in pairs], student)
    losses, gradients, start = [], [], 0
    for pairs, signal in batches:
        hidden_ND = torch.cat(hidden[start : start + len(pairs)])
        start += len(pairs)
        loss_N, gradient_ND = _through_head(model, signal, hidden_ND.detach())
        losses.append(loss_N)
        gradients.append(gradient_ND)
    torch.cat(hidden).backward(torch.cat(gradients))
    return losses


@torch.no_grad()
def _through_head(model: HFModel, signal: Signal, hidden_ND: Tensor) -> tuple[Tensor, Tensor]:
    losses, gradients = [], []
    for start in range(0, len(hidden_ND), _CHUNK):
        tokens = slice(start, start + _CHUNK)
        loss_C, gradient_CV = signal(model, tokens, model.logits(hidden_ND[tokens]))
        losses.append(loss_C)
        gradients.append(model.logits_back(gradient_CV))
    return torch.cat(losses), torch.cat(gradients)
