"""Which lessons are made of a night's sessions."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import groupby

from nightschool.config import Config
from nightschool.engines.base import Engine
from nightschool.errors import HelperError
from nightschool.lessons.build import build_lesson
from nightschool.lessons.feedback import JudgedSession, apply_feedback, together
from nightschool.lessons.helper import helper
from nightschool.lessons.hindsight import Hindsight
from nightschool.lessons.paraphrases import Paraphrases
from nightschool.lessons.questions import Questions, Write
from nightschool.lessons.writing import Answered, Writer
from nightschool.types import BASE, Lesson, Session, Signal

Prepare = Callable[[JudgedSession, Config, Engine | None, str], Lesson]  # as `prepare`

# One for a process: an endpoint that failed is not asked again (`Helper.questions`).
_helper = cache(helper)
log = logging.getLogger(__name__)


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
    judged: JudgedSession, config: Config, model: Engine | None = None, version: str = BASE
) -> Lesson:
    """A judged session's lesson. It depends only on what was said and judged, on the settings, and on what
    `version` of the model makes of it in hindsight and asks itself about it; without a model, more is left
    unknown. The questions of a helper (`lessons.helper`) need not be the same another time."""
    session, learn = judged.session, config.learn
    hindsight = Hindsight(model, version, session.messages, session.tools) if model else None
    questions = _questions(session, config, model, version) if model else None
    return build_lesson(
        session,
        seed=learn.seed,
        variations=learn.variations,
        held_back=learn.held_back,
        rejected=judged.rejected,
        comments=judged.comments,
        hindsight=hindsight,
        questions=questions,
    )


def _questions(session: Session, config: Config, model: Engine, version: str) -> Questions:
    context, tools, count = session.messages, session.tools, config.learn.self_asked
    writer = Writer(model, version)
    paraphrases = Paraphrases(model, version, context, tools, count, config.learn.seed)
    write = _written_by(writer, config)
    return Questions(model, version, writer, write, count, context, tools, paraphrases)


def _written_by(writer: Writer, config: Config) -> Write:
    """The helper writes the questions, and where it wrote none the model itself."""

    def write(noted: Sequence[Answered], count: int) -> Sequence[Sequence[str]]:
        helped = [_helped(note, answer, count, config) for note, answer in noted]
        alone = [one for one, questions in zip(noted, helped, strict=True) if not questions]
        own = dict(zip(alone, writer.questions(alone, count, config.learn.seed), strict=True))
        return [questions or own[one] for one, questions in zip(noted, helped, strict=True)]

    return write


def _helped(note: str, answer: str, count: int, config: Config) -> list[str]:
    other = _helper(config.lessons.helper)
    try:
        return other.questions(note, answer, count) if other else []
    except HelperError as e:
        log.warning("%s; the model writes its own questions", e)
        return []


def _circumstances(judged: JudgedSession) -> str:
    """The system turns and tools under which a session's answers were given."""
    system = [m.content for m in judged.session.messages if m.role == "system"]
    return json.dumps([system, judged.session.tools])
