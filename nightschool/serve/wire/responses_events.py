"""Answers as OpenAI's Responses API tells them. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from nightschool.engines.base import TokenOut
from nightschool.serve.answer import Answer
from nightschool.serve.wire.fields import event
from nightschool.serve.wire.responses import ResponsesRequest
from nightschool.serve.wire.responses_items import PREFIX, call_item, command_id, message_item, text_part
from nightschool.serve.wire.responses_tools import namespaces
from nightschool.types import Message

Status = Literal["in_progress", "completed", "incomplete", "failed"]


class ResponsesWire:
    """Tells an answer as OpenAI's responses do, whole or as a stream; see `serve.answer.Wire`."""

    prefix = PREFIX

    def __init__(self, request: ResponsesRequest) -> None:
        self._request = request
        self._namespaces = namespaces(request.tools)
        self._events = 0
        self._output = list[dict[str, Any]]()  # items that are done
        self._text, self._told = "", 0  # what has been said, and how many characters of it were told
        self._started = False  # the message item

    def whole(self, answers: Sequence[Answer]) -> dict[str, Any]:
        (answer,) = answers
        message = answer.complete
        texts = [self._message(answer, message.content)] if _has_text(message) else []
        return self._response(answer, _status(answer), [*texts, *self._calls(answer)])

    def begun(self, answers: Sequence[Answer]) -> Iterator[str]:
        (self._answer,) = answers
        for kind in ("created", "in_progress"):
            yield self._event(f"response.{kind}", response=self._response(self._answer, "in_progress"))

    def said(self, answer: Answer, text: str, tokens: Sequence[TokenOut]) -> Iterator[str]:
        self._text += text
        if self._text.strip():  # blanks around calls are no message
            yield from self._tell(answer)

    def ended(self, answer: Answer) -> Iterator[str]:
        message = answer.complete
        if _has_text(message):
            yield from self._tell(answer)
            yield from self._message_done(answer)
        for item in self._calls(answer):
            yield from self._call_told(item)

    def closed(self, answers: Sequence[Answer]) -> Iterator[str]:
        (answer,) = answers
        status = _status(answer)
        yield self._event(f"response.{status}", response=self._response(answer, status, self._output))
        yield event("[DONE]")

    def failed(self, status: int, body: dict[str, Any]) -> Iterator[str]:
        error = {"code": "server_error", "message": body["error"]["message"]}
        response = self._response(self._answer, "failed", self._output)
        yield self._event("response.failed", response={**response, "error": error})
        yield event("[DONE]")

    def _event(self, kind: str, **fields: Any) -> str:
        self._events += 1
        return event({"type": kind, "sequence_number": self._events - 1, **fields})

    def _tell(self, answer: Answer) -> Iterator[str]:
        """The text that has not been told, in the message item, which begins with it."""
        item = self._message(answer, "", "in_progress")
        if not self._started:
            self._started = True
            yield self._event("response.output_item.added", output_index=0, item={**item, "content": []})
            yield self._part("response.content_part.added", item, part=text_part(""))
        if delta := self._text[self._told :]:
            self._told = len(self._text)
            yield self._part("response.output_text.delta", item, delta=delta, logprobs=[])

    def _message_done(self, answer: Answer) -> Iterator[str]:
        item = self._message(answer, self._text)
        yield self._part("response.output_text.done", item, text=self._text, logprobs=[])
        yield self._part("response.content_part.done", item, part=text_part(self._text))
        yield self._done(item)

    def _call_told(self, item: dict[str, Any]) -> Iterator[str]:
        index, arguments = len(self._output), item["arguments"]
        begun = {**item, "arguments": "", "status": "in_progress"}
        yield self._event("response.output_item.added", output_index=index, item=begun)
        kind, place = "response.function_call_arguments", {"item_id": item["id"], "output_index": index}
        yield self._event(f"{kind}.delta", **place, delta=arguments)
        yield self._event(f"{kind}.done", **place, arguments=arguments)
        yield self._done(item)

    def _part(self, kind: str, item: dict[str, Any], **fields: Any) -> str:
        """An event about the text of the message item, which is the first item and has one part."""
        return self._event(kind, item_id=item["id"], output_index=0, content_index=0, **fields)

    def _done(self, item: dict[str, Any]) -> str:
        self._output.append(item)
        return self._event("response.output_item.done", output_index=len(self._output) - 1, item=item)

    def _message(self, answer: Answer, text: str, status: Status | None = None) -> dict[str, Any]:
        return message_item(self._id(answer), text, status or _status(answer))

    def _calls(self, answer: Answer) -> list[dict[str, Any]]:
        calls = enumerate(answer.complete.tool_calls)
        return [call_item(self._id(answer), i, call, self._namespaces) for i, call in calls]

    def _id(self, answer: Answer) -> str:
        previous = self._request.previous_response_id
        return answer.id if answer.recorded else command_id(previous, answer.id)

    def _response(
        self, answer: Answer, status: Status, output: Sequence[dict[str, Any]] = ()
    ) -> dict[str, Any]:
        return {
            "id": self._id(answer),
            "object": "response",
            "created_at": answer.created,
            "completed_at": int(time.time()) if status == "completed" else None,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "model": answer.version,
            "store": answer.recorded,
            "output": list(output),
            "usage": None if status == "in_progress" else _usage(answer),
            **self._request.echo(),
        }


def _has_text(message: Message) -> bool:
    """Whether there is a message item: only an answer that is nothing but calls has none."""
    return bool(message.content or not message.tool_calls)


def _status(answer: Answer) -> Status:
    return "incomplete" if answer.finish == "length" else "completed"


def _usage(answer: Answer) -> dict[str, Any]:
    return {
        "input_tokens": answer.prompt,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": len(answer.tokens),
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": answer.prompt + len(answer.tokens),
    }
