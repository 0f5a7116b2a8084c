"""Answers as Anthropic's Messages API tells them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from nightschool.engines.base import TokenOut
from nightschool.serve.answer import Answer
from nightschool.serve.wire.anthropic_errors import error
from nightschool.serve.wire.fields import event
from nightschool.types import ToolCall


class MessagesWire:
    """Tells an answer as Anthropic's messages do, whole or as a stream; see `serve.answer.Wire`."""

    prefix = "msg_"

    def __init__(self) -> None:
        self._untold = ""  # text; blanks alone are told only where there are no calls
        self._opened = False  # the block of text

    def whole(self, answers: Sequence[Answer]) -> dict[str, Any]:
        (answer,) = answers
        message = answer.complete
        texts = [{"type": "text", "text": message.content}] if message.content else []
        content = [*texts, *({**_opening(c), "input": _input(c)} for c in message.tool_calls)]
        return _message(answer, content or [{"type": "text", "text": ""}], _stop(answer))

    def begun(self, answers: Sequence[Answer]) -> Iterator[str]:
        (answer,) = answers
        not_yet = {"stop_reason": None, "stop_sequence": None}
        yield event({"type": "message_start", "message": _message(answer, [], not_yet)})
        yield event({"type": "ping"})

    def said(self, answer: Answer, text: str, tokens: Sequence[TokenOut]) -> Iterator[str]:
        self._untold += text
        if self._opened or self._untold.strip():
            yield from self._told()

    def ended(self, answer: Answer) -> Iterator[str]:
        calls = answer.complete.tool_calls
        if not (self._opened or calls):  # an answer has a block, even if it says nothing
            yield from self._told()
        if self._opened:
            yield event({"type": "content_block_stop", "index": 0})
        for index, call in enumerate(calls, int(self._opened)):
            yield _block_start(index, {**_opening(call), "input": {}})
            yield _delta(index, {"type": "input_json_delta", "partial_json": call.arguments})
            yield event({"type": "content_block_stop", "index": index})

    def closed(self, answers: Sequence[Answer]) -> Iterator[str]:
        (answer,) = answers
        yield event({"type": "message_delta", "delta": _stop(answer), "usage": _usage(answer)})
        yield event({"type": "message_stop"})

    def failed(self, status: int, body: dict[str, Any]) -> Iterator[str]:
        yield event(error(status, body))

    def _told(self) -> Iterator[str]:
        """The text that has not been told, in a block, which begins with it."""
        if not self._opened:
            self._opened = True
            yield _block_start(0, {"type": "text", "text": ""})
        if self._untold:
            yield _delta(0, {"type": "text_delta", "text": self._untold})
            self._untold = ""


def _message(answer: Answer, content: list[dict[str, Any]], stop: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": answer.id,
        "type": "message",
        "role": "assistant",
        "model": answer.version,
        "content": content,
        **stop,
        "usage": _usage(answer),
    }


def _opening(call: ToolCall) -> dict[str, Any]:
    return {"type": "tool_use", "id": call.id, "name": call.name}


def _input(call: ToolCall) -> Any:
    return json.loads(call.arguments or "{}")


def _block_start(index: int, block: dict[str, Any]) -> str:
    return event({"type": "content_block_start", "index": index, "content_block": block})


def _delta(index: int, delta: dict[str, Any]) -> str:
    return event({"type": "content_block_delta", "index": index, "delta": delta})


def _stop(answer: Answer) -> dict[str, Any]:
    stopped_at = answer.stopped_at if answer.finish == "stop" else None
    reasons = {"tool_calls": "tool_use", "length": "max_tokens", "stop": "end_turn"}
    reason = reasons[answer.finish] if stopped_at is None else "stop_sequence"
    return {"stop_reason": reason, "stop_sequence": stopped_at}


def _usage(answer: Answer) -> dict[str, int]:
    return {
        "input_tokens": answer.prompt,
        "output_tokens": len(answer.tokens),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
    }
