"""A tiny random model with room for whole sessions, and settings and probes that fit it."""

import pytest

from nightschool.config import Config, LearnConfig, OpsdConfig
from nightschool.models.hf import HFModel
from tests.conftest import tiny_net, tiny_tokenizer

QUICK = {"variations": 4, "held_back": 2, "self_asked": 2, "steps": 2}


@pytest.fixture
def roomy() -> HFModel:
    """Bytes are many tokens, so the window must be wide."""
    net = tiny_net()
    net.config.max_position_embeddings = 8192
    return HFModel(net, tiny_tokenizer(), "tiny")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Config:
    """Settings of a dream of two steps; what is measured is as small."""
    for module in ("essay.QUICK_LEARN", "stream.LEARN"):
        monkeypatch.setattr(f"bench.{module}", QUICK)
    monkeypatch.setattr("bench.essay.QUICK_CASES", 2)
    monkeypatch.setattr("bench.measures.INSTRUCTIONS", (("Say yes.", "yes"),))
    monkeypatch.setattr("bench.measures.probe_anchors", lambda: ("Hello.", "Good day."))
    learn = LearnConfig(
        steps=2,
        opsd=OpsdConfig(reference_steps=1),
        variations=4,
        held_back=2,
        self_asked=2,
        anchors=1,
        batch_size=2,
        round_steps=1,
        max_new_tokens=4,
        rank=2,
    )
    return Config(learn=learn)
