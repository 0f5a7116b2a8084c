"""What a chat completion has to be: `response_format` and `tool_choice`. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from nightschool.errors import BadRequest
from nightschool.serve.answer import Shape
from nightschool.serve.wire.fields import Lenient, Strict
from nightschool.types import Tools


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


def _kind(choice: Any) -> str:
    if not isinstance(choice, dict):
        return "(mode)"
    return "(allowed_tools)" if choice.get("type") == "allowed_tools" else "(function)"


ToolChoice = Annotated[
    Annotated[Literal["auto", "none", "required"], Tag("(mode)")]
    | Annotated[FunctionChoice, Tag("(function)")]
    | Annotated[AllowedTools, Tag("(allowed_tools)")],
    Discriminator(_kind),
]


@dataclass(frozen=True)
class Forced:
    """The functions of which one has to be called, or several may be."""

    names: tuple[str, ...]
    parallel: bool = True


def callable_tools(tools: Tools, choice: ToolChoice) -> tuple[Tools, Forced | None]:
    """The tools that may be called, and those that have to be. Raises BadRequest."""
    if choice == "none":
        return (), None
    names = _names(tools)
    if isinstance(choice, FunctionChoice):
        return tools, Forced(_known(names, [choice]), parallel=False)
    if isinstance(choice, AllowedTools):
        allowed = _known(names, choice.allowed_tools.tools)
        tools = tuple(tool for tool in tools if tool["function"]["name"] in allowed)
        return tools, Forced(allowed) if choice.allowed_tools.mode == "required" else None
    if choice == "required" and not tools:
        raise BadRequest("tool_choice required needs tools", "tool_choice")
    return tools, Forced(names) if choice == "required" else None


def shape(tools: Tools, forced: Forced | None, wanted: ResponseFormat | None, parallel: bool) -> Shape | None:
    """Calls of the functions that have to be called; else the response's format, beside which the tools may
    be called. Raises BadRequest."""
    if forced:
        return Shape(tools=forced.names, parallel=parallel and forced.parallel)
    if not wanted or wanted.type == "text":
        return None if parallel else Shape(parallel=False)
    if wanted.type == "json_object":
        return Shape({"type": "object"}, _names(tools), parallel=parallel)
    form = wanted.json_schema
    if form is None:
        raise BadRequest("response_format has no json_schema", "response_format.json_schema")
    return Shape(form.schema_, _names(tools), strict=bool(form.strict), parallel=parallel)


def _names(tools: Tools) -> tuple[str, ...]:
    return tuple(tool["function"]["name"] for tool in tools)


def _known(names: Collection[str], choices: Sequence[FunctionChoice]) -> tuple[str, ...]:
    chosen = tuple(choice.function.name for choice in choices)
    if missing := [name for name in chosen if name not in names]:
        raise BadRequest(f"tool_choice names {missing[0]!r}, which is not among the tools", "tool_choice")
    return chosen
