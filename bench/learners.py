"""The ways to learn sessions one after the other that are compared, in the weights or outside of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from bench import compact, ungated
from bench.measures import accuracy, sparsity
from bench.work.cases import Suite
from nightschool.config import Config
from nightschool.engines.base import answers
from nightschool.learn.encoding import encode
from nightschool.lessons.feedback import apply_feedback
from nightschool.lessons.prepare import prepare
from nightschool.measure.cases import Case
from nightschool.models.cache import PrefixCache
from nightschool.models.hf import HFModel
from nightschool.night.keep import load
from nightschool.store import Store
from nightschool.types import BASE, Message

_TAKE_NOTE = (
    "Write a short note to yourself: what do you have to know to answer such requests the same way next "
    "time, without this conversation? Write only the note."
)


class Learner(Protocol):
    """Learns a suite's session, and answers afterwards."""

    version: str
    prefix: PrefixCache | None  # before every request

    def learn(self, suite: Suite) -> dict[str, Any]:
        """Learn the suite's session, after those learned before. Returns the cost: seconds, tokens, bytes."""
        ...

    def accuracy(self, suite: Suite, cases: Sequence[Case]) -> float:
        """Share of cases answered right."""
        ...

    def before(self) -> list[Message]:
        """The turns that stand before every request."""
        ...


class Weights:
    """A learning rule, night after night in a home of its own, without the gate."""

    prefix: PrefixCache | None = None

    def __init__(self, model: HFModel, home: Path, config: Config) -> None:
        self._model, self._home, self._config = model, home, config
        with closing(Store.open(home)) as store:
            self.version = store.versions.live()
            load(model, store, self.version)

    def knows(self, suite: Suite) -> bool:
        """Whether a version so far has learned the suite's session."""
        with closing(Store.open(self._home)) as store:
            return suite.session.id in {s for v in store.versions.lineage(self.version) for s in v.sessions}

    def learn(self, suite: Suite) -> dict[str, Any]:
        model = self._model
        with closing(Store.open(self._home)) as store, store.dreams.lock():
            done = ungated.dream(model, store, self._home, self._config, suite.session)
            for older in set(model.versions()) - {self.version}:  # the newest two are compared
                model.unload(older)
            self.version = str(done.outcome.version)
            load(model, store, self.version)
        return _cost(model, done)

    def accuracy(self, suite: Suite, cases: Sequence[Case]) -> float:
        return accuracy(self._model, suite, cases, self.version)

    def before(self) -> list[Message]:
        return []


def _cost(model: HFModel, done: ungated.Night) -> dict[str, Any]:
    """The cost of a night, and the size of its version, which is loaded."""
    numbers, lesson = done.outcome.numbers, done.lesson
    adapter = model.adapter(str(done.outcome.version))
    assert adapter
    bits = sum(p.numel() * 32 for p in adapter.parameters())
    return {
        "seconds": done.outcome.seconds,
        "teacher": lesson["teacher"],
        "practised": sum(lesson["practised"].values()),
        "steps": numbers["steps_taken"],
        "best_step": numbers["steps"],
        "share": numbers["share"],
        "tokens": numbers["sampled_tokens"],
        "rule_chosen": numbers["rule"],
        "sparsity": sparsity(model, adapter),
        "session_kv_bytes": lesson["session_kv_bytes"],
        "adapter_bits_per_session_token": bits / lesson["session_tokens"],
    }


class Context:
    """All sessions stay in the context."""

    version = BASE
    prefix: PrefixCache | None = None

    def __init__(self, model: HFModel) -> None:
        self._model, self._turns = model, list[Message]()

    def learn(self, suite: Suite) -> dict[str, Any]:
        began = time.perf_counter()
        self._turns += suite.session.messages
        prefix = self._model.prefix(self._model.encode(self._turns, suite.session.tools, generate=False))
        kept = sum(t.nbytes for t in prefix.layers)
        return {"seconds": time.perf_counter() - began, "tokens": 0, "session_kv_bytes": kept}

    def accuracy(self, suite: Suite, cases: Sequence[Case]) -> float:
        return accuracy(self._model, suite, cases, BASE, self._turns)

    def before(self) -> list[Message]:
        return self._turns


class Notes:
    """After each session the model writes itself a note; all notes stand in the system turn."""

    version = BASE
    prefix: PrefixCache | None = None

    def __init__(self, model: HFModel) -> None:
        self._model, self._notes = model, list[str]()

    def learn(self, suite: Suite) -> dict[str, Any]:
        began, model, session = time.perf_counter(), self._model, suite.session
        prompt = model.encode([*session.messages, Message("user", _TAKE_NOTE)], session.tools)
        (note,) = answers(model, [prompt], BASE, 128)
        self._notes.append(note)
        tokens = len(model.encode_answer(note))
        return {"seconds": time.perf_counter() - began, "tokens": tokens, "note": note}

    def accuracy(self, suite: Suite, cases: Sequence[Case]) -> float:
        return accuracy(self._model, suite, cases, BASE, self.before())

    def before(self) -> list[Message]:
        return [Message("system", "\n\n".join(["What you noted down:", *self._notes]))]


class Compact:
    """The session's key-value cache compacted into a short learned one; only the newest session's."""

    version = BASE

    def __init__(self, model: HFModel, config: Config) -> None:
        self._model, self._config = model, config
        self.prefix: PrefixCache | None = None

    def learn(self, suite: Suite) -> dict[str, Any]:
        began, learn = time.perf_counter(), self._config.learn
        prepared = prepare(apply_feedback(suite.session), self._config)
        lesson = encode(self._model, prepared, BASE, learn)
        self.prefix, steps = compact.train(self._model, lesson, learn)
        return {
            "seconds": time.perf_counter() - began,
            "steps": steps,
            "tokens": 0,
            "session_kv_bytes": sum(t.nbytes for t in self.prefix.layers),
        }

    def accuracy(self, suite: Suite, cases: Sequence[Case]) -> float:
        return accuracy(self._model, suite, cases, BASE, prefix=self.prefix)

    def before(self) -> list[Message]:
        return []
