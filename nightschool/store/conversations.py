"""Recording sessions: which session a request belongs to, and which of its turns are new.

A session stays one session whatever its client sends of it: all of it (with an edited turn, or for another
answer, too), a window of its last turns, or only what is new. `store.identity` says what counts as the same
turn, `store.meeting` what becomes of the recorded turns.

- With a session id, a request belongs to that session. Turns that differ at their own place are superseded by
  the client's. A window supersedes nothing, and what has nothing in common with the session goes on with it.
  (A first message that is sent again alone is taken for a wish for another answer, though it may come from a
  client that sends only what is new and repeats itself: the two look the same.)
- Without one, it belongs to the session that it continues (`store.finding`), or to a new one.
- A request about a conversation (`store.helpers`) is not part of it: whatever id it came with, and whichever
  of the two is recorded first, it is a session of its own, with the source `helper`. Once somebody goes on
  with such a session, or rates it, it is one like any other.

Superseded turns are not deleted. All functions run inside a transaction of the caller.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session as Orm

from nightschool.errors import NotFound
from nightschool.store import helpers, identity
from nightschool.store.engine import now
from nightschool.store.finding import find_session, messages_of, recent_exchanges, turns
from nightschool.store.meeting import Turn, merged, unrelated
from nightschool.store.schema import FeedbackRow, SessionRow, SignalRow, TurnRow
from nightschool.types import HELPER, Message, Tools


def append(
    orm: Orm,
    *,
    session_id: str | None,
    user: str | None,
    history: Sequence[Message],
    tools: Tools,
    source: str,
    answer: Message | None = None,
    details: dict[str, Any] | None = None,
) -> str:
    """Record a conversation, and the answer that the model has just given to it, in the session that they
    belong to, and return its id. `details` are the answer's columns: response id, version, tokens and
    log-probabilities.
    """
    session_id, source = _place(orm, session_id, history, user, source)
    row = _touched(orm, session_id, user, tools, source)
    if row.source == HELPER and any(message.role == "assistant" for message in history):
        row.source = source
    recorded = turns(orm, session_id)
    _write(orm, session_id, recorded, merged(messages_of(recorded), history, answer), details or {})
    return session_id


def session_row(orm: Orm, session_id: str) -> SessionRow:
    """The row of a session. Raises NotFound."""
    row = orm.get(SessionRow, session_id)
    if row is None:
        raise NotFound(f"there is no session {session_id}: `nightschool sessions` lists them")
    return row


def _place(
    orm: Orm, session_id: str | None, history: Sequence[Message], user: str | None, source: str
) -> tuple[str, str]:
    """The id of the session that a request belongs to, and its source."""
    session_id = session_id or find_session(orm, history, user) or _new_id()
    recorded = messages_of(turns(orm, session_id))
    if recorded and not unrelated(recorded, history):
        return session_id, source
    if helpers.asks_about_any(history, recent_exchanges(orm)) or helpers.asks_about(history, recorded):
        return _new_id() if recorded else session_id, HELPER
    if recorded and helpers.asks_about(recorded[:-1], history):
        _set_aside(orm, session_id)
    return session_id, source


def _set_aside(orm: Orm, session_id: str) -> None:
    """Make a session of its own, whose source is `helper`, of all that is recorded under this id, unless
    somebody has judged it."""
    for judged in (FeedbackRow, SignalRow):
        if orm.scalar(select(exists().where(judged.session_id == session_id))):
            return
    row = session_row(orm, session_id)
    other = SessionRow(
        id=_new_id(),
        scope=row.scope,
        user=row.user,
        source=HELPER,
        tools=row.tools,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
    orm.add(other)
    orm.flush()
    orm.execute(update(TurnRow).where(TurnRow.session_id == session_id).values(session_id=other.id))


def _touched(orm: Orm, session_id: str, user: str | None, tools: Tools, source: str) -> SessionRow:
    """The session's row, created, or with its time and, if there are new ones, its tools updated."""
    row = orm.get(SessionRow, session_id)
    if row is None:
        stamp = now()
        row = SessionRow(
            id=session_id, user=user, source=source, tools=list(tools), created_at=stamp, updated_at=stamp
        )
        orm.add(row)
    else:
        row.updated_at = now()
        row.tools = list(tools) or row.tools
    orm.flush()
    return row


def _write(
    orm: Orm, session_id: str, recorded: Sequence[TurnRow], current: Sequence[Turn], details: dict[str, Any]
) -> None:
    """Let the session consist of these turns; `details` are columns of the last one."""
    stamp = now()
    kept = {turn.kept for turn in current}
    for i, row in enumerate(recorded):
        if i not in kept:
            row.superseded_at = stamp
    places = _positions(recorded, current)
    found = identity.hashes(turn.message for turn in current)
    for turn, position, (chain, exchange) in zip(current, places, found, strict=True):
        if turn.kept is None:
            row = TurnRow(session_id=session_id, position=position, created_at=stamp)
            orm.add(row)
        else:
            row = recorded[turn.kept]
        row.message, row.chain, row.exchange = turn.message.to_json(), chain, exchange
    for column, value in details.items():
        setattr(row, column, value)


def _positions(recorded: Sequence[TurnRow], current: Sequence[Turn]) -> list[int]:
    """Where each turn stands in its session. Positions only grow from turn to turn. A turn that is kept has
    the one it had, and a new one that of the turn in whose place it stands; those before them count down."""
    known = [turn.place if turn.kept is None else turn.kept for turn in current]
    wanted = [None if i is None else recorded[i].position for i in known]
    before = next((n for n, position in enumerate(wanted) if position is not None), 0)
    last = (wanted[before] or 0) - before - 1 if wanted else 0
    out = []
    for position in wanted:
        last = last + 1 if position is None else max(last + 1, position)
        out.append(last)
    return out


def _new_id() -> str:
    return f"s_{uuid.uuid4().hex[:16]}"
