"""Anthropic's Messages API: its JSON to an `Ask`. Pure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from nightschool.engines.base import Sampling
from nightschool.errors import BadRequest
from nightschool.serve.answer import Ask, Shape
from nightschool.serve.wire.anthropic_turns import Texts, Turn, to_messages
from nightschool.serve.wire.fields import Body, Lenient
from nightschool.types import Tools


class ClientTool(Lenient):
    type: Literal["custom"] | None = None
    name: str = Field(min_length=1)
    description: str | None = None
    input_schema: dict[str, Any]
    strict: bool | None = None

    def function(self) -> dict[str, Any]:
        """The tool as chat completions have it."""
        about = {"name": self.name, "description": self.description, "parameters": self.input_schema}
        given = {key: value for key, value in {**about, "strict": self.strict}.items() if value is not None}
        return {"type": "function", "function": given}


class OtherTool(Lenient):
    """One that Anthropic defines: most run on its servers, and none says how it is called."""

    type: str


def _kind(tool: Any) -> str:
    kind = tool.get("type") if isinstance(tool, dict) else None
    return "custom" if kind in (None, "custom") else "other"


Tool = Annotated[
    Annotated[ClientTool, Tag("custom")] | Annotated[OtherTool, Tag("other")], Discriminator(_kind)
]


class ToolChoice(Lenient):
    type: Literal["auto", "any", "tool", "none"] = "auto"
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class JsonFormat(Lenient):
    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")


class OutputConfig(Lenient):
    format: JsonFormat | None = None


class Metadata(Lenient):
    user_id: str | None = None


class CountRequest(Body):
    """A conversation, whose tokens are to be counted."""

    model: str = Field(default="live", min_length=1)
    messages: list[Turn] = Field(min_length=1)
    system: Texts = Field(default_factory=list)
    tools: list[Tool] = Field(default_factory=list)
    tool_choice: ToolChoice = ToolChoice()
    output_config: OutputConfig = OutputConfig()
    output_format: JsonFormat | None = None  # where it stood before
    mcp_servers: list[Any] = Field(default_factory=list)
    # Nothing below changes an answer: our models do not think, and nothing is taken out of a conversation.
    thinking: Any = None
    cache_control: Any = None
    compaction: Any = None
    container: Any = None
    context_management: Any = None
    diagnostics: Any = None
    fallbacks: Any = None
    inference_geo: Any = None
    service_tier: Any = None
    speed: Any = None

    def ask(self) -> Ask:
        """What it asks for. Raises BadRequest, naming the field."""
        return Ask(self.model, to_messages(self.system, self.messages), self._functions())

    def _functions(self) -> Tools:
        if self.mcp_servers:
            raise BadRequest("mcp_servers is not supported: give what they offer as tools", "mcp_servers")
        for i, tool in enumerate(self.tools):
            if isinstance(tool, OtherTool):
                text = (
                    f"tools.{i}: {tool.type} is not supported, only tools of the client with an input_schema"
                )
                raise BadRequest(text, f"tools.{i}", "unsupported_value")
        if self.tool_choice.type == "none":
            return ()
        return tuple(tool.function() for tool in self.tools if isinstance(tool, ClientTool))


class MessagesRequest(CountRequest):
    """A request for a message."""

    max_tokens: Annotated[int, Field(ge=1)]
    metadata: Metadata = Metadata()
    stop_sequences: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=16)] = Field(
        default_factory=list
    )
    stream: bool = False
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    top_p: Annotated[float, Field(ge=0, le=1)] = 1.0
    top_k: Annotated[int, Field(ge=-1)] = 0

    def ask(self) -> Ask:
        if self.messages[-1].role == "assistant":
            text = (
                "an answer that the client begins (a prefill) is not supported: end with a turn of the user"
            )
            raise BadRequest(text, f"messages.{len(self.messages) - 1}")
        tools = self._functions()
        return Ask(
            model=self.model,
            messages=to_messages(self.system, self.messages),
            tools=tools,
            user=self.metadata.user_id,
            stream=self.stream,
            limit=self.max_tokens,
            sampling=Sampling(
                max_tokens=1, temperature=self.temperature, top_p=self.top_p, top_k=max(self.top_k, 0)
            ),
            stops=tuple(self.stop_sequences),
            shape=self._shape(tuple(tool["function"]["name"] for tool in tools)),
        )

    def _shape(self, names: tuple[str, ...]) -> Shape | None:
        """A call that has to be made; else the text's form, beside which all tools may be called."""
        choice, form = self.tool_choice, self.output_config.format or self.output_format
        parallel = not choice.disable_parallel_tool_use
        if choice.type == "any":
            if not names:
                raise BadRequest("a call is wanted, but there are no tools", "tool_choice")
            return Shape(tools=names, parallel=parallel)
        if choice.type == "tool":
            if choice.name not in names:
                raise BadRequest(f"there is no tool {choice.name!r} among the tools", "tool_choice.name")
            return Shape(tools=(choice.name,), parallel=False)
        if form:
            field = "output_config.format" if self.output_config.format else "output_format"
            return Shape(form.schema_, names, strict=True, parallel=parallel, field=field)
        return None if parallel else Shape(parallel=False)
