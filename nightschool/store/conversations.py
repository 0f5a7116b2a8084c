"""Recording sessions: which session a request continues, and which of its turns are new.

All functions run inside a transaction of the caller.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session as Orm

from nightschool.errors import NotFound
from nightschool.store.engine import now
from nightschool.store.schema import SessionRow, TurnRow
from nightschool.types import Message, Tools

ROOT = ""  # the chain before the first message


def link(chain: str, message: Message) -> str:
    """The hash of the conversation with hash `chain`, continued by `message`.

    It identifies the conversation. Clients trim answers, so whitespace at both ends is left out.
    """
    data = {**message.to_json(), "content": message.content.strip()}
    return hashlib.sha256((chain + json.dumps(data, sort_keys=True)).encode()).hexdigest()


def chains(messages: Sequence[Message]) -> list[str]:
    """The hash of each beginning of a conversation, the shortest first."""
    out, chain = [], ROOT
    for message in messages:
        chain = link(chain, message)
        out.append(chain)
    return out


def turns(orm: Orm, session_id: str, at: str | None = None) -> Sequence[TurnRow]:
    """The turns that the session consists of now, or consisted of at the time `at`, in order."""
    query = select(TurnRow).where(TurnRow.session_id == session_id)
    if at is None:
        query = query.where(TurnRow.superseded_at.is_(None))
    else:
        still = or_(TurnRow.superseded_at.is_(None), TurnRow.superseded_at > at)
        query = query.where(TurnRow.created_at <= at, still)
    return orm.scalars(query.order_by(TurnRow.position)).all()


def find_session(orm: Orm, history: Sequence[Message], user: str | None) -> str | None:
    """The id of the session of this user that `history` continues, or None.

    All current turns of such a session are a beginning of `history` that ends with an answer. Of several,
    the longest is taken, and of these the newest.
    """
    beginnings = zip(chains(history), history, strict=True)
    answered = [chain for chain, message in beginnings if message.role == "assistant"]
    if not answered:
        return None
    rows = orm.scalars(
        select(TurnRow)
        .join(SessionRow)
        .where(TurnRow.chain.in_(answered), TurnRow.superseded_at.is_(None), SessionRow.user == user)
        .order_by(TurnRow.position.desc(), TurnRow.id.desc())
    )
    for row in rows:
        if len(turns(orm, row.session_id)) == row.position + 1:  # it is the last turn
            return row.session_id
    return None


def append(
    orm: Orm,
    *,
    session_id: str | None,
    user: str | None,
    messages: Sequence[Message],
    tools: Tools,
    source: str,
    answer: dict[str, Any] | None = None,
) -> str:
    """Make `messages` the current turns of a session, and return the session's id.

    `answer` holds the columns of the last message if the model has just answered it: response id, version,
    tokens and log-probabilities. Without a session id, such an answer goes to the session that the messages
    before it continue, or else to a new session.

    If the messages differ from what is recorded (the user edited or regenerated an answer), the recorded
    turns from there on are superseded, not deleted. The same holds for a client that sends a session id but
    only the newest message: what it sends is the conversation.
    """
    if session_id is None:
        session_id = find_session(orm, messages[:-1], user) if answer is not None else None
    session_id = session_id or f"s_{uuid.uuid4().hex[:16]}"
    _touch(orm, session_id, user, tools, source)
    recorded = turns(orm, session_id)
    hashes = chains(messages)
    same = 0
    while same < min(len(recorded), len(hashes)) and recorded[same].chain == hashes[same]:
        same += 1
    rewrite(recorded[:same], messages[:same])
    if answer and same == len(messages):  # an answer that repeats the recorded one is a new turn, too
        same -= 1
    stale = [row.id for row in recorded[same:]]
    orm.execute(update(TurnRow).where(TurnRow.id.in_(stale)).values(superseded_at=now()))
    for i in range(same, len(messages)):
        details = answer if answer and i == len(messages) - 1 else {}
        orm.add(
            TurnRow(
                session_id=session_id,
                position=i,
                message=messages[i].to_json(),
                chain=hashes[i],
                created_at=now(),
                **details,
            )
        )
    return session_id


def rewrite(recorded: Sequence[TurnRow], messages: Sequence[Message]) -> None:
    """Give turns that differ from the client's only in whitespace the client's text.

    Their tokens stay the ones that the model sampled.
    """
    for row, message in zip(recorded, messages, strict=False):
        if row.message != message.to_json():
            row.message = message.to_json()


def session_row(orm: Orm, session_id: str) -> SessionRow:
    """The row of a session. Raises NotFound."""
    row = orm.get(SessionRow, session_id)
    if row is None:
        raise NotFound(f"there is no session {session_id}: `nightschool sessions` lists them")
    return row


def _touch(orm: Orm, session_id: str, user: str | None, tools: Tools, source: str) -> None:
    """Create the session, or update its time and its tools, if there are new ones."""
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
