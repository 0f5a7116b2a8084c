"""The Responses API through its real client, and as Open Responses and Codex speak it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import FunctionToolParam, Response

from nightschool.types import BASE, Message
from tests.serve.conftest import Server

FIND: FunctionToolParam = {
    "type": "function",
    "name": "find",
    "parameters": {"type": "object"},
    "strict": False,
}
CALL = '<tool_call>{"name": "find", "arguments": {"q": "x"}}</tool_call>'


def finds(prompt: str, version: str) -> str:
    """Calls the tool, and tells what it found."""
    return "found it" if "<tool_response>" in prompt.rsplit("user: find", 1)[-1] else f"Let me see. {CALL}"


@pytest.fixture
def finder(serving: Callable[..., Server]) -> Server:
    return serving(finds)


def say(server: Server, said: Any, **options: Any) -> Response:
    response = server.client.responses.create(input=said, **{"model": "live", **options})
    assert isinstance(response, Response)
    return response


def post(server: Server, **body: Any) -> httpx.Response:
    return server.http.post("/v1/responses", json=body)


def contents(messages: Sequence[Message]) -> list[str]:
    return [message.content for message in messages]


def only(server: Server) -> tuple[Message, ...]:
    (session,) = server.store.sessions.all()
    return session.messages


def test_answers_are_recorded(server: Server) -> None:
    raw = server.client.responses.with_raw_response.create(model="live", input="hi", user="ann")
    response = raw.parse()
    assert (response.output_text, response.status, response.model) == ("base heard hi", "completed", BASE)
    assert response.usage
    assert response.usage.output_tokens == len("base heard hi") + 1  # EOS is sampled, too
    session = server.store.sessions.get(raw.headers["x-session-id"])
    assert (contents(session.messages), session.user) == (["hi", "base heard hi"], "ann")
    assert server.store.sessions.of_response(response.id) == session.id


def test_a_stream_says_the_same(server: Server) -> None:
    events = list(server.client.responses.create(model="live", input="grüße", stream=True))
    assert [event.sequence_number for event in events] == [*range(len(events))]
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == "base heard grüße"
    assert len(deltas) > 5  # really in pieces
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == "base heard grüße"
    with server.client.responses.stream(model="live", input="grüße") as stream:
        assert stream.get_final_response().output_text == "base heard grüße"


def test_an_answer_that_reaches_its_limit_is_incomplete(server: Server) -> None:
    response = say(server, "hi", max_output_tokens=4)
    assert (response.output_text, response.status) == ("base", "incomplete")
    assert response.incomplete_details
    assert response.incomplete_details.reason == "max_output_tokens"


@pytest.mark.parametrize("by_id", [True, False])
@pytest.mark.parametrize("stream", [True, False])
def test_a_tool_is_called_and_its_result_answered(finder: Server, by_id: bool, stream: bool) -> None:
    def respond(said: Any, **options: Any) -> Response:
        if not stream:
            return say(finder, said, tools=[FIND], **options)
        with finder.client.responses.stream(model="live", input=said, tools=[FIND], **options) as events:
            return events.get_final_response()

    first = respond([{"role": "user", "content": "find x"}])
    text, call = first.output
    assert first.output_text.strip() == "Let me see."
    assert call.type == "function_call"
    assert (text.type, call.name, json.loads(call.arguments)) == ("message", "find", {"q": "x"})
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "42"}
    if by_id:
        second = respond([result], previous_response_id=first.id)
    else:
        echoed = [item.model_dump(exclude_none=True) for item in first.output]
        second = respond([{"role": "user", "content": "find x"}, *echoed, result])
    assert second.output_text == "found it"
    user, called, tool, answer = only(finder)
    assert (user.content, called.content.strip(), tool.content, answer.content) == (
        "find x",
        "Let me see.",
        "42",
        "found it",
    )
    assert (called.tool_calls[0].name, tool.tool_call_id) == ("find", called.tool_calls[0].id)


def test_an_answer_of_calls_alone_has_no_message(serving: Callable[..., Server]) -> None:
    server = serving(lambda *_: f"\n{CALL}\n{CALL}")
    streamed = list(server.client.responses.create(model="live", input="go", tools=[FIND], stream=True))
    assert streamed[-1].type == "response.completed"
    for response in (say(server, "go", tools=[FIND]), streamed[-1].response):
        assert [item.type for item in response.output] == ["function_call", "function_call"]
        assert response.output_text == ""


def test_commands_are_no_part_of_the_conversation(server: Server) -> None:
    first = say(server, "hi")
    thanks = say(server, "/good", previous_response_id=first.id)
    assert "will be learned" in thanks.output_text
    (session,) = server.store.sessions.all()
    assert (session.rating, contents(session.messages)) == ("good", ["hi", "base heard hi"])
    # A client goes on from the answer to the command, or refers to it between the others.
    second = say(server, "next", previous_response_id=thanks.id)
    assert second.output_text == "base heard next"
    assert contents(only(server)) == ["hi", "base heard hi", "next", "base heard next"]
    history = list[Any]()
    for said, response in [("hi", first), ("/good", thanks), ("next", second)]:
        reference = {"type": "item_reference", "id": response.output[0].id}
        history += [{"role": "user", "content": said}, reference]
    history.append({"role": "user", "content": "/bad too long"})
    with server.client.responses.stream(model="live", input=history) as stream:
        assert "learn what was wrong" in stream.get_final_response().output_text
    (session,) = server.store.sessions.all()
    assert (session.comment, len(session.messages)) == ("too long", 4)
    assert "no recorded session" in say(server, "/good").output_text
    assert "d_1" in say(server, "/dream").output_text


def test_instructions_are_for_one_request(server: Server) -> None:
    prompts = list[str]()
    server.model.script = lambda prompt, _: prompts.append(prompt) or "yes"  # type: ignore[func-returns-value]
    first = say(
        server,
        [{"role": "developer", "content": "Be kind."}, {"role": "user", "content": "a"}],
        instructions="Be brief.",
    )
    second = say(server, "b", instructions="Be loud.", previous_response_id=first.id)
    say(server, "c", previous_response_id=second.id)
    talk = "system: Be kind.\nuser: a\n"
    assert prompts == [
        f"system: Be brief.\n{talk}assistant: ",
        f"system: Be loud.\n{talk}assistant: yes\nuser: b\nassistant: ",
        f"{talk}assistant: yes\nuser: b\nassistant: yes\nuser: c\nassistant: ",
    ]
    assert contents(only(server)) == ["Be kind.", "a", "yes", "b", "yes", "c", "yes"]


def test_who_goes_on_from_an_earlier_response_leaves_the_session_as_it_is(server: Server) -> None:
    first = say(server, "a")
    say(server, "b", previous_response_id=first.id)
    say(server, "c", previous_response_id=first.id)
    sessions = {tuple(contents(s.messages)) for s in server.store.sessions.all()}
    begun = ("a", "base heard a")
    assert sessions == {(*begun, "b", "base heard b"), (*begun, "c", "base heard c")}


def test_errors_are_openais(server: Server) -> None:
    with pytest.raises(openai.BadRequestError) as lost:
        say(server, "x", previous_response_id="resp_none")
    assert (lost.value.code, lost.value.param) == ("previous_response_not_found", "previous_response_id")
    with pytest.raises(openai.NotFoundError) as unknown:
        say(server, "x", model="nobody@1")
    assert unknown.value.code == "model_not_found"
    refused = post(server, input=[{"role": "user", "content": [{"type": "input_image"}]}])
    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "invalid_request_error")
    assert "input_image" in refused.json()["error"]["message"]
    assert server.store.sessions.all() == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_stream_that_fails_says_so(serving: Callable[..., Server]) -> None:
    server = serving(lambda *_: "oh \N{BOMB}")
    *_, last = server.client.responses.create(model="live", input="boom", stream=True)
    assert last.type == "response.failed"
    assert last.response.error
    assert (last.response.status, last.response.error.code) == ("failed", "server_error")


WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the current weather for a location",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string"}},
        "required": ["location"],
    },
}


def turn(role: str, content: Any) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": content}


# The cases of Open Responses' compliance tests (openresponses/openresponses, src/lib/compliance-tests.ts), in
# our words: what is sent, and which items come back.
COMPLIANCE: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "basic-response": ([turn("user", "Say hello in exactly three words.")], ["message"]),
    "streaming-response": ([turn("user", "Count from one to five.")], ["message"]),
    "system-prompt": ([turn("system", "You talk like a pirate."), turn("user", "Say hello.")], ["message"]),
    "tool-calling": ([turn("user", "What is the weather in Ghent?")], ["function_call"]),
    "tool-calling-streaming": ([turn("user", "What is the weather in Ghent?")], ["function_call"]),
    "multi-turn": (
        [turn("user", "My name is Ann."), turn("assistant", "Hello Ann!"), turn("user", "What is my name?")],
        ["message"],
    ),
}


@pytest.mark.parametrize("case", COMPLIANCE)
def test_open_responses_compliance(serving: Callable[..., Server], case: str) -> None:
    said, expected = COMPLIANCE[case]
    call = '<tool_call>{"name": "get_weather", "arguments": {"location": "Ghent"}}</tool_call>'
    server = serving(lambda prompt, _: call if "weather" in prompt else "Hello.")
    tools = {"tools": [WEATHER]} if case.startswith("tool") else {}
    stream = "streaming" in case
    reply = post(server, model="live", input=said, stream=stream, **tools)
    assert reply.headers["content-type"].startswith("text/event-stream" if stream else "application/json")
    if not stream:
        body = reply.json()
    else:
        *events, end = reply.text.removesuffix("\n\n").split("\n\n")
        assert end == "data: [DONE]"  # which Open Responses wants, and OpenAI's clients take
        data = [json.loads(event.split("data: ", 1)[1]) for event in events]
        assert [f"event: {d['type']}" for d in data] == [event.split("\n", 1)[0] for event in events]
        body = data[-1]["response"]
        if expected == ["function_call"]:
            told = {(d["type"], d["item"]["type"]) for d in data if "item" in d}
            assert told == {(f"response.output_item.{kind}", "function_call") for kind in ("added", "done")}
            kinds = {d["type"] for d in data}
            assert {f"response.function_call_arguments.{kind}" for kind in ("delta", "done")} <= kinds
    assert (body["status"], [item["type"] for item in body["output"]]) == ("completed", expected)


def test_open_responses_compliance_of_images(server: Server) -> None:
    """The one case that fails: our models read text only, and say so."""
    image = {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="}
    refused = post(server, input=[turn("user", [{"type": "input_text", "text": "What is this?"}, image])])
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input.0.content.1.type")


def test_codex(serving: Callable[..., Server]) -> None:
    """A request as Codex 0.171 sends it: its thread is the session, its agents' tools are in a namespace, and
    what it sends that we have not is left out."""
    call = '<tool_call>{"name": "agents.stop", "arguments": {"id": "a"}}</tool_call>'
    server = serving(lambda prompt, _: "stopped" if "<tool_response>" in prompt else call)
    said = [
        {
            "type": "message",
            "id": "msg_1",
            "role": "developer",
            "content": [{"type": "input_text", "text": "Code."}],
        },
        {
            "type": "message",
            "id": "msg_2",
            "role": "user",
            "content": [{"type": "input_text", "text": "stop a"}],
        },
    ]
    body: dict[str, Any] = {
        "model": "live",
        "stream": True,
        "input": said,
        "tools": [
            {**FIND, "description": "finds"},
            {"type": "namespace", "name": "agents", "description": "", "tools": [{**FIND, "name": "stop"}]},
            {"type": "web_search", "external_web_access": False},
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning": {"summary": "auto"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "t1",
        "client_metadata": {"session_id": "s1"},
    }
    headers = {"session-id": "s1", "thread-id": "t1"}

    def send() -> list[dict[str, Any]]:
        reply = server.http.post("/v1/responses", json=body, headers=headers)
        assert reply.headers["x-session-id"] == "t1"
        events = reply.text.removesuffix("\n\n").split("\n\n")[:-1]
        return [json.loads(event.split("data: ", 1)[1]) for event in events]

    # What Codex reads: items when they are done, and the usage at the end.
    first = send()
    (item,) = [event["item"] for event in first if event["type"] == "response.output_item.done"]
    assert (item["namespace"], item["name"], item["arguments"]) == ("agents", "stop", '{"id": "a"}')
    assert first[-1]["response"]["usage"]["total_tokens"]
    said += [item, {"type": "function_call_output", "call_id": item["call_id"], "output": "ok"}]
    (*_, last) = send()
    assert last["response"]["output"][0]["content"][0]["text"] == "stopped"
    session = server.store.sessions.get("t1")
    assert [m.role for m in session.messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert [tool["function"]["name"] for tool in session.tools] == ["find", "agents.stop"]


def test_a_header_that_cannot_name_a_session_is_refused(server: Server) -> None:
    refused = server.http.post("/v1/responses", json={"input": "x"}, headers={"session-id": "x" * 201})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "session-id")
