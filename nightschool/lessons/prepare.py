"""Which lessons are made of a night's sessions. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import groupby

from nightschool.config import LearnConfig
from nightschool.lessons.build import build_lesson
from nightschool.lessons.feedback import JudgedSession, apply_feedback, together
from nightschool.types import Lesson, Session, Signal


def prepare(judged: Iterable[tuple[Session, Sequence[Signal]]], config: LearnConfig) -> list[Lesson]:
    """One lesson of each rated session, with its feedback applied.

    Sessions of which only single answers were judged make one lesson together, if they have the same system
    turns and tools. Depends only on what was said and judged, and on the settings.
    """
    rated, unrated = list[JudgedSession](), list[JudgedSession]()
    for session, signals in judged:
        (rated if session.rating else unrated).append(apply_feedback(session, signals))
    alike = groupby(sorted(unrated, key=_circumstances), key=_circumstances)
    groups = [list(group) for _, group in alike]
    merged = [together(group, f"signals-{group[0].session.id}") for group in groups]
    return [lesson_of(one, config) for one in [*rated, *merged]]


def lesson_of(judged: JudgedSession, config: LearnConfig) -> Lesson:
    """A judged session's lesson, under these settings."""
    return build_lesson(
        judged.session,
        seed=config.seed,
        variations=config.variations,
        held_back=config.held_back,
        rejected=judged.rejected,
    )


def _circumstances(judged: JudgedSession) -> str:
    """The system turns and tools under which a session's answers were given."""
    system = [m.content for m in judged.session.messages if m.role == "system"]
    return json.dumps([system, judged.session.tools])
