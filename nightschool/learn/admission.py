"""What is worth practising: only where the teacher, session in context, is measurably better.

The in-context gap of a practice request is how much surer the teacher is of the right answer (the known one,
else the teacher's own) than the student, in nats per token.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nightschool.engines.base import PromptAnswer, respond
from nightschool.learn.examples import Course, Example
from nightschool.learn.rules.common import RuleContext
from nightschool.models.cache import PrefixCache
from nightschool.models.hf import HFModel, logprobs

GAP = 0.05  # nats per token: less is no lesson
SURE = -0.7  # nats per token: how sure the teacher must be of its answer to a question it asked itself
_TOGETHER = 16  # scored in one forward


@dataclass(frozen=True)
class Candidate:
    """A practice request that was looked at. `answer` is the example's or, where the teacher came to no end,
    what it said until then; `gap` in nats per token; `rejected_because`: why it is not practised, if so."""

    example: Example
    answer: tuple[int, ...]
    gap: float
    rejected_because: str | None = None


def admit(teaching: RuleContext, courses: Sequence[Course]) -> list[tuple[Course, list[Candidate]]]:
    """For each course (a stretch of one session; all have the same examples) the candidates that it is the
    best teacher for. Each one's example has an answer, where the teacher ends its own, and the teacher's
    final hidden states that predict it."""
    asked = [_candidates(teaching, course) for course in courses]
    best = [max(range(len(courses)), key=lambda c: asked[c][i].gap) for i in range(len(asked[0]))]
    return [
        (course, [candidate for i, candidate in enumerate(asked[c]) if best[i] == c])
        for c, course in enumerate(courses)
    ]


def report(candidates: Sequence[Candidate]) -> dict[str, dict[str, int]]:
    """How many of each kind are practised, and why how many are not."""
    return {
        "practised": dict(Counter(s.example.kind for s in candidates if not s.rejected_because)),
        "dropped": dict(
            Counter(f"{s.example.kind}: {s.rejected_because}" for s in candidates if s.rejected_because)
        ),
    }


@dataclass(frozen=True)
class _View:
    """How somebody sees an answer: final hidden states, mean log-probability, whether it would be theirs."""

    hidden_AW: Tensor
    logprob: float
    right: bool


def _candidates(teaching: RuleContext, course: Course) -> list[Candidate]:
    model, teacher = teaching.model, course.teacher
    said = _own_answers(teaching, course)
    answers = [d.answer or said[d.id][0] for d in course.examples]
    asked = list(zip(course.examples, answers, strict=True))
    alone = _views(model, teaching.live, [(d.student, a) for d, a in asked])
    taught = _views(model, teacher, [(d.teacher, a) for d, a in asked], course.prefix)
    # Who would answer right needs not be told the answer: to be told in the middle of a tool flow confuses.
    unsure = [i for i, d in enumerate(course.examples) if d.informed and not taught[i].right]
    if teaching.config.opsd.reference_fraction:
        told = [(course.examples[i].informed or (), answers[i]) for i in unsure]
        knowing = dict(zip(unsure, _views(model, teacher, told, course.prefix), strict=True))
    else:
        knowing = {}
    out = []
    for i, (example, answer) in enumerate(asked):
        view = knowing.get(i, taught[i])
        settled = replace(
            example,
            answer=answer if example.answer is not None or said[example.id][1] else None,
            informed=example.informed if i in knowing else None,
            teacher_hidden_AW=view.hidden_AW,
        )
        gap = view.logprob - alone[i].logprob
        out.append(Candidate(settled, answer, gap, _refusal(example, gap, view, alone[i])))
    return out


def _refusal(example: Example, gap: float, teacher: _View, student: _View) -> str | None:
    if student.right:
        return "the model does that already"
    if gap < GAP:
        return "the session does not help the model there"
    if example.kind == "asked" and teacher.logprob < SURE:
        return "the session does not answer that"
    return None


@torch.no_grad()
def _views(
    model: HFModel, version: str, pairs: Sequence[PromptAnswer], prefix: PrefixCache | None = None
) -> list[_View]:
    out = []
    hidden = model.hidden(pairs, version, prefix, at_once=_TOGETHER)
    for (_, answer), hidden_AW in zip(pairs, hidden, strict=True):
        logits_AV, answer_A = model.logits(hidden_AW), torch.tensor(list(answer), device=model.device)
        sure = float(logprobs(logits_AV, answer_A).mean())
        right = bool((logits_AV.argmax(-1) == answer_A).all())
        out.append(_View(hidden_AW, sure, right))
    return out


def _own_answers(teaching: RuleContext, course: Course) -> dict[str, tuple[tuple[int, ...], bool]]:
    """What the teacher says where no right answer is known, and whether it came to an end."""
    unknown = [d for d in course.examples if d.answer is None]
    prompts, longest = [d.teacher for d in unknown], teaching.config.max_new_tokens
    said = respond(teaching.model, prompts, course.teacher, longest, course.prefix)
    return {d.id: (tuple(a.tokens), a.finish == "stop") for d, a in zip(unknown, said, strict=True)}
