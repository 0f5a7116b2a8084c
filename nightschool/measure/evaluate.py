"""`nightschool eval`: cases with checks, answered greedily by one version."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from nightschool.engines.base import Engine, answers
from nightschool.measure.cases import Case, passes
from nightschool.types import Message, Session


def evaluate(
    model: Engine, cases: Sequence[Case], version: str, max_tokens: int, session: Session | None = None
) -> dict[str, Any]:
    """Accuracy over all cases and by group; with `session`, its turns stand before every case."""
    prompts = [model.encode(_turns(case, session), session.tools if session else ()) for case in cases]
    given = answers(model, prompts, version, max_tokens)
    results = [
        {"id": case.id, "passed": passes(case.check, answer), "answer": answer}
        for case, answer in zip(cases, given, strict=True)
    ]
    groups: dict[str, list[bool]] = defaultdict(list)
    for case, result in zip(cases, results, strict=True):
        if case.group is not None:
            groups[case.group].append(bool(result["passed"]))
    return {
        "accuracy": _share([bool(r["passed"]) for r in results]),
        "n": len(results),
        "by_group": {name: {"accuracy": _share(ok), "n": len(ok)} for name, ok in sorted(groups.items())},
        "version": version,
        "cases": results,
    }


def _turns(case: Case, session: Session | None) -> list[Message]:
    if session is None:
        return list(case.messages)
    has_system = any(m.role == "system" for m in session.messages)
    return [*session.messages, *(m for m in case.messages if not (has_system and m.role == "system"))]


def _share(passed: Sequence[bool]) -> float:
    return sum(passed) / len(passed) if passed else 0.0
