"""One session must not stop the others: what fails with one is set aside with its reason."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from nightschool.errors import DreamError, StoreError, VersionError
from nightschool.lessons.feedback import JudgedSession
from nightschool.night.queue import Plan, narrowed
from nightschool.store import Store

log = logging.getLogger(__name__)
T = TypeVar("T")
R = TypeVar("R")


class Aside:
    """The sessions of a night that are set aside, and why."""

    def __init__(self, judged: Sequence[JudgedSession]) -> None:
        self._ids = {one.session.id: one.ids for one in judged}
        self.reasons: dict[str, str] = {}

    def each(self, what: Callable[[T], R], items: Iterable[T], name: Callable[[T], str]) -> list[R]:
        """What comes of each item; `name` is its session's. A session with which that fails is set aside."""
        out = []
        for item in items:
            try:
                out.append(what(item))
            except (OSError, StoreError, VersionError):
                raise  # nothing of one session
            except Exception as e:  # whatever it is: the other sessions are learned
                log.warning("session %s is set aside", name(item), exc_info=True)
                self._note(name(item), str(e) or type(e).__name__)
        return out

    def unless(
        self, refusal: Callable[[T], str | None], items: Iterable[T], name: Callable[[T], str]
    ) -> list[T]:
        """The items without refusal; the session of one that has a reason for it is set aside."""
        out = []
        for item in items:
            if reason := refusal(item):
                self._note(name(item), reason)
            else:
                out.append(item)
        return out

    def _note(self, name: str, reason: str) -> None:
        self.reasons |= dict.fromkeys(self._ids[name], reason)

    def left(self, store: Store, plan: Plan, folder: Path) -> Plan:
        """The plan without them; a checkpoint in `folder` of more than that is removed. Raises DreamError
        where none is left."""
        sessions = tuple(s for s in plan.sessions if s not in self.reasons)
        if not sessions:
            raise DreamError("; ".join(f"session {s}: {reason}" for s, reason in self.reasons.items()))
        return narrowed(store, plan, sessions, folder)
