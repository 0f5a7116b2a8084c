"""One gradient: what is to be learned at every token of some answers, sent back through the student once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from nightschool.engines.base import PromptAnswer
from nightschool.learn.correction import corrected
from nightschool.learn.losses import Divergence, reverse_kl
from nightschool.models.base import Trainable

_CHUNK = 128  # tokens that go through the output head together: no larger part of the vocabulary is ever held


class Objective(Protocol):
    """What a batch of answers is to teach. Its N tokens are those of all answers, one after the other."""

    def __call__(self, model: Trainable, tokens: slice, student_CV: Tensor) -> tuple[Tensor, Tensor]:
        """For a stretch of tokens and the student's logits there: the loss of each token [C] (to report), and
        the derivative by the logits of what is to fall [C, V], weights included."""
        ...


@dataclass(frozen=True)
class Distil:
    """Be like the teacher, corrected where the right token is known: `weight` times the mean divergence over
    all tokens."""

    teacher_NW: Tensor  # the teacher's final hidden states that predict the tokens
    divergence: Divergence
    weight: float = 1.0
    right_N: Tensor | None = None  # the right tokens, where they are known; -1 elsewhere

    def __call__(self, model: Trainable, tokens: slice, student_CV: Tensor) -> tuple[Tensor, Tensor]:
        teacher_CV = model.logits(self.teacher_NW[tokens])
        if self.right_N is not None:
            teacher_CV = corrected(teacher_CV, self.right_N[tokens])
        loss_C, gradient_CV = self.divergence(teacher_CV, student_CV)
        return loss_C, gradient_CV.mul_(self.weight / len(self.teacher_NW))


@dataclass(frozen=True)
class Imitate:
    """Say just this: `weight` times the mean of -log q(token)."""

    answers: Sequence[Sequence[int]]
    weight: float = 1.0

    def __call__(self, model: Trainable, tokens: slice, student_CV: Tensor) -> tuple[Tensor, Tensor]:
        answer_N = _flat(self.answers, student_CV.device)
        loss_C, gradient_CV = _nll(student_CV, answer_N[tokens])
        return loss_C, gradient_CV.mul_(self.weight / len(answer_N))


@dataclass(frozen=True)
class Reinforce:
    """Say more of what earned more than its group, and stay near the live version: the clipped policy
    gradient (arXiv 1707.06347, equation 7) with each answer's advantage on all of its tokens, and `beta`
    times KL(student || live)."""

    answers: Sequence[Sequence[int]]
    logprobs: Sequence[Sequence[float]]  # of the student that sampled
    advantages: Sequence[float]  # one an answer
    live_NW: Tensor  # the live version's final hidden states, without the session
    beta: float
    clip: float = 0.2  # as in that paper

    def __call__(self, model: Trainable, tokens: slice, student_CV: Tensor) -> tuple[Tensor, Tensor]:
        answer_N = _flat(self.answers, student_CV.device)
        advantage_C = _flat(
            [[a] * len(y) for a, y in zip(self.advantages, self.answers, strict=True)], student_CV.device
        )[tokens]
        kl_C, gradient_CV = reverse_kl(model.logits(self.live_NW[tokens]), student_CV)
        nll_C, nll_gradient_CV = _nll(student_CV, answer_N[tokens])
        ratio_C = (-nll_C - _flat(self.logprobs, student_CV.device)[tokens]).exp()
        clipped_C = ratio_C.clamp(1 - self.clip, 1 + self.clip)
        surrogate_C = torch.minimum(ratio_C * advantage_C, clipped_C * advantage_C)
        # No gradient where the clipped side is the smaller one: the student went far enough there.
        policy_grad_C = torch.where(
            ratio_C * advantage_C <= clipped_C * advantage_C, ratio_C * advantage_C, 0.0
        )
        gradient_CV.mul_(self.beta).addcmul_(nll_gradient_CV, policy_grad_C[:, None])
        return self.beta * kl_C - surrogate_C, gradient_CV.mul_(1 / len(answer_N))


def _flat(rows: Sequence[Sequence[float]], device: torch.device) -> Tensor:
    return torch.tensor([x for row in rows for x in row], device=device)


def _nll(student_CV: Tensor, answer_C: Tensor) -> tuple[Tensor, Tensor]:
    """-log q(answer) and its derivative by the logits, in float32."""
    logq_CV = student_CV.float().log_softmax(-1)
    at = answer_C[:, None]
    loss_C = -logq_CV.gather(1, at)[:, 0]
    gradient_CV = logq_CV.exp_()
    gradient_CV.scatter_add_(1, at, torch.full_like(at, -1, dtype=gradient_CV.dtype))
    return loss_C, gradient_CV


LossBatch = tuple[Sequence[PromptAnswer], Objective]  # answers, and what they are to teach


def accumulate(model: Trainable, student: str, batches: Sequence[LossBatch]) -> list[Tensor]:
    """Add the gradient of all objectives to the masters of version `student`; returns each batch's losses by
    token [N].

    One forward and one backward serve all batches. Equal to backpropagating through the output head and the
    losses at once, without ever holding their [N, V] tensors.
    """
    hidden = model.train_hidden([pair for pairs, _ in batches for pair in pairs], student)
    return back(model, hidden, [objective for _, objective in batches], [len(pairs) for pairs, _ in batches])


def back(
    model: Trainable, hidden: Sequence[Tensor], objectives: Sequence[Objective], counts: Sequence[int]
) -> list[Tensor]:
    """Send each objective back through the final hidden states of its answers (`counts` of them); returns
    each one's losses by token [N]."""
    losses, gradients, start = [], [], 0
    for objective, count in zip(objectives, counts, strict=True):
        hidden_NW = torch.cat(list(hidden[start : start + count]))
        start += count
        loss_N, gradient_NW = _through_head(model, objective, hidden_NW.detach())
        losses.append(loss_N)
        gradients.append(gradient_NW)
    torch.cat(list(hidden)).backward(torch.cat(gradients))
    return losses


@torch.no_grad()
def _through_head(model: Trainable, objective: Objective, hidden_NW: Tensor) -> tuple[Tensor, Tensor]:
    losses, gradients = [], []
    for start in range(0, len(hidden_NW), _CHUNK):
        tokens = slice(start, start + _CHUNK)
        loss_C, gradient_CV = objective(model, tokens, model.logits(hidden_NW[tokens]))
        losses.append(loss_C)
        gradients.append(model.logits_vjp(gradient_CV))
    return torch.cat(losses), torch.cat(gradients)
