"""What the model makes of a session once it knows how it ended: evidence where texts alone say too little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import mean
from typing import TYPE_CHECKING

from nightschool.engines.base import Engine, PromptAnswer
from nightschool.engines.tools import render_assistant
from nightschool.lessons.evidence import Judgement
from nightschool.types import Message, Tools

if TYPE_CHECKING:
    from nightschool.lessons.exchanges import Exchange, Thread

# Nats per token, from SmolLM2-135M on two dozen sessions of two requests in six languages (docs/log.md,
# 2026-11-26). Asked again with the whole session in its context, it found the later answer likelier by -0.3
# or more where that had replaced the earlier one, and by less than -0.4 in most others.
KEEPS = -0.5
# Answers that follow something up lost 0.2 or more when other turns came between; others at most 0.12.
HANGS = 0.2
_LEFT_OUT = 8  # exchanges that are left out, one at a time
_BETWEEN = (Message("user", "1 + 1 = ?"), Message("assistant", "2")) * 2


class Hindsight:
    """Scores with `version`, the session's turns in its context."""

    def __init__(self, model: Engine, version: str, context: Sequence[Message], tools: Tools = ()) -> None:
        self._model, self._version, self._context, self._tools = model, version, context, tools

    def settle(self, judgement: Judgement, earlier: tuple[int, int], now: tuple[int, int]) -> Judgement:
        """A judgement with what hindsight adds. `earlier` and `now` are positions: the user's turn that the
        answer before was given to, and that answer; the same of the request that is judged."""
        if judgement.settled:
            return judgement
        if judgement.earlier == "unknown" and self._keeps(earlier, now):
            return replace(judgement, earlier="stands", why="in hindsight the answer before is still right")
        if judgement.alone and judgement.earlier == "stands" and self._hangs(now):
            return replace(judgement, alone=False, why="needs what was said right before it")
        return judgement

    def left_out(self, threads: Sequence[Thread], exchanges: Sequence[Exchange]) -> dict[Exchange, bool]:
        """For some of the exchanges, whether the model answers just so when it is asked again with all of the
        session but that thread in its context. (Leave one out: may it be believed elsewhere?)"""
        opened = {self._context[t.parts[0].start].content: t for t in threads}
        pairs: list[PromptAnswer] = []
        asked: list[Exchange] = []
        for exchange in exchanges[:: -(-len(exchanges) // _LEFT_OUT) or 1]:
            thread = opened[exchange.request[0].content]
            start, end = thread.parts[0].start, thread.parts[-1].end
            others = [*self._context[:start], *self._context[end:]]
            if any(m.role == "user" for m in others) and exchange.answer is not None:
                prompt = self._model.encode([*others, *exchange.request], self._tools)
                pairs.append((prompt, self._model.encode_answer(exchange.answer)))
                asked.append(exchange)
        fitting = [i for i, pair in enumerate(pairs) if self._fits([pair])]
        right = self._model.agrees([pairs[i] for i in fitting], self._version) if fitting else []
        return dict(zip((asked[i] for i in fitting), right, strict=True))

    def _keeps(self, earlier: tuple[int, int], now: tuple[int, int]) -> bool:
        """Whether the earlier answer is still likelier, by a margin, when its request is asked again now."""
        again = [*self._context, self._context[earlier[0]]]
        scores = self._scores([(again, earlier[1]), (again, now[1])])
        return scores is not None and scores[1] - scores[0] <= KEEPS

    def _hangs(self, now: tuple[int, int]) -> bool:
        """Whether the answer gets less likely when other turns come between it and what was said before."""
        request, answer = now
        said, turn = self._context[:request], self._context[request]
        scores = self._scores([([*said, turn], answer), ([*said, *_BETWEEN, turn], answer)])
        return scores is not None and scores[0] - scores[1] >= HANGS

    def _scores(self, pairs: Sequence[tuple[Sequence[Message], int]]) -> list[float] | None:
        """The mean log-probability (nats per token) of the answer at each position behind these turns; None
        where the model's context does not hold them."""
        encoded = [
            (
                self._model.encode(turns, self._tools),
                self._model.encode_answer(render_assistant(self._context[answer])),
            )
            for turns, answer in pairs
        ]
        if not self._fits(encoded):
            return None
        return [mean(logprobs) for logprobs in self._model.score(encoded, self._version)]

    def _fits(self, pairs: Sequence[PromptAnswer]) -> bool:
        longest = max(len(prompt) + len(answer) for prompt, answer in pairs)
        return longest <= self._model.context_length
