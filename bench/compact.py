"""A compacted session: a short key-value cache, trained to stand in for the session's own.

Prefix tuning (arXiv 2101.00190) with the loss of distillation: behind the short cache the model should
predict what the teacher predicts behind the whole session. The short cache is initialised with the beginning
of the session's.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor

from nightschool.config import LearnConfig
from nightschool.learn.encoding import EncodedLesson
from nightschool.learn.examples import Example
from nightschool.learn.losses import forward_kl
from nightschool.learn.objectives import Distil, back
from nightschool.learn.stopping import accuracy_of
from nightschool.models.attention import Packed
from nightschool.models.cache import PrefixCache
from nightschool.models.hf import HFModel

# Choices that were never measured against others.
LENGTH = 32  # tokens of the short cache
RATE = 1e-2  # learning rate, five times the default of LoRA


def train(model: HFModel, lesson: EncodedLesson, config: LearnConfig) -> tuple[PrefixCache, int]:
    """Returns the short cache as it was at its best measured step, and the number of steps taken."""
    practice = lesson.sets[0]
    tokens = practice.prefix.tokens[:LENGTH]
    layers = [kv[:, :, : len(tokens)].float().clone().requires_grad_() for kv in practice.prefix.layers]
    optimizer = torch.optim.AdamW(layers, lr=RATE, weight_decay=0.0)
    rng = random.Random(config.seed)
    examples = [e for e in practice.examples if e.answer and e.teacher_hidden_AW is not None]
    probes = [(probe.prompt, probe.answer) for probe in lesson.steer]
    best, most = _cache(model, tokens, layers), -1.0
    for step in range(1, config.steps + 1):
        _step(model, rng.sample(examples, min(config.batch_size, len(examples))), layers)
        optimizer.step()
        optimizer.zero_grad()
        if step % config.round_steps == 0 or step == config.steps:
            now = _cache(model, tokens, layers)
            right = model.agrees(probes, prefix=now)
            if (accuracy := accuracy_of(right)) >= most:
                best, most = now, accuracy
            if most == 1.0:
                break
    return best, step


def _step(model: HFModel, examples: Sequence[Example], layers: Sequence[Tensor]) -> None:
    """Add the gradient of one batch: KL to the teacher at every token of the right answers."""
    answers = [e.answer or () for e in examples]
    rows = [[*e.student, *answer[:-1]] for e, answer in zip(examples, answers, strict=True)]
    past = [kv.to(model.dtype) for kv in layers]
    attention, before = Packed([len(r) for r in rows], [past] * len(rows)), [len(past[0][0][0])] * len(rows)
    hidden = model.runner.run_rows(rows, attention, None, before)
    answered = [h[len(e.student) - 1 :] for h, e in zip(hidden, examples, strict=True)]
    teacher = [e.teacher_hidden_AW for e in examples if e.teacher_hidden_AW is not None]
    back(model, answered, [Distil(torch.cat(teacher), forward_kl)], [len(answered)])


def _cache(model: HFModel, tokens: tuple[int, ...], layers: Sequence[Tensor]) -> PrefixCache:
    return PrefixCache(tokens, [kv.detach().to(model.dtype).clone() for kv in layers])
