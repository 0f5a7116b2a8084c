"""What a client asks for and what it gets, whichever API it speaks.

A wire format (`serve.wire`) makes an `Ask` of its own JSON and tells an `Answer` in its own words;
`serve.chat` knows only these.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from nightschool.engines.base import Sampling, TokenOut
from nightschool.types import Message, Tools

Finish = Literal["stop", "length", "tool_calls"]
_PLAIN = Sampling(max_tokens=1, temperature=1.0)


@dataclass(frozen=True)
class Shape:
    """What an answer has to be: JSON by a schema, or calls of these tools; with neither, any text.

    strict    whether the schema has to be followed to the letter, or be refused
    parallel  whether there may be several calls
    field     where the request has the schema
    """

    schema: Mapping[str, Any] | None = None
    tools: tuple[str, ...] = ()
    strict: bool = False
    parallel: bool = True
    field: str = "response_format"


@dataclass(frozen=True)
class Ask:
    """A request for answers to a conversation, or to what stands in `prompts`.

    limit     longest answer in tokens; None is the server's own limit
    sampling  how to sample; its `max_tokens` is set where the answer begins
    stops     texts before which an answer ends
    count     how many answers to the same conversation or prompt
    shape     what the answer has to be; None: any text
    top       how many of the likeliest tokens are told at each place; None: no log-probabilities at all
    session   the session that it says it goes on with
    prompts   texts or tokens that are gone on with as they are, without a chat template
    """

    model: str
    messages: tuple[Message, ...]
    tools: Tools = ()
    user: str | None = None
    stream: bool = False
    limit: int | None = None
    sampling: Sampling = _PLAIN
    stops: tuple[str, ...] = ()
    count: int = 1
    shape: Shape | None = None
    top: int | None = None
    session: str | None = None
    prompts: tuple[str | tuple[int, ...], ...] = ()


@dataclass
class Answer:
    """One answer, as far as it has come. `message` is set once it is complete; `prompt` is in tokens.
    One to a command or to a raw prompt is no part of a session, and not `recorded`."""

    id: str
    index: int
    session_id: str | None
    version: str
    prompt: int = 0
    created: int = field(default_factory=lambda: int(time.time()))
    tokens: list[TokenOut] = field(default_factory=list)
    message: Message | None = None
    finish: Finish = "length"
    stopped_at: str | None = None  # the one of `stops` that ended it
    recorded: bool = True

    @property
    def complete(self) -> Message:
        """The message of an answer that has ended."""
        assert self.message
        return self.message


class Wire(Protocol):
    """One request's API: how its answers are told. The events of a stream come in the order of the methods;
    each is text to send (`fields.event`)."""

    prefix: str  # of the ids of its responses

    def whole(self, answers: Sequence[Answer]) -> dict[str, Any]:
        """The body of answers that are not streamed."""
        ...

    def begun(self, answers: Sequence[Answer]) -> Iterable[str]:
        """Before the first token."""
        ...

    def said(self, answer: Answer, text: str, tokens: Sequence[TokenOut]) -> Iterable[str]:
        """More text of an answer has become certain; `tokens` came since it was last told."""
        ...

    def ended(self, answer: Answer) -> Iterable[str]:
        """An answer is complete and recorded. Its tool calls are told only now."""
        ...

    def closed(self, answers: Sequence[Answer]) -> Iterable[str]:
        """All have ended."""
        ...

    def failed(self, status: int, body: dict[str, Any]) -> Iterable[str]:
        """What went wrong after the stream had begun: an HTTP status, and OpenAI's error shape."""
        ...
