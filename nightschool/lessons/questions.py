"""Questions that the model asks itself about a session: more practice for facts that were mentioned once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from nightschool.engines.base import Engine, respond
from nightschool.lessons.evidence import content
from nightschool.seeds import seed_of
from nightschool.types import Lesson, Message, PracticeRequest

# Choices that were never measured against others.
_MAX_TOKENS = 40  # of a question
_TEMPERATURE = 0.8
_MIN_CONTENT = 2  # words (pairs of characters where there are no spaces); fewer are hardly a question


def ask(model: Engine, lesson: Lesson, count: int, version: str, seed: int) -> list[PracticeRequest]:
    """Sample the user's next turn after the session `count` times, and return what is new in it: what speaks
    of something in the session, and does not only repeat a turn of it.

    Letting a model write the user's turn is Magpie's idea (arXiv 2406.08464). Asked to write questions, the
    embedded model writes about anything but the session (docs/log.md, 11-25). Whether the session answers a
    question is decided when practice is admitted (`learn.admission`).
    """
    # Two prompts that differ only in the user's words are alike up to where those begin.
    prompt, other = (model.encode([*lesson.context, Message("user", x)], lesson.tools) for x in "AZ")
    shared = [a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(prompt, other, strict=False))]
    prefix, last = model.prefix(shared[:-1], version), (shared[-1],)
    seeds = [seed_of(seed, lesson.session_id, "question", i) for i in range(count)]
    prompts = [last] * count
    answers = respond(model, prompts, version, _MAX_TOKENS, prefix, temperature=_TEMPERATURE, seeds=seeds)
    whole = [a for a in answers if a.finish == "stop"]
    questions = dict.fromkeys(q for a in whole if (q := _question(model.decode(a.tokens))))
    turns = [content(m.content) for m in lesson.context]
    spoken = frozenset().union(*turns)
    system = tuple(m for m in lesson.context if m.role == "system")
    return [
        PracticeRequest(
            id=f"{lesson.session_id}/q{i}",
            session_id=lesson.session_id,
            messages=(*system, Message("user", text)),
            kind="asked",
            tools=lesson.tools,
        )
        for i, text in enumerate(q for q in questions if _asks_anew(content(q), turns, spoken))
    ]


def _question(text: str) -> str | None:
    """The first line, if it is long enough to be a question or a request."""
    line = text.strip().splitlines()[0].strip(' "') if text.strip() else ""
    return line if len(content(line)) >= _MIN_CONTENT else None


def _asks_anew(asked: frozenset[str], turns: Sequence[frozenset[str]], spoken: frozenset[str]) -> bool:
    return bool(asked & spoken) and not any(asked <= turn for turn in turns)
