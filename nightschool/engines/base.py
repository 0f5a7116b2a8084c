"""What callers and engines share: requests, tokens, prefixes, and the protocols. Imports no torch.

`models.hf` (transformers) and `engines.scripted` (a test double) implement `Engine`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from nightschool.types import BASE, Message, Tools

Tokens = Sequence[int]
PromptAnswer = tuple[Tokens, Tokens]
FinishReason = Literal["stop", "length"]
# Rows decoded together by default: a step of 32 costs about three of one row (docs/performance.md).
AT_ONCE = 32


@dataclass(frozen=True)
class Sampling:
    """How to sample. Temperature 0 is greedy. A row's seed fixes its draws, whatever its neighbours."""

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None


@dataclass(frozen=True)
class GenerateRequest:
    """One row: the prompt's tokens, how to sample, and the name of the version that answers."""

    tokens: tuple[int, ...]
    sampling: Sampling
    version: str = BASE


@dataclass(frozen=True)
class TokenOut:
    """One sampled token of row `row`. `logprob` is under the unmodified distribution, in nats.

    The token that ends an answer (EOS) is included, with `finish` = "stop".
    """

    row: int
    token: int
    logprob: float
    finish: FinishReason | None = None


@dataclass
class Generation:
    """A whole answer. `tokens` include EOS if the model ended the answer itself."""

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish: FinishReason = "length"


class Prefix(Protocol):
    """A context that is read once (a session, say) and shared by every prompt behind it."""

    @property
    def tokens(self) -> tuple[int, ...]: ...

    @property
    def length(self) -> int:
        """Number of tokens."""
        ...


class Batch(Protocol):
    """Rows that are decoded together. A row may join or leave between any two steps."""

    def add(self, requests: Sequence[GenerateRequest]) -> list[int]:
        """Add rows, to be prefilled from the next step on; returns their numbers, which are never reused.

        Raises ContextTooLong, VersionError.
        """
        ...

    def cancel(self, row: int) -> None:
        """Remove a row. Does nothing if it has already ended."""
        ...

    def step(self) -> list[TokenOut]:
        """One token for each row whose prompt has been prefilled; rows that finish are removed."""
        ...

    def __len__(self) -> int: ...


class Text(Protocol):
    """Between chat messages and tokens."""

    name: str
    context_length: int  # tokens
    eos: list[int]  # the tokens that end an answer, the chat template's own first

    def encode(self, messages: Sequence[Message], tools: Tools = (), *, generate: bool = True) -> list[int]:
        """The chat template's tokens; with `generate`, up to where the assistant's answer begins.

        If the template does not know tools, they are rendered as plain text (`engines.tools`).
        """
        ...

    def encode_answer(self, text: str) -> list[int]:
        """An answer's tokens as the model would sample them: the text, then EOS."""
        ...

    def decode(self, tokens: Tokens) -> str:
        """The text, without special tokens."""
        ...


class Engine(Text, Protocol):
    """Whoever answers. Versions (adapters, and the base model) are addressed by name, request by request.

    Every method that takes a version raises VersionError if it is not loaded.
    """

    prefill_chunk: int  # prompt tokens that a serving step can take in without delaying the other rows much

    def generate(
        self, requests: Sequence[GenerateRequest], prefix: Prefix | None = None, *, at_once: int = AT_ONCE
    ) -> list[Generation]:
        """Answer all requests behind `prefix`, at most `at_once` together; the answers in the same order.

        This one steps a `batch` until all have answered; an engine elsewhere does without.
        """
        return drain(self.batch(prefix), requests, at_once)

    def batch(
        self,
        prefix: Prefix | None = None,
        *,
        prefill_chunk: int | None = None,
        prefix_cache_tokens: int = 0,
    ) -> Batch:
        """An empty batch whose rows all stand behind `prefix`.

        For serving: a step prefills at most `prefill_chunk` prompt tokens (None: whole prompts), and the keys
        and values of up to `prefix_cache_tokens` earlier tokens are kept for prompts that begin with them.
        """
        ...

    def prefix(self, tokens: Tokens, version: str = BASE) -> Prefix:
        """Have `version` read `tokens` once."""
        ...

    def score(
        self, pairs: Sequence[PromptAnswer], version: str = BASE, prefix: Prefix | None = None
    ) -> list[list[float]]:
        """For each pair, the log-probability (nats) of each token of the answer."""
        ...

    def agrees(
        self, pairs: Sequence[PromptAnswer], version: str = BASE, prefix: Prefix | None = None
    ) -> list[bool]:
        """Whether greedy decoding would give exactly this answer: whether each of its tokens is the argmax.

        One forward, where decoding takes one for each token.
        """
        ...

    def load(self, version: str, directory: Path) -> None:
        """Load an adapter (a PEFT directory) under a version's name. Raises VersionError."""
        ...

    def unload(self, version: str) -> None: ...

    def publish(self, version: str, adapter: Any) -> None:
        """Answer under this name with an adapter that is in memory (`models.lora.Adapter`)."""
        ...

    def versions(self) -> Iterable[str]:
        """The adapters that are loaded or published."""
        ...


def drain(batch: Batch, requests: Sequence[GenerateRequest], at_once: int) -> list[Generation]:
    """Step a batch until all requests, at most `at_once` together, have their answers; in the same order."""
    out = [Generation() for _ in requests]
    waiting, owner = list(range(len(requests)))[::-1], dict[int, int]()
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


def respond(
    engine: Engine,
    prompts: Sequence[Tokens],
    version: str,
    max_tokens: int,
    prefix: Prefix | None = None,
    *,
    temperature: float = 0.0,
    seeds: Sequence[int] = (),
    at_once: int = AT_ONCE,
) -> list[Generation]:
    """One version's answer to each prompt: greedy, or sampled with a seed for each."""
    samplings = [Sampling(max_tokens, temperature, seed=seed) for seed in seeds or [0] * len(prompts)]
    requests = [
        GenerateRequest(tuple(prompt), sampling, version)
        for prompt, sampling in zip(prompts, samplings, strict=True)
    ]
    return engine.generate(requests, prefix, at_once=at_once)


def answers(
    engine: Engine, prompts: Sequence[Tokens], version: str, max_tokens: int, prefix: Prefix | None = None
) -> list[str]:
    """One version's greedy answer to each prompt, as stripped text."""
    found = respond(engine, prompts, version, max_tokens, prefix)
    return [engine.decode(generation.tokens).strip() for generation in found]
