"""How a dream ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nightschool.types import Verdict


@dataclass(frozen=True)
class Outcome:
    """Its verdict, the version that was promoted (if any), and its numbers; times in seconds, memory in
    bytes."""

    dream_id: str
    verdict: Verdict
    version: str | None
    seconds: float
    numbers: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "dream": self.dream_id,
            "status": "promoted" if self.version else "rejected",
            "version": self.version,
            "verdict": self.verdict.to_json(),
            "seconds": round(self.seconds, 1),
            **self.numbers,
        }
