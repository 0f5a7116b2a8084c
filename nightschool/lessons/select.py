"""Which lessons a night's sessions make. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import groupby

from nightschool.config import LearnConfig
from nightschool.lessons.build import build_lesson
from nightschool.lessons.feedback import JudgedSession, apply_feedback, together
from nightschool.types import Lesson, Session, Signal


def select(judged: Iterable[tuple[Session, Sequence[Signal]]], config: LearnConfig) -> list[Lesson]:
    """A lesson of each session as it was judged; those that nobody judged as a whole, but for single answers,
    make one lesson together. A function of what was said and the seed."""
    rated, unrated = list[JudgedSession](), list[JudgedSession]()
    for session, signals in judged:
        (rated if session.rating else unrated).append(apply_feedback(session, signals))
    kinds = groupby(sorted(unrated, key=_circumstances), key=_circumstances)
    groups = [list(some) for _, some in kinds]
    merged = [together(some, f"signals-{some[0].session.id}") for some in groups]
    return [lesson_of(heeded, config) for heeded in [*rated, *merged]]


def lesson_of(heeded: JudgedSession, config: LearnConfig) -> Lesson:
    """Its practice, what is held back, and what was dropped."""
    return build_lesson(
        heeded.session,
        seed=config.seed,
        variations=config.variations,
        held_back=config.held_back,
        rejected=heeded.rejected,
    )


def _circumstances(heeded: JudgedSession) -> str:
    """Only answers given under the same system turns and with the same tools make one lesson."""
    system = [m.content for m in heeded.session.messages if m.role == "system"]
    return json.dumps([system, heeded.session.tools])
