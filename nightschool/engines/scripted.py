"""A deterministic engine for tests: it answers by a script and records how it was called."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nightschool.engines import tools as plain_tools
from nightschool.engines.base import (
    Engine,
    FinishReason,
    GenerateRequest,
    Prefix,
    PromptAnswer,
    Sampling,
    TokenOut,
    Tokens,
)
from nightschool.errors import ContextTooLong, ModelError, VersionError
from nightschool.types import BASE, Message, Tools

EOS = 0
Script = Callable[[str, str], str]  # (the prompt's text, version) -> the answer


@dataclass(frozen=True)
class Call:
    """One recorded call. `kind` is step, score, load, publish or unload; `versions` are the ones it ran."""

    kind: str
    versions: tuple[str, ...]


@dataclass(frozen=True)
class TextPrefix:
    """A prefix of which nothing is computed ahead: the script reads it again with every prompt."""

    tokens: tuple[int, ...]

    @property
    def length(self) -> int:
        return len(self.tokens)


class ScriptedModel(Engine):
    """Tokens are Unicode code points, EOS is 0. Every token has a log-probability of -1, off by `bias` in
    `score`. A bomb (U+1F4A3) in an answer raises ModelError instead of its token."""

    prefill_chunk = 256  # no effect: there is nothing to prefill
    vocabulary = sys.maxunicode + 1

    def __init__(self, script: Script, *, name: str = "scripted", context_length: int = 4096) -> None:
        self.name, self.context_length, self.eos = name, context_length, [EOS]
        self.script = script
        self.calls: list[Call] = []
        self.before_step: Callable[[], None] = lambda: None
        self.bias: dict[str, float] = {}  # version -> nats that `score` takes off each token
        self._loaded = set[str]()

    def encode(self, messages: Sequence[Message], tools: Tools = (), *, generate: bool = True) -> list[int]:
        turns = [f"{m.role}: {m.content}\n" for m in plain_tools.plain(messages, tools)]
        return [ord(c) for c in "".join(turns) + ("assistant: " if generate else "")]

    def encode_text(self, text: str) -> list[int]:
        return [*map(ord, text)]

    def encode_answer(self, text: str) -> list[int]:
        return [*map(ord, text), EOS]

    def decode(self, tokens: Tokens) -> str:
        return "".join(chr(t) for t in tokens if t != EOS)

    def batch(self, prefix: Prefix | None = None, **ignored: object) -> ScriptedBatch:
        return ScriptedBatch(self, prefix.tokens if prefix else ())

    def prefix(self, tokens: Tokens, version: str = BASE) -> TextPrefix:
        return TextPrefix(tuple(tokens))

    def score(
        self, pairs: Sequence[PromptAnswer], version: str = BASE, prefix: Prefix | None = None
    ) -> list[list[float]]:
        self.require(version)
        self.calls.append(Call("score", (version,)))
        return [[-1.0 - self.bias.get(version, 0.0)] * len(answer) for _, answer in pairs]

    def likeliest(
        self, prompts: Sequence[Tokens], count: int, version: str = BASE, prefix: Prefix | None = None
    ) -> list[list[tuple[int, float]]]:
        """The one with which the script's answer begins."""
        self.require(version)
        before = prefix.tokens if prefix else ()
        given = [self.script(self.decode((*before, *prompt)), version) for prompt in prompts]
        return [[(self.encode_answer(text)[0], -1.0)][:count] for text in given]

    def agrees(
        self, pairs: Sequence[PromptAnswer], version: str = BASE, prefix: Prefix | None = None
    ) -> list[bool]:
        self.require(version)
        before = prefix.tokens if prefix else ()
        given = [self.script(self.decode((*before, *prompt)), version) for prompt, _ in pairs]
        return [self.encode_answer(text) == list(a) for text, (_, a) in zip(given, pairs, strict=True)]

    def load(self, version: str, directory: Path) -> None:
        self.calls.append(Call("load", (version,)))
        self._loaded.add(version)

    def publish(self, version: str, adapter: object) -> None:
        self.calls.append(Call("publish", (version,)))
        self._loaded.add(version)

    def unload(self, version: str) -> None:
        self.calls.append(Call("unload", (version,)))
        self._loaded.discard(version)

    def versions(self) -> Iterable[str]:
        return list(self._loaded)

    def require(self, version: str) -> None:
        """Raises VersionError if the version is not loaded."""
        if version != BASE and version not in self._loaded:
            raise VersionError(f"version {version} is not loaded")


class ScriptedBatch:
    """A `Batch` whose rows give one character of their answer a step."""

    def __init__(self, model: ScriptedModel, before: tuple[int, ...]) -> None:
        self._model, self._before = model, before
        self._rows: dict[int, tuple[str, Sampling, list[int]]] = {}  # version, how, and tokens to come
        self._next = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, requests: Sequence[GenerateRequest]) -> list[int]:
        for request in requests:
            prompt = (*self._before, *request.tokens)
            if len(prompt) >= self._model.context_length:
                raise ContextTooLong(f"{len(prompt)} tokens do not fit", code="context_length_exceeded")
            self._model.require(request.version)
            answer = self._model.encode_answer(
                self._model.script(self._model.decode(prompt), request.version)
            )
            coming = answer[: request.sampling.max_tokens]
            self._rows[self._next] = (request.version, request.sampling, coming)
            self._next += 1
        return list(range(self._next - len(requests), self._next))

    def cancel(self, row: int) -> None:
        self._rows.pop(row, None)

    def step(self) -> list[TokenOut]:
        self._model.before_step()
        self._model.calls.append(Call("step", tuple(version for version, *_ in self._rows.values())))
        return [self._next_token(row) for row in list(self._rows)]

    def _next_token(self, row: int) -> TokenOut:
        version, sampling, (token, *rest) = self._rows[row]
        if chr(token) == "\N{BOMB}":
            raise ModelError("the script says that the model breaks here")
        finish: FinishReason | None = None if rest else "length"
        if token == EOS or token in sampling.stop:
            finish = "stop"
        if finish:
            del self._rows[row]
        else:
            self._rows[row] = (version, sampling, rest)
        return TokenOut(row, token, -1.0, finish)
