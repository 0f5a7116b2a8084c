"""OpenAI's legacy completions, which go on with a raw text: their JSON to an `Ask`, answers to their JSON.
Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from nightschool.engines.base import Sampling, TokenOut
from nightschool.errors import BadRequest
from nightschool.serve.answer import Answer, Ask
from nightschool.serve.wire.chat import StreamOptions, usage
from nightschool.serve.wire.fields import Body, event

Token = Annotated[int, Field(ge=0)]


def _several(prompt: Any) -> Any:
    one = isinstance(prompt, str) or (isinstance(prompt, list) and prompt and isinstance(prompt[0], int))
    return [prompt] if one else prompt


def _kind(prompt: Any) -> str:
    return "tokens" if isinstance(prompt, list) else "text"


Prompt = Annotated[
    Annotated[str, Tag("text")] | Annotated[tuple[Token, ...], Tag("tokens")], Discriminator(_kind)
]
Prompts = Annotated[
    list[Prompt],
    Field(min_length=1),
    BeforeValidator(_several, json_schema_input_type=str | list[str] | list[Token] | list[list[Token]]),
]


class CompletionRequest(Body):
    """A request for completions. A field that we do not support may be sent with its neutral value."""

    model: str = Field(default="live", min_length=1)
    prompt: Prompts
    max_tokens: Annotated[int, Field(ge=1)] = 16
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    top_p: Annotated[float, Field(ge=0, le=1)] = 1.0
    n: Annotated[int, Field(ge=1, le=128)] = 1
    stop: str | Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=16)] = ""
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    logprobs: Literal[0] | None = None  # so far, only of the tokens that were sampled
    user: str | None = None
    best_of: int | None = None
    echo: Literal[False] = False
    suffix: Literal[""] = ""
    frequency_penalty: Literal[0] = 0
    presence_penalty: Literal[0] = 0
    logit_bias: Annotated[dict[str, float], Field(max_length=0)] = Field(default_factory=dict)

    def ask(self) -> Ask:
        """What it asks for. Raises BadRequest, naming the field."""
        if self.best_of not in (None, self.n):
            raise BadRequest("best_of is not supported: only n answers are made", "best_of")
        stops = [self.stop] if isinstance(self.stop, str) else self.stop
        return Ask(
            model=self.model,
            messages=(),
            user=self.user,
            stream=self.stream,
            limit=self.max_tokens,
            sampling=Sampling(max_tokens=1, temperature=self.temperature, top_p=self.top_p, seed=self.seed),
            stops=tuple(stop for stop in stops if stop),
            count=self.n,
            top=self.logprobs,
            prompts=tuple(self.prompt),
        )


class CompletionWire:
    """Tells answers as OpenAI's legacy completions do; see `serve.answer.Wire`."""

    prefix = "cmpl-"

    def __init__(self, request: CompletionRequest, decode: Callable[[Sequence[int]], str]) -> None:
        self._request, self._decode = request, decode
        self._offsets = defaultdict[int, int](int)  # characters of each answer whose tokens were told

    def whole(self, answers: Sequence[Answer]) -> dict[str, Any]:
        choices = [self._choice(a, a.complete.content, a.tokens, a.finish) for a in answers]
        return {**_head(answers[0]), "choices": choices, "usage": usage(answers, self._request.n)}

    def begun(self, answers: Sequence[Answer]) -> Iterator[str]:
        yield from ()

    def said(self, answer: Answer, text: str, tokens: Sequence[TokenOut]) -> Iterator[str]:
        if text or (tokens and self._request.logprobs is not None):
            yield self._chunk(answer, text, tokens)

    def ended(self, answer: Answer) -> Iterator[str]:
        yield self._chunk(answer, "", (), answer.finish)

    def closed(self, answers: Sequence[Answer]) -> Iterator[str]:
        if self._request.stream_options.include_usage:
            yield event({**_head(answers[0]), "choices": [], "usage": usage(answers, self._request.n)})
        yield event("[DONE]")

    def failed(self, status: int, body: dict[str, Any]) -> Iterator[str]:
        yield event(body)

    def _chunk(self, answer: Answer, text: str, tokens: Sequence[TokenOut], finish: str | None = None) -> str:
        return event({**_head(answer), "choices": [self._choice(answer, text, tokens, finish)]})

    def _choice(
        self, answer: Answer, text: str, tokens: Sequence[TokenOut], finish: str | None
    ) -> dict[str, Any]:
        logprobs = self._logprobs(answer, tokens)
        return {"index": answer.index, "text": text, "logprobs": logprobs, "finish_reason": finish}

    def _logprobs(self, answer: Answer, tokens: Sequence[TokenOut]) -> dict[str, Any] | None:
        if self._request.logprobs is None or not tokens:
            return None
        texts, logprobs = [self._decode([t.token]) for t in tokens], [t.logprob for t in tokens]
        *offsets, self._offsets[answer.index] = accumulate(
            map(len, texts), initial=self._offsets[answer.index]
        )
        return {
            "tokens": texts,
            "token_logprobs": logprobs,
            "top_logprobs": [{text: logprob} for text, logprob in zip(texts, logprobs, strict=True)],
            "text_offset": offsets,
        }


def _head(answer: Answer) -> dict[str, Any]:
    """What the body and every chunk of a stream says."""
    return {
        "id": answer.id,
        "object": "text_completion",
        "created": answer.created,
        "model": answer.version,
    }
