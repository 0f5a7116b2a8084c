"""The teacher's distribution, corrected where the right answer is known.

A teacher with the session in its context, even one that is shown the right answer, can be surely wrong at one
token (of TUE after T, of one name among four), and a student becomes no better than it: on bookings and told
facts the student's systematic mistakes were its teacher's, one for one (docs/log.md, 2026-11-27). So the
right token, where it is known, is raised to the share `SURE`; what the teacher thinks of all others, relative
to one another, stays. Of a wrong answer, what comes after its first mistake teaches nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from nightschool.learn.examples import Example
from nightschool.learn.rollouts import Rollout

SURE = 0.9  # 0.8 and 0.95 were as good, 0.5 learned more slowly
UNKNOWN = -1  # in place of a token


def right_next(example: Example, answer: Sequence[int]) -> list[int]:
    """The right token at each place of an answer: the known answer's as far as that says just the same until
    there; then UNKNOWN, since a known answer does not say how to go on from another one."""
    known = _known(example)
    return [*known[: _same(answer, known) + 1], *[UNKNOWN] * len(answer)][: len(answer)]


def until_mistake(rollout: Rollout) -> Rollout:
    """A wrong answer as far as anything is known about it: up to the first token that is not the known
    answer's. What the teacher says after that, it says of an answer that cannot become right any more."""
    answer, known = rollout.answer, _known(rollout.example)
    if not known or rollout.is_reference or rollout.example.verify(answer) == 1:
        return rollout
    return replace(rollout, answer=answer[: _same(answer, known) + 1])


def _known(example: Example) -> tuple[int, ...]:
    """The known right answer, or nothing: the teacher's own does not count."""
    return (example.answer or ()) if example.verifier else ()


def _same(answer: Sequence[int], known: Sequence[int]) -> int:
    """How many tokens come before the first in which an answer differs from the known one."""
    return next((i for i, (a, b) in enumerate(zip(answer, known, strict=False)) if a != b), len(answer))


def corrected(teacher_NV: Tensor, right_N: Tensor) -> Tensor:
    """The teacher's logits with each right token raised to the share SURE at least, in float32; rows whose
    token is UNKNOWN stay as they are."""
    at = (right_N != UNKNOWN).nonzero()[:, 0]
    if not len(at):
        return teacher_NV
    out_NV = teacher_NV.to(torch.float32, copy=True)
    rows_KV, right_K1 = out_NV[at], right_N[at][:, None]
    others_K1 = rows_KV.scatter(1, right_K1, -math.inf).logsumexp(-1, keepdim=True)
    least_K1 = others_K1 + math.log(SURE / (1 - SURE))
    out_NV[at] = rows_KV.scatter(1, right_K1, torch.maximum(rows_KV.gather(1, right_K1), least_K1))
    return out_NV
