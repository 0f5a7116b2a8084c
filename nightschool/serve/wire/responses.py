"""OpenAI's Responses API: its JSON to an `Ask`. Pure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from nightschool.engines.base import Sampling
from nightschool.errors import BadRequest
from nightschool.serve.answer import Ask, Shape
from nightschool.serve.wire.fields import Body, Strict
from nightschool.serve.wire.responses_items import Item, Recorded, conversation, to_messages
from nightschool.serve.wire.responses_tools import NamedTool, Tool, ToolChoice, callable_functions, offered
from nightschool.serve.wire.sampling import Penalty
from nightschool.types import Message

INSTRUCTIONS = "instructions"  # name of the system turn they become: the only turn that is not inherited
LOGPROBS = "message.output_text.logprobs"  # what `include` calls them
_UNSUPPORTED = {
    "background": "wait for the answer, or stream it",
    "conversation": "previous_response_id goes on with one",
}


class TextFormat(Strict):
    type: Literal["text"] = "text"


class JsonFormat(Strict):
    type: Literal["json_object"]


class SchemaFormat(Strict):
    type: Literal["json_schema"]
    name: str
    description: str | None = None
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None


class TextConfig(Strict):
    format: Annotated[TextFormat | JsonFormat | SchemaFormat, Field(discriminator="type")] | None = None
    verbosity: Literal["medium"] | None = None


def _items(given: Any) -> Any:
    return [{"role": "user", "content": given}] if isinstance(given, str) else given


class ResponsesRequest(Body):
    """A request for a response. A field that we do not support may be sent with its neutral value."""

    model: str = Field(default="live", min_length=1)
    input: Annotated[list[Item], BeforeValidator(_items, json_schema_input_type=str | list[Item])]
    instructions: str | None = None
    previous_response_id: str | None = None
    tools: list[Tool] = Field(default_factory=list)
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool = True
    text: TextConfig = TextConfig()
    stream: bool = False
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] = 0
    include: list[str] = Field(default_factory=list)  # but for LOGPROBS, of tools and reasoning we have not
    user: str | None = None
    safety_identifier: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
    frequency_penalty: Penalty = 0
    presence_penalty: Penalty = 0
    background: bool = False
    conversation: str | dict[str, Any] | None = None
    # Nothing below changes an answer. Everything is recorded, as Codex sends `store: false` always and what
    # nobody liked is not learned; what is too long is an error even if it may be truncated.
    store: bool = True
    truncation: Literal["auto", "disabled"] = "disabled"
    reasoning: dict[str, Any] | None = None
    max_tool_calls: int | None = None  # of tools that run on the server
    service_tier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    prompt_cache_options: dict[str, Any] | None = None
    stream_options: dict[str, Any] | None = None
    client_metadata: dict[str, Any] | None = None

    def ask(self, recorded: Recorded) -> Ask:
        """What it asks for. Raises BadRequest, naming the field."""
        for field, instead in _UNSUPPORTED.items():
            if getattr(self, field):
                raise BadRequest(f"{field} is not supported: {instead}", field, "unsupported_parameter")
        messages, session = self._conversation(recorded)
        functions, forced = callable_functions(self.tools, self.tool_choice)
        return Ask(
            model=self.model,
            messages=tuple(messages),
            tools=tuple(functions.values()),
            user=self.user or self.safety_identifier,
            stream=self.stream,
            limit=self.max_output_tokens,
            sampling=Sampling(
                max_tokens=1,
                temperature=self.temperature,
                top_p=self.top_p,
                frequency_penalty=self.frequency_penalty,
                presence_penalty=self.presence_penalty,
            ),
            shape=self._shape(tuple(functions), forced),
            top=self.top,
            session=session,
        )

    @property
    def top(self) -> int | None:
        """How many of the likeliest tokens are told at each place, if log-probabilities are asked for."""
        return self.top_logprobs if self.top_logprobs or LOGPROBS in self.include else None

    def echo(self) -> dict[str, Any]:
        """What a response says about its request: what has an effect on it."""
        form, choice = self.text.format or TextFormat(), self.tool_choice
        return {
            "instructions": self.instructions,
            "previous_response_id": self.previous_response_id,
            "tools": [tool.model_dump() for tool in offered(self.tools)],
            "tool_choice": choice if isinstance(choice, str) else choice.model_dump(),
            "parallel_tool_calls": self.parallel_tool_calls,
            "text": {"format": form.model_dump(by_alias=True), "verbosity": "medium"},
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_output_tokens": self.max_output_tokens,
            "top_logprobs": self.top_logprobs,
            "frequency_penalty": self.frequency_penalty,
            "presence_penalty": self.presence_penalty,
            "max_tool_calls": self.max_tool_calls,
            "metadata": self.metadata,
            "user": self.user,
            "safety_identifier": self.safety_identifier,
            "prompt_cache_key": self.prompt_cache_key,
            "background": False,
            "truncation": "disabled",
            "reasoning": {"effort": None, "summary": None},
            "service_tier": "default",
        }

    def _conversation(self, recorded: Recorded) -> tuple[list[Message], str | None]:
        """All messages, and the session that they go on with."""
        before, session = tuple[Message, ...](), None
        if self.previous_response_id:
            before, session = conversation(self.previous_response_id, recorded)
        said = to_messages(self.input, recorded)
        if not said:
            raise BadRequest("input holds no message", "input")
        inherited = [m for m in before if (m.role, m.name) != ("system", INSTRUCTIONS)]
        instructions = [Message("system", self.instructions, name=INSTRUCTIONS)] if self.instructions else []
        return [*instructions, *inherited, *said], session

    def _shape(self, names: tuple[str, ...], forced: tuple[str, ...]) -> Shape | None:
        """A call of a function that has to be called; else the text's format, beside which all may be."""
        parallel = self.parallel_tool_calls
        if forced:
            return Shape(tools=forced, parallel=parallel and not isinstance(self.tool_choice, NamedTool))
        match self.text.format:
            case SchemaFormat() as form:
                strict = bool(form.strict)
                return Shape(form.schema_, names, strict=strict, parallel=parallel, field="text.format")
            case JsonFormat():
                return Shape({"type": "object"}, names, parallel=parallel, field="text.format")
        return None if parallel else Shape(parallel=False)
