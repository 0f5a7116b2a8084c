"""Questions that the model asks itself, the session in its context: practice for facts mentioned once."""

from __future__ import annotations

from itertools import takewhile

from nightschool.engines.base import Engine, respond
from nightschool.seeds import seed_of
from nightschool.types import Lesson, Message, PracticeRequest

_LONGEST = 40  # tokens of a question
_HEAT = 0.8


def ask(model: Engine, lesson: Lesson, count: int, version: str, seed: int) -> list[PracticeRequest]:
    """Up to `count` different questions: what the model takes to be the user's next turn after the session
    (arXiv 2406.08464 has models write users' turns so). Whether the session answers them is for the admission
    to see."""
    one, other = (model.encode([*lesson.context, Message("user", x)], lesson.tools) for x in "AZ")
    begun = [a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))]
    prefix, last = model.prefix(begun[:-1], version), (begun[-1],)
    seeds = [seed_of(seed, lesson.session_id, "question", i) for i in range(count)]
    found = respond(model, [last] * count, version, _LONGEST, prefix, temperature=_HEAT, seeds=seeds)
    said = [g for g in found if g.finish == "stop"]
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
    """The first line, if it is one that asks or demands something."""
    line = text.strip().splitlines()[0].strip(' "') if text.strip() else ""
    return line if len(line.split()) > 2 else None
