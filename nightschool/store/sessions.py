"""Recorded conversations: what was said, and which of them teach."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, true
from sqlalchemy.orm import Session as Orm

from nightschool.errors import BadRequest, NotFound
from nightschool.store import conversations
from nightschool.store.database import Database, columns
from nightschool.store.engine import now
from nightschool.store.feedback import newest_rating, newest_ratings, signals
from nightschool.store.schema import FeedbackRow, SessionRow, SignalRow, SkippedRow, TurnRow
from nightschool.types import SHARED, Message, Session, Signal, Skipped, Tools


class Sessions:
    """One scope's sessions are asked for by its name; there is one scope today."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self,
        *,
        session_id: str | None,
        user: str | None,
        history: Sequence[Message],
        answer: Message,
        tools: Tools = (),
        response_id: str,
        version: str,
        tokens: Sequence[int] = (),
        logprobs: Sequence[float] = (),
        source: str = "api",
    ) -> str:
        """Record an answer and what came before it; returns the session's id. Raises StoreError."""
        details = {
            "response_id": response_id,
            "version": version,
            "token_ids": list(tokens),
            "logprobs": list(logprobs),
        }
        with self._database.writing() as orm:
            return conversations.append(
                orm,
                session_id=session_id,
                user=user,
                messages=[*history, answer],
                tools=tools,
                source=source,
                answer=details,
            )

    def get(self, session_id: str) -> Session:
        """Raises NotFound."""
        with self._database.reading() as orm:
            return _session(orm, conversations.session_row(orm, session_id))

    def judged(self, session_id: str) -> Session:
        """A session as it stood when its newest rating was given: of what was said later, nobody has said
        that it went well. Raises NotFound."""
        with self._database.reading() as orm:
            rating = newest_rating(orm, session_id)
            return _session(
                orm, conversations.session_row(orm, session_id), rating.created_at if rating else None
            )

    def all(self, scope: str = SHARED) -> list[Session]:
        """Newest first."""
        with self._database.reading() as orm:
            query = select(SessionRow).where(SessionRow.scope == scope).order_by(SessionRow.created_at.desc())
            current = select(TurnRow).join(SessionRow).where(TurnRow.superseded_at.is_(None))
            turns = defaultdict(list)
            for turn in orm.scalars(current.where(SessionRow.scope == scope).order_by(TurnRow.position)):
                turns[turn.session_id].append(turn)
            ratings = newest_ratings(orm)
            return [_assembled(row, turns[row.id], ratings.get(row.id)) for row in orm.scalars(query)]

    def count(self) -> int:
        with self._database.reading() as orm:
            return orm.scalar(select(func.count()).select_from(SessionRow)) or 0

    def teaching(
        self, scope: str = SHARED, *, among: Collection[str] = (), without: Collection[str] = ()
    ) -> list[str]:
        """Ids of the sessions that teach something, oldest first: those that are liked, or bad for a reason
        that was given, or unrated with answers that were accepted, edited, or rejected for a reason. Only
        those `among` the given ids, if any are given; never those `without`."""
        rating = _newest("rating")
        good = or_(rating == "good", and_(rating == "bad", func.coalesce(_newest("comment"), "") != ""))
        query = select(SessionRow.id, rating).where(
            SessionRow.scope == scope,
            or_(good, and_(rating.is_(None), _signalled(true()))),
            SessionRow.id.not_in(list(without)),
        )
        if among:
            query = query.where(SessionRow.id.in_(list(among)))
        with self._database.reading() as orm:
            rows = orm.execute(query.order_by(SessionRow.created_at, SessionRow.id)).all()
            return [id for id, rated in rows if rated or any(map(_teaches, signals(orm, id)))]

    def unwanted(self, scope: str = SHARED) -> list[Session]:
        """Sessions with answers that nobody wants, newest first: bad ones without a reason, and those with a
        rejected answer."""
        bad = and_(_newest("rating") == "bad", func.coalesce(_newest("comment"), "") == "")
        query = select(SessionRow).where(
            SessionRow.scope == scope, or_(bad, _signalled(SignalRow.signal == "rejected"))
        )
        with self._database.reading() as orm:
            return [_session(orm, row) for row in orm.scalars(query.order_by(SessionRow.created_at.desc()))]

    def of_response(self, response_id: str) -> str:
        """The id of the session that holds a response. Raises NotFound."""
        with self._database.reading() as orm:
            session_id = orm.scalar(select(TurnRow.session_id).where(TurnRow.response_id == response_id))
        if session_id is None:
            raise NotFound(f"there is no response {response_id}")
        return session_id

    def find(self, history: Sequence[Message], user: str | None) -> str | None:
        """The id of the session that a conversation goes on from, if it is recorded."""
        with self._database.reading() as orm:
            return conversations.find_session(orm, history, user)

    def sync(
        self, session_id: str | None, history: Sequence[Message], user: str | None, tools: Tools = ()
    ) -> str | None:
        """The session of a conversation, brought up to what the client has: an answer that the user edited
        and asked nothing after is in no request's history yet. None where there is no answer to keep."""
        with self._database.writing() as orm:
            session_id = session_id or conversations.find_session(orm, history, user)
            recorded = conversations.turns(orm, session_id) if session_id else []
            same = [turn.chain for turn in recorded[: len(history)]] == conversations.chains(history)
            if not history or same:
                conversations.rewrite(recorded, history)
                return session_id
            if session_id is None and not any(m.role == "assistant" for m in history):
                return None
            return conversations.append(
                orm, session_id=session_id, user=user, messages=history, tools=tools, source="api"
            )

    def add(
        self, session_id: str | None, *, user: str | None, messages: Sequence[Message], tools: Tools
    ) -> tuple[str, bool]:
        """Add a whole session; (its id, whether it was new). Raises BadRequest where the id holds another
        conversation."""
        if session_id is None:
            content = json.dumps([user, [m.to_json() for m in messages], list(tools)], sort_keys=True)
            session_id = f"imp_{hashlib.sha256(content.encode()).hexdigest()[:16]}"
        with self._database.writing() as orm:
            if orm.get(SessionRow, session_id) is None:
                conversations.append(
                    orm, session_id=session_id, user=user, messages=messages, tools=tools, source="import"
                )
                return session_id, True
            recorded = tuple(Message.from_json(t.message) for t in conversations.turns(orm, session_id))
            if recorded != tuple(messages):
                raise BadRequest(f"session {session_id} exists already with other messages", "id")
        return session_id, False

    def skip(self, reason: str, detail: str = "", session_id: str | None = None) -> None:
        """Note that something was not recorded."""
        with self._database.writing() as orm:
            orm.add(SkippedRow(reason=reason, detail=detail, session_id=session_id, created_at=now()))

    def skipped(self) -> list[Skipped]:
        """Newest first."""
        with self._database.reading() as orm:
            return [
                Skipped(**columns(row))
                for row in orm.scalars(select(SkippedRow).order_by(SkippedRow.id.desc()))
            ]


def _session(orm: Orm, row: SessionRow, at: str | None = None) -> Session:
    return _assembled(row, conversations.turns(orm, row.id, at), newest_rating(orm, row.id))


def _assembled(row: SessionRow, turns: Sequence[TurnRow], rating: FeedbackRow | None) -> Session:
    return Session(
        id=row.id,
        messages=tuple(Message.from_json(t.message) for t in turns),
        tools=tuple(row.tools),
        user=row.user,
        source=row.source,
        created_at=row.created_at,
        rating=rating.rating if rating else None,
        comment=rating.comment if rating else None,
    )


def _newest(column: str) -> ColumnElement[str | None]:
    """A column of a session's newest rating, in a query of sessions."""
    valid = and_(FeedbackRow.session_id == SessionRow.id, FeedbackRow.retracted_at.is_(None))
    query = select(getattr(FeedbackRow, column)).where(valid).order_by(FeedbackRow.number.desc()).limit(1)
    return query.correlate(SessionRow).scalar_subquery()


def _signalled(wanted: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a session has a signal like that, in a query of sessions."""
    valid = and_(SignalRow.session_id == SessionRow.id, SignalRow.retracted_at.is_(None))
    return exists().where(valid, wanted).correlate(SessionRow)


def _teaches(signal: Signal) -> bool:
    """Whether its answer still stands, and it says what would be right."""
    return signal.position is not None and (signal.kind != "rejected" or bool(signal.comment))
