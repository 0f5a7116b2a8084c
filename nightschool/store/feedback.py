"""What users thought: ratings of sessions, and signals about single responses. Nothing is ever deleted."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session as Orm
from sqlalchemy.orm import aliased

from nightschool.errors import BadRequest, NotFound
from nightschool.store import conversations
from nightschool.store.database import Database, columns
from nightschool.store.engine import now
from nightschool.store.schema import FeedbackRow, SignalRow, TurnRow
from nightschool.types import Feedback, Message, Signal


class FeedbackLog:
    """Ratings and signals. Their ids are the clients' own, so that sending one twice changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def rate(self, feedback: Feedback) -> bool:
        """Add a rating; False where that id came before with the same content.

        Raises NotFound (session) and BadRequest (the id came before with other content).
        """
        row = FeedbackRow(
            id=feedback.id,
            session_id=feedback.session_id,
            rating=feedback.rating,
            comment=feedback.comment,
            created_at=feedback.created_at or now(),
        )
        with self._database.writing() as orm:
            conversations.session_row(orm, feedback.session_id)
            return _add_once(orm, row)

    def signal(self, signal: Signal) -> bool:
        """Add a signal; False where that id came before with the same content.

        Raises NotFound (no such response in that session) and BadRequest (the id came before with other
        content, or as a rating).
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
        """Take the newest rating of a session back; None where there is none."""
        with self._database.writing() as orm:
            row = newest_rating(orm, session_id)
            if row is None:
                return None
            row.retracted_at = now()
            return _feedback(row)

    def retract(self, feedback_id: str) -> str:
        """Take one rating or signal back; again changes nothing. The id of its session. Raises NotFound."""
        with self._database.writing() as orm:
            row = _by_id(orm, feedback_id)
            if row is None:
                raise NotFound(f"there is no feedback {feedback_id}")
            row.retracted_at = row.retracted_at or now()
            return row.session_id

    def ratings(self, session_id: str) -> list[Feedback]:
        """Oldest first, those taken back included."""
        query = select(FeedbackRow).where(FeedbackRow.session_id == session_id).order_by(FeedbackRow.number)
        with self._database.reading() as orm:
            return [_feedback(row) for row in orm.scalars(query)]

    def signals(self, session_id: str) -> list[Signal]:
        """Oldest first, without those taken back; each says where its response is now. An edited one is also
        where its client went on with what the user made of it."""
        with self._database.reading() as orm:
            return signals(orm, session_id)


def newest_rating(orm: Orm, session_id: str) -> FeedbackRow | None:
    """The one that counts."""
    valid = select(FeedbackRow).where(
        FeedbackRow.session_id == session_id, FeedbackRow.retracted_at.is_(None)
    )
    return orm.scalar(valid.order_by(FeedbackRow.number.desc()).limit(1))


def newest_ratings(orm: Orm) -> dict[str, FeedbackRow]:
    """The one that counts of every rated session, by its id."""
    newest = select(func.max(FeedbackRow.number)).where(FeedbackRow.retracted_at.is_(None))
    query = select(FeedbackRow).where(FeedbackRow.number.in_(newest.group_by(FeedbackRow.session_id)))
    return {row.session_id: row for row in orm.scalars(query)}


def signals(orm: Orm, session_id: str) -> list[Signal]:
    """See `FeedbackLog.signals`."""
    current = aliased(TurnRow)
    response = and_(TurnRow.session_id == SignalRow.session_id, TurnRow.response_id == SignalRow.response_id)
    in_its_place = and_(
        current.session_id == TurnRow.session_id,
        current.position == TurnRow.position,
        current.superseded_at.is_(None),
    )
    query = select(SignalRow, TurnRow, current).outerjoin(TurnRow, response).outerjoin(current, in_its_place)
    query = query.where(SignalRow.session_id == session_id, SignalRow.retracted_at.is_(None))
    return [_signal(*rows) for rows in orm.execute(query.order_by(SignalRow.number))]


def _add_once(orm: Orm, row: FeedbackRow | SignalRow) -> bool:
    """Whether it is new. Raises BadRequest where its id came before with other content."""
    earlier = _by_id(orm, row.id)
    if earlier is None:
        orm.add(row)
    elif _content(earlier) != _content(row):
        raise BadRequest(f"feedback {row.id} exists already with other content", "id")
    return earlier is None


def _by_id(orm: Orm, feedback_id: str) -> FeedbackRow | SignalRow | None:
    """The rating or the signal with that id."""
    rating = orm.scalar(select(FeedbackRow).where(FeedbackRow.id == feedback_id))
    return rating or orm.scalar(select(SignalRow).where(SignalRow.id == feedback_id))


def _content(row: FeedbackRow | SignalRow) -> dict[str, Any]:
    """What the client said, whenever it did. A rating and a signal are never the same."""
    return columns(row, without=("number", "created_at", "retracted_at"))


def _feedback(row: FeedbackRow) -> Feedback:
    retracted = row.retracted_at is not None
    return Feedback(row.id, row.session_id, row.rating, row.comment, row.created_at, retracted)


def _signal(row: SignalRow, turn: TurnRow | None, current: TurnRow | None) -> Signal:
    """`turn` is the response that the signal is about, `current` what is said in its place now."""
    position = None
    if current and (current is turn or (row.signal == "edited" and _says(current, row.text))):
        position = current.position
    return Signal(
        row.id, row.session_id, row.response_id, row.signal, row.text, row.comment, row.created_at, position
    )


def _says(turn: TurnRow, text: str | None) -> bool:
    """Clients trim answers."""
    message = Message.from_json(turn.message)
    return message.role == "assistant" and message.content.strip() == (text or "").strip()
