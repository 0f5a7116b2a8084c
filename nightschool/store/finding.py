"""Which session a request belongs to that does not say so, by the turns that it sends.

All functions run inside a transaction of the caller. Every query goes by an index.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import InstrumentedAttribute, aliased
from sqlalchemy.orm import Session as Orm

from nightschool.store import helpers, identity
from nightschool.store.meeting import is_window
from nightschool.store.schema import SessionRow, TurnRow
from nightschool.types import Message

_CANDIDATES = 16  # sessions that are looked at where several fit; a choice
_RECENT = 200  # newest turns among which the exchange is looked for that a request asks about; a choice


def turns(orm: Orm, session_id: str, at: str | None = None) -> Sequence[TurnRow]:
    """The turns that the session consists of now, or consisted of at the time `at`, in order."""
    query = select(TurnRow).where(TurnRow.session_id == session_id)
    if at is None:
        query = query.where(TurnRow.superseded_at.is_(None))
    else:
        still = or_(TurnRow.superseded_at.is_(None), TurnRow.superseded_at > at)
        query = query.where(TurnRow.created_at <= at, still)
    return orm.scalars(query.order_by(TurnRow.position)).all()


def messages_of(rows: Sequence[TurnRow]) -> list[Message]:
    """What the turns say."""
    return [Message.from_json(row.message) for row in rows]


def find_session(orm: Orm, history: Sequence[Message], user: str | None) -> str | None:
    """The id of the session of this user that `history` continues, or None.

    All spoken turns of such a session are a beginning of `history` that ends with an answer. Of several, the
    longest is taken; of these, one with the same system turns, or else the newest. Where there is none, it is
    the newest one of whose last turns, an exchange or more, `history` begins with: it is a window of it.
    """
    said = identity.spoken(history)
    sent = identity.fingerprints(said)
    ends = [i + 1 for i, message in enumerate(said) if message.role == "assistant"][::-1]
    return _continued(orm, history, sent, ends, user) or _seen_through_a_window(orm, sent, ends, user)


def recent_exchanges(orm: Orm) -> Iterator[helpers.Exchange]:
    """The newest exchanges of all sessions."""
    query = select(TurnRow.session_id, TurnRow.message).order_by(TurnRow.id.desc()).limit(_RECENT)
    by_session = defaultdict[str, list[Message]](list)
    for session_id, message in orm.execute(query).all()[::-1]:
        by_session[session_id].append(Message.from_json(message))
    for said in by_session.values():
        yield from helpers.exchanges(said)


def _continued(
    orm: Orm, history: Sequence[Message], sent: Sequence[str], ends: Sequence[int], user: str | None
) -> str | None:
    chains = identity.chains(sent)
    for _, found in _ended_by(orm, TurnRow.chain, {chains[end - 1]: end for end in ends}, user):
        told = ((session_id, messages_of(turns(orm, session_id))) for session_id in found)
        same = (session_id for session_id, said in told if _system(said) == _system(history))
        return next(same, found[0])
    return None


def _seen_through_a_window(
    orm: Orm, sent: Sequence[str], ends: Sequence[int], user: str | None
) -> str | None:
    exchanges = dict[str, int]()
    for end in ends:
        if exchange := identity.exchange(sent[:end]):
            exchanges.setdefault(exchange, end)
    for end, found in _ended_by(orm, TurnRow.exchange, exchanges, user):
        for session_id in found:
            recorded = identity.fingerprints(identity.spoken(messages_of(turns(orm, session_id))))
            if is_window(recorded, sent[:end]):
                return session_id
    return None


def _ended_by(
    orm: Orm,
    column: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
    ends: Mapping[str, int],
    user: str | None,
) -> Iterator[tuple[int, Sequence[str]]]:
    """For each of the hashes with which some of this user's sessions end: what it stands for, and the ids of
    the newest of these sessions."""
    there = {*orm.scalars(select(column).where(column.in_(ends)).distinct())}
    later = aliased(TurnRow)
    is_later = and_(
        later.session_id == TurnRow.session_id,
        later.position > TurnRow.position,
        later.superseded_at.is_(None),
    )
    last = select(TurnRow.session_id).join(SessionRow).where(SessionRow.user == user)
    last = last.where(TurnRow.superseded_at.is_(None), ~exists().where(is_later))
    last = last.order_by(TurnRow.id.desc()).limit(_CANDIDATES)
    for key, end in ends.items():
        if key in there and (found := orm.scalars(last.where(column == key)).all()):
            yield end, found


def _system(messages: Sequence[Message]) -> list[str]:
    return [message.content for message in messages if message.role == "system"]
