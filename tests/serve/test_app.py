"""The server through its real client."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import openai
import pytest
from openai.types.chat import ChatCompletionFunctionToolParam

from nightschool.types import BASE
from tests.helpers import attested, promote, scripted_version
from tests.serve.conftest import Server

TOOLS: list[ChatCompletionFunctionToolParam] = [
    {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}
]


def test_answers_and_names_who_answered(server: Server) -> None:
    raw = server.client.chat.completions.with_raw_response.create(
        model="live", messages=[{"role": "user", "content": "hello"}]
    )
    answer = raw.parse()
    assert answer.choices[0].message.content == "base heard hello"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == raw.headers["x-nightschool-version"] == BASE
    assert answer.id.startswith("chatcmpl-")
    assert answer.usage is not None
    assert answer.usage.completion_tokens == len("base heard hello") + 1  # EOS is sampled, too


def test_streams_the_same(server: Server) -> None:
    chunks = list(
        server.client.chat.completions.create(
            model="live",
            messages=[{"role": "user", "content": "grüße"}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "base heard grüße"
    assert len([c for c in chunks if c.choices and c.choices[0].delta.content]) > 5  # really in pieces
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    assert {c.model for c in chunks} == {BASE}


def test_max_tokens_and_stop(server: Server) -> None:
    answer = server.client.chat.completions.create(
        model="base", messages=[{"role": "user", "content": "x"}], max_tokens=4
    )
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("base", "length")
    assert server.ask("one two three", stop=["two"]) == "base heard one "


def test_every_turn_is_recorded_with_its_tokens(server: Server) -> None:
    raw = server.client.chat.completions.with_raw_response.create(
        model="live", messages=[{"role": "user", "content": "hi"}], user="ann"
    )
    session = server.store.sessions.get(raw.headers["x-session-id"])
    assert [m.content for m in session.messages] == ["hi", "base heard hi"]
    assert session.user == "ann"
    assert server.store.sessions.of_response(raw.parse().id) == session.id


def test_a_session_is_found_by_its_messages(server: Server) -> None:
    first = server.ask("hi")
    second = server.ask("hi", first, "more")
    server.ask("hi", first, "more", second, "again")
    server.ask("hi")  # another one begins the same way
    assert [len(s.messages) for s in server.store.sessions.all()] == [2, 6]


def test_an_edited_answer_replaces_the_recorded_one(server: Server) -> None:
    server.ask("hi", session="mine")
    server.ask("hi", "what I wanted", "next", session="mine")
    contents = [m.content for m in server.store.sessions.get("mine").messages]
    assert contents == ["hi", "what I wanted", "next", "base heard next"]


def test_requests_that_come_together(server: Server) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(server.ask, [f"n{i}" for i in range(4)]))
    assert answers == [f"base heard n{i}" for i in range(4)]


def add_version(server: Server, home: Path, name: str, attest: dict[str, Any] | None = None) -> None:
    """A version that is not live."""
    directory = scripted_version(home, name, attest or attested())
    promote(server.store, name, BASE, directory)
    server.store.versions.point_to(BASE, expect=name)


def test_versions_in_one_batch(server: Server, home: Path) -> None:
    add_version(server, home, "n@1")
    assert server.ask("warm up", model="n@1") == "n@1 heard warm up"
    joined, seen = threading.Event(), threading.Event()

    def hold() -> None:
        seen.set()
        joined.wait(20)

    server.model.before_step = hold
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(server.ask, "a", model="base")
        assert seen.wait(20)
        second = pool.submit(server.ask, "b", model="n@1")
        # Let the first go on until the second has joined it.
        server.model.before_step = lambda: None
        joined.set()
        assert (first.result(), second.result()) == ("base heard a", "n@1 heard b")


def test_a_new_live_version_answers_without_a_restart_and_running_answers_finish(
    server: Server, home: Path
) -> None:
    add_version(server, home, "n@1")
    started, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        started.set()
        go_on.wait(20)

    server.model.before_step = hold
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(server.ask, "old")
        assert started.wait(20)
        server.store.versions.point_to("n@1", expect=BASE)
        next_one = pool.submit(server.ask, "new")
        go_on.set()
        assert running.result() == "base heard old"
        assert next_one.result() == "n@1 heard new"
    assert server.store.versions.swaps()[0].ok
    assert server.http.get("/healthz").json()["answering"] == "n@1"
    server.store.versions.point_to(BASE, expect="n@1")
    assert server.ask("back") == "base heard back"


REFUSED = {"logprobs": attested(-1.5), "missing": None, "empty": {"tolerance": 1, "cases": []}}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_version_that_cannot_prove_itself_is_refused_once_and_not_live(
    server: Server, home: Path, fault: str
) -> None:
    promote(server.store, "n@1", BASE, scripted_version(home, "n@1", REFUSED[fault]))
    assert server.ask("x") == server.ask("x") == "base heard x"
    (swap,) = server.store.versions.swaps()
    assert not swap.ok
    assert "n@1" in swap.detail
    health = server.http.get("/healthz").json()
    assert (health["live"], health["answering"], health["refused"]["version"]) == (BASE, BASE, "n@1")
    with pytest.raises(openai.InternalServerError):
        server.ask("x", model="n@1")


def test_a_refused_version_is_not_live_after_a_restart(serving: Callable[..., Server], home: Path) -> None:
    first = serving()
    promote(first.store, "n@1", BASE, scripted_version(home, "n@1", attested()))
    assert first.ask("x") == "n@1 heard x"
    promote(first.store, "n@2", "n@1", scripted_version(home, "n@2", attested(-1.5)))
    for server in (first, serving()):  # the second one begins with nothing loaded
        assert server.ask("x") == "n@1 heard x"
        health = server.http.get("/healthz").json()
        assert (health["live"], health["answering"], health["refused"]["version"]) == ("n@1", "n@1", "n@2")
        assert server.store.versions.live() == "n@1"
        assert server.http.get("/v1/versions").json()["live"] == "n@1"
    # The next dream's version goes on from the one that answers, and may be live.
    promote(first.store, "n@3", "n@1", scripted_version(home, "n@3", attested()))
    assert first.ask("x") == "n@3 heard x"
    assert first.http.get("/healthz").json()["refused"] is None


def test_the_model_answers_to_its_other_names(server: Server) -> None:
    server.model.aliases = ("org/scripted",)
    assert server.ask("x", model="org/scripted") == server.ask("x", model="scripted") == "base heard x"


def test_models_lists_base_live_and_versions(server: Server, home: Path) -> None:
    add_version(server, home, "n@1")
    assert [m.id for m in server.client.models.list()] == ["live", "base", "n@1"]
    assert server.http.get("/v1/versions").json()["data"][0]["name"] == "n@1"


def test_tools_come_back_as_calls(serving: Callable[..., Server]) -> None:
    call = '<tool_call>{"name": "find", "arguments": {"q": "x"}}</tool_call>'
    server = serving(lambda prompt, _: "found it" if "<tool_response>" in prompt else f"Let me see. {call}")
    messages: list[Any] = [{"role": "user", "content": "find x"}]
    answer = server.client.chat.completions.create(model="live", messages=messages, tools=TOOLS)
    message = answer.choices[0].message
    assert answer.choices[0].finish_reason == "tool_calls"
    assert message.content == "Let me see."
    assert message.tool_calls is not None
    assert message.tool_calls[0].type == "function"
    assert json.loads(message.tool_calls[0].function.arguments) == {"q": "x"}
    messages += [
        message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "42"},
    ]
    again = server.client.chat.completions.create(model="live", messages=messages, tools=TOOLS)
    assert again.choices[0].message.content == "found it"
    assert len(server.store.sessions.all()[0].messages) == 4
    assert server.store.sessions.all()[0].tools[0]["function"]["name"] == "find"


@pytest.mark.parametrize(
    "text",
    [
        "Wait. {call} Then.",
        "{call}\nThen.",
        " {call}",
        "Wait. <tool_call>{ {call} Then.",
        "Wait. <tool_call>[1]</tool_call> ",
        'Wait. <tool_call>{"name": "find", "arguments": {"q": "</tool_call>"}}',
    ],
)
def test_what_is_streamed_is_what_is_answered(serving: Callable[..., Server], text: str) -> None:
    said = text.replace("{call}", '<tool_call>{"name": "find", "arguments": {"q": "x"}}</tool_call>')
    server = serving(lambda *_: said)
    asked: Any = {"model": "live", "messages": [{"role": "user", "content": "x"}], "tools": TOOLS}
    whole = server.client.chat.completions.create(**asked).choices[0]
    chunks = [chunk.choices[0] for chunk in server.client.chat.completions.create(**asked, stream=True)]
    streamed = "".join(chunk.delta.content or "" for chunk in chunks)
    assert streamed.split() == (whole.message.content or "").split()
    calls = [call.function for chunk in chunks for call in chunk.delta.tool_calls or ()]
    made = [call.function for call in whole.message.tool_calls or ()]
    assert [(call.name, call.arguments) for call in calls if call] == [(c.name, c.arguments) for c in made]
    assert chunks[-1].finish_reason == whole.finish_reason == ("tool_calls" if calls else "stop")


CALL = '<tool_call>{"name": "find", "arguments": {}}</tool_call>'


@pytest.mark.parametrize("behind", ["", " Done."])
def test_tools_stream_as_calls_and_their_text_is_held_back(
    serving: Callable[..., Server], behind: str
) -> None:
    server = serving(lambda *_: f"Wait. {CALL}{behind}")
    chunks = list(
        server.client.chat.completions.create(
            model="live",
            messages=[{"role": "user", "content": "go"}],
            tools=TOOLS,
            stream=True,
        )
    )
    text = "".join(c.choices[0].delta.content or "" for c in chunks)
    (call,) = [call for c in chunks for call in c.choices[0].delta.tool_calls or ()]
    assert text == f"Wait. {behind}"
    assert call.function
    assert call.function.name == "find"
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_slash_commands_speak_to_the_server_only(server: Server) -> None:
    said = server.ask("hi")
    thanks = server.ask("hi", said, "/good")
    assert "will be learned" in thanks
    (session,) = server.store.sessions.all()
    assert session.rating == "good"
    assert [m.content for m in session.messages] == ["hi", said]
    # The client sends the command and its answer back; neither reaches the model or the record.
    assert server.ask("hi", said, "/good", thanks, "next") == "base heard next"
    assert [m.content for m in server.store.sessions.get(session.id).messages] == [
        "hi",
        said,
        "next",
        "base heard next",
    ]
    assert "learn what was wrong" in server.ask("hi", said, "next", "base heard next", "/bad too long")
    assert server.store.sessions.get(session.id).comment == "too long"
    assert "Took back" in server.ask("hi", said, "next", "base heard next", "/undo")
    assert server.store.sessions.get(session.id).rating == "good"
    assert "d_1" in server.ask("/dream")
    assert server.dreams == ["d_1"]
    assert "no recorded session" in server.ask("/good")
    assert server.ask("/goodbye") == "base heard /goodbye"


def test_what_is_liked_is_what_the_client_shows(server: Server) -> None:
    """The user edited the last answer and likes the session at once, with no session id."""
    server.ask("hi")
    assert "will be learned" in server.ask("hi", "what I wanted", "/good")
    liked = [s for s in server.store.sessions.all() if s.rating == "good"]
    assert [[m.content for m in s.messages] for s in liked] == [["hi", "what I wanted"]]


def test_a_rating_in_the_chat_is_for_the_chat_and_not_for_its_title(server: Server) -> None:
    """As opencode does: both requests have the chat's id, and the title is asked for last."""
    said = server.ask("Sort a list", session="ses_1")
    about = [
        {"role": "system", "content": "You write titles."},
        {"role": "user", "content": "Generate a title for this conversation:\n"},
        {"role": "user", "content": "Sort a list"},
    ]
    body = {"model": "live", "messages": about}
    title = server.http.post("/v1/chat/completions", json=body, headers={"X-Session-Id": "ses_1"})
    helper = title.headers["x-session-id"]
    listed = [server.http.get(f"/v1/sessions{query}").json()["data"] for query in ("", "?helpers=true")]
    assert [s["id"] for s in listed[0]] == ["ses_1"]
    assert {s["id"]: s["source"] for s in listed[1]} == {"ses_1": "api", helper: "helper"}
    assert "will be learned" in server.ask("Sort a list", said, " /good thanks", session="ses_1")
    (liked,) = [s for s in server.store.sessions.all(helpers=True) if s.rating]
    assert (liked.id, liked.comment, [m.content for m in liked.messages]) == (
        "ses_1",
        "thanks",
        ["Sort a list", said],
    )


def test_a_command_in_parts(server: Server) -> None:
    said = server.ask("hi", session="mine")
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": said}]
    parts = [{"type": "text", "text": text} for text in ("/bad ", "too long")]
    body = {"model": "live", "messages": [*turns, {"role": "user", "content": parts}]}
    server.http.post("/v1/chat/completions", json=body, headers={"X-Session-Id": "mine"})
    assert server.store.sessions.get("mine").comment == "too long"


@pytest.mark.parametrize("name", ["a b", "größe/日本 🦉", "run[/1]", "what?x=1#2", "%20", "x" * 200])
def test_a_session_id_is_any_text(server: Server, name: str) -> None:
    body = {"model": "live", "messages": [{"role": "user", "content": "hi"}]}
    for sent in (body, {**body, "stream": True}):
        answer = server.http.post("/v1/chat/completions", json=sent, headers={b"X-Session-Id": name.encode()})
        assert answer.status_code == 200
        assert dict(answer.headers.raw)[b"x-session-id"].decode() == name
    assert server.http.get(f"/v1/sessions/{quote(name, safe='')}").json()["id"] == name
    rated = server.http.post("/v1/feedback", json={"session_id": name, "rating": "good"})
    assert rated.json()["session_id"] == name
    assert [s.id for s in server.store.sessions.all()] == [name]


@pytest.mark.parametrize("name", [b"", b"x" * 201, "a\x85b".encode(), "a\u2028b".encode()])
def test_a_session_id_that_cannot_be_shown_is_refused(server: Server, name: bytes) -> None:
    body = {"model": "live", "messages": [{"role": "user", "content": "hi"}]}
    refused = server.http.post("/v1/chat/completions", json=body, headers={b"X-Session-Id": name})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "X-Session-Id")
    assert server.store.sessions.all() == []


def test_commands_stream(server: Server) -> None:
    chunks = list(
        server.client.chat.completions.create(
            model="live", messages=[{"role": "user", "content": "/dream"}], stream=True
        )
    )
    assert "d_1" in "".join(c.choices[0].delta.content or "" for c in chunks)


def test_feedback_is_idempotent_and_can_be_taken_back(server: Server) -> None:
    server.ask("hi", session="mine")
    body = {"id": "f1", "session_id": "mine", "rating": "good"}
    assert server.http.post("/v1/feedback", json=body).json()["new"]
    assert not server.http.post("/v1/feedback", json=body).json()["new"]
    clash = server.http.post("/v1/feedback", json={**body, "rating": "bad"})
    assert clash.status_code == 400
    assert server.http.get("/v1/sessions/mine").json()["rating"] == "good"
    assert server.http.delete("/v1/feedback/f1").json()["retracted"]
    assert server.http.get("/v1/sessions/mine").json()["rating"] is None
    assert server.http.get("/v1/sessions").json()["data"][0]["turns"] == 2


def response_of(server: Server, text: str) -> str:
    """The id of the answer to a text."""
    return server.client.chat.completions.create(
        model="live", messages=[{"role": "user", "content": text}], extra_headers={"X-Session-Id": "mine"}
    ).id


@pytest.mark.parametrize(
    "said",
    [
        {"signal": "accepted"},
        {"signal": "rejected", "comment": "no, use the other account"},
        {"signal": "rejected"},
        {"signal": "edited", "edited": "what I wanted"},
    ],
)
def test_a_signal_is_idempotent_and_can_be_taken_back(server: Server, said: dict[str, str]) -> None:
    response = response_of(server, "hi")
    body = {"response_id": response, **said}
    first = server.http.post("/v1/feedback", json=body).json()
    assert first == {
        "id": first["id"],
        "session_id": "mine",
        "response_id": response,
        "signal": said["signal"],
        "new": True,
    }
    again = server.http.post("/v1/feedback", json={**body, "id": first["id"]}).json()
    assert again == {**first, "new": False}
    (kept,) = server.store.feedback.signals("mine")
    assert (kept.id, kept.response_id, kept.kind) == (first["id"], response, said["signal"])
    assert (kept.text, kept.comment, kept.position) == (said.get("edited"), said.get("comment"), 1)
    for _ in range(2):
        taken = server.http.delete(f"/v1/feedback/{first['id']}").json()
        assert taken == {"id": first["id"], "session_id": "mine", "retracted": True}
    assert server.store.feedback.signals("mine") == []


def test_an_id_is_one_rating_or_one_signal(server: Server) -> None:
    response = response_of(server, "hi")
    accepted = {"id": "f1", "response_id": response, "signal": "accepted"}
    assert server.http.post("/v1/feedback", json=accepted).status_code == 200
    for other in ({**accepted, "signal": "rejected"}, {"id": "f1", "session_id": "mine", "rating": "good"}):
        clash = server.http.post("/v1/feedback", json=other)
        assert (clash.status_code, clash.json()["error"]["param"]) == (400, "id")
    assert server.http.get("/v1/sessions/mine").json()["rating"] is None
    unknown = server.http.post("/v1/feedback", json={"response_id": "chatcmpl-x", "signal": "accepted"})
    assert unknown.status_code == 404


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"response_id": "r"}, "rating"),
        ({"response_id": "r", "rating": "good", "signal": "accepted"}, "rating"),
        ({"response_id": "r", "signal": "ignored"}, "signal"),
        ({"signal": "accepted"}, "response_id"),
        ({"session_id": "s", "signal": "accepted"}, "response_id"),
        ({"session_id": "s", "response_id": "r", "signal": "accepted"}, "session_id"),
        ({"rating": "good"}, "session_id"),
        ({"session_id": "s", "response_id": "r", "rating": "good"}, "session_id"),
        ({"response_id": "r", "signal": "edited"}, "edited"),
        ({"response_id": "r", "signal": "edited", "edited": ""}, "edited"),
        ({"response_id": "r", "signal": "accepted", "edited": "x"}, "edited"),
        ({"response_id": "r", "signal": "rejected", "edited": "x"}, "edited"),
        ({"response_id": "r", "rating": "good", "edited": "x"}, "edited"),
        ({"response_id": "r", "signal": "accepted", "comment": "x"}, "comment"),
        ({"response_id": "r", "signal": "edited", "edited": "x", "comment": "x"}, "comment"),
    ],
)
def test_feedback_that_does_not_go_together(server: Server, body: dict[str, str], param: str) -> None:
    answer = server.http.post("/v1/feedback", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_dreams_over_http(server: Server) -> None:
    assert server.http.post("/v1/dreams").status_code == 202
    server.store.dreams.start("d_9", sessions=[], parent=BASE, config={}, pid=1)
    with server.store.dreams.lock():
        busy = server.http.post("/v1/dreams")
    assert busy.status_code == 409
    assert "running" in busy.json()["error"]["message"]
    assert server.http.get("/v1/dreams/d_9").json()["status"] == "running"
    assert len(server.http.get("/v1/dreams").json()["data"]) == 1


def schema_format(schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, **more}}


def bad_tools(parameters: dict[str, Any], **more: Any) -> list[Any]:
    return [*TOOLS, {"type": "function", "function": {"name": "f", "parameters": parameters, **more}}]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"logit_bias": {"1": 200}}, "logit_bias"),
        ({"logit_bias": {"hello": 1}}, "logit_bias"),
        ({"n": 17}, "n"),
        ({"temperature": 3}, "temperature"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"top_logprobs": 21, "logprobs": True}, "top_logprobs"),
        ({"repetition_penalty": 1.1}, "repetition_penalty"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
        ({"tool_choice": {"type": "custom"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "function", "function": {"name": "nope"}}}, "tool_choice"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": schema_format({"type": "strin"})}, "response_format"),
        ({"response_format": schema_format({"type": "object", "not": {}}, strict=True)}, "response_format"),
        ({"tools": bad_tools({"type": "strin"}), "tool_choice": "required"}, "tools"),
        ({"tools": bad_tools({"type": "object", "if": {}}, strict=True)}, "tools"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages.0"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0"),
        ({"messages": [{"role": "assistant"}]}, "messages.0"),
        ({"response_format": {"type": "grammar"}}, "response_format.type"),
    ],
)
def test_what_is_not_supported_is_refused_in_openais_shape(
    server: Server, change: dict[str, object], param: str
) -> None:
    body = {"model": "live", "messages": [{"role": "user", "content": "x"}], **change}
    answer = server.http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"].startswith(param)
    assert "\n" not in error["message"]
    assert server.store.sessions.all() == []


def test_broken_json_unknown_model_unknown_session(server: Server) -> None:
    broken = server.http.post(
        "/v1/chat/completions", content="{", headers={"content-type": "application/json"}
    )
    assert (broken.status_code, broken.json()["error"]["message"]) == (400, "the body is not valid JSON")
    with pytest.raises(openai.NotFoundError) as missing:
        server.ask("x", model="nobody@1")
    assert missing.value.code == "model_not_found"
    assert server.http.get("/v1/sessions/nope").status_code == 404
    assert server.http.get("/nope").json()["error"]["type"] == "invalid_request_error"


def test_too_long_for_the_window(serving: Callable[..., Server]) -> None:
    server = serving(context_length=64)
    with pytest.raises(openai.BadRequestError) as refused:
        server.ask("x" * 64)
    assert refused.value.code == "context_length_exceeded"
    assert server.ask("x" * 30) == "base heard " + "x" * 5  # clamped to the room that is left
    assert len(server.store.sessions.all()) == 1


def test_a_body_over_the_limit(serving: Callable[..., Server]) -> None:
    server = serving(max_body_bytes=1000)
    body = json.dumps({"model": "live", "messages": [{"role": "user", "content": "x" * 2000}]}).encode()
    for content in (body, iter([body[:500], body[500:]])):  # with a length, and chunked
        answer = server.http.post(
            "/v1/chat/completions", content=content, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "body_too_large"
    assert server.ask("ok") == "base heard ok"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_failing_model_fails_only_its_answer(serving: Callable[..., Server]) -> None:
    server = serving(lambda prompt, version: "\N{BOMB}" if "boom" in prompt else "fine")
    with pytest.raises(openai.InternalServerError):
        server.ask("boom")
    assert server.ask("hello") == "fine"
    streamed = server.http.post(
        "/v1/chat/completions",
        json={"model": "live", "stream": True, "messages": [{"role": "user", "content": "boom"}]},
    )
    assert '"error"' in streamed.text
    assert "[DONE]" not in streamed.text


def test_a_store_that_refuses_is_told_to_the_client(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from nightschool.errors import StoreError

    def full(**_: object) -> str:
        raise StoreError("the disk is full")

    monkeypatch.setattr(server.store.sessions, "record", full)
    with pytest.raises(openai.InternalServerError, match="disk is full"):
        server.ask("x")


def test_a_client_that_goes_away_is_noted(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    noted = threading.Event()
    skip = server.store.sessions.skip

    def tell(*args: str) -> None:
        skip(*args)
        noted.set()

    def hold() -> None:  # the answer is not complete before the server has seen the client go
        if len(server.model.calls) > 3:
            noted.wait(20)

    monkeypatch.setattr(server.store.sessions, "skip", tell)
    server.model.before_step = hold
    stream = server.client.chat.completions.create(
        model="live", messages=[{"role": "user", "content": "y"}], stream=True
    )
    next(iter(stream))
    stream.close()
    assert noted.wait(20)
    assert "disconnected" in server.store.sessions.skipped()[0].reason
    assert server.store.sessions.all() == []
