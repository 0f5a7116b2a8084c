"""The Messages API over HTTP, as Anthropic's SDK and Claude Code speak it.

What llama.cpp's tests expect of this API is among it, but for images, thinking and `top_k`.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from nightschool.types import BASE, Message
from tests.serve.conftest import Server

HEADERS = {"anthropic-version": "2023-06-01", "anthropic-beta": "x-2026-01-01", "x-api-key": "none"}
FIND = {"name": "find", "description": "Finds.", "input_schema": {"type": "object"}}
CALL = '<tool_call>{"name": "find", "arguments": {"q": "x"}}</tool_call>'
USER = {"role": "user", "content": "find x"}
CALLED = {
    "role": "assistant",
    "content": [{"type": "tool_use", "id": "t1", "name": "find", "input": {"q": "x"}}],
}


def finds(prompt: str, version: str) -> str:
    """Calls the tool, and tells what it found."""
    found = prompt.rpartition("<tool_response>")[2].partition("</tool_response>")
    return f"It is {found[0].strip()}." if found[1] else f"Let me see. {CALL}"


@pytest.fixture
def finder(serving: Callable[..., Server]) -> Server:
    return serving(finds)


def post(server: Server, *said: Any, path: str = "", **fields: Any) -> httpx.Response:
    """The answer to turns; a text is one of the user's."""
    messages = [{"role": "user", "content": s} if isinstance(s, str) else s for s in said or ("Say hello",)]
    body = {"model": "live", "max_tokens": 50, "messages": messages, **fields}
    given = {key: value for key, value in body.items() if value is not None}
    return server.http.post(f"/v1/messages{path}?beta=true", json=given, headers=HEADERS)


def say(server: Server, *said: Any, **fields: Any) -> dict[str, Any]:
    answer = post(server, *said, **fields)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = [event.split("\n") for event in answer.text.removesuffix("\n\n").split("\n\n")]
    found = [json.loads(data.removeprefix("data: ")) for _, data in lines]
    assert [name for name, _ in lines] == [f"event: {event['type']}" for event in found]
    return found


def accumulated(answer: httpx.Response) -> dict[str, Any]:
    """The message that a stream tells, put together as Anthropic's SDK does."""
    message: dict[str, Any] = {}
    for event in events(answer):
        match event["type"]:
            case "message_start":
                message = event["message"]
            case "content_block_start":
                message["content"].append({**event["content_block"]})
            case "content_block_delta":
                block, delta = message["content"][event["index"]], event["delta"]
                if delta["type"] == "text_delta":
                    block["text"] += delta["text"]
                else:
                    block["input"] = json.loads(delta["partial_json"])
            case "message_delta":
                message |= event["delta"] | {"usage": event["usage"]}
    return message


def contents(messages: Sequence[Message]) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in messages]


def only(server: Server) -> tuple[Message, ...]:
    (session,) = server.store.sessions.all()
    return session.messages


def test_a_message_is_answered_and_recorded(server: Server) -> None:
    answer = post(server, "hi", metadata={"user_id": "ann"})
    body = answer.json()
    assert body == {
        "id": body["id"],
        "type": "message",
        "role": "assistant",
        "model": BASE,
        "content": [{"type": "text", "text": "base heard hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": len("user: hi\nassistant: "),
            "output_tokens": len("base heard hi") + 1,  # EOS is sampled, too
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
    }
    assert body["id"].startswith("msg_")
    session = server.store.sessions.get(answer.headers["x-session-id"])
    assert contents(session.messages) == [("user", "hi"), ("assistant", "base heard hi")]
    assert session.user == "ann"
    assert server.store.sessions.of_response(body["id"]) == session.id
    assert answer.headers["request-id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "fields",
    [
        {"system": "You are a helpful assistant."},
        {"system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]},
        {"stop_sequences": ["\n", "END"]},
        {"temperature": 0.5},
        {"top_p": 0.9},
        {"thinking": {"type": "enabled", "budget_tokens": 50}},
        {"metadata": {"user_id": "test_user_123"}},
    ],
)
def test_what_clients_send_is_accepted(server: Server, fields: dict[str, Any]) -> None:
    body = say(server, "Hello", {"role": "assistant", "content": "Hi!"}, "How are you?", **fields)
    assert (body["type"], body["content"][0]["type"], body["stop_reason"]) == ("message", "text", "end_turn")
    assert body["content"][0]["text"].startswith("base heard How are you?")


def test_a_stream_says_the_same(server: Server) -> None:
    answer = post(server, "grüße", stream=True)
    told = events(answer)
    kinds = [event["type"] for event in told]
    assert kinds[:3] == ["message_start", "ping", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert kinds.count("content_block_delta") > 5  # really in pieces
    message = accumulated(answer)
    whole = say(server, "grüße")
    assert {**message, "id": ""} == {**whole, "id": ""}
    assert answer.headers["x-session-id"]


def test_why_an_answer_ends(server: Server) -> None:
    stopped = say(server, "one two three", stop_sequences=["three", "two"])
    assert stopped["content"] == [{"type": "text", "text": "base heard one "}]
    assert (stopped["stop_reason"], stopped["stop_sequence"]) == ("stop_sequence", "two")
    message = accumulated(post(server, "one two three", stop_sequences=["three", "two"], stream=True))
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "two")
    assert say(server, "hi", max_tokens=4)["stop_reason"] == "max_tokens"


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called_and_its_result_answered(finder: Server, stream: bool) -> None:
    def said(*turns: Any) -> dict[str, Any]:
        answer = post(finder, *turns, tools=[FIND], stream=stream, max_tokens=200)
        return accumulated(answer) if stream else answer.json()

    first = said(USER)
    text, call = first["content"]
    assert (text["text"].strip(), first["stop_reason"]) == ("Let me see.", "tool_use")
    assert call == {"type": "tool_use", "id": call["id"], "name": "find", "input": {"q": "x"}}
    given = {"type": "tool_result", "tool_use_id": call["id"], "content": "42"}
    back = {"role": "assistant", "content": first["content"]}
    second = said(USER, back, {"role": "user", "content": [given]})
    assert second["content"] == [{"type": "text", "text": "It is 42."}]
    user, asked, tool, answer = only(finder)
    assert contents([user, tool, answer]) == [("user", "find x"), ("tool", "42"), ("assistant", "It is 42.")]
    assert asked.tool_calls[0].id == tool.tool_call_id == call["id"]


@pytest.mark.parametrize(
    ("blocks", "answer"),
    [
        ([{"content": "Sunny, 25°C"}], "It is Sunny, 25°C."),
        ([{"content": [{"type": "text", "text": "Sunny"}]}], "It is Sunny."),
        ([{"content": "City not found", "is_error": True}], "It is Error: City not found."),
        ([{"type": "text", "text": "Here are the results:"}, {"content": "Sunny"}], "It is Sunny."),
    ],
)
def test_results_as_clients_send_them(finder: Server, blocks: list[dict[str, Any]], answer: str) -> None:
    content = [{"type": "tool_result", "tool_use_id": "t1", **block} for block in blocks]
    body = say(finder, USER, CALLED, {"role": "user", "content": content})
    assert body["content"] == [{"type": "text", "text": answer}]


def test_blocks_are_numbered(serving: Callable[..., Server]) -> None:
    server = serving(lambda *_: f"Two. {CALL}{CALL} Done.")
    answer = post(server, tools=[FIND], stream=True, max_tokens=300)
    told = events(answer)
    for kind in ("content_block_start", "content_block_stop"):
        assert [event["index"] for event in told if event["type"] == kind] == [0, 1, 2]
    assert accumulated(answer)["content"][0]["text"].split() == ["Two.", "Done."]


def test_counting_tokens(server: Server) -> None:
    said: dict[str, Any] = {"system": "Be brief.", "tools": [FIND]}
    counted = post(server, "hi", path="/count_tokens", max_tokens=None, **said).json()
    assert counted == {"input_tokens": say(server, "hi", **said)["usage"]["input_tokens"]}
    assert len(server.store.sessions.all()) == 1  # of the answer
    begun = {"role": "assistant", "content": "yes"}
    assert post(server, "hi", begun, path="/count_tokens", max_tokens=None).json()["input_tokens"] > 0
    unknown = post(server, "hi", path="/count_tokens", model="nobody@1", max_tokens=None)
    assert (unknown.status_code, unknown.json()["error"]["type"]) == (404, "not_found_error")


@pytest.mark.parametrize("stream", [False, True])
def test_commands_and_session_ids(server: Server, stream: bool) -> None:
    def said(*turns: Any) -> str:
        answer = post(server, *turns, stream=stream)
        text: str = (accumulated(answer) if stream else answer.json())["content"][0]["text"]
        return text

    server.http.headers["X-Session-Id"] = "mine"
    hello = {"role": "assistant", "content": said("hi")}
    clock = {"role": "system", "content": "It is nine."}  # as Claude Code adds
    thanks = said("hi", hello, "/good", clock)
    assert "mine will be learned" in thanks
    assert server.store.sessions.get("mine").rating == "good"
    assert said("hi", hello, "/good", clock, {"role": "assistant", "content": thanks}, "next").startswith(
        "base"
    )
    spoken = [m for m in only(server) if m.role != "system"]
    assert [m.content for m in spoken][:3] == ["hi", "base heard hi", "next"]


def refusal(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert set(body) == {"type", "error", "request_id"}
    assert set(body["error"]) == {"type", "message"}
    assert (body["type"], body["request_id"][:4]) == ("error", "req_")
    assert answer.headers.get("request-id", body["request_id"]) == body["request_id"]
    return answer.status_code, body["error"]["type"]


def test_errors_are_anthropics_here_and_openais_elsewhere(
    serving: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serving(context_length=300, max_body_bytes=5000)
    invalid = (400, "invalid_request_error")
    assert refusal(post(server, max_tokens=None)) == invalid
    assert refusal(post(server, messages=None)) == invalid
    assert refusal(post(server, messages=[])) == invalid
    assert refusal(post(server, "x" * 300)) == invalid
    assert refusal(post(server, "x" * 5000)) == (413, "request_too_large")
    assert refusal(post(server, model="nobody@1")) == (404, "not_found_error")
    assert refusal(post(server, path="/batches")) == (404, "not_found_error")
    assert refusal(server.http.get("/v1/messages")) == (405, "invalid_request_error")
    broken = server.http.post("/v1/messages", content="{", headers={"content-type": "application/json"})
    assert refusal(broken) == invalid
    assert set(server.http.post("/v1/chat/completions", json={}).json()) == {"error"}

    def lost(*_: object) -> str:
        raise KeyError("secret")

    monkeypatch.setattr(server.store.sessions, "find", lost)
    assert refusal(post(server)) == (500, "api_error")


def test_who_may_not_ask_is_told_so(serving: Callable[..., Server]) -> None:
    server = serving(api_key="sesame")
    assert refusal(post(server)) == (401, "authentication_error")
    server.http.headers["Host"] = "evil.example"
    assert refusal(post(server)) == (403, "permission_error")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_goes_wrong_in_a_stream_is_an_event(serving: Callable[..., Server]) -> None:
    server = serving(lambda *_: "so \N{BOMB}")
    *_, last = events(post(server, stream=True))
    assert (last["type"], last["error"]["type"]) == ("error", "api_error")


def test_models_have_what_anthropics_clients_read(server: Server) -> None:
    page = server.http.get("/v1/models", headers=HEADERS).json()
    assert (page["has_more"], page["first_id"], page["last_id"]) == (False, "live", "base")
    live = server.http.get("/v1/models/live", headers=HEADERS).json()
    assert live == page["data"][0]
    assert (live["type"], live["display_name"]) == ("model", "live")


def test_the_sdks_types_accept_all(finder: Server) -> None:
    """Run where the real clients are installed."""
    types = pytest.importorskip("anthropic.types")
    message, event = TypeAdapter(types.Message), TypeAdapter(types.RawMessageStreamEvent)
    for turns in ([USER], [USER, CALLED, {"role": "user", "content": "hi"}], ["/good"]):
        message.validate_python(say(finder, *turns, tools=[FIND]))
        for told in events(post(finder, *turns, tools=[FIND], stream=True)):
            if told["type"] != "ping":  # its SDK leaves it out before it looks at types
                event.validate_python(told)
    for model in finder.http.get("/v1/models").json()["data"]:
        TypeAdapter(types.ModelInfo).validate_python(model)
    counted = post(finder, path="/count_tokens", max_tokens=None).json()
    TypeAdapter(types.MessageTokensCount).validate_python(counted)
    TypeAdapter(types.beta_error_response.BetaErrorResponse).validate_python(post(finder, model="x").json())
