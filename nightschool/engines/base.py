"""The vocabulary of callers and engines: requests, tokens, prefixes, and the protocols. Imports no torch.

`models.hf` (transformers) and `engines.scripted` (a test double) implement `Engine`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from nightschool.types import BASE, Message, Tools

Tokens = Sequence[int]
PromptAnswer = tuple[Tokens, Tokens]
FinishReason = Literal["stop", "length"]
# Rows decoded together by default: a step of 32 rows takes about as long as three steps of one
# (docs/performance.md: 37 and 11.5 ms on two CPU cores).
AT_ONCE = 32


@dataclass(frozen=True)
class Sampling:
    """How to sample. Temperature 0 is greedy. A row with a seed draws the same whatever runs beside it. The
    tokens of `stop` end a row as EOS does."""

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[int, ...] = ()


@dataclass(frozen=True)
class GenerateRequest:
    """One row: the prompt's tokens, how to sample, and the name of the version that answers."""

    tokens: tuple[int, ...]
    sampling: Sampling
    version: str = BASE


@dataclass(frozen=True)
class TokenOut:
    """One sampled token of row `row`. `logprob` is in nats, at temperature 1 and without `top_p`.

    The token that ends an answer (EOS, or one to stop at) comes, too, with `finish` "stop". `finish` is None
    while the row runs.
    """

    row: int
    token: int
    logprob: float
    finish: FinishReason | None = None


@dataclass
class Generation:
    """A whole answer. `tokens` include what ended it, if the model did so itself."""

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish: FinishReason = "length"


class Prefix(Protocol):
    """A context (a session, say) that is prefilled once and shared by every prompt behind it. It can be used
    only with the engine that made it."""

    @property
    def tokens(self) -> tuple[int, ...]: ...

    @property
    def length(self) -> int:
        """Number of tokens."""
        ...


class Batch(Protocol):
    """Rows that are decoded together. A row may join or leave between any two steps."""

    def add(self, requests: Sequence[GenerateRequest]) -> list[int]:
        """Add rows, which are prefilled from the next step on. Returns their numbers, which are never reused.

        Raises ContextTooLong or VersionError.
        """
        ...

    def cancel(self, row: int) -> None:
        """Remove a row. Does nothing if it has already ended."""
        ...

    def step(self) -> list[TokenOut]:
        """Sample one token for each row whose prompt has been prefilled. Rows that finish are removed."""
        ...

    def __len__(self) -> int:
        """How many rows there are, waiting ones included."""
        ...


class Text(Protocol):
    """Between chat messages and tokens."""

    name: str
    context_length: int  # tokens
    eos: list[int]  # the tokens that end an answer, the chat template's own first
    vocabulary: int  # tokens are below it

    def encode(self, messages: Sequence[Message], tools: Tools = (), *, generate: bool = True) -> list[int]:
        """The conversation's tokens by the chat template; with `generate`, followed by the opening of the
        assistant's turn. Tools are rendered as plain text (`engines.tools`) if the template knows none."""
        ...

    def encode_text(self, text: str) -> list[int]:
        """A raw text's tokens, with those that the tokenizer puts around any text."""
        ...

    def encode_answer(self, text: str) -> list[int]:
        """An answer's tokens as the model would sample them: the text, then EOS."""
        ...

    def decode(self, tokens: Tokens) -> str:
        """The text, without special tokens."""
        ...


class Engine(Text, Protocol):
    """A model that answers. Each request names the version (an adapter, or the base model) that answers it.

    Every method that takes a version raises VersionError if it is not loaded.
    """

    aliases: Collection[str] = ()  # other names under which clients may ask for the model
    # Prompt tokens that one step can prefill without holding up the other rows for long: give it to `batch`.
    prefill_chunk: int

    def generate(
        self, requests: Sequence[GenerateRequest], prefix: Prefix | None = None, *, at_once: int = AT_ONCE
    ) -> list[Generation]:
        """Answer all requests behind `prefix`, at most `at_once` together; the answers are in their order.

        Raises ContextTooLong. The default steps a `batch`; an engine in another process overrides it.
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

        Two options are for serving. A step prefills at most `prefill_chunk` prompt tokens (at least 1; None:
        whole prompts). The keys and values of up to `prefix_cache_tokens` tokens of earlier rows are pooled
        for prompts that begin with them (0: none are). Neither goes together with a prefix.
        """
        ...

    def prefix(self, tokens: Tokens, version: str = BASE) -> Prefix:
        """Prefill `tokens` with `version`, for the prompts that will stand behind them. Raises
        ContextTooLong."""
        ...

    def score(
        self, pairs: Sequence[PromptAnswer], version: str = BASE, prefix: Prefix | None = None
    ) -> list[list[float]]:
        """For each (prompt, answer), the log-probability (nats) of each of the answer's tokens. Raises
        ContextTooLong."""
        ...

    def likeliest(
        self, prompts: Sequence[Tokens], count: int, version: str = BASE, prefix: Prefix | None = None
    ) -> list[list[tuple[int, float]]]:
        """For each prompt, at most `count` tokens that may come next, the likeliest first, and their
        log-probabilities (nats). Raises ContextTooLong."""
        ...

    def agrees(
        self, pairs: Sequence[PromptAnswer], version: str = BASE, prefix: Prefix | None = None
    ) -> list[bool]:
        """For each (prompt, answer), whether greedy decoding would give exactly this answer: whether each of
        its tokens is the argmax. It takes one forward, where decoding takes one per token. Raises
        ContextTooLong."""
        ...

    def load(self, version: str, directory: Path) -> None:
        """Load an adapter (a PEFT directory) under a version's name. Raises VersionError."""
        ...

    def unload(self, version: str) -> None:
        """Drop an adapter. Does nothing if it is not loaded."""
        ...

    def publish(self, version: str, adapter: Any) -> None:
        """Answer under this name with an adapter in memory (`models.lora.Adapter`), which is not copied."""
        ...

    def versions(self) -> Iterable[str]:
        """The names of the adapters that are loaded or published; base is not among them."""
        ...


def common_beginning(a: Tokens, b: Tokens) -> int:
    """The length of the longest common prefix. Both must be lists, or both tuples."""
    longest = min(len(a), len(b))
    return bisect_left(range(1, longest + 1), True, key=lambda n: a[:n] != b[:n])


def common_length(rows: Sequence[Tokens]) -> int:
    """The length of the longest common prefix that leaves each row at least one token of its own."""
    first, last = min(map(list, rows)), max(map(list, rows))  # lexicographic extremes share what all share
    return min(common_beginning(first, last), min(len(row) for row in rows) - 1)


def prefilled(engine: Engine, prompts: Sequence[Tokens], version: str) -> tuple[Prefix | None, list[Tokens]]:
    """What all prompts begin with, prefilled once, and what of each stands behind it: one token at least.
    There has to be a prompt."""
    shared = common_length(prompts)
    prefix = engine.prefix(prompts[0][:shared], version) if shared else None
    return prefix, [prompt[shared:] for prompt in prompts]


def gains(
    engine: Engine, pairs: Sequence[PromptAnswer], nothing: Tokens, version: str, prefix: Prefix | None
) -> list[float]:
    """How much likelier (nats per token) each answer is behind its prompt than behind `nothing`, the prompt
    of an empty request (contextual calibration, arXiv 2102.09690)."""
    given = list(dict.fromkeys(tuple(answer) for _, answer in pairs))
    scored = engine.score([*pairs, *((nothing, answer) for answer in given)], version, prefix)
    means = [sum(logprobs) / len(logprobs) for logprobs in scored]
    prior = dict(zip(given, means[len(pairs) :], strict=True))
    return [own - prior[tuple(answer)] for own, (_, answer) in zip(means, pairs, strict=False)]


def drain(batch: Batch, requests: Sequence[GenerateRequest], at_once: int) -> list[Generation]:
    """Step a batch until all requests, at most `at_once` together, are answered; the answers in order."""
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
    stop: tuple[int, ...] = (),
    at_once: int = AT_ONCE,
) -> list[Generation]:
    """One version's answer to each prompt: greedy, or sampled at `temperature` with one seed for each."""
    samplings = [
        Sampling(max_tokens, temperature, seed=seed, stop=stop) for seed in seeds or [0] * len(prompts)
    ]
    requests = [
        GenerateRequest(tuple(prompt), sampling, version)
        for prompt, sampling in zip(prompts, samplings, strict=True)
    ]
    return engine.generate(requests, prefix, at_once=at_once)


def answers(
    engine: Engine,
    prompts: Sequence[Tokens],
    version: str,
    max_tokens: int,
    prefix: Prefix | None = None,
    *,
    at_once: int = AT_ONCE,
) -> list[str]:
    """One version's greedy answer to each prompt, as stripped text."""
    found = respond(engine, prompts, version, max_tokens, prefix, at_once=at_once)
    return [engine.decode(generation.tokens).strip() for generation in found]
