"""One lesson ready to be learned: the session's key-value caches, what is practised, and the probes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nightschool.config import LearnConfig
from nightschool.learn.admission import Candidate, admit, report
from nightschool.learn.examples import Course, course, stretches
from nightschool.learn.rules.common import RuleContext
from nightschool.lessons.self_asked import ask
from nightschool.models.hf import HFModel
from nightschool.types import BASE, Drop, Lesson, PracticeRequest, Probe


@dataclass(frozen=True)
class EncodedLesson:
    """One lesson, encoded. `parts`: the lesson with each stretch of its session that fits into the context
    (one, as a rule), `courses` what is practised with them; the probes that steer the training and those of
    the gate; and what became of every practice request. `ceiling`: the share of probes with a known answer
    that the teacher, session in context, gets right."""

    lesson: Lesson
    parts: tuple[Lesson, ...]
    courses: tuple[Course, ...]
    steer: tuple[Probe, ...]
    gate: tuple[Probe, ...]
    ceiling: float | None
    candidates: tuple[Candidate, ...]
    drops: tuple[Drop, ...]

    def report(self) -> dict[str, Any]:
        """What was practised, what was not and why."""
        return {
            **report(self.candidates),
            "held_back": len(self.steer) + len(self.gate),
            "ceiling": self.ceiling,
            "teacher": self.courses[0].teacher if self.courses else None,
            "session_tokens": sum(course.prefix.length for course in self.courses),
            "session_kv_bytes": sum(kv.nbytes for course in self.courses for kv in course.prefix.layers),
            "stretches": [len(part.context) for part in self.parts],
            "drops": [[drop.what, drop.reason] for drop in self.drops],
        }


def encode(model: HFModel, lesson: Lesson, version: str, config: LearnConfig) -> EncodedLesson:
    """Compute the session's cache once, let the teacher (session in context) answer what nobody knows the
    answer to, and admit to practice what it is better at than the student, `version`.

    The teacher is `version` itself, or the base model where that gets more of the held-back checks right:
    what earlier nights taught can cost a version some of its ease with a session in its context. Where no
    right answer is known, the teacher's own is taken for right: practice and probes of both kinds are the
    same to all that follows. Raises DreamError.
    """
    requests, drops = _short_enough(model, [*lesson.practice, *lesson.held_back], config.replay_tokens)
    parts, too_long = stretches(model, lesson, requests, config.max_new_tokens)
    if lesson.facts:
        share = -(-config.self_asked // len(parts))
        requests += [q for part in parts for q in ask(model, part, share, version, config.seed)]
    held = {r.id: i for i, r in enumerate(lesson.held_back)}
    # A check that is held back needs no teacher to be measured by.
    sure = {r.id for r in lesson.held_back if r.expected is not None}
    taught, ceiling = _best_taught(model, parts, requests, dict.fromkeys((version, BASE)), sure)
    checks = [d for d in (taught[0].examples if taught else ()) if d.id in sure]
    looked_at = [replace(c, examples=tuple(d for d in c.examples if d.id not in sure)) for c in taught]
    admitted = admit(RuleContext(model, version, config), looked_at) if taught else []
    answered = [
        (s.example, s.answer) for _, candidates in admitted for s in candidates if s.example.id in held
    ]
    probes = [d.probe(answer) for d, answer in [*((d, d.answer or ()) for d in checks), *answered]]
    probes.sort(key=lambda probe: held[probe.id])
    practised = [
        replace(course, examples=tuple(c.example for c in fit if c.example.id not in held))
        for course, candidates in admitted
        for fit in [[c for c in candidates if not c.rejected_because]]
    ]
    return EncodedLesson(
        lesson,
        tuple(parts),
        tuple(one for one in practised if one.examples),
        steer=tuple(probes[0::2]),
        gate=tuple(probes[1::2]),
        ceiling=ceiling,
        candidates=tuple(s for _, candidates in admitted for s in candidates if s.example.id not in held),
        drops=(*lesson.drops, *drops, *too_long),
    )


def _best_taught(
    model: HFModel,
    parts: Sequence[Lesson],
    requests: Sequence[PracticeRequest],
    versions: Iterable[str],
    checks: Collection[str],
) -> tuple[list[Course], float | None]:
    """The courses of the version that gets most checks right, the first one of equals, and their share."""
    if not requests:
        return [], None
    found = []
    for version in versions:
        taught = [course(model, part, requests, version) for part in parts]
        found.append((taught, _ceiling(model, taught, checks)))
        if found[-1][1] in (None, 1.0):
            break  # none can be better, or nothing says which is
    return max(found, key=lambda one: one[1] or 0.0)


def _ceiling(model: HFModel, taught: Sequence[Course], checks: Collection[str]) -> float | None:
    """Share of the checks that the teacher gets right with one of the stretches in its context."""
    if not checks:
        return None
    right = [
        model.agrees([(d.teacher, d.answer or ()) for d in c.examples if d.id in checks], c.teacher, c.prefix)
        for c in taught
    ]
    return sum(any(one) for one in zip(*right, strict=True)) / len(checks)


def _short_enough(
    model: HFModel, requests: Sequence[PracticeRequest], longest: int
) -> tuple[list[PracticeRequest], list[Drop]]:
    """Without the replays that stand behind too much: to read it at every step would cost too much."""
    fine, drops = [], []
    for request in requests:
        size = len(model.encode(request.messages, request.tools)) if request.kind == "replayed" else 0
        if size <= longest:
            fine.append(request)
        else:
            reason = f"replayed behind {size} tokens, more than learn.replay_tokens"
            drops.append(Drop(request.messages[-1].content, reason))
    return fine, drops
