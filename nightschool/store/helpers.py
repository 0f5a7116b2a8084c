"""Requests that a client makes by itself about a conversation: for a title, for tags, for a summary. Pure.

They are known by their form, in any language: all that is asked is one answer, and the user's turn quotes the
conversation, as a transcript does. A quote begins a line, or stands behind a colon, a bracket or a quotation
mark ("USER: ..."), and ends as one does; so "hi, are you there?" does not quote "hi".

- Whoever quotes a whole exchange, question and answer, asks about it.
- Whoever quotes only how a conversation begins asks about it if the request has the same session id, but
  another system turn. (opencode asks for a title before there is an answer.)
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from nightschool.types import Message

Exchange = tuple[str, str]  # what the user said, what the model answered

_LENGTH = 200  # characters of a text that a quote has to have; some clients cut what they quote
_OPENED = r'(?:\A|[\n:：>"])\W{0,16}'
_CLOSED = r'\W{0,16}(?:\Z|[\n<"])'
_ALIKE = 0.5  # share of words; two system turns that differ in the time have nearly all in common


def exchanges(messages: Iterable[Message]) -> Iterator[Exchange]:
    """What the user said, each with every answer in words to it."""
    said = ""
    for message in messages:
        if message.role == "user":
            said = message.content.strip()
        elif message.role == "assistant" and said and message.content.strip():
            yield said, message.content.strip()


def asks_about_any(request: Sequence[Message], recorded: Iterable[Exchange]) -> bool:
    """Whether a request is about one of these exchanges."""
    text = _asked(request)
    return bool(text) and any(_quotes(text, said) and _quotes(text, answer) for said, answer in recorded)


def asks_about(request: Sequence[Message], conversation: Sequence[Message]) -> bool:
    """Whether a request is about the conversation whose session id it goes by."""
    if asks_about_any(request, exchanges(conversation)):
        return True
    first = next((m.content.strip() for m in conversation if m.role == "user"), "")
    text = _asked(request)
    return text != first and _quotes(text, first) and not _alike(_system(request), _system(conversation))


def _asked(request: Sequence[Message]) -> str:
    """What a request says that has no history, else nothing."""
    if any(message.role not in ("system", "user") for message in request):
        return ""
    return "\n".join(message.content for message in request if message.role == "user").strip()


def _quotes(text: str, said: str) -> bool:
    """Whether the text quotes what was said, as it was or as JSON has it."""
    for written in (said, json.dumps(said, ensure_ascii=False)[1:-1]):
        head = written[:_LENGTH]
        form = _OPENED + re.escape(head) + (_CLOSED if head == written else "")
        if head and head in text and re.search(form, text):
            return True
    return False


def _system(messages: Sequence[Message]) -> Counter[str]:
    return Counter(word for m in messages if m.role == "system" for word in m.content.split())


def _alike(one: Counter[str], other: Counter[str]) -> bool:
    return one == other or 2 * (one & other).total() > _ALIKE * (one.total() + other.total())
