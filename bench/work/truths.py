"""Kinds of sessions with the truth beside them: what `bench lessons` measures the lessons room with.

A kind draws sessions and has an *oracle*, which reads any request of the kind by the kind's own templates,
whatever stands in its fields, and says what the right answer is. Nothing here uses the product's analysis of
texts. `truths_formats` and `truths_talks` have the kinds to develop with; those of `truths_aside` are kept
aside, to measure with and never to develop against.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal
from zlib import crc32

from bench.work.cases import UNSEEN, CaseSpec, Suite, suite
from bench.work.truths_words import Values
from nightschool.measure.cases import Check
from nightschool.types import Message, Session, Signal, ToolCall, Tools

NOBODY_KNOWS = "(nobody can know)"  # the truth about a request whose answer does not follow from the session

# What a user turn is: a request by itself, one that needs what was said before, the mending of an answer, or
# something told (no request).
Role = Literal["alone", "follows", "mends", "tells"]
Oracle = Callable[
    [Sequence[Message]], str | None
]  # the right answer to a conversation; None: not of this kind


@dataclass(frozen=True)
class Recorded:
    """A session as it was recorded, and the truth about it.

    `roles` are those of the user's turns, by their words. `named` is set where an answer in any words is
    right that names the truth: all that the session's facts say, of which it may name no other. `fresh`
    draws another case of the kind with its right answer.
    """

    session: Session
    truth: Oracle
    roles: Mapping[str, Role]
    fresh: Callable[[random.Random], CaseSpec]
    signals: tuple[Signal, ...] = ()
    named: tuple[str, ...] = ()

    def right(self, messages: Sequence[Message], answer: str) -> bool | None:
        """Whether an answer to a conversation is right; None where the oracle cannot tell."""
        truth = self.truth([m for m in messages if m.role != "system"])
        if truth is None:
            return None
        if self.named:
            others = [n for n in self.named if n != truth]
            return _names(answer, truth) and not any(_names(answer, n) for n in others)
        return _canonical(answer) == _canonical(truth)


@dataclass(frozen=True)
class Kind:
    """A kind of session. `shows` says what it is about; `pattern`: four exchanges tell how any answer is
    made."""

    name: str
    language: str
    shows: str
    record: Callable[[random.Random, int], Recorded]
    pattern: bool = True

    def draw(self, seed: int, exchanges: int = 4) -> Recorded:
        """A session of about so many requests."""
        drawn = self.record(random.Random(f"{self.name}:{seed}:{exchanges}"), exchanges)
        return replace(drawn, session=replace(drawn.session, id=f"{self.name}-{seed}"))

    def unseen(self, seed: int, count: int = UNSEEN) -> list[CaseSpec]:
        """Up to `count` cases for the session of this seed, none of them in it."""
        return self._cases(seed, count, kept=0)

    def true_variations(self, seed: int, count: int) -> list[CaseSpec]:
        """The same to practise with, all others than any of `unseen`."""
        return self._cases(seed, count, kept=1)

    def suite(self, seed: int) -> Suite:
        """The session and the unseen cases as the other benchmarks have them. An edited answer is what the
        user made of it; that one was rejected is not in there."""
        drawn = self.draw(seed)
        turns = list(drawn.session.messages)
        for signal in drawn.signals:
            if signal.position is not None and signal.text is not None:
                turns[signal.position] = Message("assistant", signal.text)
        return suite(self.name, seed, turns, self.unseen(seed), tools=drawn.session.tools)

    def _cases(self, seed: int, count: int, kept: int) -> list[CaseSpec]:
        drawn, rng = self.draw(seed), random.Random(f"{self.name}:{seed}:fresh")
        seen = set(users(drawn.session.messages))
        out: dict[tuple[Message, ...], CaseSpec] = {}
        for _ in range(40 * count):
            case = drawn.fresh(rng)
            side = crc32((case.group or case.messages[0].content).encode()) % 3 > 0
            if len(out) == count:
                break
            if side == bool(kept) and case.messages[0].content not in seen:
                out[case.messages] = case
        return list(out.values())


# Reading a request.

_FIELD = re.compile(r"\{(\w+)(?::(\w+))?\}")
_SHAPES = {
    None: r"(?:(?![.?!。？！]\s)[^\n])+",  # not past the end of a sentence
    "int": r"[0-9]+",
    "word": r"\S+",
    "number": r"[0-9]+(?:[.,'’\u00a0\u202f ][0-9]+)*",
    "letters": r"[^\W\d_]+",
    "cell": r"[^\n,]+",
    "date": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "clock": r"[0-9]{2}:[0-9]{2}:[0-9]{2}",
    "code": r"[^\W_]+(?:-[^\W_]+)*",
}


def fill(template: str, values: Mapping[str, str]) -> str:
    """A template such as "{count:int} crates of {fruit}" with its values."""
    return _FIELD.sub(lambda m: values[m[1]], template)


def read(template: str, text: str) -> dict[str, str] | None:
    """What stands in the fields; None where the text is not of that form, or can be read in two ways. A
    template begins with words of its own, so that words before and behind it are no matter."""
    bare = template.rstrip(".?!。？！")
    for form, whole in ((template, True), (template, False), (bare, False)):
        lazily, greedily = (_reader(form, lazy, whole).search(text) for lazy in (True, False))
        if lazily and greedily:
            return lazily.groupdict() if lazily.groupdict() == greedily.groupdict() else None
    return None


@cache
def _reader(template: str, lazy: bool, whole: bool) -> re.Pattern[str]:
    """The lazy reader and the greedy one find the same only where there is just one way to read a text."""
    parts: list[str] = []
    end, seen = 0, set()
    for m in _FIELD.finditer(template):
        parts.append(re.escape(template[end : m.start()]))
        shape = _SHAPES[m[2]]
        shape = re.sub(r"([+*])", r"\1?", shape) if lazy else shape
        parts.append(f"(?P={m[1]})" if m[1] in seen else f"(?P<{m[1]}>{shape})")
        seen.add(m[1])
        end = m.end()
    pattern = "".join(parts) + re.escape(template[end:])
    return re.compile(rf"\A{pattern}\Z" if whole else rf"(?i){pattern}(?!\w)")


@dataclass(frozen=True)
class Format:
    """Requests in one or several wordings, and the answer worked out from what stands in their fields."""

    requests: tuple[str, ...]
    values: Callable[[Values], dict[str, str]]
    answer: Callable[..., str | None]

    def case(self, values: Values, wording: int = 0) -> tuple[str, str]:
        """A request and its right answer."""
        drawn = self.values(values)
        answer = self.answer(**drawn)
        assert answer is not None, drawn
        return fill(self.requests[wording % len(self.requests)], drawn), answer

    def fresh(self, rng: random.Random) -> CaseSpec:
        request, answer = self.case(Values(rng), rng.randrange(len(self.requests)))
        return spec([Message("user", request)], answer)

    def truth(self, text: str, recorded: Iterable[str] = ()) -> str | None:
        """The right answer to a request; None where the text is none, or two answers would be right. A
        recorded request with words around it is that request."""
        inside = [request for request in recorded if _contains(text, request)]
        text = max(inside, key=len, default=text)
        readings = [found for request in self.requests if (found := read(request, text))]
        answers = {self.answer(**found) for found in readings}
        return answers.pop() if len(answers) == 1 else None


# Putting sessions together.


class Script:
    """The turns of a session as they come."""

    def __init__(self, named: Sequence[str] = ()) -> None:
        self.messages: list[Message] = []
        self.roles: dict[str, Role] = {}
        self.signals: list[Signal] = []
        self.named = tuple(named)

    def ask(self, request: str, answer: str, role: Role = "alone") -> None:
        self.roles.setdefault(request, role)
        self.messages += [Message("user", request), Message("assistant", answer)]

    def signal(
        self, kind: Literal["rejected", "edited"], text: str | None = None, comment: str | None = None
    ) -> None:
        """What the user did with the last answer."""
        position, name = len(self.messages) - 1, f"signal-{len(self.signals)}"
        self.signals.append(Signal(name, "session", name, kind, text, comment, position=position))

    def recorded(
        self, truth: Oracle, fresh: Callable[[random.Random], CaseSpec], tools: Tools = ()
    ) -> Recorded:
        session = Session("session", tuple(self.messages), tools, rating="good")
        return Recorded(session, truth, self.roles, fresh, tuple(self.signals), self.named)


def house(name: str, language: str, shows: str, format: Format) -> Kind:
    """A house format: requests of one form, each answered with its line."""

    def record(rng: random.Random, exchanges: int) -> Recorded:
        script, values = Script(), Values(rng)
        for i in range(exchanges):
            script.ask(*format.case(values, i))
        return script.recorded(lambda m: format.truth(last_user(m), script.roles), format.fresh)

    return Kind(name, language, shows, record)


def _contains(text: str, request: str) -> bool:
    bare = re.escape(request.rstrip(".?!。？！").casefold())
    return re.search(rf"(?<!\w){bare}(?!\w)", text.casefold()) is not None


def users(messages: Sequence[Message]) -> list[str]:
    """What the user said."""
    return [m.content for m in messages if m.role == "user"]


def last_user(messages: Sequence[Message]) -> str:
    """The last turn, where it is the user's; else nothing that any template reads."""
    return messages[-1].content if messages and messages[-1].role == "user" else ""


def spec(messages: Sequence[Message], answer: str, group: str | None = None) -> CaseSpec:
    """A case with one right answer; a tool call is compared as JSON."""
    called = re.fullmatch(r"<tool_call>\n(.*)\n</tool_call>", answer)
    check = Check("json", json.loads(called[1])) if called else Check("exact", answer)
    return CaseSpec(tuple(messages), answer, check, group)


def says(question: str, answer: str, name: str, among: Sequence[str], wording: str) -> CaseSpec:
    """A question that is answered by naming this and none of the others; `answer` names it as the session
    does."""
    others = "".join(rf"(?!.*{re.escape(other)})" for other in among if other != name)
    check = Check("regex", rf"(?s)^{others}.*{re.escape(name)}")
    return CaseSpec((Message("user", question),), answer, check, wording)


def call(name: str, **arguments: Any) -> str:
    """A tool call as the model writes it."""
    made = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)
    return f"<tool_call>\n{made}\n</tool_call>"


def called(text: str, id: str = "call") -> Message:
    """The turn that makes such a call, or the one that just says the text."""
    found = re.fullmatch(r"<tool_call>\n(.*)\n</tool_call>", text)
    if not found:
        return Message("assistant", text)
    made = json.loads(found[1])
    arguments = json.dumps(made["arguments"], ensure_ascii=False)
    return Message("assistant", "", (ToolCall(id, made["name"], arguments),))


def schema(name: str, *parameters: str) -> dict[str, Any]:
    """A tool; parameters are strings, those that end in a colon and a type are of that type."""
    typed = [p.split(":") for p in parameters]
    properties = {p[0]: {"type": p[1] if len(p) > 1 else "string"} for p in typed}
    return {
        "type": "function",
        "function": {"name": name, "parameters": {"type": "object", "properties": properties}},
    }


def _canonical(text: str) -> str:
    """Without spaces around it; JSON and tool calls however they are spaced."""
    text = text.strip()
    inside = re.fullmatch(r"(?s)<tool_call>\s*(.*?)\s*</tool_call>", text)
    try:
        parsed = json.loads(inside[1] if inside else text)
    except ValueError:
        return text
    if not isinstance(parsed, dict | list):
        return text
    return f"{'call' if inside else 'json'} {json.dumps(parsed, ensure_ascii=False, sort_keys=bool(inside))}"


def _names(answer: str, name: str) -> bool:
    """Whether a name stands in an answer, and is not just part of a longer number or Latin word."""
    return re.search(rf"(?<![0-9A-Za-z]){re.escape(name)}(?![0-9A-Za-z])", answer) is not None
