"""From a session to a lesson: what is practised and what is held back."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import cycle, islice

from nightschool.lessons.atoms import TURN
from nightschool.lessons.exchanges import Exchange, Thread, in_place, parts, standalone, threads
from nightschool.lessons.hindsight import Hindsight
from nightschool.lessons.patterns import Case, Pattern, Twin, patterns
from nightschool.lessons.values import draw
from nightschool.types import Drop, Lesson, Message, PracticeRequest, Session, Understanding

# English frames to ask the same again, the last resort for requests that no pattern covers; only for
# sessions in plain Latin letters, where they do the least harm. To be replaced by questions that the model
# asks itself.
_REWORDINGS = (
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
SEPARATOR = f"\n{TURN}\n"  # joins the texts of several turns while they are looked at as one
_SHOWN = 3  # twins of each pattern that people see
_TRIES = 6  # draws for each twin that is wanted, before there are said to be no more


@dataclass(frozen=True)
class Understood:
    """What a session shows: its threads, the exchanges that can be asked by themselves, and the patterns of
    those whose right answer is known (by index in `known`)."""

    threads: tuple[Thread, ...]
    exchanges: tuple[Exchange, ...]
    known: tuple[Exchange, ...]
    patterns: tuple[Pattern, ...]
    drops: tuple[Drop, ...]

    @property
    def facts(self) -> list[Exchange]:
        """Exchanges with a known answer that no pattern explains."""
        explained = {k for pattern in self.patterns for k in pattern.cases}
        return [e for k, e in enumerate(self.known) if k not in explained]


def understand(
    context: Sequence[Message],
    rejected: Collection[int] = (),
    comments: Collection[int] = (),
    hindsight: Hindsight | None = None,
) -> Understood:
    """Find what stands alone in a session, what was right, and how the answers are made. `rejected` are
    positions of answers that were not wanted, `comments` of user turns that say why."""
    alike = cache(lambda: _made_alike(context, rejected))  # as dear as all the rest, and seldom asked for
    found, drops = threads(context, comments, alike, hindsight)
    drops += [
        Drop(context[thread.parts[0].start].content, "its answer may have been corrected later")
        for thread in found
        if not thread.right()
    ]
    exchanges = [e for thread in found if thread.right() for e in standalone(context, thread, rejected)]
    known = [e for e in exchanges if e.answer is not None]
    return Understood(
        tuple(found), tuple(exchanges), tuple(known), tuple(patterns(_cases(known))), tuple(drops)
    )


def _made_alike(context: Sequence[Message], rejected: Collection[int]) -> frozenset[int]:
    """Positions of user turns whose answers one pattern explains, were each of them a request of its own."""
    starts = [i for i, m in enumerate(context) if m.role == "user"]
    each = [Thread((part,)) for part in parts(context)]
    first = [standalone(context, thread, rejected)[0] for thread in each]
    at = [i for i, e in enumerate(first) if e.answer is not None]
    found = patterns(_cases([first[i] for i in at]))
    return frozenset(starts[at[k]] for pattern in found for k in pattern.cases)


def _cases(exchanges: Sequence[Exchange]) -> list[Case]:
    """The exchanges as texts; what has the separator in it is of no use."""
    texts = [(_text(e.request), e.answer or "") for e in exchanges]
    usable = [not any(TURN in one for one in _texts(e.request)) for e in exchanges]
    return [Case(*both) if fine else Case("", "") for both, fine in zip(texts, usable, strict=True)]


def build_lesson(
    session: Session,
    *,
    seed: int,
    variations: int,
    held_back: int,
    rejected: Collection[int] = (),
    comments: Collection[int] = (),
    hindsight: Hindsight | None = None,
) -> Lesson:
    """A session's lesson: its own requests, each as if it opened the conversation and where it was asked, and
    twins of them, some of which are held back. `rejected` and `comments` are as in `understand`.

    What is drawn depends on the settings and on what was said, not on the session's id, which is random. No
    request is both practised and held back, and no twin that is held back has only values that are practised.
    """
    context = session.messages
    seen = understand(context, rejected, comments, hindsight)
    rng = random.Random(f"{seed}:{[m.to_json() for m in context]}")
    facts = seen.facts
    share = len(facts) / max(1, len(seen.known))
    said_again = [e for e in facts for e in _reworded(e, context)]
    rng.shuffle(said_again)
    held_again, again = _split(said_again, round(share * held_back), round(share * variations))
    counts = held_back - len(held_again), variations - len(again)
    held, practised = _twins(seen.patterns, counts, rng)
    drops = [*seen.drops]
    if seen.patterns and len(practised) < counts[1]:
        drops.append(
            Drop(
                _line(_text(seen.known[0].request)),
                f"only {len(practised)} of {counts[1]} wanted twins exist",
            )
        )

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

    def twin_of(twin: Twin) -> Exchange:
        of = seen.known[twin.case]
        return replace(of, request=_with_texts(of.request, twin.request), answer=twin.answer)

    in_turn = [e for thread in seen.threads for e in in_place(context, thread, rejected)]
    varied = [*map(twin_of, practised), *again]
    checks = [*map(twin_of, held), *held_again]
    return Lesson(
        session.id,
        context,
        practice=(
            *(practice(f"r{i}", e, "recorded") for i, e in enumerate(seen.exchanges)),
            *(practice(f"t{i}", e, "replayed") for i, e in enumerate(in_turn) if e not in seen.exchanges),
            *(practice(f"v{i}", e, "varied") for i, e in enumerate(varied)),
        ),
        held_back=tuple(practice(f"h{i}", e, "varied") for i, e in enumerate(checks)),
        drops=tuple(drops),
        tools=session.tools,
        facts=bool(facts),
        understood=tuple(_explained(pattern, [*held, *practised], seen.known) for pattern in seen.patterns),
    )


def _explained(pattern: Pattern, twins: Sequence[Twin], known: Sequence[Exchange]) -> Understanding:
    """A pattern for people, with its first twins."""
    shown = [twin for twin in twins if twin.case in pattern.cases][:_SHOWN]
    return Understanding(
        tuple(_line(_text(known[k].request)) for k in pattern.cases),
        tuple(pattern.describe()),
        tuple((_line(twin.request), _line(twin.answer)) for twin in shown),
    )


def _reworded(exchange: Exchange, context: Sequence[Message]) -> list[Exchange]:
    """A single request of the user in other frames."""
    if len(exchange.request) > 1 or not all(m.content.isascii() for m in context):
        return []
    bare = exchange.request[0].content.strip()
    texts = [frame.format(body) for frame in _REWORDINGS for body in (bare, bare.rstrip("?.!"))]
    return [
        replace(exchange, request=(replace(exchange.request[0], content=text),))
        for text in dict.fromkeys(texts)
    ]


def _split(items: Sequence[Exchange], first: int, second: int) -> tuple[list[Exchange], list[Exchange]]:
    """At most `first`, but no more than half, and at most `second` of the rest."""
    first = min(first, len(items) // 2)
    return list(items[:first]), list(items[first : first + second])


def _twins(found: Sequence[Pattern], counts: tuple[int, int], rng: random.Random) -> list[list[Twin]]:
    """As many different twins as asked for, in lists of these lengths, all patterns in turn. A list has no
    twin all of whose values the lists before it have."""
    seen, taken, out = set[str](), set[str](), list[list[Twin]]()
    for count in counts:
        made: list[Twin] = []
        values: set[str] = set()
        for pattern in islice(cycle(found), _TRIES * count):
            twin = pattern.twin(rng, draw) if len(made) < count else None
            if twin and twin.request not in seen and not {*twin.replaced.values()} <= taken:
                seen.add(twin.request)
                values |= {*twin.replaced.values()}
                made.append(twin)
        taken |= values
        out.append(made)
    return out


def _text(asked: Sequence[Message]) -> str:
    """All texts of the turns as one: an entity in a request and in a tool's result is the same one."""
    return SEPARATOR.join(_texts(asked))


def _texts(asked: Sequence[Message]) -> Iterator[str]:
    return (text for m in asked for text in (m.content, *(c.arguments for c in m.tool_calls)))


def _with_texts(asked: Sequence[Message], text: str) -> tuple[Message, ...]:
    """The turns with other texts; the inverse of `_text`."""
    texts = iter(text.split(SEPARATOR))
    return tuple(
        replace(
            m,
            content=next(texts),
            tool_calls=tuple(replace(call, arguments=next(texts)) for call in m.tool_calls),
        )
        for m in asked
    )


def _line(text: str) -> str:
    """A text on one line, for people."""
    return " ".join(text.replace(TURN, "/").split())
