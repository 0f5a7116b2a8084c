"""After llama.cpp's tools/server/tests/unit/test_compat_anthropic.py."""

from __future__ import annotations

from typing import Any

import httpx

from tests.peers.wire import events, post, refused

MESSAGES = "/v1/messages"
COUNT = "/v1/messages/count_tokens"
HELLO = [{"role": "user", "content": "Hello"}]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="


def tool(name: str, argument: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {argument: {"type": "string"}}, "required": [argument]}
    return {"name": name, "description": f"The {name} tool", "input_schema": schema}


def answer(http: httpx.Client, messages: list[Any] = HELLO, **options: Any) -> dict[str, Any]:
    """A message that has to be answered by one."""
    body = post(http, MESSAGES, **{"max_tokens": 24, "messages": messages, **options})
    assert body["type"] == "message"
    assert body["role"] == "assistant"
    return body


def result(*blocks: dict[str, Any]) -> list[dict[str, Any]]:
    """A conversation whose last turn has a tool's result."""
    use = {"type": "tool_use", "id": "test123", "name": "get_weather", "input": {"location": "Paris"}}
    return [
        {"role": "user", "content": "What's the weather?"},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": list(blocks)},
    ]


SUNNY = {"type": "tool_result", "tool_use_id": "test123", "content": "The weather is sunny, 25°C"}


def test_anthropic_messages_basic(http: httpx.Client) -> None:
    body = answer(http, [{"role": "user", "content": "Say hello"}])
    assert body["content"][0]["type"] == "text"
    assert body["content"][0]["text"]
    assert body["stop_reason"] in ("end_turn", "max_tokens")
    usage = body["usage"]
    for count in ("cache_read_input_tokens", "input_tokens", "output_tokens"):
        assert isinstance(usage[count], int)
    assert usage["output_tokens"] > 0
    assert "timings" not in body


def test_anthropic_messages_with_system(http: httpx.Client) -> None:
    assert answer(http, system="You are a helpful assistant.")["content"]


def test_anthropic_messages_multipart_content(http: httpx.Client) -> None:
    parts = [{"type": "text", "text": "What is"}, {"type": "text", "text": " the answer?"}]
    answer(http, [{"role": "user", "content": parts}])


def test_anthropic_messages_conversation(http: httpx.Client) -> None:
    answer(
        http,
        [
            *HELLO,
            {"role": "assistant", "content": "Hi there!"},
            {"role": "user", "content": "How are you?"},
        ],
    )


def test_anthropic_messages_streaming(http: httpx.Client) -> None:
    seen = events(http, MESSAGES, max_tokens=24, messages=[{"role": "user", "content": "Say hello"}])
    of = {kind: [e for e in seen if e["type"] == kind] for kind in {e["type"] for e in seen}}
    (start,), (block,), (stop,) = of["message_start"], of["content_block_start"], of["content_block_stop"]
    assert start["message"]["type"] == "message"
    assert start["message"]["role"] == "assistant"
    assert start["message"]["content"] == []
    assert start["message"]["usage"]["input_tokens"] > 0
    assert block["index"] == stop["index"] == 0
    assert block["content_block"]["type"] == "text"
    for delta in of["content_block_delta"]:
        assert delta["index"] == 0
        assert delta["delta"]["type"] == "text_delta"
        assert delta["delta"]["text"]
    (end,) = of["message_delta"]
    assert end["delta"]["stop_reason"] in ("end_turn", "max_tokens")
    assert end["usage"]["output_tokens"] > 0
    assert seen[-1] == {"type": "message_stop"}


def test_anthropic_count_tokens(http: httpx.Client) -> None:
    body = post(http, COUNT, messages=[{"role": "user", "content": "Hello world"}])
    assert body["input_tokens"] > 0
    assert "output_tokens" not in body


def test_anthropic_count_tokens_with_system(http: httpx.Client) -> None:
    longer = post(http, COUNT, messages=HELLO, system="You are a helpful assistant in a large hotel.")
    assert longer["input_tokens"] > 0


def test_anthropic_count_tokens_no_max_tokens(http: httpx.Client) -> None:
    assert post(http, COUNT, messages=HELLO).keys() == {"input_tokens"}


def test_anthropic_tool_use_basic(http: httpx.Client) -> None:
    body = answer(
        http,
        [{"role": "user", "content": "What's the weather in Paris?"}],
        tools=[tool("get_weather", "location")],
        tool_choice={"type": "tool", "name": "get_weather"},
        temperature=0,
        max_tokens=128,
    )
    (use,) = [block for block in body["content"] if block["type"] == "tool_use"]
    assert body["stop_reason"] == "tool_use"
    assert use["id"]
    assert use["name"] == "get_weather"
    assert isinstance(use["input"], dict)


def test_anthropic_tool_result(http: httpx.Client) -> None:
    assert answer(http, result(SUNNY))["content"][0]["type"] == "text"


def test_anthropic_tool_result_with_text(http: httpx.Client) -> None:
    assert answer(http, result({"type": "text", "text": "Here are the results:"}, SUNNY))["content"]


def test_anthropic_tool_result_error(http: httpx.Client) -> None:
    answer(http, result({**SUNNY, "is_error": True, "content": "City not found"}))


def test_anthropic_tool_streaming(http: httpx.Client) -> None:
    seen = events(
        http,
        MESSAGES,
        messages=[{"role": "user", "content": "Calculate 2+2"}],
        tools=[tool("calculator", "expression")],
        tool_choice={"type": "any"},
        temperature=0,
        max_tokens=128,
    )
    assert (seen[0]["type"], seen[-1]["type"]) == ("message_start", "message_stop")
    starts = [e["content_block"] for e in seen if e["type"] == "content_block_start"]
    assert [start["name"] for start in starts if start["type"] == "tool_use"] == ["calculator"]


def test_anthropic_vision_format_accepted(http: httpx.Client) -> None:
    """No model here sees; the peer, too, says so for one that does not."""
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    parts = [{"type": "image", "source": source}, {"type": "text", "text": "What is this?"}]
    body = {"model": "live", "max_tokens": 10, "messages": [{"role": "user", "content": parts}]}
    assert "image" in refused(http, MESSAGES, body)["message"].lower()


def test_anthropic_stop_sequences(http: httpx.Client) -> None:
    messages = [{"role": "user", "content": "Count to 10"}]
    body = answer(http, messages, stop_sequences=["\n", "END"])
    assert not any("\n" in block["text"] for block in body["content"])


def test_anthropic_temperature(http: httpx.Client) -> None:
    answer(http, temperature=0.5)


def test_anthropic_top_p(http: httpx.Client) -> None:
    answer(http, top_p=0.9)


def test_anthropic_top_k(http: httpx.Client) -> None:
    answer(http, top_k=40)


def test_anthropic_empty_messages(http: httpx.Client) -> None:
    """Anthropic refuses these; the peer makes something up."""
    refused(http, MESSAGES, {"model": "live", "max_tokens": 50, "messages": []})


def test_anthropic_streaming_content_block_indices(http: httpx.Client) -> None:
    seen = events(
        http,
        MESSAGES,
        messages=[{"role": "user", "content": "Use the test tool"}],
        tools=[tool("test_tool", "param")],
        max_tokens=64,
    )
    starts = [e["index"] for e in seen if e["type"] == "content_block_start"]
    stops = [e["index"] for e in seen if e["type"] == "content_block_stop"]
    assert starts == stops == [*range(len(starts))]


def test_anthropic_thinking(http: httpx.Client) -> None:
    messages = [{"role": "user", "content": "What is 2+2?"}]
    thinking = {"type": "enabled", "budget_tokens": 1024}
    answer(http, messages, thinking=thinking, max_tokens=1100, stop_sequences=["\n"])


def test_anthropic_metadata(http: httpx.Client) -> None:
    answer(http, metadata={"user_id": "test_user_123"})


def test_anthropic_vs_openai_different_response_format(http: httpx.Client) -> None:
    openai = post(http, "/v1/chat/completions", messages=HELLO, max_tokens=8)
    anthropic = answer(http, max_tokens=8)
    assert openai["object"] == "chat.completion"
    assert "choices" in openai
    assert "content" in anthropic
    assert {"prompt_tokens", "completion_tokens"} <= openai["usage"].keys()
    assert {"input_tokens", "output_tokens"} <= anthropic["usage"].keys()
