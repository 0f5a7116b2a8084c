"""Chat messages to tokens and back, by a Hugging Face tokenizer and its chat template."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from jinja2.exceptions import TemplateError

from nightschool.engines import tools as plain_tools
from nightschool.engines.base import Tokens
from nightschool.errors import BadRequest, ModelError
from nightschool.types import Message, Tools


class ChatText:
    """See `engines.base.Text`. Raises ModelError if the tokenizer has no chat template."""

    def __init__(self, tokenizer: Any, name: str, context_length: int, eos: list[int]) -> None:
        if not tokenizer.chat_template:
            raise ModelError(f"the model {name!r} has no chat template: use an instruction-tuned one")
        self.tokenizer, self.name, self.context_length, self.eos = tokenizer, name, context_length, eos
        self.vocabulary = len(tokenizer)

    def encode(self, messages: Sequence[Message], tools: Tools = (), *, generate: bool = True) -> list[int]:
        """See `Text.encode`. Turns that the template refuses are folded. Raises BadRequest where that is
        refused, too, with the template's own reason."""
        if "tools" not in self.tokenizer.chat_template:
            messages, tools = plain_tools.plain(messages, tools), ()
        try:
            return self._apply(messages, tools, generate)
        except TemplateError:
            pass
        try:
            return self._apply(folded(messages), tools, generate)
        except TemplateError as e:
            raise BadRequest(f"the chat template of {self.name} refuses these messages: {e}") from e

    def _apply(self, messages: Sequence[Message], tools: Tools, generate: bool) -> list[int]:
        ids: list[int] = self.tokenizer.apply_chat_template(
            _to_template(messages),
            tools=list(tools) or None,
            add_generation_prompt=generate,
            return_dict=False,
        )
        return ids

    def encode_text(self, text: str) -> list[int]:
        tokens: list[int] = self.tokenizer.encode(text)
        return tokens

    def encode_answer(self, text: str) -> list[int]:
        return [*self.tokenizer.encode(text, add_special_tokens=False), self.eos[0]]

    def decode(self, tokens: Tokens) -> str:
        text: str = self.tokenizer.decode(list(tokens), skip_special_tokens=True)
        return text


def folded(messages: Sequence[Message]) -> list[Message]:
    """The turns as the strictest templates want them: what a system turn says stands before the next user
    turn, and turns of the same role in a row are one."""
    out: list[Message] = []
    for message in messages:
        if message.role == "system":
            message = replace(message, role="user")
        if out and out[-1].role == message.role and message.role in ("user", "assistant"):
            calls = (*out[-1].tool_calls, *message.tool_calls)
            texts = [text for text in (out[-1].content, message.content) if text]
            out[-1] = replace(out[-1], content="\n\n".join(texts), tool_calls=calls)
        else:
            out.append(message)
    return out


def _to_template(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Chat messages as chat templates take them, with the arguments of tool calls parsed."""
    out = []
    for message in messages:
        data = message.to_json()
        for call in data.get("tool_calls", ()):
            call["function"]["arguments"] = _parsed(call["function"]["arguments"])
        out.append(data)
    return out


def _parsed(arguments: str) -> Any:
    """A call's arguments; as the text they are where that is no JSON."""
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments
