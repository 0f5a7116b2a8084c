"""When the world changes: does a newer session say otherwise than an older lesson's check? Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nightschool.lessons.entities import find
from nightschool.lessons.exchanges import Exchange
from nightschool.lessons.variations import substitute
from nightschool.types import Message

_RELATED = 0.5  # share of a request's words that a session must speak of, or it has nothing to say about it
_LITTLE = frozenset(
    "the and for our what which who how are was were you your please tell with this that from does did has "
    "have can could".split()
)


def related(request: str, context: Sequence[Message]) -> bool:
    """Whether a session may have something to say about a request."""
    spoken = _words(" ".join(m.content for m in context))
    asked = _words(request)
    return bool(asked) and len(asked & spoken) >= _RELATED * len(asked)


def contradicts(
    request: str, was: str, now: str, context: Sequence[Message], exchanges: Sequence[Exchange]
) -> bool:
    """Whether `now`, what the model says to `request` with the newer session in its context, means that `was`
    is over: it is the same sentence about something else that the session speaks of, and not the request
    (a fact changed); or the session has a request of the same form with an answer of the form of `now`, not
    of `was` (the house changed its format)."""
    if now == was:
        return False
    told = " ".join(m.content for m in context)
    if _form(now) == _form(was):
        return any(e in told and e not in request for e in _entities(now) - _entities(was))
    of_this_form = {_form(e.answer) for e in exchanges if e.answer and _form(_request(e)) == _form(request)}
    return _form(now) in of_this_form and _form(was) not in of_this_form


def _request(exchange: Exchange) -> str:
    return exchange.asked[-1].content


def _entities(text: str) -> set[str]:
    return {e.text for e in find(text)}


def _form(text: str) -> str:
    """A text without its entities."""
    return substitute(text, dict.fromkeys(_entities(text), "\0")).strip()


def _words(text: str) -> set[str]:
    return {w for w in re.findall(r"[a-z]{3,}", text.lower()) if w not in _LITTLE}
