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
from nightschool.learn.drills import Course, Drill
from nightschool.learn.rules.common import Teaching
from nightschool.models.cache import PrefixCache
from nightschool.models.hf import HFModel, logprobs

GAP = 0.05  # nats per token: less is no lesson
SURE = -0.7  # nats per token: how sure the teacher must be of its answer to a question it asked itself
_TOGETHER = 16  # scored in one forward


@dataclass(frozen=True)
class Seat:
    """A practice request that was looked at. `answer` is the drill's or, where the teacher came to no end,
    what it said until then; `gap` in nats per token; `refused`: why it is not practised, if so."""

    drill: Drill
    answer: tuple[int, ...]
    gap: float
    refused: str | None = None


def admit(teaching: Teaching, courses: Sequence[Course]) -> list[tuple[Course, list[Seat]]]:
    """For each course (a stretch of one session; all have the same drills) the seats that it is the best
    teacher for. Every seat's drill has an answer, where the teacher ends its own, and the teacher's thoughts
    on it."""
    asked = [_seats(teaching, course) for course in courses]
    best = [max(range(len(courses)), key=lambda c: asked[c][i].gap) for i in range(len(asked[0]))]
    return [
        (course, [seat for i, seat in enumerate(asked[c]) if best[i] == c])
        for c, course in enumerate(courses)
    ]


def report(seats: Sequence[Seat]) -> dict[str, dict[str, int]]:
    """How many of each kind are practised, and why how many are not."""
    return {
        "practised": dict(Counter(s.drill.kind for s in seats if not s.refused)),
        "dropped": dict(Counter(f"{s.drill.kind}: {s.refused}" for s in seats if s.refused)),
    }


@dataclass(frozen=True)
class _View:
    """How somebody sees an answer: final hidden states, mean log-probability, whether it would be theirs."""

    hidden_AD: Tensor
    logprob: float
    right: bool


def _seats(teaching: Teaching, course: Course) -> list[Seat]:
    model, teacher = teaching.model, course.teacher
    said = _own_answers(teaching, course)
    answers = [d.answer or said[d.id][0] for d in course.drills]
    asked = list(zip(course.drills, answers, strict=True))
    alone = _views(model, teaching.live, [(d.student, a) for d, a in asked])
    taught = _views(model, teacher, [(d.teacher, a) for d, a in asked], course.prefix)
    # Who would answer right needs not be told the answer: to be told in the middle of a tool flow confuses.
    unsure = [i for i, d in enumerate(course.drills) if d.informed and not taught[i].right]
    if teaching.config.opsd.reference_fraction:
        told = [(course.drills[i].informed or (), answers[i]) for i in unsure]
        knowing = dict(zip(unsure, _views(model, teacher, told, course.prefix), strict=True))
    else:
        knowing = {}
    out = []
    for i, (drill, answer) in enumerate(asked):
        view = knowing.get(i, taught[i])
        settled = replace(
            drill,
            answer=answer if drill.answer is not None or said[drill.id][1] else None,
            informed=drill.informed if i in knowing else None,
            thought_AD=view.hidden_AD,
        )
        gap = view.logprob - alone[i].logprob
        out.append(Seat(settled, answer, gap, _refusal(drill, gap, view, alone[i])))
    return out


def _refusal(drill: Drill, gap: float, teacher: _View, student: _View) -> str | None:
    if student.right:
        return "the model does that already"
    if gap < GAP:
        return "the session does not help the model there"
    if drill.kind == "asked" and teacher.logprob < SURE:
        return "the session does not answer that"
    return None


@torch.no_grad()
def _views(
    model: HFModel, version: str, pairs: Sequence[PromptAnswer], prefix: PrefixCache | None = None
) -> list[_View]:
    out = []
    hidden = model.hidden(pairs, version, prefix, at_once=_TOGETHER)
    for (_, answer), hidden_AD in zip(pairs, hidden, strict=True):
        logits_AV, answer_A = model.logits(hidden_AD), torch.tensor(list(answer), device=model.device)
        sure = float(logprobs(logits_AV, answer_A).mean())
        right = bool((logits_AV.argmax(-1) == answer_A).all())
        out.append(_View(hidden_AD, sure, right))
    return out


def _own_answers(teaching: Teaching, course: Course) -> dict[str, tuple[tuple[int, ...], bool]]:
    """What the teacher says where no right answer is known, and whether it came to an end."""
    unknown = [d for d in course.drills if d.answer is None]
    prompts, longest = [d.teacher for d in unknown], teaching.config.max_new_tokens
    said = respond(teaching.model, prompts, course.teacher, longest, course.prefix)
    return {d.id: (tuple(a.tokens), a.finish == "stop") for d, a in zip(unknown, said, strict=True)}
