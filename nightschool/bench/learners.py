"""Who is compared: pupils that learn sessions one after the other, by weights or without."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from nightschool import night
from nightschool.bench import compact
from nightschool.bench.measures import accuracy, sparsity
from nightschool.bench.suites import Suite
from nightschool.checks import Case
from nightschool.config import Config
from nightschool.engines.base import answers
from nightschool.learn.classroom import encode
from nightschool.lessons.feedback import heed
from nightschool.models.cache import PrefixCache
from nightschool.models.hf import HFModel
from nightschool.store import Store
from nightschool.types import BASE, Feedback, Message, Verdict

_UNGATED = Verdict(True, ("a benchmark asks no gate",))
_TAKE_NOTE = (
    "Write a short note to yourself: what do you have to know to answer such requests the same way next "
    "time, without this conversation? Write only the note."
)


class Learner(Protocol):
    """What learns a suite's session, and answers afterwards."""

    version: str
    prefix: PrefixCache | None  # what every request stands behind

    def learn(self, suite: Suite) -> dict[str, Any]:
        """Learn its session, on top of those before; what that took."""
        ...

    def accuracy(self, suite: Suite, cases: Sequence[Case]) -> float: ...

    def before(self) -> list[Message]:
        """The turns that stand before every request."""
        ...


class Weights:
    """A learning rule, night after night in a home of its own, without the gate."""

    prefix: PrefixCache | None = None

    def __init__(self, model: HFModel, home: Path, config: Config) -> None:
        self._model, self._home, self._config = model, home, config
        with closing(Store.open(home)) as store:
            self.version = store.live()
            night.load_live(model, store, self.version)

    def knows(self, suite: Suite) -> bool:
        with closing(Store.open(self._home)) as store:
            return suite.session.id in {s for v in store.lineage(self.version) for s in v.sessions}

    def learn(self, suite: Suite) -> dict[str, Any]:
        began, session, model = time.perf_counter(), suite.session, self._model
        with closing(Store.open(self._home)) as store, store.dreaming():
            store.import_session(
                session.id,
                user=None,
                messages=session.messages,
                tools=session.tools,
                feedback=Feedback(f"like-{session.id}", session.id, "good"),
            )
            plan = night.resume_or_start(store, self._config, (session.id,))
            learn = plan.config.learn
            (lesson,) = night.prepare(store, plan.sessions, learn)
            room = encode(model, lesson, plan.parent, learn)
            earlier, retired = night.remember(model, store, plan, [room])
            student = night.start_adapter(model, plan)
            folder = self._home / "dreams" / plan.id
            progress = night.learn(model, plan, [room], earlier, student, folder, store, lambda _: None)
            name = night.keep(model, store, self._home, plan, [room], student, _UNGATED, retired)
            night.promote(store, plan, name)
            store.update_dream(plan.id, status="promoted", version=name)
            seconds = time.perf_counter() - began
            for older in set(model.versions()) - {self.version}:  # the newest two are compared
                model.unload(older)
            self.version = name
            night.load_live(model, store, name)
        adapter = model.adapter(name)
        assert adapter
        tokens = room.courses[0].prefix.length
        return {
            "seconds": seconds,
            "teacher": room.report()["teacher"],
            "practised": sum(room.report()["practised"].values()),
            "steps": progress.step,
            "best_step": progress.best_step,
            "share": progress.share,
            "tokens": progress.tokens,
            "rule_chosen": progress.rule or None,
            "sparsity": sparsity(model, adapter),
            "session_kv_bytes": sum(t.nbytes for t in room.courses[0].prefix.layers),
            "adapter_bits_per_session_token": sum(p.numel() * 32 for p in adapter.parameters()) / tokens,
        }

    def accuracy(self, suite: Suite, cases: Sequence[Case]) -> float:
        return accuracy(self._model, suite, cases, self.version)

    def before(self) -> list[Message]:
        return []


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
        room = encode(self._model, night.lesson_of(heed(suite.session), learn), BASE, learn)
        self.prefix, steps = compact.train(self._model, room, learn)
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
