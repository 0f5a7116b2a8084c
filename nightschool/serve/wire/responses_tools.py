"""The tools of OpenAI's Responses API: what the model may call, and what it has to. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, Tag

from nightschool.errors import BadRequest
from nightschool.serve.wire.responses_items import qualified

Functions = dict[str, dict[str, Any]]  # tools as chat completions have them, by the name that the model knows


class FunctionTool(BaseModel):
    type: Literal["function"]
    name: str = Field(min_length=1)
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    def schema_of(self, namespace: str | None) -> dict[str, Any]:
        """The tool as chat completions have it."""
        function = self.model_dump(exclude={"type"}, exclude_none=True)
        return {"type": "function", "function": {**function, "name": qualified(self.name, namespace)}}


class OtherTool(BaseModel):
    """One that the model cannot be offered: it runs on OpenAI's servers, or is called in a way of its own."""

    type: str


def _functions_only(tools: Any) -> Any:
    return [t for t in tools if _kind(t) == "function"] if isinstance(tools, list) else tools


class Namespace(BaseModel):
    """A group of functions: in Codex, its agents or an MCP server."""

    type: Literal["namespace"]
    name: str = Field(min_length=1)
    description: str = ""
    tools: Annotated[list[FunctionTool], BeforeValidator(_functions_only)]


def _kind(tool: Any) -> str:
    kind = tool.get("type") if isinstance(tool, dict) else None
    return kind if kind in ("function", "namespace") else "other"


Tool = Annotated[
    Annotated[FunctionTool, Tag("function")]
    | Annotated[Namespace, Tag("namespace")]
    | Annotated[OtherTool, Tag("other")],
    Discriminator(_kind),
]


class NamedTool(BaseModel):
    type: Literal["function"]
    name: str


class AllowedTools(BaseModel):
    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: list[NamedTool]


def _choice_kind(choice: Any) -> Any:
    return choice.get("type") if isinstance(choice, dict) else "mode"


ToolChoice = Annotated[
    Annotated[Literal["auto", "none", "required"], Tag("mode")]
    | Annotated[NamedTool, Tag("function")]
    | Annotated[AllowedTools, Tag("allowed_tools")],
    Discriminator(_choice_kind),
]


def offered(tools: Sequence[Tool]) -> list[FunctionTool | Namespace]:
    """The tools that the model is offered, which the response names. Others are left out: a model need not
    use a tool, and agents such as Codex send some that they can do without."""
    return [tool for tool in tools if not isinstance(tool, OtherTool)]


def namespaces(tools: Sequence[Tool]) -> set[str]:
    """Their names."""
    return {tool.name for tool in tools if isinstance(tool, Namespace)}


def callable_functions(tools: Sequence[Tool], choice: ToolChoice) -> tuple[Functions, tuple[str, ...]]:
    """The functions that the model may call, and the names of those of which it has to call one. Raises
    BadRequest, also if there are only tools that it cannot be offered: they are what the request is for."""
    if choice == "none":
        return {}, ()
    functions = _functions(offered(tools))
    if tools and not functions:
        text = f"{tools[0].type} is not supported: the model can call functions of the client only"
        raise BadRequest(text, "tools.0", "unsupported_value")
    if isinstance(choice, AllowedTools):
        functions = _those(functions, [tool.name for tool in choice.tools])
        choice = choice.mode
    if isinstance(choice, NamedTool):
        return functions, tuple(_those(functions, [choice.name]))
    if choice == "required" and not functions:
        raise BadRequest("a call is required, but there is no function to call", "tool_choice")
    return functions, tuple(functions) if choice == "required" else ()


def _functions(tools: Sequence[FunctionTool | Namespace]) -> Functions:
    schemas = list[dict[str, Any]]()
    for tool in tools:
        if isinstance(tool, Namespace):
            schemas += [function.schema_of(tool.name) for function in tool.tools]
        else:
            schemas.append(tool.schema_of(None))
    return {schema["function"]["name"]: schema for schema in schemas}


def _those(functions: Functions, names: Sequence[str]) -> Functions:
    if missing := [name for name in names if name not in functions]:
        raise BadRequest(f"there is no function {missing[0]} among the tools", "tool_choice")
    return {name: functions[name] for name in names}
