"""Tools as plain text, and back."""

import json

import pytest

from nightschool.engines.tools import parse_calls, plain, render_assistant
from nightschool.types import Message, ToolCall

TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
CALL = ToolCall("c1", "look_up", '{"name": "Zoë"}')


def parsed(text: str) -> tuple[str, tuple[ToolCall, ...]]:
    return parse_calls(text, lambda: "c1")


def test_schemas_go_to_the_end_of_the_system_turn_or_into_one_of_their_own() -> None:
    user = Message("user", "hi")
    (own, same) = plain([user], (TOOL,))
    assert (own.role, same) == ("system", user)
    assert json.dumps(TOOL["function"]) in own.content
    (system, _) = plain([Message("system", "Be brief."), user], (TOOL,))
    assert system.content == f"Be brief.\n\n{own.content}"


def test_without_tools_a_conversation_stays_as_it_is() -> None:
    turns = [Message("system", "Be brief."), Message("user", "hi"), Message("assistant", "yes")]
    assert plain(turns, ()) == turns


def test_calls_and_results_become_text() -> None:
    turns = [Message("assistant", "", tool_calls=(CALL,)), Message("tool", "found", tool_call_id="c1")]
    called, result = plain(turns, ())
    assert called == Message("assistant", render_assistant(turns[0]))
    assert result == Message("user", "<tool_response>\nfound\n</tool_response>")


@pytest.mark.parametrize("content", ["", "Let me see."])
@pytest.mark.parametrize("calls", [(CALL,), (CALL, ToolCall("c1", "stop", "{}"))])
def test_what_is_rendered_is_parsed_again(content: str, calls: tuple[ToolCall, ...]) -> None:
    assert parsed(render_assistant(Message("assistant", content, tool_calls=calls))) == (content, calls)


def test_a_call_without_arguments_has_none() -> None:
    assert parsed('<tool_call>{"name": "stop"}</tool_call>') == ("", (ToolCall("c1", "stop", "{}"),))


@pytest.mark.parametrize("body", ["{", "[1]", '{"arguments": {}}', '{"name": 3}'])
def test_a_malformed_call_stays_in_the_text(body: str) -> None:
    text = f" <tool_call>{body}</tool_call> "
    assert parsed(text) == (text, ())
    good = '<tool_call>{"name": "stop"}</tool_call>'
    assert parsed(text + good) == (text.strip(), (ToolCall("c1", "stop", "{}"),))
