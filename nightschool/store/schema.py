"""The tables. Every change here needs a migration; a test compares the two."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import JSON, ForeignKey, Index, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from nightschool.types import SHARED, DreamStatus, Rating, SignalKind

# Alembic can alter only constraints and indexes that have a name.
_NAMES = {
    "ix": "ix_%(column_0_label)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


def _scope() -> Mapped[str]:
    """Whose row it is. Rows from before there were scopes belong to the shared one."""
    return mapped_column(server_default=SHARED)


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {dict[str, Any]: JSON, list[Any]: JSON}


class SessionRow(Base):
    __tablename__ = "sessions"
    id: Mapped[str] = mapped_column(primary_key=True)
    scope: Mapped[str] = _scope()
    user: Mapped[str | None]
    source: Mapped[str]
    tools: Mapped[list[Any]]
    created_at: Mapped[str]
    updated_at: Mapped[str]


class TurnRow(Base):
    """One message of a session. Positions only grow within a session; `store.identity` makes the hashes.

    chain     of the conversation up to and including it, but for system turns
    exchange  of an answer and the turn before it
    """

    __tablename__ = "turns"
    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id"))
    position: Mapped[int]
    message: Mapped[dict[str, Any]]
    chain: Mapped[str]
    exchange: Mapped[str | None]
    response_id: Mapped[str | None]
    version: Mapped[str | None]
    token_ids: Mapped[list[Any] | None] = mapped_column(JSON)
    logprobs: Mapped[list[Any] | None] = mapped_column(JSON)
    superseded_at: Mapped[str | None]  # when the user edited or regenerated it, or a turn before it
    created_at: Mapped[str]
    __table_args__ = (
        Index("ix_turns_session", "session_id", "position"),
        Index("ix_turns_chain", "chain"),
        Index("ix_turns_exchange", "exchange"),
        Index("ix_turns_response", "response_id"),
    )


class SkippedRow(Base):
    """Something that was not recorded, and why."""

    __tablename__ = "skipped"
    id: Mapped[int] = mapped_column(primary_key=True)
    reason: Mapped[str]
    detail: Mapped[str]
    session_id: Mapped[str | None]
    created_at: Mapped[str]


class FeedbackRow(Base):
    __tablename__ = "feedback"
    number: Mapped[int] = mapped_column(primary_key=True)  # order of arrival
    id: Mapped[str] = mapped_column(unique=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id"), index=True)
    rating: Mapped[Rating] = mapped_column(String)
    comment: Mapped[str | None]
    created_at: Mapped[str]
    retracted_at: Mapped[str | None]


class SignalRow(Base):
    """Feedback on one response. No id is in this table and in `feedback`."""

    __tablename__ = "signals"
    number: Mapped[int] = mapped_column(primary_key=True)  # order of arrival
    id: Mapped[str] = mapped_column(unique=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id"), index=True)
    response_id: Mapped[str]
    signal: Mapped[SignalKind] = mapped_column(String)
    text: Mapped[str | None]
    comment: Mapped[str | None]
    created_at: Mapped[str]
    retracted_at: Mapped[str | None]


class DreamRow(Base):
    __tablename__ = "dreams"
    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    scope: Mapped[str] = _scope()
    status: Mapped[DreamStatus] = mapped_column(String)
    sessions: Mapped[list[Any]]
    parent: Mapped[str]
    config: Mapped[dict[str, Any]]
    pid: Mapped[int]
    launches: Mapped[int] = mapped_column(server_default="0")  # processes that servers have started for it
    progress: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    verdict: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    lessons: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    version: Mapped[str | None]
    error: Mapped[str | None]
    created_at: Mapped[str]
    updated_at: Mapped[str]


class VersionRow(Base):
    __tablename__ = "versions"
    number: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    scope: Mapped[str] = _scope()
    parent: Mapped[str]
    path: Mapped[str]
    sessions: Mapped[list[Any]]
    dream_id: Mapped[str | None]
    created_at: Mapped[str]


class CounterRow(Base):
    """The last number given to a version of a stem. It is never given again, even if the dream fails."""

    __tablename__ = "counters"
    stem: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int]


class LiveRow(Base):
    """The live pointers: the newest row of a scope is its pointer, the earlier rows are its history."""

    __tablename__ = "live"
    number: Mapped[int] = mapped_column(primary_key=True)
    scope: Mapped[str] = _scope()
    version: Mapped[str]
    created_at: Mapped[str]


class SwapRow(Base):
    """A version that a server began to answer with (`ok`), or refused."""

    __tablename__ = "swaps"
    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[str]
    ok: Mapped[bool]
    detail: Mapped[str]
    created_at: Mapped[str]
