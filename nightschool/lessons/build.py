"""From a session to a lesson: what is practised and what is held back. Pure."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from nightschool.lessons.entities import find
from nightschool.lessons.exchanges import Exchange, in_place, requests, standalone
from nightschool.lessons.variations import Pattern, Variation, confirmed, pattern, vary
from nightschool.types import Drop, Lesson, Message, PracticeRequest, Session

# Other ways to ask the same in English, for requests in which nothing can be replaced.
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
_SEPARATOR = "\n\x1e\n"  # joins the texts of several turns while they are varied as one


@dataclass(frozen=True)
class Template:
    """An exchange and what can vary in it."""

    exchange: Exchange
    pattern: Pattern

    @property
    def text(self) -> str:
        """The texts of its turns, joined."""
        return self.pattern.request

    @property
    def shown(self) -> str:
        """The same on one line, for people."""
        return " / ".join(filter(None, self.text.split(_SEPARATOR)))


def build_lesson(
    session: Session, *, seed: int, variations: int, held_back: int, rejected: Collection[int] = ()
) -> Lesson:
    """A session's lesson: its own requests, each as if it opened the conversation and where it was asked, and
    variations of them, some of which are held back. `rejected` are positions of answers that were not wanted.

    What is drawn depends on the settings and on what was said, not on the session's id, which is random. No
    request is both practised and held back.
    """
    context = session.messages
    rng = random.Random(f"{seed}:{[m.to_json() for m in context]}")
    asked, drops = requests(context)
    templates = _templates(context, [e for one in asked for e in standalone(context, one, rejected)])
    seen = {t.text for t in templates}
    practised: list[tuple[Exchange, Variation]] = []
    held: list[tuple[Exchange, Variation]] = []
    wanted = _shares(variations + held_back, len(templates))
    for template, share, keep in zip(templates, wanted, _shares(held_back, len(templates)), strict=True):
        made = _variations(template, share, seen, rng)
        if len(made) < share:
            drops.append(Drop(template.shown, f"only {len(made)} of {share} wanted variations exist"))
        mine, back = _hold_back(made, keep)
        practised += [(template.exchange, v) for v in mine]
        held += [(template.exchange, v) for v in back]
    rng.shuffle(practised)
    rng.shuffle(held)

    def varied(name: str, exchange: Exchange, variation: Variation) -> PracticeRequest:
        request = _with_texts(exchange.request, variation.text)
        return practice(name, replace(exchange, request=request, answer=variation.expected), "varied")

    def practice(name: str, exchange: Exchange, kind: str) -> PracticeRequest:
        return PracticeRequest(
            id=f"{session.id}/{name}",
            session_id=session.id,
            messages=(*exchange.before, *exchange.request),
            kind=kind,  # type: ignore[arg-type]
            turns=len(exchange.request),
            expected=exchange.answer,
            tools=session.tools,
        )

    by_itself = [t.exchange for t in templates]
    stood = [e for one in asked for e in in_place(context, one, rejected) if e not in by_itself]
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
        facts=any(not t.pattern.has_twins for t in templates),
    )


def _templates(context: Sequence[Message], exchanges: Sequence[Exchange]) -> list[Template]:
    """What can vary in each exchange. An entity that stands in a system turn, or in every answer of the same
    step, belongs to the house's format, not to a request."""
    system = {e.text for m in context if m.role == "system" for e in find(m.content)}
    constants = {
        step: system | _shared([e.answer for e in exchanges if e.step == step and e.answer])
        for step in {e.step for e in exchanges}
    }
    patterns = confirmed([pattern(_text(e.request), e.answer, constants[e.step]) for e in exchanges])
    return [Template(*both) for both in zip(exchanges, patterns, strict=True)]


def _shared(answers: Sequence[str]) -> set[str]:
    """Entities that stand in every answer; none if there is only one answer."""
    sets = [{e.text for e in find(a)} for a in answers]
    return set.intersection(*sets) if len(sets) > 1 else set()


def _text(turns: Sequence[Message]) -> str:
    """What the turns say, as one text, so that an entity is replaced in all of them alike."""
    return _SEPARATOR.join(text for m in turns for text in (m.content, *(c.arguments for c in m.tool_calls)))


def _with_texts(turns: Sequence[Message], text: str) -> tuple[Message, ...]:
    """The turns with their texts replaced by those joined in `text`; the inverse of `_text`."""
    texts = iter(text.split(_SEPARATOR))
    return tuple(
        replace(
            m,
            content=next(texts),
            tool_calls=tuple(replace(call, arguments=next(texts)) for call in m.tool_calls),
        )
        for m in turns
    )


def _variations(template: Template, count: int, seen: set[str], rng: random.Random) -> list[Variation]:
    """Up to `count` distinct variations, none of them in `seen`, to which they are added.

    If the pattern has twins, at least every other variation is one. If it has none, other entities might need
    another answer, so at least half of the variations only reword the request; all of them do if the answer
    mentions entities of the request.
    """
    what = template.pattern
    if what.has_twins:
        return _substituted(what, count, seen, rng)
    changed = [] if what.forms or not what.entities else _substituted(what, count // 2, seen, rng)
    if len(template.exchange.request) > 1:
        return changed  # the result of a tool cannot be reworded
    return [*_rewordings(template, count - len(changed), seen, rng), *changed]


def _substituted(what: Pattern, count: int, seen: set[str], rng: random.Random) -> list[Variation]:
    """Up to `count` variations with other entities; fewer if four times as many attempts make no more."""
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
    """Split into practised and held back.

    At most half are held back, those with a known right answer first, since they measure best. It is every
    other one, so that practice keeps as many of these.
    """
    order = sorted(found, key=lambda v: v.expected is None)
    held = order[::2][:count]
    return [v for v in found if v not in held], held


def _rewordings(template: Template, count: int, seen: set[str], rng: random.Random) -> list[Variation]:
    """The request in other words, with the answer it had."""
    bare = template.text.strip()
    lower = bare[:1].lower() + bare[1:]
    texts = [form.format(body) for form in _REWORDINGS for body in (bare, lower, bare.rstrip("?.!"))]
    texts = [t for t in dict.fromkeys(texts) if t not in seen]
    rng.shuffle(texts)
    seen.update(texts[:count])
    return [Variation(t, template.exchange.answer, {}) for t in texts[:count]]


def _shares(total: int, parts: int) -> list[int]:
    """`total` split as evenly as possible."""
    return [total // parts + (i < total % parts) for i in range(parts)] if parts else []
