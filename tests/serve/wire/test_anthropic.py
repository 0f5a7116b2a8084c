"""Anthropic's Messages API to our types."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from nightschool.errors import BadRequest
from nightschool.serve.answer import Ask, Shape
from nightschool.serve.wire.anthropic import CountRequest, MessagesRequest
from nightschool.serve.wire.fields import explain
from nightschool.types import Message, ToolCall

FIND = {"name": "find", "description": "Finds.", "input_schema": {"type": "object"}}
READ = {"type": "custom", "name": "read", "input_schema": {"type": "object"}, "strict": True}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}


def ask(**fields: Any) -> Ask:
    body = {"max_tokens": 50, "messages": [{"role": "user", "content": "x"}], **fields}
    try:
        return MessagesRequest.model_validate(body).ask()
    except ValidationError as e:
        raise explain(e.errors()) from e


def said(*turns: tuple[str, Any], system: Any = None) -> tuple[Message, ...]:
    messages = [{"role": role, "content": content} for role, content in turns]
    return CountRequest.model_validate({"messages": messages, "system": system}).ask().messages


def text(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": text, **more}


def called(**more: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": "c1", "name": "find", "input": {"q": "ü"}, **more}


def result(content: Any = "42", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": "c1", "content": content, **more}


def test_what_a_request_asks_for() -> None:
    plain = ask()
    assert plain.messages == (Message("user", "x"),)
    assert (plain.model, plain.limit, plain.stops, plain.tools, plain.stream) == ("live", 50, (), (), False)
    assert (plain.sampling.temperature, plain.sampling.top_p, plain.shape, plain.user) == (
        1.0,
        1.0,
        None,
        None,
    )
    full = ask(
        model="base",
        temperature=0,
        top_p=0.5,
        top_k=0,
        stop_sequences=["a", "b"],
        metadata={"user_id": "ann", "trace": "t"},
        stream=True,
        tools=[FIND, READ],
    )
    assert (full.model, full.stops, full.user, full.stream) == ("base", ("a", "b"), "ann", True)
    assert (full.sampling.temperature, full.sampling.top_p) == (0, 0.5)
    find, read = full.tools
    about = {"name": "find", "description": "Finds.", "parameters": {"type": "object"}}
    assert find == {"type": "function", "function": about}
    assert read["function"] == {"name": "read", "parameters": {"type": "object"}, "strict": True}


ONE = {"disable_parallel_tool_use": True}
FORM = {"type": "json_schema", "schema": SCHEMA}


@pytest.mark.parametrize(
    ("fields", "shape"),
    [
        ({"tool_choice": {"type": "auto"}}, None),
        ({"tool_choice": {"type": "any"}}, Shape(tools=("find", "read"))),
        ({"tool_choice": {"type": "any", **ONE}}, Shape(tools=("find", "read"), parallel=False)),
        ({"tool_choice": {"type": "tool", "name": "read"}}, Shape(tools=("read",), parallel=False)),
        ({"tool_choice": ONE}, Shape(parallel=False)),
        ({"output_config": {"effort": "high"}}, None),
        (
            {"output_config": {"effort": "high", "format": FORM}},
            Shape(SCHEMA, ("find", "read"), strict=True, field="output_config.format"),
        ),
        ({"output_format": FORM}, Shape(SCHEMA, ("find", "read"), strict=True, field="output_format")),
        (
            {"output_format": FORM, "tool_choice": {"type": "none"}},
            Shape(SCHEMA, strict=True, field="output_format"),
        ),
        ({"output_format": FORM, "tool_choice": {"type": "any"}}, Shape(tools=("find", "read"))),
    ],
)
def test_what_an_answer_has_to_be(fields: dict[str, Any], shape: Shape | None) -> None:
    assert ask(tools=[FIND, READ], **fields).shape == shape


def test_which_tools_may_be_called() -> None:
    assert ask(tools=[FIND], tool_choice={"type": "none"}).tools == ()
    assert len(ask(tools=[FIND], tool_choice={"type": "auto"}).tools) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"thinking": {"type": "adaptive"}, "context_management": {"edits": []}, "speed": "fast"},
        {"cache_control": {"type": "ephemeral"}, "container": "c", "service_tier": "auto"},
        {"system": None, "tools": None, "tool_choice": None, "top_k": None, "stop_sequences": None},
        {"mcp_servers": [], "inference_geo": "eu", "diagnostics": None},
    ],
)
def test_what_changes_no_answer_is_accepted(fields: dict[str, Any]) -> None:
    assert ask(**fields) == ask()


def test_turns_become_ours() -> None:
    cached = {"cache_control": {"type": "ephemeral"}}
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    assert said(
        ("user", [text("a"), text("b", **cached)]),
        ("assistant", [thought, text("Let "), text("me."), called(**cached)]),
        ("user", [result(**cached)]),
        ("assistant", [{"type": "redacted_thinking", "data": "x"}, text("It is 42.", citations=None)]),
        ("user", "c"),
        ("user", "d"),
        system=[text("Be brief.", **cached), text("Be kind.")],
    ) == (
        Message("system", "Be brief.\nBe kind."),
        Message("user", "a\nb"),
        Message("assistant", "Let me.", (ToolCall("c1", "find", '{"q": "ü"}'),)),
        Message("tool", "42", tool_call_id="c1"),
        Message("assistant", "It is 42."),
        Message("user", "c"),
        Message("user", "d"),
    )
    assert said(("user", "x"), system="Be brief.")[0] == Message("system", "Be brief.")


@pytest.mark.parametrize(
    ("blocks", "told"),
    [
        ([text("a"), result(), text("b")], ["user a", "tool 42", "user b"]),
        ([result(), result([text("1"), text("2")])], ["tool 42", "tool 1\n2"]),
        ([result("no such city", is_error=True)], ["tool Error: no such city"]),
        ([result([{"type": "tool_reference", "tool_name": "read"}])], ["tool read"]),
        ([{"type": "tool_result", "tool_use_id": "c1"}], ["tool "]),
        ([], ["user "]),
    ],
)
def test_results_are_turns_of_their_own_in_their_order(blocks: list[Any], told: list[str]) -> None:
    assert [f"{m.role} {m.content}" for m in said(("user", blocks))] == told


def test_what_claude_code_adds() -> None:
    """A count of requests, which is not for the model, and system turns between others."""
    billing = "x-anthropic-billing-header: cc_version=2.1.197.0df; cc_entrypoint=cli;"
    told = said(("user", "hi"), ("system", "Agents: none."), system=[text(billing), text("Be brief.")])
    assert told == (
        Message("system", "Be brief."),
        Message("user", "hi"),
        Message("system", "Agents: none."),
    )
    assert said(("user", "hi"), system=[text(billing)]) == (Message("user", "hi"),)


def turns(*given: tuple[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in given]}


SEARCH = {"type": "web_search_20250305", "name": "web_search"}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"messages": []}, "messages"),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"top_k": 0.5}, "top_k"),
        ({"temperature": 3}, "temperature"),
        ({"stop_sequences": [""]}, "stop_sequences.0"),
        (turns(("user", [text("a"), IMAGE])), "messages.0.content.1.type: 'image'"),
        (turns(("user", [result([IMAGE])])), "messages.0.content.0.content.0.type: 'image'"),
        (turns(("user", [{"type": "document"}])), "messages.0.content.0.type: 'document'"),
        (turns(("user", [called()])), "messages.0.content.0: no tool_use"),
        (turns(("assistant", [result()]), ("user", "x")), "messages.0.content.0: no tool_result"),
        (turns(("robot", "x")), "messages.0.role: 'robot'"),
        (turns(("user", "x"), ("assistant", "The answer is (")), "a prefill"),
        ({"tools": [FIND, SEARCH]}, "tools.1: web_search_20250305"),
        ({"tools": [{"name": "find"}]}, "tools.0.input_schema"),
        ({"tool_choice": {"type": "any"}}, "no tools"),
        ({"tools": [FIND], "tool_choice": {"type": "tool", "name": "read"}}, "no tool 'read'"),
        ({"tools": [FIND], "tool_choice": {"type": "tool"}}, "no tool None"),
        ({"mcp_servers": [{"url": "https://example.org"}]}, "mcp_servers"),
        ({"thread": {"id": "t"}}, "thread is not supported"),
        ({"output_format": {"type": "grammar"}}, "output_format.type: 'grammar'"),
    ],
)
def test_what_cannot_be_used_is_named(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(BadRequest) as refused:
        ask(**fields)
    assert named in str(refused.value)


def test_arguments_are_written_as_calls_are_read() -> None:
    """So that a call that a client sends back is the one that was recorded."""
    (turn,) = said(("assistant", [called()]))
    assert turn.tool_calls[0].arguments == json.dumps({"q": "ü"}, ensure_ascii=False)
