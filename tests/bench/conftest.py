"""Settings and probes that fit a tiny random model."""

from typing import Any

import pytest

from nightschool.config import Config, parse

TWO_STEPS = {"variations": 4, "held_back": 2, "self_asked": 2, "steps": 2}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Config:
    """Settings of a dream of two steps; what is measured is as small."""
    for module in ("essay.QUICK_LEARN", "stream.LEARN"):
        monkeypatch.setattr(f"bench.{module}", TWO_STEPS)
    monkeypatch.setattr("bench.essay.QUICK_CASES", 2)
    monkeypatch.setattr("bench.measures.INSTRUCTIONS", (("Say yes.", "yes"),))
    monkeypatch.setattr("bench.measures.probe_anchors", lambda: ("Hello.", "Good day."))
    learn: dict[str, Any] = {"anchors": 1, "batch_size": 2, "round_steps": 1, "max_new_tokens": 4, "rank": 2}
    return parse({"learn": TWO_STEPS | learn | {"opsd": {"reference_steps": 1}}})
