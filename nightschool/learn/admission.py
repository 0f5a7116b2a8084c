"""What is worth practising: only where the teacher, session in context, is measurably better.

The in-context gap of a practice request is how much surer the teacher is of the right answer (the known one,
else the teacher's own) than the student, in nats per token.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from nightschool.learn.drills import Course, Drill
from nightschool.learn.rules.common import Teaching
from nightschool.models.base import GenerateRequest, Sampling, generate
from nightschool.models.hf import logprobs

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


def _seats(teaching: Teaching, course: Course) -> list[Seat]:
    said = _own_answers(teaching, course)
    answers = [d.answer or said[d.id][0] for d in course.drills]
    prompts = [teaching.prompt(d) for d in course.drills]
    out = []
    for start in range(0, len(course.drills), _TOGETHER):
        some = slice(start, start + _TOGETHER)
        taught = list(zip(prompts[some], answers[some], strict=True))
        alone = [(d.student, a) for d, a in zip(course.drills[some], answers[some], strict=True)]
        thoughts = teaching.thoughts(course, taught)
        untaught = teaching.model.answers_hidden(alone, teaching.model.adapter(teaching.teacher_version))
        for drill, answer, thought_AD, own_AD in zip(
            course.drills[some], answers[some], thoughts, untaught, strict=True
        ):
            ended = drill.answer is not None or said[drill.id][1]
            settled = replace(drill, answer=answer if ended else None, thought_AD=thought_AD.clone())
            out.append(_seat(teaching, settled, answer, own_AD))
    return out


@torch.no_grad()
def _seat(teaching: Teaching, drill: Drill, answer: tuple[int, ...], own_AD: torch.Tensor) -> Seat:
    model = teaching.model
    assert drill.thought_AD is not None
    answer_A = torch.tensor(answer, device=own_AD.device)
    student_AV = model.logits(own_AD)
    teacher = float(logprobs(model.logits(drill.thought_AD), answer_A).mean())
    gap = teacher - float(logprobs(student_AV, answer_A).mean())
    refused = None
    if bool((student_AV.argmax(-1) == answer_A).all()):
        refused = "the model does that already"
    elif gap < GAP:
        refused = "the session does not help the model there"
    elif drill.kind == "asked" and teacher < SURE:
        refused = "the session does not answer that"
    return Seat(drill, answer, gap, refused)


def _own_answers(teaching: Teaching, course: Course) -> dict[str, tuple[tuple[int, ...], bool]]:
    """What the teacher says where no right answer is known, and whether it came to an end."""
    unknown = [d for d in course.drills if d.answer is None]
    sampling = Sampling(teaching.config.max_new_tokens)
    requests = [GenerateRequest(d.teacher, sampling, teaching.teacher_version) for d in unknown]
    said = generate(teaching.model, requests, prefix=course.prefix)
    return {d.id: (tuple(a.tokens), a.finish == "stop") for d, a in zip(unknown, said, strict=True)}
