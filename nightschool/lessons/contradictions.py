"""Whether a newer session overrules the right answer of an older lesson's probe. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nightschool.lessons.entities import find
from nightschool.lessons.exchanges import Exchange
from nightschool.lessons.variations import substitute
from nightschool.types import Message

_RELATED = 0.5  # share of a request's words that a related session contains (a choice, never measured)
# Words that say nothing about the subject of a request.
_STOP_WORDS = frozenset(
    "the and for our what which who how are was were you your please tell with this that from does did has "
    "have can could".split()
)


def related(request: str, context: Sequence[Message]) -> bool:
    """Whether a session may be about the same subject as a request."""
    spoken = _words(" ".join(m.content for m in context))
    asked = _words(request)
    return bool(asked) and len(asked & spoken) >= _RELATED * len(asked)


def contradicts(
    request: str, was: str, now: str, context: Sequence[Message], exchanges: Sequence[Exchange]
) -> bool:
    """Whether `was`, the right answer to `request` so far, no longer holds.

    `now` is what the model answers with the newer session in its context, `exchanges` are that session's. The
    old answer is overruled in two cases:
    - A fact changed: both answers are the same sentence around different entities, one of which stands in the
      newer session but not in the request.
    - The format changed: the newer session answers a request of the same form in the form of `now`, and none
      in the form of `was`.
    """
    if now == was:
        return False
    said = " ".join(m.content for m in context)
    if _form(now) == _form(was):
        return any(e in said and e not in request for e in _entities(now) - _entities(was))
    of_this_form = {_form(e.answer) for e in exchanges if e.answer and _form(_request(e)) == _form(request)}
    return _form(now) in of_this_form and _form(was) not in of_this_form


def _request(exchange: Exchange) -> str:
    return exchange.request[-1].content


def _entities(text: str) -> set[str]:
    return {e.text for e in find(text)}


def _form(text: str) -> str:
    """A text with its entities blanked out."""
    return substitute(text, dict.fromkeys(_entities(text), "\0")).strip()


def _words(text: str) -> set[str]:
    return {w for w in re.findall(r"[a-z]{3,}", text.lower()) if w not in _STOP_WORDS}
