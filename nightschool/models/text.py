"""Chat messages to tokens and back, by a Hugging Face tokenizer and its chat template."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from nightschool.engines import tools as plain_tools
from nightschool.engines.base import Tokens
from nightschool.errors import ModelError
from nightschool.types import Message, Tools


class ChatText:
    """See `engines.base.Text`. Raises ModelError if the tokenizer has no chat template."""

    def __init__(self, tokenizer: Any, name: str, context_length: int, eos: list[int]) -> None:
        if not tokenizer.chat_template:
            raise ModelError(f"the model {name!r} has no chat template: use an instruction-tuned one")
        self.tokenizer, self.name, self.context_length, self.eos = tokenizer, name, context_length, eos

    def encode(self, messages: Sequence[Message], tools: Tools = (), *, generate: bool = True) -> list[int]:
        if "tools" not in self.tokenizer.chat_template:
            messages, tools = plain_tools.plain(messages, tools), ()
        ids: list[int] = self.tokenizer.apply_chat_template(
            _to_template(messages),
            tools=list(tools) or None,
            add_generation_prompt=generate,
            return_dict=False,
        )
        return ids

    def encode_answer(self, text: str) -> list[int]:
        return [*self.tokenizer.encode(text, add_special_tokens=False), self.eos[0]]

    def decode(self, tokens: Tokens) -> str:
        text: str = self.tokenizer.decode(list(tokens), skip_special_tokens=True)
        return text


def _to_template(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Chat messages as chat templates take them, with the arguments of tool calls parsed."""
    out = []
    for message in messages:
        data = message.to_json()
        for call in data.get("tool_calls", ()):
            call["function"]["arguments"] = json.loads(call["function"]["arguments"] or "{}")
        out.append(data)
    return out
