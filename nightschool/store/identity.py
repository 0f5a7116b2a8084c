"""When two turns are the same one. Pure.

Turns are compared by what they say, since clients send back more, less or other than they got: whitespace at
the ends, the text beside a tool call, the ids of calls and how their arguments are written do not count.
System turns do not count at all: in many clients they change with the clock.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from nightschool.types import Message

ROOT = ""  # the chain before the first turn


def spoken(messages: Iterable[Message]) -> list[Message]:
    """The turns that a conversation is known by: all but the system's."""
    return [message for message in messages if message.role != "system"]


def fingerprints(messages: Iterable[Message]) -> list[str]:
    """A hash of what each turn says."""
    return [_hash(json.dumps(_canonical(message))) for message in messages]


def link(chain: str, fingerprint: str) -> str:
    """The hash of the conversation with hash `chain`, continued by one turn."""
    return _hash(chain + fingerprint)


def chains(said: Iterable[str]) -> list[str]:
    """The hash of each beginning of a conversation of these fingerprints, the shortest first."""
    out, chain = [], ROOT
    for fingerprint in said:
        chain = link(chain, fingerprint)
        out.append(chain)
    return out


def exchange(said: Sequence[str]) -> str | None:
    """A hash of the last two of these fingerprints; None if there are fewer."""
    return _hash("".join(said[-2:])) if len(said) > 1 else None


def hashes(messages: Iterable[Message]) -> Iterator[tuple[str, str | None]]:
    """What a turn is found by, for each turn of a conversation: the chain up to and including it and, for an
    answer, the hash of the exchange that it ends. A system turn has the chain of the turn before."""
    said, chain = list[str](), ROOT
    for message in messages:
        if message.role != "system":
            said += fingerprints([message])
            chain = link(chain, said[-1])
        yield chain, exchange(said) if message.role == "assistant" else None


def reworded(recorded: Message, sent: Message) -> Message:
    """A recorded turn as the client that sends the same one has it: with its whitespace and the ids that it
    gave to calls. What the model said beside and in its calls stays."""
    same_text = recorded.content.strip() == sent.content.strip()
    pairs = zip(recorded.tool_calls, sent.tool_calls, strict=True)
    return replace(
        recorded,
        content=sent.content if same_text else recorded.content,
        tool_calls=tuple(replace(call, id=theirs.id) for call, theirs in pairs),
        tool_call_id=sent.tool_call_id,
    )


def _canonical(message: Message) -> list[Any]:
    calls = [[call.name, _written(call.arguments)] for call in message.tool_calls]
    text = "" if calls else message.content.strip()
    name = message.name if message.role == "user" else None  # others are named by some clients only
    return [message.role, text, calls, name]


def _written(arguments: str) -> str:
    """A call's arguments, written in one way; as they are if they are no JSON."""
    try:
        return json.dumps(json.loads(arguments or "{}", parse_float=_number), sort_keys=True)
    except (ValueError, RecursionError):
        return arguments.strip()


def _number(text: str) -> float | int:
    """JavaScript writes 1.0 as 1."""
    value = float(text)
    return int(value) if value.is_integer() else value


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
