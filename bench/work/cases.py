"""What a suite is, and how one is put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nightschool.measure.cases import Case, Check
from nightschool.types import Message, Session, Tools

UNSEEN, ADJACENT = 40, 20  # cases of a suite: one more right answer is 0.025 and 0.05


@dataclass(frozen=True)
class Suite:
    """A session and the cases that show what was learned from it.

    `unseen` are requests of the session's kind about other entities; the answers to `adjacent` ones follow
    from the session, which shows no such request. `answers` holds a right answer of each case, by its id.
    """

    name: str
    session: Session
    unseen: tuple[Case, ...]
    adjacent: tuple[Case, ...]
    answers: Mapping[str, str]


@dataclass(frozen=True)
class CaseSpec:
    """A conversation to answer, a right answer, and the check of any answer."""

    messages: tuple[Message, ...]
    answer: str
    check: Check
    group: str | None = None


def exactly(request: str, answer: str, group: str | None = None) -> CaseSpec:
    """A single request that has one right answer."""
    return CaseSpec((Message("user", request),), answer, Check("exact", answer), group)


def suite(
    name: str,
    seed: int,
    turns: Sequence[Message],
    unseen: Sequence[CaseSpec],
    adjacent: Sequence[CaseSpec] = (),
    tools: Tools = (),
) -> Suite:
    """A suite; its session and cases get their ids from its name and seed."""
    id = f"{name}-{seed}"
    specs = {"unseen": unseen, "adjacent": adjacent}
    cases = {
        part: tuple(Case(f"{id}/{part}-{i}", s.messages, s.check, s.group) for i, s in enumerate(some))
        for part, some in specs.items()
    }
    answers = {
        case.id: spec.answer for part in specs for case, spec in zip(cases[part], specs[part], strict=True)
    }
    session = Session(id, tuple(turns), tools, rating="good")
    return Suite(name, session, cases["unseen"], cases["adjacent"], answers)


def conversation(specs: Sequence[CaseSpec]) -> list[Message]:
    """The turns of a session in which each request got its right answer."""
    return [m for spec in specs for m in (*spec.messages, Message("assistant", spec.answer))]
