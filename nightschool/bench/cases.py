"""What a suite is, and how one is put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nightschool.checks import Case, Check
from nightschool.types import Message, Session, Tools

UNSEEN, ADJACENT = 40, 20  # cases of a suite


@dataclass(frozen=True)
class Suite:
    """A session and the cases that show what was learned from it.

    `unseen` are requests of the session's kind about other entities, `adjacent` ones that the session did not
    show though it implies their answers; `answers` holds a right answer of each case, by its id.
    """

    name: str
    session: Session
    unseen: tuple[Case, ...]
    adjacent: tuple[Case, ...]
    answers: Mapping[str, str]


@dataclass(frozen=True)
class Asked:
    """A conversation to answer, a right answer, and the check of any answer."""

    messages: tuple[Message, ...]
    answer: str
    check: Check
    group: str | None = None


def exactly(request: str, answer: str, group: str | None = None) -> Asked:
    return Asked((Message("user", request),), answer, Check("exact", answer), group)


def suite(
    name: str,
    seed: int,
    turns: Sequence[Message],
    unseen: Sequence[Asked],
    adjacent: Sequence[Asked] = (),
    tools: Tools = (),
) -> Suite:
    """A suite, its parts named."""
    id = f"{name}-{seed}"
    groups = {"unseen": unseen, "adjacent": adjacent}
    cases = {
        part: tuple(
            Case(f"{id}/{part}-{i}", one.messages, one.check, one.group) for i, one in enumerate(asked)
        )
        for part, asked in groups.items()
    }
    answers = {
        case.id: one.answer
        for part, asked in groups.items()
        for case, one in zip(cases[part], asked, strict=True)
    }
    session = Session(id, tuple(turns), tools, rating="good")
    return Suite(name, session, cases["unseen"], cases["adjacent"], answers)


def lived(asked: Sequence[Asked]) -> list[Message]:
    """Turns of a session in which everything was answered right."""
    return [m for one in asked for m in (*one.messages, Message("assistant", one.answer))]
