"""The one interface between Nightschool and a language model. Imports no torch.

Two implement it: `models.hf` (transformers) and `models.scripted` (a test double).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from nightschool.types import BASE, Message, Tools

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class Sampling:
    """How to sample. Temperature 0 is greedy; a seed makes a row's draws its own, whatever its neighbours."""

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None


@dataclass(frozen=True)
class GenerateRequest:
    """One row: `tokens` is the prompt, `version` who answers."""

    tokens: tuple[int, ...]
    sampling: Sampling
    version: str = BASE


@dataclass(frozen=True)
class TokenOut:
    """One sampled token of row `row`. `logprob` is under the unmodified distribution, in nats.

    The token that ends an answer (EOS) is given too, with `finish` = "stop".
    """

    row: int
    token: int
    logprob: float
    finish: FinishReason | None = None


@dataclass
class Generation:
    """A whole answer; `tokens` include EOS where the model ended by itself."""

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish: FinishReason = "length"


class Prefix(Protocol):
    """A context computed once (a session's key-value cache) and shared by all that stand behind it."""

    @property
    def length(self) -> int: ...


class Batch(Protocol):
    """Rows that are decoded together. A row may join or leave between any two steps."""

    def add(self, requests: Sequence[GenerateRequest]) -> list[int]:
        """Add rows (read from the next step on) and return their numbers, never reused."""
        ...

    def cancel(self, row: int) -> None:
        """Remove a row; one that already ended is no error."""
        ...

    def step(self) -> list[TokenOut]:
        """One token for each row whose prompt is read; rows that finished are gone afterwards."""
        ...

    def __len__(self) -> int: ...


class LanguageModel(Protocol):
    """A causal language model with a chat template, and adapters that are selected per request."""

    name: str
    context_length: int  # tokens

    def encode(self, messages: Sequence[Message], tools: Tools = (), *, generate: bool = True) -> list[int]:
        """The chat template's tokens; with `generate`, ending where the assistant's answer begins.

        Where the template does not know tools, they are put in plain text (`models.tools`).
        """
        ...

    def decode(self, tokens: Sequence[int]) -> str:
        """The text, without special tokens."""
        ...

    def batch(
        self, prefix: Prefix | None = None, *, read_tokens: int | None = None, kept_tokens: int = 0
    ) -> Batch:
        """An empty batch, all of whose rows will stand behind `prefix`.

        For serving: it reads at most `read_tokens` of prompts a step (0: what suits the device; None: all of
        them at once), and keeps the keys and values of up to `kept_tokens` for requests that begin alike.
        """
        ...

    def prefix(self, tokens: Sequence[int], version: str = BASE) -> Prefix:
        """Compute the key-value cache of `tokens` once."""
        ...

    def score(
        self,
        pairs: Sequence[tuple[Sequence[int], Sequence[int]]],
        version: str = BASE,
        prefix: Prefix | None = None,
    ) -> list[list[float]]:
        """Log-probability (nats) of each token of the continuation in every (prompt, continuation)."""
        ...

    def agrees(
        self,
        pairs: Sequence[tuple[Sequence[int], Sequence[int]]],
        version: str = BASE,
        prefix: Prefix | None = None,
    ) -> list[bool]:
        """Whether greedy decoding would answer each prompt with just that answer: whether every token of it
        is the likeliest one. One forward, where decoding takes one a token."""
        ...

    def load(self, version: str, directory: Path) -> None:
        """Load an adapter (a PEFT directory) under a version's name. Raises VersionError."""
        ...

    def unload(self, version: str) -> None: ...

    def versions(self) -> Iterable[str]:
        """The adapters that are loaded."""
        ...


def generate(
    model: LanguageModel,
    requests: Sequence[GenerateRequest],
    at_once: int = 32,
    prefix: Prefix | None = None,
) -> list[Generation]:
    """Answer all requests (behind a prefix), at most `at_once` rows at a time, in the order given."""
    out = [Generation() for _ in requests]
    batch, waiting, owner = model.batch(prefix), list(range(len(requests)))[::-1], dict[int, int]()
    while waiting or len(batch):
        joining = [waiting.pop() for _ in range(min(len(waiting), at_once - len(batch)))]
        if joining:
            owner |= zip(batch.add([requests[i] for i in joining]), joining, strict=True)
        for token in batch.step():
            answer = out[owner[token.row]]
            answer.tokens.append(token.token)
            answer.logprobs.append(token.logprob)
            if token.finish:
                answer.finish = token.finish
    return out


def to_template(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Chat messages as chat templates want them (tool arguments parsed)."""
    out = []
    for message in messages:
        data = message.to_json()
        for call in data.get("tool_calls", ()):
            call["function"]["arguments"] = json.loads(call["function"]["arguments"] or "{}")
        out.append(data)
    return out
