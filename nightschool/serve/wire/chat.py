"""OpenAI's chat completions: its JSON to an `Ask`, and answers to its JSON. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from nightschool.engines.base import Sampling, TokenOut
from nightschool.errors import BadRequest
from nightschool.serve.answer import Answer, Ask, Shape
from nightschool.serve.wire.fields import Lenient, Strict, event
from nightschool.serve.wire.turns import Tool, WireMessage, to_messages, to_tools
from nightschool.types import Message, ToolCall, Tools


class StreamOptions(Lenient):
    include_usage: bool = False


class JsonSchema(Lenient):
    name: str = ""
    schema_: dict[str, Any] = Field(default_factory=dict, alias="schema")  # without one, any JSON
    strict: bool | None = None


class ResponseFormat(Strict):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class Named(Lenient):
    name: str


class FunctionChoice(Lenient):
    type: Literal["function"]
    function: Named


class Allowed(Lenient):
    mode: Literal["auto", "required"]
    tools: list[FunctionChoice] = Field(min_length=1)


class AllowedTools(Lenient):
    type: Literal["allowed_tools"]
    allowed_tools: Allowed


def _choice_kind(choice: Any) -> Any:
    if not isinstance(choice, dict):
        return "(mode)"
    return "(allowed_tools)" if choice.get("type") == "allowed_tools" else "(function)"


ToolChoice = Annotated[
    Annotated[Literal["auto", "none", "required"], Tag("(mode)")]
    | Annotated[FunctionChoice, Tag("(function)")]
    | Annotated[AllowedTools, Tag("(allowed_tools)")],
    Discriminator(_choice_kind),
]


class ChatRequest(Strict):
    """A request for a chat completion. A field with null is as if it were not there; one that we do not
    support may be sent with its neutral value."""

    model: str = Field(default="live", min_length=1)
    messages: list[WireMessage] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: str | Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=16)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    tools: list[Tool] | None = None
    user: str | None = None
    n: Annotated[int, Field(ge=1, le=16)] = 1
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool = True
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] = 0
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] = 0
    repetition_penalty: Literal[1] | None = None
    top_k: Annotated[int, Field(ge=-1)] = 0
    min_p: Annotated[float, Field(ge=0, le=1)] = 0
    logit_bias: dict[int, Annotated[float, Field(ge=-100, le=100)]] = Field(default_factory=dict)
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

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        return {k: v for k, v in data.items() if v is not None} if isinstance(data, dict) else data

    def ask(self) -> Ask:
        """What it asks for. Raises BadRequest, naming the field."""
        if self.stream_options and not self.stream:
            raise BadRequest("stream_options is only allowed with stream", "stream_options")
        if self.top_logprobs and not self.logprobs:
            raise BadRequest("top_logprobs is only allowed with logprobs", "top_logprobs")
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        tools, forced = self._callable()
        return Ask(
            model=self.model,
            messages=to_messages(self.messages),
            tools=tools,
            user=self.user or self.safety_identifier,
            stream=self.stream,
            limit=self.max_completion_tokens or self.max_tokens,
            sampling=Sampling(
                max_tokens=1,
                temperature=1.0 if self.temperature is None else self.temperature,
                top_p=1.0 if self.top_p is None else self.top_p,
                seed=self.seed,
                top_k=max(self.top_k, 0),
                min_p=self.min_p,
                frequency_penalty=self.frequency_penalty,
                presence_penalty=self.presence_penalty,
                logit_bias=tuple(self.logit_bias.items()),
            ),
            stops=tuple(stop for stop in stops if stop),
            count=self.n,
            shape=self._shape(tools, forced),
            top=self.top_logprobs if self.logprobs else None,
        )

    def _callable(self) -> tuple[Tools, tuple[str, ...]]:
        """The tools that may be called, and the names of those of which one has to be. Raises BadRequest."""
        tools, choice = to_tools(self.tools or ()), self.tool_choice
        names = _names(tools)
        if choice == "none":
            return (), ()
        if isinstance(choice, FunctionChoice):
            return tools, _known(names, [choice])
        if isinstance(choice, AllowedTools):
            allowed = _known(names, choice.allowed_tools.tools)
            tools = tuple(tool for tool in tools if tool["function"]["name"] in allowed)
            return tools, allowed if choice.allowed_tools.mode == "required" else ()
        if choice == "required" and not tools:
            raise BadRequest("tool_choice required needs tools", "tool_choice")
        return tools, names if choice == "required" else ()

    def _shape(self, tools: Tools, forced: tuple[str, ...]) -> Shape | None:
        """Calls of functions that have to be called; else the response's format, beside which all may be."""
        if forced:
            parallel = self.parallel_tool_calls and not isinstance(self.tool_choice, FunctionChoice)
            return Shape(tools=forced, parallel=parallel)
        names, parallel, wanted = _names(tools), self.parallel_tool_calls, self.response_format
        if wanted and wanted.type == "json_object":
            return Shape({"type": "object"}, names, parallel=parallel)
        if wanted and wanted.type == "json_schema":
            if not wanted.json_schema:
                raise BadRequest("response_format has no json_schema", "response_format.json_schema")
            form = wanted.json_schema
            return Shape(form.schema_, names, strict=bool(form.strict), parallel=parallel)
        return None if parallel else Shape(parallel=False)


def _names(tools: Tools) -> tuple[str, ...]:
    return tuple(tool["function"]["name"] for tool in tools)


def _known(names: Collection[str], choices: Sequence[FunctionChoice]) -> tuple[str, ...]:
    chosen = tuple(choice.function.name for choice in choices)
    if missing := [name for name in chosen if name not in names]:
        raise BadRequest(f"tool_choice names {missing[0]!r}, which is not among the tools", "tool_choice")
    return chosen


class ChatWire:
    """Tells answers as OpenAI's chat completions do; see `serve.answer.Wire`."""

    prefix = "chatcmpl-"

    def __init__(self, request: ChatRequest, spell: Callable[[int], bytes]) -> None:
        """`spell` says what a token is in bytes."""
        options = request.stream_options
        self._count_tokens = bool(options and options.include_usage)
        self._logprobs, self._spell = request.logprobs, spell

    def whole(self, answers: Sequence[Answer]) -> dict[str, Any]:
        first = answers[0]
        choices = [
            {
                "index": answer.index,
                "message": _message(answer.complete),
                "finish_reason": answer.finish,
                "logprobs": self._told(answer.tokens),
            }
            for answer in answers
        ]
        head = {"id": first.id, "object": "chat.completion", "created": first.created, "model": first.version}
        return {**head, "choices": choices, "usage": _usage(answers)}

    def begun(self, answers: Sequence[Answer]) -> Iterator[str]:
        for answer in answers:
            yield _chunk(answer, {"role": "assistant", "content": ""})

    def said(self, answer: Answer, text: str, tokens: Sequence[TokenOut]) -> Iterator[str]:
        logprobs = self._told(tokens)
        if text or (logprobs and logprobs["content"]):
            yield _chunk(answer, {"content": text}, logprobs=logprobs)

    def ended(self, answer: Answer) -> Iterator[str]:
        message = answer.complete
        if message.tool_calls:
            yield _chunk(answer, {"tool_calls": _deltas(message.tool_calls)})
        yield _chunk(answer, {}, answer.finish)

    def closed(self, answers: Sequence[Answer]) -> Iterator[str]:
        if self._count_tokens:
            yield event({**_head(answers[0]), "choices": [], "usage": _usage(answers)})
        yield event("[DONE]")

    def failed(self, status: int, body: dict[str, Any]) -> Iterator[str]:
        yield event(body)

    def _told(self, tokens: Sequence[TokenOut]) -> dict[str, Any] | None:
        """The log-probabilities of an answer's tokens, if they were asked for. The token that ended it is no
        part of its content."""
        if not self._logprobs:
            return None
        content = [
            {
                **self._spelled(one.token, one.logprob),
                "top_logprobs": [self._spelled(token, logprob) for token, logprob in one.top],
            }
            for one in tokens
            if one.finish != "stop"
        ]
        return {"content": content, "refusal": None}

    def _spelled(self, token: int, logprob: float) -> dict[str, Any]:
        """A token as people read it; one that is a part of a character can be told by its bytes only."""
        data = self._spell(token)
        return {"token": data.decode(errors="replace"), "bytes": [*data], "logprob": logprob}


def _usage(answers: Sequence[Answer]) -> dict[str, int]:
    prompt, completion = answers[0].prompt, sum(len(answer.tokens) for answer in answers)
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
