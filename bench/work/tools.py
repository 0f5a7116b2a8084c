"""The suite of tool calls: find a thing, then act on it, with a note that only the session shows.

Adjacent: the same work, asked for in other words.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.work.cases import ADJACENT, UNSEEN, CaseSpec, Suite, conversation, suite
from bench.work.words import Draw
from nightschool.measure.cases import Check
from nightschool.types import Message, ToolCall, Tools


@dataclass(frozen=True)
class _Job:
    """Two tools, and how people ask for the second one's work."""

    find: str
    by: str
    act: str
    thing: str
    requests: tuple[str, ...]  # the session's wording first
    done: str

    def tools(self) -> Tools:
        return _schema(self.find, self.by), _schema(self.act, self.thing, "note")


_JOBS = (
    _Job(
        "find_card",
        "owner",
        "block_card",
        "card",
        ("Block the card of {}.", "Please block the card of {}.", "Block the card of {} today."),
        "{} of {} is blocked.",
    ),
    _Job(
        "find_parcel",
        "person",
        "send_parcel",
        "parcel",
        ("Send the parcel for {}.", "Please send the parcel for {}.", "Send the parcel for {} today."),
        "{} for {} is sent.",
    ),
    _Job(
        "find_booking",
        "guest",
        "cancel_booking",
        "booking",
        (
            "Cancel the booking of {}.",
            "Please cancel the booking of {}.",
            "Cancel the booking of {} today.",
        ),
        "{} of {} is cancelled.",
    ),
)


def tools(seed: int) -> Suite:
    """Two calls for each request: half the cases stand before the first, half before the second."""
    rng = random.Random(f"tools:{seed}")
    draw = Draw(rng)
    job, note = rng.choice(_JOBS), f"desk-{rng.randint(10, 99)}"
    prefix = job.thing[:2].upper()

    def steps(wording: str) -> tuple[CaseSpec, CaseSpec, CaseSpec]:
        person, id = draw("person"), f"{prefix}-{draw('thousands')}"
        asked = Message("user", wording.format(person))
        find, found = _call(job.find, {job.by: person}), _result({"id": id})
        act, ok = _call(job.act, {job.thing: id, "note": note}), _result({"ok": True})
        done = job.done.format(id, person)
        return (
            _wants_call((asked,), find, "find"),
            _wants_call((asked, find, found), act, "act"),
            CaseSpec((asked, find, found, act, ok), done, Check("exact", done)),
        )

    usual, *others = job.requests
    shown = [steps(usual)[2] for _ in range(3)]
    unseen = [steps(usual)[i % 2] for i in range(UNSEEN)]
    adjacent = [steps(others[i // 2 % 2])[i % 2] for i in range(ADJACENT)]
    return suite("tools", seed, conversation(shown), unseen, adjacent, job.tools())


def _schema(name: str, *parameters: str) -> dict[str, Any]:
    fields = {"type": "object", "properties": {p: {"type": "string"} for p in parameters}}
    return {"type": "function", "function": {"name": name, "parameters": fields}}


def _call(name: str, arguments: Mapping[str, str]) -> Message:
    return Message("assistant", "", (ToolCall(f"call_{name}", name, json.dumps(arguments)),))


def _result(content: Mapping[str, Any]) -> Message:
    return Message("tool", json.dumps(content), tool_call_id="call")


def _wants_call(messages: tuple[Message, ...], call: Message, group: str) -> CaseSpec:
    made = call.tool_calls[0]
    wanted = {"name": made.name, "arguments": json.loads(made.arguments)}
    return CaseSpec(
        messages, f"<tool_call>\n{json.dumps(wanted)}\n</tool_call>", Check("json", wanted), group
    )
