"""One lesson ready to be learned: the session's key-value caches, what is practised, and the probes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nightschool.config import LearnConfig
from nightschool.learn.admission import Candidate, admit, report
from nightschool.learn.examples import PracticeSet, passed, practice_set, stretches
from nightschool.learn.rule import RuleContext
from nightschool.models.hf import HFModel
from nightschool.types import BASE, Drop, Lesson, PracticeRequest, Probe

# Prompt tokens of a lesson's variations that are looked at, and of those held back. A usual lesson has
# 6,000; every one is read by student and teacher, at some 3,000 tokens a second on two cores.
MOST_TOKENS = 32 * 1024


@dataclass(frozen=True)
class EncodedLesson:
    """One lesson, encoded."""

    lesson: Lesson
    parts: tuple[Lesson, ...]  # the lesson with each stretch of its session that fits (one, as a rule)
    sets: tuple[PracticeSet, ...]  # what is practised, by stretch
    steer: tuple[Probe, ...]  # probes that decide when training stops
    gate: tuple[Probe, ...]  # probes that only the gate sees
    ceiling: float | None  # share of probes with a known answer that the teacher gets right
    candidates: tuple[Candidate, ...]  # every practice request that was looked at
    drops: tuple[Drop, ...]

    def report(self) -> dict[str, Any]:
        """What was practised, what was not and why."""
        return {
            **report(self.candidates),
            "held_back": len(self.steer) + len(self.gate),
            "ceiling": self.ceiling,
            "teacher": self.sets[0].teacher if self.sets else None,
            "session_tokens": sum(one.prefix.length for one in self.sets),
            "session_kv_bytes": sum(kv.nbytes for one in self.sets for kv in one.prefix.layers),
            "stretches": [len(part.context) for part in self.parts],
            "drops": [[drop.what, drop.reason] for drop in self.drops],
        }


def encode(model: HFModel, lesson: Lesson, version: str, config: LearnConfig) -> EncodedLesson:
    """Compute the session's cache once, let the teacher (session in context) answer what nobody knows the
    answer to, and admit to practice what it is better at than the student, `version`.

    The teacher is `version` itself, or the base model where that gets more of the held-back checks right:
    what earlier nights taught can cost a version some of its ease with a session in its context. What is held
    back has a known answer and needs no teacher to be measured by. Raises DreamError.
    """
    requests, drops = list[PracticeRequest](), list[Drop]()
    for some in (lesson.practice, lesson.held_back):
        short, long = _short_enough(model, some, config.replay_tokens)
        requests, drops = requests + short, drops + long
    parts, too_long = stretches(model, lesson, requests, config.max_new_tokens)
    if not parts:
        requests = []  # nobody could teach them
    held = {request.id for request in lesson.held_back}
    sets, ceiling = _best_taught(model, parts, requests, dict.fromkeys((version, BASE)), held)
    probes = [e.probe(e.answer or ()) for e in (sets[0].examples if sets else ()) if e.id in held]
    practice = [replace(s, examples=tuple(e for e in s.examples if e.id not in held)) for s in sets]
    admitted = admit(RuleContext(model, version, config), parts, practice) if sets else []
    practised = [
        replace(one, examples=tuple(c.example for c in looked_at if c.rejected_because is None))
        for one, looked_at in admitted
    ]
    return EncodedLesson(
        lesson,
        tuple(parts),
        tuple(one for one in practised if one.examples),
        steer=tuple(probes[0::2]),
        gate=tuple(probes[1::2]),
        ceiling=ceiling,
        candidates=tuple(candidate for _, looked_at in admitted for candidate in looked_at),
        drops=(*lesson.drops, *drops, *too_long),
    )


def _best_taught(
    model: HFModel,
    parts: Sequence[Lesson],
    requests: Sequence[PracticeRequest],
    versions: Iterable[str],
    checks: Collection[str],
) -> tuple[list[PracticeSet], float | None]:
    """The sets of the version that gets most checks right, the first one of equals, and its share of them."""
    if not requests:
        return [], None
    found = []
    for version in versions:
        sets = [practice_set(model, part, requests, version) for part in parts]
        found.append((sets, _ceiling(model, sets, checks)))
        if found[-1][1] in (None, 1.0):
            break  # none can be better, or nothing says which is
    return max(found, key=lambda candidate: candidate[1] or 0.0)


def _ceiling(model: HFModel, sets: Sequence[PracticeSet], checks: Collection[str]) -> float | None:
    """Share of the checks that the teacher gets right with one of the stretches in its context."""
    if not checks:
        return None
    right = [
        passed(
            model,
            [replace(e.probe(e.answer or ()), prompt=e.teacher) for e in one.examples if e.id in checks],
            one.teacher,
            one.prefix,
        )
        for one in sets
    ]
    return sum(any(check) for check in zip(*right, strict=True)) / len(checks)


def _short_enough(
    model: HFModel, requests: Sequence[PracticeRequest], longest: int
) -> tuple[list[PracticeRequest], list[Drop]]:
    """Without the replays that stand behind so much that reading it at every step would cost too much, and of
    variations only as many as MOST_TOKENS."""
    fine, drops, total = list[PracticeRequest](), list[Drop](), 0
    for request in requests:
        size = len(model.encode(request.messages, request.tools)) if request.kind != "recorded" else 0
        total += size if request.kind == "varied" else 0
        if request.kind == "replayed" and size > longest:
            reason = f"replayed behind {size} tokens, more than learn.replay_tokens"
            drops.append(Drop(request.messages[-1].content, reason))
        elif request.kind != "varied" or total <= MOST_TOKENS:
            fine.append(request)
    if total > MOST_TOKENS:
        drops.append(Drop(requests[0].messages[-1].content, "too long to practise all its variations"))
    return fine, drops
