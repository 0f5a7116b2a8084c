"""Questions that a model asks itself about a session's facts: more practice for what was said once.

Written questions are often bad. One is admitted if it is about its fact and no other (it is likelier where
that was noted than where nothing, or another fact, was), does not give the answer away, and if the teacher,
who knows only that exchange, gives the recorded answer to it (round trip).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from nightschool.engines.base import Engine, answers, prefilled
from nightschool.lessons.evidence import content, names
from nightschool.lessons.facts import TELLS, Fact
from nightschool.lessons.families import ALIKE
from nightschool.lessons.paraphrases import Paraphrases
from nightschool.lessons.twins import occurrences
from nightschool.lessons.writing import NOTHING, Answered, Writer
from nightschool.types import Message, Tools

# Nats by which a question is likelier where its fact was noted: good ones gained 7 and more, senseless ones
# at most 7 (SmolLM2-135M, four facts; docs/log.md, 2026-11-27).
SPECIFIC = 7.0
_BORROWED = 24  # questions about other facts that are tried
_RIVALS = 4  # other facts that a question is compared with
_ANSWER = 24  # tokens of the teacher's answer that are looked at
_AT_ONCE = 128  # questions that are answered together: short ones

# (notes with their answers, how many) -> questions about each
Write = Callable[[Sequence[Answered], int], Sequence[Sequence[str]]]
Ask = tuple[Fact, str]  # a fact, and a question about it


class Questions:
    """Asks about the facts of one session: `write` writes `count` questions about each. `paraphrases` are
    of its other requests."""

    def __init__(
        self,
        model: Engine,
        version: str,
        writer: Writer,
        write: Write,
        count: int,
        context: Sequence[Message] = (),
        tools: Tools = (),
        paraphrases: Paraphrases | None = None,
    ) -> None:
        self._model, self._version, self.writer = model, version, writer
        self._write, self._count = write, count
        self._system, self._tools = tuple(m for m in context if m.role == "system"), tools
        self.paraphrases = paraphrases

    def about(self, found: Sequence[Fact]) -> list[Ask]:
        """The admitted questions about each of a session's facts, of each the most specific first."""
        noted = [_noted(fact) for fact in found]
        written = self._write(noted, self._count) if self._count and found else [()] * len(found)
        asked = [(fact, question) for fact, some in zip(found, written, strict=True) for question in some]
        askable = [ask for ask in dict.fromkeys(asked) if _askable(*ask)]
        # First, since it takes no longer than any other check and refuses by far the most.
        specific = self._specific(self._answered(askable), found)
        tells = self.writer.tells([question for _, question in specific])
        return [ask for ask, t in zip(specific, tells, strict=True) if t < TELLS]

    def borrowed(self, found: Sequence[Fact], asked: Sequence[Ask]) -> list[Ask]:
        """Questions about other facts, asked about each: what has their subject in it, with this one's in its
        place, as far as it is not asked about it anyway. What asks for a fact told in the same words asks for
        this one, too; of others, the teacher has to answer it."""
        out, doubtful, known = list[Ask](), list[Ask](), {*asked}
        for fact in found:
            taken = dict[Ask, bool]()
            for other, question in asked:
                swapped = _swapped(question, other.subject, fact.subject) if _is_other(other, fact) else None
                ask = fact, swapped or ""
                if swapped and ask not in known and _askable(*ask):
                    taken[ask] = taken.get(ask, False) or _in_one_form(other, fact)
            for ask, sure in [*taken.items()][:_BORROWED]:
                (out if sure else doubtful).append(ask)
        return [*out, *self._answered(doubtful)]

    def _specific(self, asked: Sequence[Ask], found: Sequence[Fact]) -> list[Ask]:
        """Those that are likelier where their fact was noted than where nothing was, or another fact."""
        own = self._likely({ask: _noted(ask[0]) for ask in asked})
        gains = {ask: math.inf for ask in asked if own[ask] > -math.inf}
        given = {fact: [NOTHING, *_rivals(fact, found)] for fact in found}
        for i in range(1 + _RIVALS):
            compared = {ask: given[ask[0]][i] for ask in gains if i < len(given[ask[0]])}
            gains |= {ask: min(gains[ask], own[ask] - p) for ask, p in self._likely(compared).items()}
            gains = {ask: gain for ask, gain in gains.items() if gain >= SPECIFIC}
        return sorted(gains, key=lambda ask: (found.index(ask[0]), -gains[ask]))

    def _likely(self, asked: dict[Ask, Answered]) -> dict[Ask, float]:
        """How likely each question is behind a note."""
        found = self.writer.asks([(question, noted) for (_, question), noted in asked.items()])
        return dict(zip(asked, found, strict=True))

    def _answered(self, asked: Sequence[Ask]) -> list[Ask]:
        """Those to which the teacher, with the exchange in its context, gives an answer that names the fact.
        All are answered together."""
        turns = [[*self._system, *fact.turns, Message("user", question)] for fact, question in asked]
        prompts = [tuple(self._model.encode(some, self._tools)) for some in turns]
        fit = [(ask, p) for ask, p in zip(asked, prompts, strict=True) if len(p) < self._model.context_length]
        if not fit:
            return []
        before, own = prefilled(self._model, [prompt for _, prompt in fit], self._version)
        given = answers(self._model, own, self._version, _ANSWER, before, at_once=_AT_ONCE)
        return [ask for (ask, _), answer in zip(fit, given, strict=True) if names(answer, ask[0].says)]


def _noted(fact: Fact) -> Answered:
    return fact.note, fact.says


def _is_other(other: Fact, fact: Fact) -> bool:
    """Whether it is another fact, asked for from the same end."""
    return other.note != fact.note and other.turned == fact.turned


def _in_one_form(other: Fact, fact: Fact) -> bool:
    """Whether two notes are alike but for what they say and of what."""
    a, b = (content(f.note) - content(f.says) - content(f.subject) for f in (other, fact))
    return len(a & b) > ALIKE * (len(a) + len(b)) / 2


def _rivals(fact: Fact, found: Sequence[Fact]) -> list[Answered]:
    return [_noted(other) for other in found if _is_other(other, fact)][:_RIVALS]


def _askable(fact: Fact, question: str) -> bool:
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
