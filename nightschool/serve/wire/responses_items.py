"""The items of OpenAI's Responses API, to our messages and back. Pure.

An answer is a message item, if it has text, and an item for each tool call. Their ids are made from the
response's own, so that an item that a client only refers to is found by its response: `resp_4f1c` has the
items `msg_4f1c`, `fc_4f1c_0`, `fc_4f1c_1`. The answer to a command is not recorded: who goes on from it goes
on from the response before it, whose id it bears before a dot: `resp_4f1c.90ab`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, Discriminator, Field, Tag

from nightschool.errors import BadRequest, NotFound
from nightschool.serve.wire.turns import Content, joined, with_calls
from nightschool.types import Message, Role, ToolCall

PREFIX = "resp_"


class Recorded(Protocol):
    """What is asked of the record (`store.Sessions`). Both raise NotFound."""

    def answer(self, response_id: str) -> Message:
        """What a response said."""
        ...

    def up_to(self, response_id: str) -> tuple[tuple[Message, ...], str | None]:
        """The conversation that it ends, and the session that goes on from there."""
        ...


# What else an item has (its id, its status, annotations ...) says nothing that the model should read.
class MessageItem(BaseModel):
    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: Content


class CallItem(BaseModel):
    type: Literal["function_call"]
    call_id: str
    name: str = Field(min_length=1)
    arguments: str
    namespace: str | None = None


class OutputItem(BaseModel):
    type: Literal["function_call_output"]
    call_id: str
    output: Content


class ReasoningItem(BaseModel):
    type: Literal["reasoning"]


class Reference(BaseModel):
    type: Literal["item_reference"] | None = None
    id: str


def _kind(item: Any) -> Any:
    """The type of an item, which messages and references may leave out."""
    if isinstance(item, dict) and item.get("type") is not None:
        return item["type"]
    return "item_reference" if isinstance(item, dict) and {*item} == {"id"} else "message"


Item = Annotated[
    Annotated[MessageItem, Tag("message")]
    | Annotated[CallItem, Tag("function_call")]
    | Annotated[OutputItem, Tag("function_call_output")]
    | Annotated[ReasoningItem, Tag("reasoning")]
    | Annotated[Reference, Tag("item_reference")],
    Discriminator(_kind),
]


def to_messages(items: Sequence[Item], recorded: Recorded) -> list[Message]:
    """Our messages. A call belongs to the assistant's turn right before it. Raises BadRequest, naming the
    item."""
    messages = list[Message]()
    for i, item in enumerate(items):
        match item:
            case MessageItem():
                role: Role = "system" if item.role == "developer" else item.role
                messages.append(Message(role, joined(item.content)))
            case CallItem():
                name = qualified(item.name, item.namespace)
                _add_call(messages, ToolCall(item.call_id, name, item.arguments))
            case OutputItem():
                messages.append(Message("tool", joined(item.output), tool_call_id=item.call_id))
            case Reference():
                _recall(messages, item.id, recorded, f"input.{i}")
            case ReasoningItem():
                pass  # another model's; ours makes none
    return messages


def conversation(response_id: str, recorded: Recorded) -> tuple[tuple[Message, ...], str | None]:
    """The conversation that a client goes on with after a response, and its session. Raises BadRequest."""
    answered = response_id.partition(".")[0]
    try:
        return recorded.up_to(answered) if answered != PREFIX else ((), None)
    except NotFound as e:
        text = f"previous response {response_id} not found: send the whole conversation as input"
        raise BadRequest(text, "previous_response_id", "previous_response_not_found") from e


def command_id(previous: str | None, new_id: str) -> str:
    """The id of the answer to a command that was given after a response."""
    return f"{(previous or PREFIX).partition('.')[0]}.{new_id.removeprefix(PREFIX)}"


def message_item(response_id: str, text: str, status: str) -> dict[str, Any]:
    """An answer's text."""
    return {
        "type": "message",
        "id": f"msg_{response_id.removeprefix(PREFIX)}",
        "status": status,
        "role": "assistant",
        "content": [text_part(text)],
    }


def text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def call_item(response_id: str, index: int, call: ToolCall, namespaces: set[str]) -> dict[str, Any]:
    """One of an answer's tool calls; `namespaces` are those that the request has."""
    namespace, dot, name = call.name.rpartition(".")
    inside = bool(dot) and namespace in namespaces
    return {
        "type": "function_call",
        "id": f"fc_{response_id.removeprefix(PREFIX)}_{index}",
        "status": "completed",
        "call_id": call.id,
        "name": name if inside else call.name,
        "arguments": call.arguments,
        **({"namespace": namespace} if inside else {}),
    }


def qualified(name: str, namespace: str | None) -> str:
    """The name by which the model knows a function in a namespace. No function outside can have the same, as
    OpenAI allows no dot in names."""
    return f"{namespace}.{name}" if namespace else name


def _add_call(messages: list[Message], call: ToolCall) -> None:
    if not messages or messages[-1].role != "assistant":
        messages.append(Message("assistant", ""))
    messages[-1] = with_calls(messages[-1], [call])


def _recall(messages: list[Message], item_id: str, recorded: Recorded, where: str) -> None:
    """Add what a client refers to: the text of a recorded answer, or one of its calls. Raises BadRequest."""
    kind, _, key = item_id.partition("_")
    key, _, index = key.partition("_")
    if "." in key:  # `commands.split` will drop it with its command
        messages.append(Message("assistant", ""))
        return
    try:
        answer = recorded.answer(PREFIX + key)
        if kind == "msg":
            messages.append(Message("assistant", answer.content))
        else:
            _add_call(messages, answer.tool_calls[int(index)])
    except (NotFound, IndexError, ValueError) as e:
        raise BadRequest(f"there is no item {item_id}: send the item itself", where) from e
