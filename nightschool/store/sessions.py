"""Recorded conversations, and which of them teach something."""

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
from nightschool.store.finding import find_session, messages_of, turns
from nightschool.store.schema import FeedbackRow, SessionRow, SignalRow, SkippedRow, TurnRow
from nightschool.types import HELPER, SHARED, Message, Session, Signal, Skipped, Tools


class Sessions:
    """The recorded sessions. So far there is one scope, `shared`."""

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
        """Record an answer and the conversation before it, and return the session's id. Raises StoreError.

        `tokens` are the sampled ones, `logprobs` their log-probabilities (nats). Which session that is, says
        `store.conversations`.
        """
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
                history=history,
                tools=tools,
                source=source,
                answer=answer,
                details=details,
            )

    def get(self, session_id: str) -> Session:
        """A session as it is now. Raises NotFound."""
        with self._database.reading() as orm:
            return _session(orm, conversations.session_row(orm, session_id))

    def judged(self, session_id: str) -> Session:
        """A session as it was when its newest rating was given, since nobody has judged the turns after that;
        without a rating, as it is now. Raises NotFound.
        """
        with self._database.reading() as orm:
            rating = newest_rating(orm, session_id)
            return _session(
                orm, conversations.session_row(orm, session_id), rating.created_at if rating else None
            )

    def all(self, scope: str = SHARED, *, helpers: bool = False) -> list[Session]:
        """All sessions of a scope, newest first. `helpers`: also those that clients made by themselves."""
        with self._database.reading() as orm:
            query = select(SessionRow).where(SessionRow.scope == scope).order_by(SessionRow.created_at.desc())
            if not helpers:
                query = query.where(SessionRow.source != HELPER)
            current = select(TurnRow).join(SessionRow).where(TurnRow.superseded_at.is_(None))
            said = defaultdict(list)
            for turn in orm.scalars(current.where(SessionRow.scope == scope).order_by(TurnRow.position)):
                said[turn.session_id].append(turn)
            ratings = newest_ratings(orm)
            return [_assembled(row, said[row.id], ratings.get(row.id)) for row in orm.scalars(query)]

    def count(self) -> int:
        """Number of sessions in all scopes."""
        with self._database.reading() as orm:
            return orm.scalar(select(func.count()).select_from(SessionRow)) or 0

    def teaching(
        self, scope: str = SHARED, *, among: Collection[str] = (), without: Collection[str] = ()
    ) -> list[str]:
        """Ids of the sessions that teach something, oldest first.

        These are the good ones, the bad ones whose rating has a comment, and the unrated ones with an answer
        that was accepted, edited, or rejected with a comment. If `among` is not empty, only its sessions are
        considered; those in `without` never are, nor those that clients made by themselves.
        """
        rating = _newest("rating")
        judged = or_(rating == "good", and_(rating == "bad", func.coalesce(_newest("comment"), "") != ""))
        query = select(SessionRow.id, rating).where(
            SessionRow.scope == scope,
            SessionRow.source != HELPER,
            or_(judged, and_(rating.is_(None), _signalled(true()))),
            SessionRow.id.not_in(list(without)),
        )
        if among:
            query = query.where(SessionRow.id.in_(list(among)))
        with self._database.reading() as orm:
            rows = orm.execute(query.order_by(SessionRow.created_at, SessionRow.id)).all()
            return [id for id, rated in rows if rated or any(map(_teaches, signals(orm, id)))]

    def unwanted(self, scope: str = SHARED) -> list[Session]:
        """Sessions with answers that nobody wants, newest first: those rated bad without a comment, and those
        with a rejected answer; none that a client made by itself."""
        bad = and_(_newest("rating") == "bad", func.coalesce(_newest("comment"), "") == "")
        query = select(SessionRow).where(
            SessionRow.scope == scope,
            SessionRow.source != HELPER,
            or_(bad, _signalled(SignalRow.signal == "rejected")),
        )
        with self._database.reading() as orm:
            return [_session(orm, row) for row in orm.scalars(query.order_by(SessionRow.created_at.desc()))]

    def of_response(self, response_id: str) -> str:
        """The id of the session that holds a response. Raises NotFound."""
        with self._database.reading() as orm:
            return _answer(orm, response_id).session_id

    def answer(self, response_id: str) -> Message:
        """What a response said, also if it was edited or regenerated since. Raises NotFound."""
        with self._database.reading() as orm:
            return Message.from_json(_answer(orm, response_id).message)

    def up_to(self, response_id: str) -> tuple[tuple[Message, ...], str | None]:
        """The conversation as it was when a response was given, which ends it, and the id of the session that
        goes on from there: None if that has gone on in another way already. Raises NotFound."""
        with self._database.reading() as orm:
            answer = _answer(orm, response_id)
            then = turns(orm, answer.session_id, answer.created_at)
            newest = turns(orm, answer.session_id)[-1]
            messages = tuple(messages_of([t for t in then if t.position <= answer.position]))
            return messages, answer.session_id if newest.id == answer.id else None

    def find(self, history: Sequence[Message], user: str | None) -> str | None:
        """The id of the session that a conversation continues, or None (`finding.find_session`)."""
        with self._database.reading() as orm:
            return find_session(orm, history, user)

    def sync(
        self, session_id: str | None, history: Sequence[Message], user: str | None, tools: Tools = ()
    ) -> str | None:
        """Bring a session up to the conversation that the client has, and return its id.

        Without this, an answer that the user edited would be recorded only with the next request. Returns
        None if the conversation is not recorded and holds no answer. A conversation that is a beginning of
        what is recorded takes no turns back.
        """
        with self._database.writing() as orm:
            session_id = session_id or find_session(orm, history, user)
            if not any(m.role == "assistant" for m in history) and (not history or session_id is None):
                return session_id
            return conversations.append(
                orm, session_id=session_id, user=user, history=history, tools=tools, source="api"
            )

    def add(
        self, session_id: str | None, *, user: str | None, messages: Sequence[Message], tools: Tools
    ) -> tuple[str, bool]:
        """Add a whole session, and return its id and whether it was new.

        Without an id, one is made from the content. Raises BadRequest if the session exists with other
        messages.
        """
        if session_id is None:
            content = json.dumps([user, [m.to_json() for m in messages], list(tools)], sort_keys=True)
            session_id = f"imp_{hashlib.sha256(content.encode()).hexdigest()[:16]}"
        with self._database.writing() as orm:
            if orm.get(SessionRow, session_id) is None:
                conversations.append(
                    orm, session_id=session_id, user=user, history=messages, tools=tools, source="import"
                )
                return session_id, True
            if messages_of(turns(orm, session_id)) != list(messages):
                raise BadRequest(f"session {session_id} exists already with other messages", "id")
        return session_id, False

    def skip(self, reason: str, detail: str = "", session_id: str | None = None) -> None:
        """Record that something was not recorded, and why."""
        with self._database.writing() as orm:
            orm.add(SkippedRow(reason=reason, detail=detail, session_id=session_id, created_at=now()))

    def skipped(self) -> list[Skipped]:
        """What was not recorded, newest first."""
        with self._database.reading() as orm:
            return [
                Skipped(**columns(row))
                for row in orm.scalars(select(SkippedRow).order_by(SkippedRow.id.desc()))
            ]


def _answer(orm: Orm, response_id: str) -> TurnRow:
    """The turn that holds a response. Raises NotFound."""
    row = orm.scalar(select(TurnRow).where(TurnRow.response_id == response_id))
    if row is None:
        raise NotFound(f"there is no response {response_id}")
    return row


def _session(orm: Orm, row: SessionRow, at: str | None = None) -> Session:
    return _assembled(row, turns(orm, row.id, at), newest_rating(orm, row.id))


def _assembled(row: SessionRow, said: Sequence[TurnRow], rating: FeedbackRow | None) -> Session:
    return Session(
        id=row.id,
        messages=tuple(messages_of(said)),
        tools=tuple(row.tools),
        user=row.user,
        source=row.source,
        created_at=row.created_at,
        rating=rating.rating if rating else None,
        comment=rating.comment if rating else None,
    )


def _newest(column: str) -> ColumnElement[str | None]:
    """An SQL expression for queries of sessions: a column of the newest rating that is not retracted."""
    valid = and_(FeedbackRow.session_id == SessionRow.id, FeedbackRow.retracted_at.is_(None))
    query = select(getattr(FeedbackRow, column)).where(valid).order_by(FeedbackRow.number.desc()).limit(1)
    return query.correlate(SessionRow).scalar_subquery()


def _signalled(wanted: ColumnElement[bool]) -> ColumnElement[bool]:
    """An SQL expression for queries of sessions: whether a signal is `wanted` and not retracted."""
    valid = and_(SignalRow.session_id == SessionRow.id, SignalRow.retracted_at.is_(None))
    return exists().where(valid, wanted).correlate(SessionRow)


def _teaches(signal: Signal) -> bool:
    """Whether its response is still part of the session, and the signal says what would be right."""
    return signal.position is not None and (signal.kind != "rejected" or bool(signal.comment))
