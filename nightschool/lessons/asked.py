"""Other ways to ask for what a session says once: questions that a model wrote, or the recorded request in
other places."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from nightschool.errors import ContextTooLong
from nightschool.lessons.evidence import Said, names
from nightschool.lessons.exchanges import Exchange, Thread, answered
from nightschool.lessons.facts import Fact, Noted, facts
from nightschool.lessons.labels import labelled, renumbered
from nightschool.lessons.paraphrases import Paraphrase
from nightschool.lessons.questions import Ask, Questions
from nightschool.types import Message

_ENOUGH = 6  # questions about a fact; with fewer, it is asked in other places, too
_PLACES = 8  # other exchanges behind which a request is asked; so many that a single fact has enough probes
_UNRELATED = [Exchange((), (Message("user", f"{n} + 1 = ?"),), f"{n + 1}") for n in range(1, _PLACES + 1)]


@dataclass(frozen=True)
class Asked:
    """A request with its right answer; `names` as in `PracticeRequest`."""

    exchange: Exchange
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """The ways to ask for each answer of a session, and by what an answer to its own requests is right.
    `told` are the user's turns that only tell something: they are no requests."""

    groups: tuple[tuple[Asked, ...], ...] = ()
    names: dict[Exchange, tuple[str, ...]] = field(default_factory=dict)
    told: frozenset[str] = frozenset()


def in_other_words(
    context: Sequence[Message],
    threads: Sequence[Thread],
    single: Sequence[Exchange],
    questions: Questions | None,
    comments: Collection[int] = (),
) -> Facts:
    """The facts of a session. `single` are its exchanges with a known answer that no pattern explains."""
    noted = [*_noted(context, threads, single, comments)]
    found, told = list[Fact](), frozenset[str]()
    if questions:
        with suppress(ContextTooLong):  # a short context, or a script of many tokens a character
            found, told = facts(questions.writer, noted)
    said = {turn.content for turn in context}
    asked_for = [e for e in single if e.request[0].content not in told]
    groups = {e: list[Asked]() for e in asked_for}
    right = dict[Exchange, tuple[str, ...]]()

    def ask(exchange: Exchange, text: str, names: tuple[str, ...] = ()) -> None:
        if text in said:  # by the user, or about another fact: it would be practised and held back
            return
        said.add(text)
        asked = replace(exchange, request=(Message("user", text),))
        groups.setdefault(exchange, []).append(Asked(asked, names))

    for fact, asked_about in _asked_about(questions, found) if questions else ():
        only = (fact.says, *_others(fact, found))
        right.setdefault(fact.exchange, only)
        for question in asked_about:
            ask(fact.exchange, question, only)
    plain = [e for e in asked_for if e not in right and not e.step]
    for exchange, text in _paraphrases(questions, plain):
        ask(exchange, text)
    numbered = _numbered(asked_for)
    for exchange, group in groups.items():
        if len(group) < _ENOUGH and exchange in asked_for:
            elsewhere = [e for e in _elsewhere(exchange, asked_for) if not _stood(context, e)]
            if exchange in numbered:
                elsewhere = [_renumbered(e, n) for n, e in enumerate(elsewhere)]
            group += [Asked(e, right.get(exchange, ())) for e in elsewhere]
    by_answer = dict[str | None, list[Asked]]()  # so that no label is practised more than another
    for exchange, group in groups.items():
        by_answer.setdefault(exchange.answer, []).extend(group)
    return Facts(tuple(map(tuple, by_answer.values())), right, told)


def _noted(
    context: Sequence[Message],
    threads: Sequence[Thread],
    single: Sequence[Exchange],
    comments: Collection[int],
) -> Iterator[Noted]:
    """Single requests with their right answers, and all turns of which nobody knows what was right."""
    system = tuple(m for m in context if m.role == "system")
    known = {e.request[0].content: e for e in single if len(e.request) == 1 and not e.step}
    for thread in threads:
        opening = context[thread.parts[0].start].content
        if opening in known:
            yield Noted(opening, known[opening].answer or "", known[opening])
        elif not thread.right():
            for part in thread.parts:
                turn, answers = context[part.start], answered(context, part)
                if answers == [part.start + 1] and part.start not in comments:
                    statement = Exchange(system, (turn,), None)
                    yield Noted(turn.content, context[answers[0]].content, statement)


def _asked_about(questions: Questions, found: Sequence[Fact]) -> Iterator[tuple[Fact, list[str]]]:
    """The questions about each fact: those written about it, and those about others of which it can be asked,
    too, the user's own among them. None about one that the model's context does not hold."""
    written, borrowed = list[Ask](), list[Ask]()
    with suppress(ContextTooLong):  # it does not even hold the examples, or the system turn
        written = questions.about(found)
    users = [(fact, fact.exchange.request[0].content) for fact in found if not fact.told]
    with suppress(ContextTooLong):
        borrowed = questions.borrowed(found, sorted([*written, *users], key=lambda ask: found.index(ask[0])))
    for fact in found:
        yield fact, [question for of, question in (*written, *borrowed) if of is fact]


def _paraphrases(questions: Questions | None, plain: Sequence[Exchange]) -> list[Paraphrase]:
    """Other ways to make requests that ask for no fact."""
    if questions and questions.paraphrases:
        with suppress(ContextTooLong):  # the session leaves no room
            return questions.paraphrases.of(plain)
    return []


def _numbered(single: Sequence[Exchange]) -> set[Exchange]:
    """The requests with a number that their answers, labels, do not hang on."""
    said = [Said(e.request[0].content, e.answer or "") for e in single]
    return {single[i] for group in labelled(said) for i in group if len(single[i].request) == 1}


def _renumbered(exchange: Exchange, n: int) -> Exchange:
    (turn,) = exchange.request
    return replace(exchange, request=(replace(turn, content=renumbered(turn.content, n)),))


def _others(fact: Fact, found: Sequence[Fact]) -> Iterator[str]:
    """What the other facts say: an answer that names one of them, too, is none."""
    for says in dict.fromkeys(other.says for other in found if other.note != fact.note):
        if not names(fact.exchange.answer or "", says):
            yield says


def _stood(context: Sequence[Message], exchange: Exchange) -> bool:
    """Whether the session itself begins so: that is practised as it stood there."""
    messages = [*exchange.before, *exchange.request]
    return messages == [*context[: len(messages)]]


def _elsewhere(exchange: Exchange, single: Sequence[Exchange]) -> Iterator[Exchange]:
    """A request of one turn behind the session's other exchanges, or unrelated ones, and less carefully
    written: whatever the language, the answer stays."""
    if len(exchange.request) > 1:
        return
    (turn,) = exchange.request
    bare = turn.content.strip()
    while bare and unicodedata.category(bare[-1]).startswith("P"):
        bare = bare[:-1]
    texts = [text for text in dict.fromkeys((turn.content, bare, bare.lower())) if text]
    others = [e for e in single if e is not exchange and len(e.request) == 1 and not e.step]
    behind = [*others, *_UNRELATED][:_PLACES]
    for text in texts:
        for other in (None, *behind):
            said = (*other.request, Message("assistant", other.answer or "")) if other else ()
            if text != turn.content or other:
                yield replace(
                    exchange, before=(*exchange.before, *said), request=(replace(turn, content=text),)
                )
