"""Questions that a model asks itself about a session's facts: more practice for what was said once.

Written questions are often bad. One is admitted if it is about its fact and no other (it is likelier where
that was noted than where nothing, or another fact, was), does not give the answer away, and if the teacher,
who knows only that exchange, gives the recorded answer to it (round trip).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from nightschool.engines.base import Engine, answers
from nightschool.lessons.evidence import content, names
from nightschool.lessons.facts import TELLS, Fact
from nightschool.lessons.twins import occurrences
from nightschool.lessons.writing import NOTHING, Writer
from nightschool.types import Message, Tools

# Nats by which a question is likelier where its fact was noted: good ones gained 7 and more, senseless ones
# at most 7 (SmolLM2-135M, four facts; docs/log.md, 2026-11-27).
SPECIFIC = 7.0
_BORROWED = 24  # questions about other facts that are tried
_RIVALS = 4  # other facts that a question is compared with
_ANSWER = 24  # tokens of the teacher's answer that are looked at

Write = Callable[[str, str, int], Sequence[str]]  # (a note, the answer, how many) -> questions


class Questions:
    """Asks about the facts of one session: `write` writes `count` questions about each."""

    def __init__(
        self,
        model: Engine,
        version: str,
        writer: Writer,
        write: Write,
        count: int,
        system: Sequence[Message] = (),
        tools: Tools = (),
    ) -> None:
        self._model, self._version, self.writer = model, version, writer
        self._write, self._count = write, count
        self._system, self._tools = tuple(system), tools

    def about(self, fact: Fact, others: Sequence[Fact]) -> list[str]:
        """The admitted questions, the most specific first. `others` are the session's other facts."""
        written = self._write(fact.note, fact.says, self._count) if self._count else ()
        askable = [q for q in dict.fromkeys(written) if _askable(q, fact)]
        rivals = [o for o in others if o.note != fact.note and o.turned == fact.turned]
        specific = self._specific(askable, fact, rivals[:_RIVALS])
        tells = self.writer.tells(specific)
        return self._answered([q for q, t in zip(specific, tells, strict=True) if t < TELLS], fact)

    def borrowed(self, fact: Fact, asked: Sequence[tuple[Fact, str]]) -> list[str]:
        """Questions about other facts, asked about this one: what has their subject in it, with this one's in
        its place, as far as the teacher answers it."""
        swapped = [_swapped(question, other.subject, fact.subject) for other, question in asked]
        askable = [q for q in dict.fromkeys(swapped) if q and _askable(q, fact)]
        return self._answered(askable[:_BORROWED], fact)

    def _specific(self, questions: Sequence[str], fact: Fact, others: Sequence[Fact]) -> list[str]:
        """Those that are likelier where the fact was noted than where nothing was, or another fact."""
        own = dict(zip(questions, self.writer.asks(questions, fact.note, fact.says), strict=True))
        gains = dict.fromkeys(questions, math.inf)
        for other in (None, *others):
            asked = [*gains]
            given = (other.note, other.says) if other else NOTHING
            found = zip(asked, self.writer.asks(asked, *given), strict=True)
            gains = {q: gain for q, p in found if (gain := min(gains[q], own[q] - p)) >= SPECIFIC}
        return sorted(gains, key=lambda q: -gains[q])

    def _answered(self, questions: Sequence[str], fact: Fact) -> list[str]:
        """Those to which the teacher, with the exchange in its context, gives an answer that names it."""
        turns = [*self._system, *fact.turns]
        prompts = [self._model.encode([*turns, Message("user", q)], self._tools) for q in questions]
        given = answers(self._model, prompts, self._version, _ANSWER) if prompts else []
        return [q for q, answer in zip(questions, given, strict=True) if names(answer, fact.says)]


def _askable(question: str, fact: Fact) -> bool:
    """Whether a question speaks of its fact, does not give the answer away, and repeats no turn."""
    asked = content(question)
    repeated = any(asked == content(turn.content) for turn in fact.turns)
    return bool(asked & fact.about) and not asked & content(fact.says) and not repeated


def _swapped(question: str, subject: str, other: str) -> str | None:
    """A question with another subject; None where it does not have its own, as whole words, just once."""
    spans = occurrences(question, subject, ()) if subject and other else []
    if len(spans) != 1:
        return None
    ((start, end),) = spans
    return question[:start] + other + question[end:]
