"""Sending what peers send, and reading streams without an SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx

WEATHER_TOOL = {
    "type": "function",
    "function": {
        "name": "get_current_weather",
        "description": "Get the current weather in a given city",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "The city, such as San Francisco"},
                "state": {"type": "string", "description": "Two letters of the state, such as CA"},
            },
            "required": ["city", "state"],
        },
    },
}
_PLACES = [("Boston", "MA", 41), ("Denver", "CO", 63), ("Miami", "FL", 88), ("Seattle", "WA", 55)]


def asked(city: str, state: str) -> dict[str, Any]:
    return {"role": "user", "content": f"What is the weather in {city}, {state}?"}


def called(city: str, state: str, call_id: str) -> dict[str, Any]:
    """An assistant's turn that calls the weather tool."""
    function = {
        "name": "get_current_weather",
        "arguments": json.dumps({"city": city, "state": state}),
    }
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": call_id, "type": "function", "function": function}],
    }


def told(degrees: int, call_id: str) -> dict[str, Any]:
    """The weather tool's turn."""
    return {"role": "tool", "tool_call_id": call_id, "content": f"{degrees} degrees"}


def examples() -> list[dict[str, Any]]:
    """Four questions that were answered by the weather tool: after these a small model calls it, too."""
    turns = list[dict[str, Any]]()
    for i, (city, state, degrees) in enumerate(_PLACES):
        answer = {"role": "assistant", "content": f"It is {degrees} degrees in {city}."}
        turns += [asked(city, state), called(city, state, f"call_{i}"), told(degrees, f"call_{i}"), answer]
    return turns


def post(http: httpx.Client, path: str, **body: Any) -> dict[str, Any]:
    """What is answered to a request that has to succeed."""
    response = http.post(path, json={"model": "live", **body})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def refused(http: httpx.Client, path: str, body: Any, status: int = 400) -> dict[str, Any]:
    """The error of a request that has to fail."""
    response = http.post(path, json=body)
    assert response.status_code == status, response.text
    error: dict[str, Any] = response.json()["error"]
    assert error["message"]
    return error


def events(http: httpx.Client, path: str, **body: Any) -> list[dict[str, Any]]:
    """The data of all events of a stream, but for the mark at its end."""
    with http.stream("POST", path, json={"model": "live", "stream": True, **body}) as response:
        if response.status_code != 200:
            raise AssertionError(response.read().decode())
        return list(_data(response.iter_lines()))


def _data(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith("data: ") and line != "data: [DONE]":
            yield json.loads(line.removeprefix("data: "))


def choice(http: httpx.Client, stream: bool, **body: Any) -> dict[str, Any]:
    """The one choice of a chat completion; of a stream, put together from its deltas."""
    if not stream:
        whole: dict[str, Any] = post(http, "/v1/chat/completions", **body)["choices"][0]
        return whole
    message: dict[str, Any] = {"role": None, "content": None}
    calls: dict[int, dict[str, Any]] = {}
    finishes = []
    for part in (c for e in events(http, "/v1/chat/completions", **body) for c in e["choices"]):
        delta = part["delta"]
        message["role"] = delta.get("role") or message["role"]
        if delta.get("content"):
            message["content"] = (message["content"] or "") + delta["content"]
        for piece in delta.get("tool_calls") or []:
            call = calls.setdefault(piece["index"], {"id": piece.get("id"), "function": {"arguments": ""}})
            function = piece.get("function") or {}
            if function.get("name"):
                call["function"]["name"] = function["name"]
            call["function"]["arguments"] += function.get("arguments") or ""
        if part["finish_reason"]:
            finishes.append(part["finish_reason"])
    assert len(finishes) == 1, finishes
    if calls:
        message["tool_calls"] = [calls[i] for i in sorted(calls)]
    return {"message": message, "finish_reason": finishes[0]}
