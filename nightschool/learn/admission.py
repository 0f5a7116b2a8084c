"""What is worth practising: where the right answer is known, whatever the student does not say by itself;
else only where the teacher, session in context, is measurably better.

The in-context gap of a practice request is how much surer the teacher is of the right answer (the known one,
else the teacher's own) than the student, in nats per token.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nightschool.engines.base import PromptAnswer
from nightschool.learn.belief import own_answers
from nightschool.learn.examples import Example, PracticeSet
from nightschool.learn.rule import RuleContext
from nightschool.models.cache import PrefixCache
from nightschool.models.hf import HFModel, logprobs
from nightschool.types import Lesson

GAP = 0.05  # nats per token: a smaller gap is no lesson (chosen, not measured)
_TOGETHER = 16  # pairs scored in one forward


@dataclass(frozen=True)
class Candidate:
    """A practice request that was looked at."""

    example: Example
    answer: tuple[int, ...]  # the example's or, where the teacher came to no end, what it said until then
    gap: float  # nats per token
    rejected_because: str | None = None  # None: it is practised


def admit(
    context: RuleContext, parts: Sequence[Lesson], sets: Sequence[PracticeSet]
) -> list[tuple[PracticeSet, list[Candidate]]]:
    """For each set (taught by one of the parts, the stretches of a session; all have the same examples), the
    candidates that it teaches best. Each one's example comes back with an answer, where the teacher ended its
    own, and the teacher's hidden states for it."""
    found = [_candidates(context, part, one) for part, one in zip(parts, sets, strict=True)]
    best = [max(range(len(sets)), key=lambda s: found[s][i].gap) for i in range(len(found[0]))]
    return [
        (one, [candidate for i, candidate in enumerate(found[s]) if best[i] == s])
        for s, one in enumerate(sets)
    ]


def report(candidates: Sequence[Candidate]) -> dict[str, dict[str, int]]:
    """How many of each kind are practised, and why how many are not."""
    return {
        "practised": dict(Counter(c.example.kind for c in candidates if not c.rejected_because)),
        "dropped": dict(
            Counter(f"{c.example.kind}: {c.rejected_because}" for c in candidates if c.rejected_because)
        ),
    }


@dataclass(frozen=True)
class _View:
    """How somebody sees an answer: the final hidden states that predict it, its mean log-probability (nats
    per token), and whether greedy decoding would give it."""

    hidden_AW: Tensor
    logprob: float
    right: bool


def _candidates(context: RuleContext, lesson: Lesson, practice: PracticeSet) -> list[Candidate]:
    model, examples = context.model, practice.examples
    own = own_answers(context, lesson, practice)
    answers = [e.answer or own[e.id].tokens for e in examples]
    student = _views(model, context.live, [(e.student, a) for e, a in zip(examples, answers, strict=True)])
    behind = [(e.teacher, a) for e, a in zip(examples, answers, strict=True)]
    teacher = _views(model, practice.teacher, behind, practice.prefix)
    out = []
    for i, (example, answer) in enumerate(zip(examples, answers, strict=True)):
        settled = replace(
            example,
            answer=answer if example.answer is not None or own[example.id].ended else None,
            # Show the reference only to a teacher that is wrong without it: shown in the middle of a tool
            # flow it skips a step (docs/log.md, 2026-11-25).
            informed=None if teacher[i].right else example.informed,
            teacher_hidden_AW=teacher[i].hidden_AW,
        )
        gap = teacher[i].logprob - student[i].logprob
        doubt = own[example.id].doubt if example.id in own else None
        is_corrected = example.verifier is not None and context.uses_known
        refusal = _refusal(student[i], gap if not is_corrected else math.inf)
        out.append(Candidate(settled, answer, gap, refusal or doubt))
    return out


def _refusal(student: _View, gap: float) -> str | None:
    if student.right:
        return "the model does that already"
    if gap < GAP:
        return "the session does not help the model there"
    return None


@torch.no_grad()
def _views(
    model: HFModel, version: str, pairs: Sequence[PromptAnswer], prefix: PrefixCache | None = None
) -> list[_View]:
    out = []
    hidden = model.hidden(pairs, version, prefix, at_once=_TOGETHER)
    for (_, answer), hidden_AW in zip(pairs, hidden, strict=True):
        logits_AV, answer_A = model.logits(hidden_AW), torch.tensor(list(answer), device=model.device)
        logprob = float(logprobs(logits_AV, answer_A).mean())
        right = bool((logits_AV.argmax(-1) == answer_A).all())
        out.append(_View(hidden_AW, logprob, right))
    return out
