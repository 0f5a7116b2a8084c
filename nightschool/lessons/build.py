"""From a session to a lesson: what is practised and what is held back."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import cycle, islice

from nightschool.lessons.asked import Asked, in_other_words
from nightschool.lessons.atoms import SEPARATOR, TURN
from nightschool.lessons.evidence import Said
from nightschool.lessons.exchanges import Exchange, Thread, in_place, parts, standalone, threads
from nightschool.lessons.followups import behind_requests, follow_ups
from nightschool.lessons.hindsight import Hindsight
from nightschool.lessons.labels import labelled
from nightschool.lessons.patterns import Case, Pattern, Twin, patterns
from nightschool.lessons.questions import Questions
from nightschool.lessons.readings import readings
from nightschool.lessons.values import draw
from nightschool.seeds import in_turns
from nightschool.types import Drop, Lesson, Message, PracticeRequest, Session, Understanding

_SHOWN = 3  # twins of each pattern that people see
_TRIES = 6  # draws for each twin that is wanted, before there are said to be no more


@dataclass(frozen=True)
class Understood:
    """What a session shows: its threads, the exchanges that can be asked by themselves (follow-ups with what
    they follow up), and the patterns of those whose right answer is known (by index in `known`)."""

    threads: tuple[Thread, ...]
    exchanges: tuple[Exchange, ...]
    known: tuple[Exchange, ...]
    patterns: tuple[Pattern, ...]
    drops: tuple[Drop, ...]

    @property
    def explained(self) -> set[int]:
        """Indices of the known exchanges that a pattern explains."""
        return {k for pattern in self.patterns for k in pattern.cases}

    @property
    def facts(self) -> list[Exchange]:
        """Exchanges with a known answer that no pattern explains."""
        explained = self.explained
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
    explain = cache(patterns)  # some are asked for twice
    follow = cache(
        lambda: follow_ups(context, threads(context, comments, alike)[0], rejected, comments, explain)
    )
    found, drops = threads(context, comments, alike, hindsight, lambda: follow().earlier)
    drops += [
        Drop(context[thread.parts[0].start].content, "its answer may have been corrected later")
        for thread in found
        if not thread.right()
    ]
    exchanges = [e for thread in found if thread.right() for e in standalone(context, thread, rejected)]
    known = [e for e in exchanges if e.answer is not None]
    made = list(explain(_cases(known)))
    if any(len(thread.parts) > 1 for thread in found):
        later, by = behind_requests(context, follow(), found, len(known))
        made += by
        known, exchanges = [*known, *later], [*exchanges, *later]
        asked = {e.request[-1].content for e in later}
        drops = [drop for drop in drops if drop.what not in asked]
    return Understood(tuple(found), tuple(exchanges), tuple(known), tuple(made), tuple(drops))


def _made_alike(context: Sequence[Message], rejected: Collection[int]) -> list[frozenset[int]]:
    """Groups of positions of user turns, were each of them a request of its own: whose answers one pattern
    explains, or that get labels."""
    starts = [i for i, m in enumerate(context) if m.role == "user"]
    each = [Thread((part,)) for part in parts(context)]
    first = [standalone(context, thread, rejected)[0] for thread in each]
    at = [i for i, e in enumerate(first) if e.answer is not None]
    found = patterns(_cases([first[i] for i in at]))
    groups = [frozenset(at[k] for k in pattern.cases) for pattern in found]
    groups += labelled([Said(context[i].content, e.answer or "") for i, e in zip(starts, first, strict=True)])
    return [frozenset(starts[i] for i in group) for group in groups]


def _cases(exchanges: Sequence[Exchange]) -> tuple[Case, ...]:
    """The exchanges as texts; what has the separator in it is of no use."""
    texts = [(_text(e.request), e.answer or "") for e in exchanges]
    usable = [not any(TURN in one for one in _texts(e.request)) for e in exchanges]
    return tuple(Case(*both) if fine else Case("", "") for both, fine in zip(texts, usable, strict=True))


def build_lesson(
    session: Session,
    *,
    seed: int,
    variations: int,
    held_back: int,
    rejected: Collection[int] = (),
    comments: Collection[int] = (),
    hindsight: Hindsight | None = None,
    questions: Questions | None = None,
) -> Lesson:
    """A session's lesson: its own requests, each as if it opened the conversation and where it was asked, and
    twins of them or, for facts, other ways to ask, some of which are held back. `rejected` and `comments` are
    as in `understand`.

    What is drawn depends on the settings and on what was said, not on the session's id, which is random. No
    request is both practised and held back, and no twin that is held back has only values that are practised.
    """
    context = session.messages
    seen = understand(context, rejected, comments, hindsight)
    rng = random.Random(f"{seed}:{[m.to_json() for m in context]}")
    facts = in_other_words(context, seen.threads, seen.facts, questions, comments)
    share = len(facts.groups) / max(1, len(facts.groups) + len(seen.explained))
    held_again, again = _split(facts.groups, round(share * held_back), round(share * variations), rng)
    counts = held_back - len(held_again), variations - len(again)
    held, practised = _twins(seen.patterns, counts, rng)
    drops = [*seen.drops]
    drops += [Drop(e.request[0].content, "its answer has weight 0") for e in seen.exchanges if not e.learned]
    if seen.patterns and len(practised) < counts[1]:
        drops.append(
            Drop(
                _line(_text(seen.known[0].request)),
                f"only {len(practised)} of {counts[1]} wanted twins exist",
            )
        )

    def practice(name: str, asked: Asked, kind: str) -> PracticeRequest:
        exchange = asked.exchange
        return PracticeRequest(
            id=f"{session.id}/{name}",
            session_id=session.id,
            messages=(*exchange.before, *exchange.request),
            kind=kind,  # type: ignore[arg-type]
            turns=len(exchange.request),
            expected=exchange.answer,
            names=asked.names,
            tools=session.tools,
        )

    def twin_of(twin: Twin) -> Asked:
        of = seen.known[twin.case]
        return Asked(replace(of, request=_with_texts(of.request, twin.request), answer=twin.answer))

    system = tuple(m for m in context if m.role == "system")

    def own(exchanges: Iterable[Exchange]) -> list[Asked]:
        requests = (e for e in exchanges if e.learned and e.request[-1].content not in facts.told)
        return [Asked(e, facts.names.get(replace(e, before=system), ())) for e in requests]

    # What nobody but the session says cannot be known when that is left out.
    guessable = [e for e in seen.known if e not in facts.names]
    reliable = hindsight.left_out(seen.threads, guessable) if hindsight else {}
    by_itself = own(seen.exchanges)
    in_turn = own(e for thread in seen.threads for e in in_place(context, thread, rejected))
    varied = [*map(twin_of, practised), *again]
    checks = [*map(twin_of, held), *held_again]
    return Lesson(
        session.id,
        context,
        practice=(
            *(practice(f"r{i}", e, "recorded") for i, e in enumerate(by_itself)),
            *(practice(f"t{i}", e, "replayed") for i, e in enumerate(in_turn) if e not in by_itself),
            *(practice(f"v{i}", e, "varied") for i, e in enumerate(varied)),
        ),
        held_back=tuple(practice(f"h{i}", e, "varied") for i, e in enumerate(checks)),
        drops=tuple(drops),
        tools=session.tools,
        understood=tuple(_explained(pattern, [*held, *practised], seen.known) for pattern in seen.patterns),
        readings=readings(context, seen, rejected, reliable),
    )


def _explained(pattern: Pattern, twins: Sequence[Twin], known: Sequence[Exchange]) -> Understanding:
    """A pattern for people, with its first twins."""
    shown = [twin for twin in twins if twin.case in pattern.cases][:_SHOWN]
    return Understanding(
        tuple(_line(_text(known[k].request)) for k in pattern.cases),
        tuple(pattern.describe()),
        tuple((_line(twin.request), _line(twin.answer)) for twin in shown),
    )


def _split(
    groups: Sequence[Sequence[Asked]], first: int, second: int, rng: random.Random
) -> tuple[list[Asked], list[Asked]]:
    """At most `first` and `second` of them, equal shares of all groups; of no group more than half comes
    first."""
    mixed = [rng.sample(group, len(group)) for group in groups]
    held = in_turns([group[: len(group) // 2] for group in mixed])[:first]
    rest = in_turns([[asked for asked in group if asked not in held] for group in mixed])[:second]
    return held, rest


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
