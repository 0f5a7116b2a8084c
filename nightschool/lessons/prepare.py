"""Which lessons are made of a night's sessions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import groupby

from nightschool.config import LearnConfig
from nightschool.engines.base import Engine
from nightschool.lessons.build import build_lesson
from nightschool.lessons.feedback import JudgedSession, apply_feedback, together
from nightschool.lessons.hindsight import Hindsight
from nightschool.types import BASE, Lesson, Session, Signal


def heard(judged: Iterable[tuple[Session, Sequence[Signal]]]) -> list[JudgedSession]:
    """The sessions as they teach: each rated one with its feedback applied; those of which only single
    answers were judged together, if they have the same system turns and tools."""
    rated, unrated = list[JudgedSession](), list[JudgedSession]()
    for session, signals in judged:
        (rated if session.rating else unrated).append(apply_feedback(session, signals))
    alike = groupby(sorted(unrated, key=_circumstances), key=_circumstances)
    groups = [list(group) for _, group in alike]
    return [*rated, *(together(group, f"signals-{group[0].session.id}") for group in groups)]


def prepare(
    judged: JudgedSession, config: LearnConfig, model: Engine | None = None, version: str = BASE
) -> Lesson:
    """A judged session's lesson. It depends only on what was said and judged, on the settings, and on what
    `version` of the model makes of it in hindsight; without a model, more is left unknown."""
    session = judged.session
    hindsight = Hindsight(model, version, session.messages, session.tools) if model else None
    return build_lesson(
        session,
        seed=config.seed,
        variations=config.variations,
        held_back=config.held_back,
        rejected=judged.rejected,
        comments=judged.comments,
        hindsight=hindsight,
    )


def _circumstances(judged: JudgedSession) -> str:
    """The system turns and tools under which a session's answers were given."""
    system = [m.content for m in judged.session.messages if m.role == "system"]
    return json.dumps([system, judged.session.tools])
