"""How the base model answers the suites' cases, without the session and with it in its context.

    python -m benchmarks.suites [--seeds 0 1 2] [--facts 1 2 4 8] [--show 3] [NAME ...]

NAME: a suite, or `stream`. `--show` prints that many wrong answers of each part.
"""

from __future__ import annotations

from collections.abc import Sequence

from nightschool.bench.suites import Suite
from nightschool.checks import Case
from nightschool.evaluate import evaluate
from nightschool.models import hf
from nightschool.types import BASE, Session


class Exam:
    """Cases, answered greedily by the base model."""

    def __init__(self, model: hf.HFModel, show: int) -> None:
        self._model, self._show = model, show

    def __call__(self, suite: Suite, cases: Sequence[Case], session: Session | None) -> float:
        longest = max(len(self._model.encode_answer(suite.answers[case.id])) for case in cases)
        result = evaluate(self._model, cases, BASE, longest + 4, session)
        wrong = [r for r in result["cases"] if not r["passed"]]
        for one in wrong[: self._show]:
            print(f"  {one['id']}: {one['answer']!r}, not {suite.answers[one['id']]!r}")
        return float(result["accuracy"])
