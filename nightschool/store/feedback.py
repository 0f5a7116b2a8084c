"""Ratings of sessions and signals about single responses. Nothing is ever deleted."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session as Orm
from sqlalchemy.orm import aliased

from nightschool.errors import BadRequest, NotFound
from nightschool.store import conversations
from nightschool.store.database import Database, columns
from nightschool.store.engine import now
from nightschool.store.finding import turns
from nightschool.store.schema import FeedbackRow, SignalRow, TurnRow
from nightschool.types import HELPER, Feedback, Message, Signal


class FeedbackLog:
    """Ratings and signals. Clients choose their ids, so that sending one twice changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def rate(self, feedback: Feedback) -> bool:
        """Add a rating. Returns whether it was new: False if it has been sent before.

        A session that a client made by itself is one like any other from then on: somebody has read it.
        Raises NotFound if there is no such session, and BadRequest if its id is taken by other feedback.
        """
        row = FeedbackRow(
            id=feedback.id,
            session_id=feedback.session_id,
            rating=feedback.rating,
            comment=feedback.comment,
            created_at=feedback.created_at or now(),
        )
        with self._database.writing() as orm:
            session = conversations.session_row(orm, feedback.session_id)
            if session.source == HELPER:
                session.source = "api"
            return _add_once(orm, row)

    def signal(self, signal: Signal) -> bool:
        """Add a signal. Returns whether it was new: False if it has been sent before.

        Raises NotFound if there is no such response in its session, and BadRequest if its id is taken by
        other feedback.
        """
        row = SignalRow(
            id=signal.id,
            session_id=signal.session_id,
            response_id=signal.response_id,
            signal=signal.kind,
            text=signal.text,
            comment=signal.comment,
            created_at=signal.created_at or now(),
        )
        response = select(TurnRow.id).where(
            TurnRow.session_id == signal.session_id, TurnRow.response_id == signal.response_id
        )
        with self._database.writing() as orm:
            if orm.scalar(response.limit(1)) is None:
                raise NotFound(f"there is no response {signal.response_id} in session {signal.session_id}")
            return _add_once(orm, row)

    def retract_rating(self, session_id: str) -> Feedback | None:
        """Retract the newest rating of a session and return it, or None if the session has none."""
        with self._database.writing() as orm:
            row = newest_rating(orm, session_id)
            if row is None:
                return None
            row.retracted_at = now()
            return _feedback(row)

    def retract(self, feedback_id: str) -> str:
        """Retract a rating or a signal, once or again, and return the id of its session. Raises NotFound."""
        with self._database.writing() as orm:
            row = _by_id(orm, feedback_id)
            if row is None:
                raise NotFound(f"there is no feedback {feedback_id}")
            row.retracted_at = row.retracted_at or now()
            return row.session_id

    def ratings(self, session_id: str) -> list[Feedback]:
        """All ratings of a session, also retracted ones, oldest first."""
        query = select(FeedbackRow).where(FeedbackRow.session_id == session_id).order_by(FeedbackRow.number)
        with self._database.reading() as orm:
            return [_feedback(row) for row in orm.scalars(query)]

    def signals(self, session_id: str) -> list[Signal]:
        """The signals in a session that are not retracted, oldest first, each with its `position`."""
        with self._database.reading() as orm:
            return signals(orm, session_id)


def newest_rating(orm: Orm, session_id: str) -> FeedbackRow | None:
    """The newest rating of a session that is not retracted: the one that counts."""
    valid = select(FeedbackRow).where(
        FeedbackRow.session_id == session_id, FeedbackRow.retracted_at.is_(None)
    )
    return orm.scalar(valid.order_by(FeedbackRow.number.desc()).limit(1))


def newest_ratings(orm: Orm) -> dict[str, FeedbackRow]:
    """The rating that counts of every rated session, by session id."""
    newest = select(func.max(FeedbackRow.number)).where(FeedbackRow.retracted_at.is_(None))
    query = select(FeedbackRow).where(FeedbackRow.number.in_(newest.group_by(FeedbackRow.session_id)))
    return {row.session_id: row for row in orm.scalars(query)}


def signals(orm: Orm, session_id: str) -> list[Signal]:
    """What `FeedbackLog.signals` returns."""
    current = aliased(TurnRow)
    response = and_(TurnRow.session_id == SignalRow.session_id, TurnRow.response_id == SignalRow.response_id)
    in_its_place = and_(
        current.session_id == TurnRow.session_id,
        current.position == TurnRow.position,
        current.superseded_at.is_(None),
    )
    query = select(SignalRow, TurnRow, current).outerjoin(TurnRow, response).outerjoin(current, in_its_place)
    query = query.where(SignalRow.session_id == session_id, SignalRow.retracted_at.is_(None))
    rows = orm.execute(query.order_by(SignalRow.number)).all()
    places = {turn.id: i for i, turn in enumerate(turns(orm, session_id))} if rows else {}
    return [_signal(row, turn, now_there, places) for row, turn, now_there in rows]


def _add_once(orm: Orm, row: FeedbackRow | SignalRow) -> bool:
    """Add the row and return True, or return False if it is there. Raises BadRequest if its id is taken."""
    earlier = _by_id(orm, row.id)
    if earlier is None:
        orm.add(row)
    elif _content(earlier) != _content(row):
        raise BadRequest(f"feedback {row.id} exists already with other content", "id")
    return earlier is None


def _by_id(orm: Orm, feedback_id: str) -> FeedbackRow | SignalRow | None:
    """The rating or the signal with this id."""
    rating = orm.scalar(select(FeedbackRow).where(FeedbackRow.id == feedback_id))
    return rating or orm.scalar(select(SignalRow).where(SignalRow.id == feedback_id))


def _content(row: FeedbackRow | SignalRow) -> dict[str, Any]:
    """The columns that the client sent. Those of a rating and of a signal are never equal."""
    return columns(row, without=("number", "created_at", "retracted_at"))


def _feedback(row: FeedbackRow) -> Feedback:
    retracted = row.retracted_at is not None
    return Feedback(row.id, row.session_id, row.rating, row.comment, row.created_at, retracted)


def _signal(row: SignalRow, turn: TurnRow | None, current: TurnRow | None, places: dict[int, int]) -> Signal:
    """`turn` is the response that the signal is about, `current` the turn that is in its place now, `places`
    are the session's turns by id."""
    position = None
    if current and (current is turn or (row.signal == "edited" and _says(current, row.text))):
        position = places[current.id]
    return Signal(
        row.id, row.session_id, row.response_id, row.signal, row.text, row.comment, row.created_at, position
    )


def _says(turn: TurnRow, text: str | None) -> bool:
    """Whether an answer has this text. Clients trim answers, so whitespace at both ends is ignored."""
    message = Message.from_json(turn.message)
    return message.role == "assistant" and message.content.strip() == (text or "").strip()
