"""OpenAI's chat completions: its JSON to an `Ask`, and answers to its JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from nightschool.engines.base import TokenOut
from nightschool.errors import BadRequest
from nightschool.serve.answer import Answer, Ask
from nightschool.serve.wire.chat_shape import ResponseFormat, ToolChoice, callable_tools, shape
from nightschool.serve.wire.fields import Lenient, event
from nightschool.serve.wire.logprobs import Spell, spelled
from nightschool.serve.wire.sampling import Sampled
from nightschool.serve.wire.turns import Tool, WireMessage, to_messages, to_tools
from nightschool.types import Message, ToolCall


class StreamOptions(Lenient):
    include_usage: bool = False


class ChatRequest(Sampled):
    """A request for a chat completion. A field that we do not support may be sent with its neutral value."""

    model: str = Field(default="live", min_length=1)
    messages: list[WireMessage] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: str | Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=16)] | None = None
    tools: list[Tool] | None = None
    user: str | None = None
    n: Annotated[int, Field(ge=1, le=16)] = 1
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool = True
    logprobs: bool = False
    top_logprobs: Annotated[int, Field(ge=0, le=20)] = 0
    response_format: ResponseFormat | None = None
    modalities: list[Literal["text"]] | None = None
    # These ask for nothing that could be missing in an answer.
    store: bool | None = None
    metadata: dict[str, Any] | None = None
    service_tier: str | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    prediction: dict[str, Any] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    safety_identifier: str | None = None

    def ask(self) -> Ask:
        """What it asks for. Raises BadRequest, naming the field."""
        if self.stream_options and not self.stream:
            raise BadRequest("stream_options is only allowed with stream", "stream_options")
        if self.top_logprobs and not self.logprobs:
            raise BadRequest("top_logprobs is only allowed with logprobs", "top_logprobs")
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        tools, forced = callable_tools(to_tools(self.tools or ()), self.tool_choice)
        return Ask(
            model=self.model,
            messages=to_messages(self.messages),
            tools=tools,
            user=self.user or self.safety_identifier,
            stream=self.stream,
            limit=self.max_completion_tokens or self.max_tokens,
            sampling=self.sampling(),
            stops=tuple(stop for stop in stops if stop),
            count=self.n,
            shape=shape(tools, forced, self.response_format, self.parallel_tool_calls),
            top=self.top_logprobs if self.logprobs else None,
        )


class ChatWire:
    """Tells answers as OpenAI's chat completions do; see `serve.answer.Wire`."""

    prefix = "chatcmpl-"

    def __init__(self, request: ChatRequest, spell: Spell) -> None:
        """`spell` says what a token is in bytes."""
        options = request.stream_options
        self._count_tokens = bool(options and options.include_usage)
        self._logprobs_asked, self._spell = request.logprobs, spell

    def whole(self, answers: Sequence[Answer]) -> dict[str, Any]:
        first = answers[0]
        choices = [
            {
                "index": answer.index,
                "message": _message(answer.complete),
                "finish_reason": answer.finish,
                "logprobs": self._logprobs(answer.tokens),
            }
            for answer in answers
        ]
        head = {"id": first.id, "object": "chat.completion", "created": first.created, "model": first.version}
        return {**head, "choices": choices, "usage": usage(answers)}

    def begun(self, answers: Sequence[Answer]) -> Iterator[str]:
        for answer in answers:
            yield _chunk(answer, {"role": "assistant", "content": ""})

    def said(self, answer: Answer, text: str, tokens: Sequence[TokenOut]) -> Iterator[str]:
        logprobs = self._logprobs(tokens)
        if text or (logprobs and logprobs["content"]):
            yield _chunk(answer, {"content": text}, logprobs=logprobs)

    def ended(self, answer: Answer) -> Iterator[str]:
        message = answer.complete
        if message.tool_calls:
            yield _chunk(answer, {"tool_calls": _deltas(message.tool_calls)})
        yield _chunk(answer, {}, answer.finish)

    def closed(self, answers: Sequence[Answer]) -> Iterator[str]:
        if self._count_tokens:
            yield event({**_head(answers[0]), "choices": [], "usage": usage(answers)})
        yield event("[DONE]")

    def failed(self, status: int, body: dict[str, Any]) -> Iterator[str]:
        yield event(body)

    def _logprobs(self, tokens: Sequence[TokenOut]) -> dict[str, Any] | None:
        """Those of an answer's tokens, if they were asked for."""
        return {"content": spelled(tokens, self._spell), "refusal": None} if self._logprobs_asked else None


def usage(answers: Sequence[Answer], count: int | None = None) -> dict[str, int]:
    """Tokens in and out, where each `count` answers have one prompt, or all have."""
    prompt = sum(answer.prompt for answer in answers[:: count or len(answers)])
    completion = sum(len(answer.tokens) for answer in answers)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _message(message: Message) -> dict[str, Any]:
    body = {**message.to_json(), "refusal": None}
    if message.tool_calls and not message.content:
        body["content"] = None
    return body


def _head(answer: Answer) -> dict[str, Any]:
    """What every chunk of a stream says."""
    return {
        "id": answer.id,
        "object": "chat.completion.chunk",
        "created": answer.created,
        "model": answer.version,
    }


def _chunk(
    answer: Answer,
    delta: dict[str, Any],
    finish: str | None = None,
    logprobs: dict[str, Any] | None = None,
) -> str:
    choice = {"index": answer.index, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
    return event({**_head(answer), "choices": [choice]})


def _deltas(calls: Sequence[ToolCall]) -> list[dict[str, Any]]:
    """Tool calls as streamed deltas carry them."""
    return [
        {"index": i, **data}
        for i, data in enumerate(Message("assistant", "", tuple(calls)).to_json()["tool_calls"])
    ]
