"""Paraphrases of a session's own requests: begun as the user began them, and ended otherwise by the model.

They keep to the form and the language of the session, whatever these are. One of a request whose answer is
no fact is practised if the teacher, with the whole session in its context, gives the recorded answer to it:
with the session's exchanges in either order, and rather than to an empty request (contextual calibration,
arXiv 2102.09690).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nightschool.engines.base import Engine, common_beginning, gains, prefilled, respond
from nightschool.lessons.alignment import align
from nightschool.lessons.atoms import atoms
from nightschool.lessons.evidence import content
from nightschool.lessons.exchanges import Exchange, turned
from nightschool.lessons.facts import LONGEST
from nightschool.seeds import seed_of
from nightschool.types import Message, Tools

Paraphrase = tuple[Exchange, str]  # an exchange, and another way to make its request
_CUTS = 3  # places before the end of what a request is about at which it is cut, and as many behind
_TEMPERATURE = 0.8
_LONGER = 8  # tokens that a paraphrase may have more than its request
_AT_ONCE = 128  # short ones


@dataclass(frozen=True)
class _Begun:
    """The session and the beginning of a request behind it: how many of the prompt's tokens are the
    session's, and how many may follow."""

    exchange: Exchange
    prompt: tuple[int, ...]
    session: int
    most: int


class Paraphrases:
    """Writes about `count` paraphrases of each request of one session, and judges them, with `version`."""

    def __init__(
        self,
        model: Engine,
        version: str,
        context: Sequence[Message],
        tools: Tools,
        count: int,
        seed: int,
    ) -> None:
        self._model, self._version, self._tools = model, version, tools
        self._context, self._count, self._seed = tuple(context), count, seed

    def of(self, exchanges: Sequence[Exchange]) -> list[Paraphrase]:
        """The admitted paraphrases of these requests, as far as their answers took something from them: what
        they are about."""
        return self._admitted(self._written({exchange: _taken(exchange) for exchange in exchanges}))

    def _written(self, about: Mapping[Exchange, str]) -> list[Paraphrase]:
        """Other ways to make some requests of one line, each about the same part of it; many are bad."""
        nothing = self._behind(self._context, "")
        rows = [row for exchange, subject in about.items() for row in self._begun(exchange, subject, nothing)]
        rows = [row for row in rows if len(row.prompt) + row.most < self._model.context_length]
        if not rows:
            return []
        before, own = prefilled(self._model, [row.prompt for row in rows], self._version)
        given = respond(
            self._model,
            own,
            self._version,
            max(row.most for row in rows),
            before,
            temperature=_TEMPERATURE,
            seeds=[seed_of(self._seed, n, *row.prompt) for n, row in enumerate(rows)],
            at_once=_AT_ONCE,
        )
        found = dict[Paraphrase, None]()
        for row, generation in zip(rows, given, strict=True):
            written = self._model.decode([*row.prompt[row.session :], *generation.tokens])
            line, newline, _ = written.partition("\n")
            request = row.exchange.request[0].content
            text = _about(line.strip(), request, about[row.exchange])
            if text and text != request and (newline or generation.finish == "stop"):  # else it was cut off
                found[row.exchange, text] = None
        return list(found)

    def _begun(self, exchange: Exchange, subject: str, nothing: tuple[int, ...]) -> Iterator[_Begun]:
        """A request cut at several places, as often as one wants paraphrases; `nothing` is the prompt of an
        empty one."""
        text = exchange.request[0].content.strip()
        if len(exchange.request) > 1 or "\n" in text or len(text) > LONGEST or not subject:
            return
        whole = self._behind(self._context, text)
        start, length = common_beginning(whole, nothing), len(whole) - len(nothing)
        ends = range(1, length)  # of the part that has the subject, or else it is the whole request
        named = 1 + bisect_left(
            ends, True, key=lambda n: subject in self._model.decode(whole[start : start + n])
        )
        cuts = [1 + n * (named - 1) // _CUTS for n in range(_CUTS)]
        cuts += [named + n * (length - named) // _CUTS for n in range(_CUTS) if named < length]
        for n in range(self._count):
            cut = cuts[n % len(cuts)]
            yield _Begun(exchange, whole[: start + cut], start, length - cut + _LONGER)

    def _admitted(self, asked: Sequence[Paraphrase]) -> list[Paraphrase]:
        """Those to which the teacher gives the recorded answer, whatever the order, and rather than to
        nothing."""
        agreed = self._agreed(self._context, asked, calibrated=True)
        other = turned(self._context) if agreed else None
        return self._agreed(other, agreed, calibrated=False) if other else agreed

    def _agreed(
        self, context: Sequence[Message], asked: Sequence[Paraphrase], *, calibrated: bool
    ) -> list[Paraphrase]:
        fit = self._fitting(context, asked)
        if not fit:
            return []
        model, version = self._model, self._version
        prompts = [*(prompt for _, prompt, _ in fit), self._behind(context, "")]
        before, (*own, nothing) = prefilled(model, prompts, version)
        pairs = [(prompt, answer) for prompt, (_, _, answer) in zip(own, fit, strict=True)]
        right = model.agrees(pairs, version, before)
        agreed = [(one, pair) for (one, _, _), pair, fine in zip(fit, pairs, right, strict=True) if fine]
        if calibrated and agreed:
            gained = gains(model, [pair for _, pair in agreed], nothing, version, before)
            agreed = [both for both, gain in zip(agreed, gained, strict=True) if gain > 0]
        return [one for one, _ in agreed]

    def _fitting(
        self, context: Sequence[Message], asked: Sequence[Paraphrase]
    ) -> list[tuple[Paraphrase, tuple[int, ...], tuple[int, ...]]]:
        """Those that the model's context holds, with their prompts and recorded answers."""
        out = []
        for one in asked:
            prompt = self._behind(context, one[1])
            answer = tuple(self._model.encode_answer(one[0].answer or ""))
            if len(prompt) + len(answer) <= self._model.context_length:
                out.append((one, prompt, answer))
        return out

    def _behind(self, context: Sequence[Message], text: str) -> tuple[int, ...]:
        return tuple(self._model.encode([*context, Message("user", text)], self._tools))


def _taken(exchange: Exchange) -> str:
    """The part of a request from which its answer took something: the shortest stretch with all of that."""
    request = exchange.request[0].content
    both = content(request) & content(exchange.answer or "")
    row, found, last = atoms(request), request if both else "", 0
    for first in range(len(row)):
        while last < len(row):
            stretch = request[row[first].start : row[last].end]
            if both <= content(stretch):
                found = min(found, stretch, key=len)
                break
            last += 1
    return found


def _about(text: str, request: str, subject: str) -> str | None:
    """A paraphrase that has the subject: as it is, or in place of what it has there."""
    if content(subject) <= content(text):
        return text
    aligned = align([request, text])
    for (a, b), (c, d) in aligned.gaps():
        old, new = aligned.texts[0][a:b], aligned.texts[1][c:d]
        if old and new and request[old[0].start : old[-1].end] == subject:
            return text[: new[0].start] + subject + text[new[-1].end :]
    return None
