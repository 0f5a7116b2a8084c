"""Measuring a model: which of its answers to probes are right. No torch here."""

from __future__ import annotations

from collections.abc import Sequence

from nightschool.models.base import GenerateRequest, LanguageModel, Prefix, Sampling, generate
from nightschool.types import Probe

AT_ONCE = 32  # rows decoded together


def passed(model: LanguageModel, probes: Sequence[Probe], version: str) -> list[bool]:
    """Which probes a version answers right, greedily and with no session in its context."""
    return model.agrees([(p.prompt, p.answer) for p in probes], version) if probes else []


def answers(
    model: LanguageModel,
    prompts: Sequence[Sequence[int]],
    version: str,
    max_tokens: int,
    prefix: Prefix | None = None,
) -> list[str]:
    """Greedy answers, as text."""
    requests = [GenerateRequest(tuple(p), Sampling(max_tokens), version) for p in prompts]
    return [model.decode(g.tokens).strip() for g in generate(model, requests, AT_ONCE, prefix)]
