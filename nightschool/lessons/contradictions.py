"""Whether a newer session overrules the right answer of an older lesson's probe. Pure, and of no language."""

from __future__ import annotations

from collections.abc import Sequence

from nightschool.lessons.evidence import content, of_one_form, sequence
from nightschool.lessons.exchanges import Exchange
from nightschool.types import Message

# Share of a request's content that a related session has: little words of the language are content, too.
# (Chosen; it only saves asking, for what is asked has to contradict, too.)
_RELATED = 0.4


def related(request: str, context: Sequence[Message]) -> bool:
    """Whether a session may be about the same subject as a request."""
    asked = content(request)
    return bool(asked) and len(asked & _said(context)) >= _RELATED * len(asked)


def contradicts(
    request: str, was: str, now: str, context: Sequence[Message], exchanges: Sequence[Exchange]
) -> bool:
    """Whether `was`, the right answer to `request` so far, no longer holds.

    `now` is what the model answers with the newer session in its context, `exchanges` are that session's. The
    old answer is overruled in two cases:
    - A fact changed: both answers are one sentence but for a part, and what that part is now stands in the
      newer session, but not in the request.
    - The format changed: the newer session answers a request of the same form in the form of `now`, and none
      in the form of `was`.
    """
    if now == was:
        return False
    news = content(now) - content(was)
    if news and of_one_form(now, was):
        return bool(news & _said(context) - content(request))
    alike = [(_request(e), e.answer) for e in exchanges if e.answer and of_one_form(_request(e), request)]
    forms = {_form(asked, answer) for asked, answer in alike}
    return _form(request, now) in forms and _form(request, was) not in forms


def _said(context: Sequence[Message]) -> frozenset[str]:
    return frozenset().union(*(content(m.content) for m in context))


def _request(exchange: Exchange) -> str:
    return exchange.request[-1].content


def _form(request: str, answer: str) -> tuple[str, ...]:
    """An answer's atoms, with one blank for each stretch that the request has, too."""
    asked, form = {*sequence(request, marks=True)}, list[str]()
    for atom in sequence(answer, marks=True):
        if atom not in asked:
            form.append(atom)
        elif form[-1:] != ["\0"]:
            form.append("\0")
    return tuple(form)
