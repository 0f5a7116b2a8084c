"""From a session to a lesson."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from nightschool.lessons.entities import find
from nightschool.lessons.exchanges import Exchange, alone, replays, tasks
from nightschool.lessons.variations import Pattern, Variation, confirmed, pattern, vary
from nightschool.types import Drop, Lesson, Message, PracticeRequest, Session

# Other ways to ask the same, for requests in which nothing can be replaced.
_REWORDINGS = (
    "{}",
    "Please tell me: {}",
    "Quick question: {}",
    "Hi, {} Thanks.",
    "Hello! {}",
    "Could you help me? {}",
    "One thing: {}",
    "I need this now. {}",
    "Sorry to bother you. {}",
    "{} Thank you!",
    "Hey, {}",
    "Good morning. {}",
    "A colleague asks: {}",
    "{} Please answer.",
    "Again for the record: {}",
    "Tell me, {}",
)
_NEXT = "\n\x1e\n"  # between the texts of several turns, while they are varied as one


@dataclass(frozen=True)
class Request:
    """An exchange and what can vary in it."""

    exchange: Exchange
    pattern: Pattern

    @property
    def text(self) -> str:
        return self.pattern.request


def build_lesson(
    session: Session, *, seed: int, variations: int, held_back: int, rejected: Collection[int] = ()
) -> Lesson:
    """Practice for a session: its own requests, each by itself and where it stood, and seeded variations of
    them, some held back. `rejected` are turns (positions) that are no right answers.

    A function of the settings and of what was said (not of the session's id, which is random). Nothing that
    is held back is ever practised.
    """
    context = session.messages
    rng = random.Random(f"{seed}:{[m.to_json() for m in context]}")
    found, drops = tasks(context)
    requests = _requests(context, [e for task in found for e in alone(context, task, rejected)])
    seen = {r.text for r in requests}
    practised: list[tuple[Exchange, Variation]] = []
    held: list[tuple[Exchange, Variation]] = []
    wanted = _shares(variations + held_back, len(requests))
    for request, share, keep in zip(requests, wanted, _shares(held_back, len(requests)), strict=True):
        made = _variations(request, share, seen, rng)
        if len(made) < share:
            drops.append(Drop(request.text, f"only {len(made)} of {share} wanted variations exist"))
        mine, back = _hold_back(made, keep)
        practised += [(request.exchange, v) for v in mine]
        held += [(request.exchange, v) for v in back]
    rng.shuffle(practised)
    rng.shuffle(held)

    def varied(name: str, exchange: Exchange, variation: Variation) -> PracticeRequest:
        asked = _with_texts(exchange.asked, variation.text)
        return practice(name, replace(exchange, asked=asked, answer=variation.expected), "varied")

    def practice(name: str, exchange: Exchange, kind: str) -> PracticeRequest:
        return PracticeRequest(
            id=f"{session.id}/{name}",
            session_id=session.id,
            messages=(*exchange.before, *exchange.asked),
            kind=kind,  # type: ignore[arg-type]
            turns=len(exchange.asked),
            expected=exchange.answer,
            tools=session.tools,
        )

    by_itself = [r.exchange for r in requests]
    stood = [e for task in found for e in replays(context, task, rejected) if e not in by_itself]
    return Lesson(
        session.id,
        context,
        practice=(
            *(practice(f"r{i}", e, "recorded") for i, e in enumerate(by_itself)),
            *(practice(f"t{i}", e, "replayed") for i, e in enumerate(stood)),
            *(varied(f"v{i}", *one) for i, one in enumerate(practised)),
        ),
        held_back=tuple(varied(f"h{i}", *one) for i, one in enumerate(held)),
        drops=tuple(drops),
        tools=session.tools,
        facts=any(not r.pattern.has_twins for r in requests),
    )


def _requests(context: Sequence[Message], exchanges: Sequence[Exchange]) -> list[Request]:
    """What can vary in each exchange. Answers of the same step are compared: what stands in all of them
    belongs to the house's format."""
    system = {e.text for m in context if m.role == "system" for e in find(m.content)}
    constants = {
        step: system | _shared([e.answer for e in exchanges if e.step == step and e.answer])
        for step in {e.step for e in exchanges}
    }
    patterns = confirmed([pattern(_text(e.asked), e.answer, constants[e.step]) for e in exchanges])
    return [Request(*both) for both in zip(exchanges, patterns, strict=True)]


def _shared(answers: Sequence[str]) -> set[str]:
    """Entities of every answer, where there are two at least."""
    sets = [{e.text for e in find(a)} for a in answers]
    return set.intersection(*sets) if len(sets) > 1 else set()


def _text(asked: Sequence[Message]) -> str:
    """All that turns say, as one text: an entity in a request and in a tool's result is the same one."""
    return _NEXT.join(text for m in asked for text in (m.content, *(c.arguments for c in m.tool_calls)))


def _with_texts(asked: Sequence[Message], text: str) -> tuple[Message, ...]:
    """The turns with other texts; the inverse of `_text`."""
    texts = iter(text.split(_NEXT))
    return tuple(
        replace(
            m,
            content=next(texts),
            tool_calls=tuple(replace(call, arguments=next(texts)) for call in m.tool_calls),
        )
        for m in asked
    )


def _variations(request: Request, count: int, seen: set[str], rng: random.Random) -> list[Variation]:
    """Up to `count` distinct variations.

    Where twins exist, at least half are twins. Where they do not, other entities may need another answer: at
    least half ask the same in other words, all of them where the answer speaks of the request's entities.
    """
    what = request.pattern
    if what.has_twins:
        return _substituted(what, count, seen, rng)
    changed = [] if what.forms or not what.entities else _substituted(what, count // 2, seen, rng)
    if len(request.exchange.asked) > 1:
        return changed  # what a tool returned is not said in other words
    return [*_rewordings(request, count - len(changed), seen, rng), *changed]


def _substituted(what: Pattern, count: int, seen: set[str], rng: random.Random) -> list[Variation]:
    out: list[Variation] = []
    for attempt in range(count * 4):
        if len(out) == count:
            break
        made = vary(what, rng, twin=what.has_twins and attempt % 2 == 0)
        if made and made.text not in seen:
            seen.add(made.text)
            out.append(made)
    return out


def _hold_back(found: list[Variation], count: int) -> tuple[list[Variation], list[Variation]]:
    """Split into practised and held back: at most half, those with a known right answer first (they
    measure best), every other one so that practice keeps as many."""
    order = sorted(found, key=lambda v: v.expected is None)
    held = order[::2][:count]
    return [v for v in found if v not in held], held


def _rewordings(request: Request, count: int, seen: set[str], rng: random.Random) -> list[Variation]:
    """The same request in other words: its answer stays what it was."""
    bare = request.text.strip()
    lower = bare[:1].lower() + bare[1:]
    texts = [form.format(body) for form in _REWORDINGS for body in (bare, lower, bare.rstrip("?.!"))]
    texts = [t for t in dict.fromkeys(texts) if t not in seen]
    rng.shuffle(texts)
    seen.update(texts[:count])
    return [Variation(t, request.exchange.answer, {}) for t in texts[:count]]


def _shares(total: int, parts: int) -> list[int]:
    """`total` split as evenly as possible."""
    return [total // parts + (i < total % parts) for i in range(parts)] if parts else []
