"""What there is to learn tonight, and which dream does it. No torch: to find nothing to do is cheap."""

from __future__ import annotations

import os
import shutil
import traceback
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from nightschool.config import Config, parse
from nightschool.errors import (
    ConfigError,
    DreamError,
    Interrupted,
    NightschoolError,
    NothingToLearn,
    StoreError,
)
from nightschool.store import Store
from nightschool.types import SHARED, Dream, Session, Signal
from nightschool.versions import files

LAUNCHES = 3  # times a server by itself starts a dream of the same sessions on the same version


@dataclass(frozen=True)
class Plan:
    """What a dream is a function of."""

    id: str
    sessions: tuple[str, ...]
    parent: str  # the live version when it began
    config: Config
    scope: str = SHARED


def resume_or_start(store: Store, config: Config, wanted: Sequence[str], scope: str = SHARED) -> Plan:
    """The plan of a dream that was cut off, if it was for the same sessions and live version, else a new one:
    for the `wanted` sessions, or for all that teach something and are not learned yet. Call it under
    `store.dreams.lock`.

    Raises NothingToLearn and NotFound.
    """
    live = store.versions.live(scope)
    for dream in _cut_off(store, scope):
        if plan := _resumed(store, dream, live, wanted):
            return plan
    for session_id in wanted:
        store.sessions.get(session_id)
    sessions = store.sessions.teaching(scope, among=wanted) if wanted else pending(store, live, scope)
    for session_id in wanted:
        if session_id not in sessions:
            raise NothingToLearn(f"session {session_id} is not liked: `nightschool good {session_id}` first")
    if not sessions:
        raise NothingToLearn(
            "nothing to learn: no liked session is new (`nightschool good SESSION` likes one)"
        )
    plan = Plan(f"d_{uuid.uuid4().hex[:12]}", tuple(wanted or sessions), live, config, scope)
    store.dreams.start(
        plan.id,
        sessions=plan.sessions,
        parent=live,
        config=config.model_dump(),
        pid=os.getpid(),
        scope=scope,
    )
    return plan


def _cut_off(store: Store, scope: str) -> list[Dream]:
    return [d for d in store.dreams.all(scope) if d.status in ("running", "interrupted")]


def _resumed(store: Store, dream: Dream, live: str, wanted: Sequence[str]) -> Plan | None:
    """The plan to resume a dream; None, and the dream is failed, where that makes no sense any more."""
    try:
        config = parse(dream.config)
    except ConfigError:
        store.dreams.fail(dream.id, "was cut off, and its settings are those of an earlier release")
        return None
    same = not wanted or set(dream.sessions) == set(wanted)
    teaching = store.sessions.teaching(dream.scope, among=dream.sessions)
    if not same or dream.parent != live or set(teaching) != set(dream.sessions):
        store.dreams.fail(dream.id, "was cut off, and what it was for has changed")
        return None
    store.dreams.resume(dream.id, os.getpid())
    return Plan(dream.id, dream.sessions, live, config, dream.scope)


def pending(store: Store, live: str, scope: str = SHARED) -> list[str]:
    """Sessions that teach something, oldest first, that no version in the live one's lineage has learned."""
    learned = {s for version in store.versions.lineage(live) for s in version.sessions}
    return store.sessions.teaching(scope, without=learned)


Judged = list[tuple[Session, list[Signal]]]


def collect(store: Store, plan: Plan, folder: Path) -> tuple[Plan, Judged]:
    """The plan without the sessions that do not teach any more (undone, disliked, deleted), and without the
    checkpoint in `folder` if that was for more; and the sessions as they were judged.

    Raises NothingToLearn where none is left.
    """
    teaching = set(store.sessions.teaching(plan.scope, among=plan.sessions))
    left = tuple(s for s in plan.sessions if s in teaching)
    if not left:
        raise NothingToLearn("what there was to learn was taken back meanwhile")
    judged = [(store.sessions.judged(s), store.feedback.signals(s)) for s in left]
    return narrowed(store, plan, left, folder), judged


def narrowed(store: Store, plan: Plan, sessions: tuple[str, ...], folder: Path) -> Plan:
    """The plan for these of its sessions, without the checkpoint in `folder` if that was for more."""
    if sessions != plan.sessions:
        store.dreams.narrow(plan.id, sessions)
        shutil.rmtree(folder, ignore_errors=True)
    return replace(plan, sessions=sessions)


def tried(store: Store, scope: str = SHARED) -> bool:
    """Whether a server that dreams by itself is done with all that is pending: a dream of it was rejected, or
    promoted and then refused or rolled back, or LAUNCHES of them came to no end, and since then nobody has
    said anything about these sessions (liking one that has grown says something)."""
    live = store.versions.live(scope)
    wanted = set(pending(store, live, scope))
    same = [d for d in store.dreams.all(scope) if d.parent == live and _read(d) == wanted]
    judged = _judged_at(store, wanted) if same else ""
    if any(d.status in ("rejected", "promoted") and d.created_at >= judged for d in same):
        return True
    # A dream that is resumed reads what was said meanwhile.
    return sum(d.launches for d in same if d.updated_at >= judged) >= LAUNCHES


def _read(dream: Dream) -> set[str]:
    """The sessions that a dream read: those it was for, and those that it set aside."""
    aside = {session for session, report in (dream.lessons or {}).items() if "set_aside" in report}
    return {*dream.sessions, *aside}


def _judged_at(store: Store, sessions: Collection[str]) -> str:
    """When these sessions were last rated, or an answer in them judged."""
    stamps = [rating.created_at for s in sessions for rating in store.feedback.ratings(s)]
    stamps += [signal.created_at for s in sessions for signal in store.feedback.signals(s)]
    return max(stamps, default="")


@contextmanager
def ends_on_record(store: Store, home: Path, plan: Plan) -> Iterator[None]:
    """Record whatever breaks a dream off: `failed` where resuming would break it again, else `interrupted`.
    Raises the same error, or Interrupted. Removes versions that are not listed, left behind by this dream or
    by one that was killed before it."""
    folder = checkpoints(home, plan.id)
    try:
        _sweep(store, home)
        yield
    except KeyboardInterrupt:
        store.dreams.interrupt(plan.id, "stopped")
        raise
    except DreamError as e:
        store.dreams.fail(plan.id, str(e))
        raise
    except (NightschoolError, OSError) as e:
        reason = files.disk_message(e, folder) if isinstance(e, OSError) else str(e)
        with suppress(StoreError):  # the disk may be full for the store, too
            store.dreams.interrupt(plan.id, reason)
        raise Interrupted(f"{reason}; `nightschool dream` goes on where it was") from e
    except BaseException as e:  # a bug, or no memory: torch raises a RuntimeError for that
        shutil.rmtree(folder, ignore_errors=True)  # not from a state that broke
        with suppress(StoreError):
            store.dreams.fail(plan.id, traceback.format_exception_only(e)[-1].strip())
        raise
    finally:
        with suppress(StoreError):
            _sweep(store, home)


def checkpoints(home: Path, dream_id: str) -> Path:
    """Where a dream keeps what it resumes from."""
    return home / "dreams" / dream_id


def _sweep(store: Store, home: Path) -> None:
    files.sweep(home, {version.name for version in store.versions.all()})
