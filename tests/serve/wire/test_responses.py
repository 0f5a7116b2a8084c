"""OpenAI's Responses API to our types."""

from typing import Any

import pytest
from pydantic import ValidationError

from nightschool.errors import BadRequest, NotFound
from nightschool.serve.answer import Ask, Shape
from nightschool.serve.wire.fields import explain
from nightschool.serve.wire.responses import ResponsesRequest
from nightschool.types import Message, ToolCall

FIND = {"type": "function", "name": "find", "parameters": {"type": "object"}}
SEND = {"type": "function", "name": "send", "strict": True, "defer_loading": True}
AGENTS = {
    "type": "namespace",
    "name": "agents",
    "description": "",
    "tools": [FIND, {"type": "custom", "name": "x"}],
}
SEARCH = {"type": "web_search", "external_web_access": False}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
RECORDED = {
    "resp_1": (
        Message("system", "Be brief.", name="instructions"),
        Message("system", "Be kind."),
        Message("user", "find x"),
        Message("assistant", "Let me see.", (ToolCall("c1", "find", '{"q": "x"}'),)),
    )
}


class Record:
    """What is recorded."""

    def answer(self, response_id: str) -> Message:
        return self.up_to(response_id)[0][-1]

    def up_to(self, response_id: str) -> tuple[tuple[Message, ...], str | None]:
        if response_id not in RECORDED:
            raise NotFound(response_id)
        return RECORDED[response_id], "s"


def ask(said: Any = "x", **fields: Any) -> Ask:
    try:
        return ResponsesRequest.model_validate({"input": said, **fields}).ask(Record())
    except ValidationError as e:
        raise explain(e.errors()) from e


def test_what_a_request_asks_for() -> None:
    plain = ask()
    assert plain.messages == (Message("user", "x"),)
    assert (plain.model, plain.limit, plain.tools, plain.shape, plain.top) == ("live", None, (), None, None)
    assert (plain.sampling.temperature, plain.sampling.top_p) == (1.0, 1.0)
    full = ask(
        model="n@1", max_output_tokens=5, temperature=0, top_p=0.5, stream=True, safety_identifier="ann"
    )
    assert (full.model, full.limit, full.stream, full.user) == ("n@1", 5, True, "ann")
    assert (full.sampling.temperature, full.sampling.top_p) == (0, 0.5)
    assert ask(user="bob", safety_identifier="ann").user == "bob"
    assert ask(include=["message.output_text.logprobs", "reasoning.encrypted_content"]).top == 0
    assert ask(top_logprobs=3).top == 3


def test_null_is_absent_and_what_changes_no_answer_is_accepted() -> None:
    assert (
        ask(**dict.fromkeys(["model", "tools", "tool_choice", "text", "top_p", "stream", "anything"]))
        == ask()
    )
    neutral = {
        "reasoning": {"effort": "high", "summary": None},
        "truncation": "auto",
        "store": False,
        "service_tier": "priority",
        "prompt_cache_key": "k",
        "client_metadata": {"a": {}},
        "stream_options": {"include_obfuscation": False},
        "text": {"format": None, "verbosity": "medium"},
        "metadata": {"a": "b"},
        "frequency_penalty": 0.0,
        "background": False,
        "max_tool_calls": 3,
        "parallel_tool_calls": True,
    }
    assert ask(**neutral) == ask()


def test_items_become_messages() -> None:
    call = {
        "type": "function_call",
        "id": "fc_9",
        "call_id": "c1",
        "name": "find",
        "arguments": "",
        "status": "completed",
    }
    said = ask(
        [
            {"role": "developer", "content": "Be brief."},
            {"type": "message", "id": "m", "role": "user", "content": [{"type": "input_text", "text": "a"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
            {
                "role": "assistant",
                "content": [
                    {"type": "output_text", "text": "b", "annotations": [{}], "logprobs": []},
                    {"type": "refusal", "refusal": "c"},
                ],
                "phase": "commentary",
            },
            call,
            {**call, "call_id": "c2", "namespace": "agents"},
            {"type": "function_call_output", "call_id": "c1", "output": "42"},
            {
                "type": "function_call_output",
                "call_id": "c2",
                "output": [{"type": "input_text", "text": "43"}],
            },
            call,
        ]
    ).messages
    assert said == (
        Message("system", "Be brief."),
        Message("user", "a"),
        Message("assistant", "bc", (ToolCall("c1", "find", ""), ToolCall("c2", "agents.find", ""))),
        Message("tool", "42", tool_call_id="c1"),
        Message("tool", "43", tool_call_id="c2"),
        Message("assistant", "", (ToolCall("c1", "find", ""),)),
    )


def test_a_response_is_gone_on_from_without_its_instructions() -> None:
    output = {"type": "function_call_output", "call_id": "c1", "output": "42"}
    goes_on = ask([output], previous_response_id="resp_1", instructions="Be loud.")
    _, *before = RECORDED["resp_1"]
    loud = Message("system", "Be loud.", name="instructions")
    assert goes_on.messages == (loud, *before, Message("tool", "42", tool_call_id="c1"))
    assert goes_on.session == "s"
    assert ask("x", previous_response_id="resp_1").messages == (*before, Message("user", "x"))
    # The answer to a command stands for the response before it.
    assert ask([output], previous_response_id="resp_1.7f", instructions="Be loud.") == goes_on
    assert ask(previous_response_id="resp_.7f") == ask()


def test_items_that_are_referred_to_are_recalled() -> None:
    references = [{"type": "item_reference", "id": "msg_1"}, {"id": "fc_1_0"}]
    assert ask(references).messages == (RECORDED["resp_1"][-1],)
    assert ask([{"id": "msg_1.7f"}]).messages == (
        Message("assistant", ""),
    )  # to a command: see `commands.split`


FUNCTIONS = [FIND, SEND, AGENTS, SEARCH]


@pytest.mark.parametrize(
    ("fields", "offered", "shape"),
    [
        ({}, ["find", "send", "agents.find"], None),
        ({"tool_choice": "none"}, [], None),
        ({"tool_choice": "none", "tools": [SEARCH]}, [], None),
        (
            {"tool_choice": "required"},
            ["find", "send", "agents.find"],
            Shape(tools=("find", "send", "agents.find")),
        ),
        (
            {"tool_choice": {"type": "function", "name": "send"}},
            ["find", "send", "agents.find"],
            Shape(tools=("send",), parallel=False),
        ),
        (
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "mode": "auto",
                    "tools": [{"type": "function", "name": "send"}],
                }
            },
            ["send"],
            None,
        ),
        (
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "mode": "required",
                    "tools": [{"type": "function", "name": "send"}],
                }
            },
            ["send"],
            Shape(tools=("send",)),
        ),
        (
            {
                "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}},
                "tool_choice": "none",
            },
            [],
            Shape(SCHEMA, field="text.format"),
        ),
        (
            {"text": {"format": {"type": "json_object"}}, "tools": [FIND]},
            ["find"],
            Shape({"type": "object"}, ("find",), field="text.format"),
        ),
        (
            {"text": {"format": {"type": "json_object"}}, "tools": [FIND], "tool_choice": "required"},
            ["find"],
            Shape(tools=("find",)),
        ),
    ],
)
def test_what_may_and_what_must_be_called(
    fields: dict[str, Any], offered: list[str], shape: Shape | None
) -> None:
    asked = ask(**{"tools": FUNCTIONS, **fields})
    assert [tool["function"]["name"] for tool in asked.tools] == offered
    assert asked.shape == shape


def test_a_tool_is_the_one_of_chat_completions() -> None:
    assert ask(tools=[FIND, SEND]).tools == (
        {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}},
        {"type": "function", "function": {"name": "send", "strict": True}},
    )


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"input": []}, "input", "no message"),
        ({"input": [{"type": "web_search_call", "id": "ws_1"}]}, "input.0", "web_search_call"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]},
            "input.0.content.0.type",
            "input_image",
        ),
        ({"input": [{"role": "robot", "content": "x"}]}, "input.0.role", "assistant"),
        ({"input": [{"role": "user", "content": 5}]}, "input.0.content", "list"),
        ({"input": [{"type": "item_reference", "id": "msg_2"}]}, "input.0", "msg_2"),
        ({"input": [{"type": "item_reference", "id": "fc_1_9"}]}, "input.0", "fc_1_9"),
        ({"input": [{"type": "item_reference", "id": "rs_1"}]}, "input.0", "rs_1"),
        ({"previous_response_id": "resp_2"}, "previous_response_id", "resp_2"),
        ({"tools": [SEARCH]}, "tools.0", "web_search"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools.0.function.name", "required"),
        ({"tools": [FIND], "tool_choice": {"type": "function", "name": "send"}}, "tool_choice", "send"),
        ({"tools": [FIND, SEARCH], "tool_choice": {"type": "web_search"}}, "tool_choice", "web_search"),
        ({"tool_choice": "required"}, "tool_choice", "no function"),
        ({"tool_choice": "any"}, "tool_choice.mode", "required"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type", "grammar"),
        ({"text": {"verbosity": "low"}}, "text.verbosity", "medium"),
        ({"background": True}, "background", "stream"),
        ({"conversation": {"id": "c"}}, "conversation", "previous_response_id"),
        ({"prompt": {"id": "p"}}, "prompt", "not supported"),
        ({"top_k": 5}, "top_k", "not supported"),
        ({"presence_penalty": 2.5}, "presence_penalty", "less than or equal to 2"),
        ({"metadata": {"a": 1}}, "metadata.a", "string"),
    ],
)
def test_what_cannot_be_done_is_named(fields: dict[str, Any], param: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says) as refused:
        ask(fields.pop("input", "x"), **fields)
    assert refused.value.param == param
