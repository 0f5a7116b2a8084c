"""Questions that the model asks itself, the session in its context: practice for facts mentioned once."""

from __future__ import annotations

from nightschool.models.base import GenerateRequest, LanguageModel, Sampling, generate
from nightschool.types import Lesson, Message, PracticeRequest

_ASK = (
    "Write one short question that a colleague could ask you about what was said here. "
    "Write only the question."
)
_LONGEST = 32  # tokens of a question
_HEAT = 1.0


def ask(model: LanguageModel, lesson: Lesson, count: int, version: str, seed: int) -> list[PracticeRequest]:
    """Up to `count` different questions; whether the session answers them is for the admission to see."""
    prompt = model.encode([*lesson.context, Message("user", _ASK)], lesson.tools)
    prefix, last = model.prefix(prompt[:-1], version), (prompt[-1],)
    samplings = [Sampling(_LONGEST, _HEAT, seed=seed * 1_009 + i) for i in range(count)]
    rows = [GenerateRequest(last, sampling, version) for sampling in samplings]
    said = [g for g in generate(model, rows, prefix=prefix) if g.finish == "stop"]
    texts = dict.fromkeys(text for g in said if (text := _question(model.decode(g.tokens))))
    known = {m.content for m in lesson.context}
    system = tuple(m for m in lesson.context if m.role == "system")
    return [
        PracticeRequest(
            id=f"{lesson.session_id}/q{i}",
            session_id=lesson.session_id,
            messages=(*system, Message("user", text)),
            kind="asked",
            tools=lesson.tools,
        )
        for i, text in enumerate(t for t in texts if t not in known)
    ]


def _question(text: str) -> str | None:
    """The first line, if it asks something."""
    line = text.strip().splitlines()[0].strip(' "') if text.strip() else ""
    return line if line.endswith("?") else None
