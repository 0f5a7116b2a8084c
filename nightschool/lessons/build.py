"""From a session to a lesson."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from nightschool.lessons.entities import find
from nightschool.lessons.variations import Pattern, Variation, confirmed, pattern, vary
from nightschool.types import Drop, Lesson, Message, PracticeRequest, Session

# How a user begins when a turn only mends the answer before it.
_CORRECTS = re.compile(
    r"\s*(?:no\b|nope|not quite|wrong|that(?:'s| is| was)\b|it should|should be|actually|sorry|"
    r"correction|instead|again\b|almost|use\b|please use|try again|i meant|you forgot|remember)",
    re.IGNORECASE,
)
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


@dataclass(frozen=True)
class Request:
    """A user turn that asks something of its own, and the last answer before the next such turn."""

    text: str
    answer: str | None
    pattern: Pattern


def build_lesson(session: Session, *, seed: int, variations: int, held_back: int) -> Lesson:
    """Practice for a session: its own requests and seeded variations of them, some held back.

    A function of the settings and of what was said (not of the session's id, which is random). Nothing that
    is held back is ever practised.
    """
    context = session.messages
    rng = random.Random(f"{seed}:{[m.to_json() for m in context]}")
    system = tuple(m for m in context if m.role == "system")
    requests, drops = _requests(context)
    seen = {r.text for r in requests}
    practised: list[Variation] = []
    held: list[Variation] = []
    wanted = _shares(variations + held_back, len(requests))
    for request, share, keep in zip(requests, wanted, _shares(held_back, len(requests)), strict=True):
        found = _variations(request, share, seen, rng)
        if len(found) < share:
            drops.append(Drop(request.text, f"only {len(found)} of {share} wanted variations exist"))
        mine, back = _hold_back(found, keep)
        practised += mine
        held += back
    rng.shuffle(practised)
    rng.shuffle(held)

    def practice(name: str, text: str, expected: str | None, kind: str) -> PracticeRequest:
        return PracticeRequest(
            id=f"{session.id}/{name}",
            session_id=session.id,
            messages=(*system, Message("user", text)),
            kind="recorded" if kind == "recorded" else "varied",
            expected=expected,
            tools=session.tools,
        )

    recorded = [practice(f"r{i}", r.text, r.answer, "recorded") for i, r in enumerate(requests)]
    varied = [practice(f"v{i}", v.text, v.expected, "varied") for i, v in enumerate(practised)]
    kept = [practice(f"h{i}", v.text, v.expected, "varied") for i, v in enumerate(held)]
    return Lesson(session.id, context, (*recorded, *varied), tuple(kept), tuple(drops), session.tools)


def _requests(context: Sequence[Message]) -> tuple[list[Request], list[Drop]]:
    """The requests of a session; a turn that only follows an earlier one up is dropped, its answer counts
    as that one's."""
    found: list[tuple[str, str | None]] = []
    drops: list[Drop] = []
    for i, message in enumerate(context):
        if message.role != "user":
            continue
        answer = _answer(context, i)
        if found and _follows_up(found[-1][0], message.content, answer):
            drops.append(Drop(message.content, "follows up an earlier request"))
            found[-1] = (found[-1][0], answer if answer is not None else found[-1][1])
        elif _tools_called(context, i):
            found.append((message.content, None))
        else:
            found.append((message.content, answer))
    constants = _constants([answer for _, answer in found if answer], context)
    patterns = confirmed([pattern(text, answer, constants) for text, answer in found])
    return [Request(*asked, what) for asked, what in zip(found, patterns, strict=True)], drops


def _answer(context: Sequence[Message], user: int) -> str | None:
    """The last assistant text before the next user turn."""
    answer = None
    for message in context[user + 1 :]:
        if message.role == "user":
            break
        if message.role == "assistant" and message.content.strip():
            answer = message.content.strip()
    return answer


def _tools_called(context: Sequence[Message], user: int) -> bool:
    for message in context[user + 1 :]:
        if message.role == "user":
            return False
        if message.tool_calls:
            return True
    return False


def _follows_up(request: str, turn: str, answer: str | None) -> bool:
    """Whether a turn mends the answer to an earlier request: it says so, or its answer speaks of that
    request's entities and of none of its own."""
    if _CORRECTS.match(turn):
        return True
    own, earlier = {e.text for e in find(turn)}, {e.text for e in find(request)}
    said = answer or ""
    return not any(e in said for e in own) and any(e in said for e in earlier - own) and bool(own or earlier)


def _constants(answers: Sequence[str], context: Sequence[Message]) -> set[str]:
    """Entities of the house format: those of every answer (of two at least), or of the system turn."""
    system = " ".join(m.content for m in context if m.role == "system")
    sets = [{e.text for e in find(a)} for a in answers]
    shared = set.intersection(*sets) if len(sets) > 1 else set()
    return shared | {e.text for e in find(system)}


def _variations(request: Request, count: int, seen: set[str], rng: random.Random) -> list[Variation]:
    """Up to `count` distinct variations.

    Where twins exist, at least half are twins. Where they do not, other entities may need another answer: at
    least half ask the same in other words, all of them where the answer speaks of the request's entities.
    """
    what = request.pattern
    if what.has_twins:
        return _substituted(what, count, seen, rng)
    changed = [] if what.forms or not what.entities else _substituted(what, count // 2, seen, rng)
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
    return [Variation(t, request.answer, {}) for t in texts[:count]]


def _shares(total: int, parts: int) -> list[int]:
    """`total` split as evenly as possible."""
    return [total // parts + (i < total % parts) for i in range(parts)] if parts else []
