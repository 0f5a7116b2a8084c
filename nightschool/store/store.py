"""The store's face: one short transaction a call, durable when it returns."""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Engine, and_, select
from sqlalchemy.orm import Session as Orm
from sqlalchemy.orm import aliased

from nightschool.errors import BadRequest, DreamError, NotFound, StoreError
from nightschool.store import conversations
from nightschool.store.engine import explained, now, open_engine
from nightschool.store.schema import (
    CounterRow,
    DreamRow,
    FeedbackRow,
    LiveRow,
    SessionRow,
    SignalRow,
    SkippedRow,
    SwapRow,
    TurnRow,
    VersionRow,
)
from nightschool.types import (
    BASE,
    Feedback,
    Message,
    Rating,
    Session,
    Signal,
    SignalKind,
    Tools,
    Version,
)


class Store:
    """Sessions, feedback, dreams and versions. Safe to open from several processes and threads."""

    def __init__(self, engine: Engine, home: Path) -> None:
        self._engine, self._home = engine, home

    @classmethod
    def open(cls, home: Path) -> Store:
        """Open (or create) the database of a home. Raises StoreError."""
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise StoreError(f"cannot create {home} ({e.strerror}): set NIGHTSCHOOL_HOME to a folder") from e
        return cls(open_engine(f"sqlite:///{home / 'nightschool.db'}"), home)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _writing(self) -> Iterator[Orm]:
        with explained(str(self._engine.url)), Orm(self._engine) as orm, orm.begin():
            yield orm

    @contextmanager
    def _reading(self) -> Iterator[Orm]:
        engine = self._engine.execution_options(reading=True)
        with explained(str(self._engine.url)), Orm(engine) as orm, orm.begin():
            yield orm

    # Sessions

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
        with self._writing() as orm:
            return conversations.append(
                orm,
                session_id=session_id,
                user=user,
                messages=[*history, answer],
                tools=tools,
                source=source,
                answer=details,
            )

    def session(self, session_id: str) -> Session:
        """Raises NotFound."""
        with self._reading() as orm:
            return _session(orm, _session_row(orm, session_id))

    def judged(self, session_id: str) -> Session:
        """A session as it stood when its newest rating was given: of what was said later, nobody has said
        that it went well. Raises NotFound."""
        with self._reading() as orm:
            rating = _newest_rating(orm, session_id)
            return _session(orm, _session_row(orm, session_id), rating.created_at if rating else None)

    def sessions(self) -> list[Session]:
        """Newest first."""
        with self._reading() as orm:
            rows = orm.scalars(select(SessionRow).order_by(SessionRow.created_at.desc())).all()
            return [_session(orm, row) for row in rows]

    def session_of_response(self, response_id: str) -> str:
        """The session that holds a response. Raises NotFound."""
        with self._reading() as orm:
            found = orm.scalar(select(TurnRow.session_id).where(TurnRow.response_id == response_id))
        if found is None:
            raise NotFound(f"there is no response {response_id}")
        return found

    def find_session(self, history: Sequence[Message], user: str | None) -> str | None:
        """The session that a conversation goes on from, if it is recorded."""
        with self._reading() as orm:
            return conversations.find(orm, history, user)

    def keep_up(
        self, session_id: str | None, history: Sequence[Message], user: str | None, tools: Tools = ()
    ) -> str | None:
        """The session of a conversation, brought up to what the client has: an answer that the user edited
        and asked nothing after is in no request's history yet. None where there is no answer to keep."""
        with self._writing() as orm:
            session_id = session_id or conversations.find(orm, history, user)
            recorded = conversations.turns(orm, session_id) if session_id else []
            known = [turn.chain for turn in recorded[: len(history)]]
            if not history or known == conversations.chains(history):
                return session_id
            if session_id is None and not any(m.role == "assistant" for m in history):
                return None
            return conversations.append(
                orm, session_id=session_id, user=user, messages=history, tools=tools, source="api"
            )

    def import_session(
        self,
        session_id: str | None,
        *,
        user: str | None,
        messages: Sequence[Message],
        tools: Tools,
        feedback: Feedback | None,
    ) -> tuple[str, bool]:
        """Add a whole session; (its id, whether anything was new). Raises BadRequest where the id holds
        another conversation."""
        if session_id is None:
            content = json.dumps([user, [m.to_json() for m in messages], list(tools)], sort_keys=True)
            session_id = f"imp_{hashlib.sha256(content.encode()).hexdigest()[:16]}"
        with self._writing() as orm:
            exists = orm.get(SessionRow, session_id) is not None
            if exists:
                recorded = tuple(Message.from_json(t.message) for t in conversations.turns(orm, session_id))
                if recorded != tuple(messages):
                    raise BadRequest(f"session {session_id} exists already with other messages", "id")
            else:
                conversations.append(
                    orm, session_id=session_id, user=user, messages=messages, tools=tools, source="import"
                )
            rated = feedback is not None and _rate(orm, feedback, session_id)
        return session_id, not exists or rated

    def skip(self, reason: str, detail: str = "", session_id: str | None = None) -> None:
        """Note that something was not recorded."""
        with self._writing() as orm:
            orm.add(SkippedRow(reason=reason, detail=detail, session_id=session_id, created_at=now()))

    def skipped(self) -> list[dict[str, Any]]:
        """Newest first."""
        with self._reading() as orm:
            return [_plain(r) for r in orm.scalars(select(SkippedRow).order_by(SkippedRow.id.desc()))]

    # Feedback

    def rate(self, feedback: Feedback) -> bool:
        """Add a rating; False where that id came before with the same content.

        Raises NotFound (session) and BadRequest (the id came before with other content).
        """
        with self._writing() as orm:
            return _rate(orm, feedback, feedback.session_id)

    def signal(self, signal: Signal) -> bool:
        """Add a signal; False where that id came before with the same content.

        Raises NotFound (no such response in that session) and BadRequest (the id came before with other
        content, or as a rating).
        """
        with self._writing() as orm:
            return _add_signal(orm, signal)

    def retract(self, session_id: str) -> Feedback | None:
        """Take the newest rating of a session back; None where there is none."""
        with self._writing() as orm:
            row = _newest_rating(orm, session_id)
            if row is None:
                return None
            row.retracted_at = now()
            return _feedback(row)

    def retract_feedback(self, feedback_id: str) -> str:
        """Take one rating or signal back; again changes nothing. The id of its session. Raises NotFound."""
        with self._writing() as orm:
            row = _given(orm, feedback_id)
            if row is None:
                raise NotFound(f"there is no feedback {feedback_id}")
            row.retracted_at = row.retracted_at or now()
            return row.session_id

    def feedback(self, session_id: str | None = None) -> list[Feedback]:
        """Oldest first."""
        query = select(FeedbackRow).order_by(FeedbackRow.number)
        if session_id is not None:
            query = query.where(FeedbackRow.session_id == session_id)
        with self._reading() as orm:
            return [_feedback(row) for row in orm.scalars(query)]

    def signals(self, session_id: str | None = None) -> list[Signal]:
        """Oldest first, without those taken back; each says where its response is now. An edited one is also
        where its client went on with what the user made of it."""
        current = aliased(TurnRow)
        response = and_(
            TurnRow.session_id == SignalRow.session_id, TurnRow.response_id == SignalRow.response_id
        )
        in_its_place = and_(
            current.session_id == TurnRow.session_id,
            current.position == TurnRow.position,
            current.superseded_at.is_(None),
        )
        query = select(SignalRow, TurnRow, current).outerjoin(TurnRow, response)
        query = query.outerjoin(current, in_its_place)
        query = query.where(SignalRow.retracted_at.is_(None)).order_by(SignalRow.number)
        if session_id is not None:
            query = query.where(SignalRow.session_id == session_id)
        with self._reading() as orm:
            return [_signal(row, turn, now_) for row, turn, now_ in orm.execute(query)]

    # Dreams

    @contextmanager
    def dreaming(self) -> Iterator[None]:
        """Hold the right to dream in this home: one process has it, and loses it with its life.

        Raises DreamError where another one has it.
        """
        with (self._home / "dream.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as e:
                raise DreamError("a dream is running: wait for it to end (`/v1/dreams` shows it)") from e
            yield

    def running_dream(self) -> dict[str, Any] | None:
        """The dream that a living process is at. (One that was killed still has the status "running".)"""
        with suppress(DreamError), self.dreaming():
            return None
        return next((d for d in self.dreams() if d["status"] == "running"), None)

    def start_dream(
        self, dream_id: str, *, sessions: Sequence[str], parent: str, config: dict[str, Any], pid: int
    ) -> None:
        """Note that a dream began; its process is `dreaming`."""
        with self._writing() as orm:
            stamp = now()
            orm.add(
                DreamRow(
                    id=dream_id,
                    status="running",
                    sessions=list(sessions),
                    parent=parent,
                    config=config,
                    pid=pid,
                    created_at=stamp,
                    updated_at=stamp,
                )
            )

    def update_dream(self, dream_id: str, **changes: Any) -> None:
        """Change status, pid, progress, verdict, version or error. Raises NotFound."""
        with self._writing() as orm:
            row = _dream(orm, dream_id)
            for name, value in changes.items():
                setattr(row, name, value)
            row.updated_at = now()

    def dream(self, dream_id: str) -> dict[str, Any]:
        """Raises NotFound."""
        with self._reading() as orm:
            return _plain(_dream(orm, dream_id))

    def dreams(self) -> list[dict[str, Any]]:
        """Newest first."""
        with self._reading() as orm:
            return [_plain(r) for r in orm.scalars(select(DreamRow).order_by(DreamRow.number.desc()))]

    # Versions

    def next_version(self, stem: str) -> str:
        """Reserve a name `stem@N`; N is never given out again."""
        with self._writing() as orm:
            row = orm.get(CounterRow, stem) or CounterRow(stem=stem, last=0)
            row.last += 1
            orm.add(row)
            return f"{stem}@{row.last}"

    def add_version(self, version: Version) -> None:
        """A path in this home is kept as one from there: a home may be moved."""
        path = Path(version.path)
        inside = path.relative_to(self._home) if path.is_relative_to(self._home) else path
        with self._writing() as orm:
            orm.add(
                VersionRow(
                    name=version.name,
                    parent=version.parent,
                    path=str(inside),
                    sessions=list(version.sessions),
                    dream_id=version.dream_id,
                    created_at=version.created_at or now(),
                )
            )

    def version(self, name: str) -> Version:
        """Raises NotFound."""
        with self._reading() as orm:
            return self._version(_version_row(orm, name))

    def versions(self) -> list[Version]:
        """Oldest first."""
        with self._reading() as orm:
            return [self._version(r) for r in orm.scalars(select(VersionRow).order_by(VersionRow.number))]

    def _version(self, row: VersionRow) -> Version:
        path = str(self._home / row.path)
        return Version(row.name, row.parent, path, tuple(row.sessions), row.dream_id, row.created_at)

    def live(self) -> str:
        """The live version's name, or `base`."""
        with self._reading() as orm:
            return _live(orm)

    def set_live(self, name: str, *, expect: str | None = None) -> None:
        """Move the live pointer. Raises NotFound, and StoreError where it is not at `expect` any more."""
        with self._writing() as orm:
            if name != BASE:
                _version_row(orm, name)
            live = _live(orm)
            if expect is not None and live != expect:
                raise StoreError(
                    f"the live version is {live} by now, no longer {expect}: nothing was changed"
                )
            orm.add(LiveRow(version=name, created_at=now()))

    def lineage(self, name: str) -> list[Version]:
        """A version and its ancestors, oldest first; nothing for `base`. Raises NotFound."""
        out: list[Version] = []
        with self._reading() as orm:
            while name != BASE:
                out.append(self._version(_version_row(orm, name)))
                name = out[-1].parent
        return out[::-1]

    def note_swap(self, version: str, ok: bool, detail: str) -> None:
        """A server loaded a version, or refused to."""
        with self._writing() as orm:
            orm.add(SwapRow(version=version, ok=ok, detail=detail, created_at=now()))

    def swaps(self) -> list[dict[str, Any]]:
        """Newest first."""
        with self._reading() as orm:
            return [_plain(r) for r in orm.scalars(select(SwapRow).order_by(SwapRow.id.desc()))]


def _session_row(orm: Orm, session_id: str) -> SessionRow:
    row = orm.get(SessionRow, session_id)
    if row is None:
        raise NotFound(f"there is no session {session_id}: `nightschool sessions` lists them")
    return row


def _session(orm: Orm, row: SessionRow, at: str | None = None) -> Session:
    rating = _newest_rating(orm, row.id)
    return Session(
        id=row.id,
        messages=tuple(Message.from_json(t.message) for t in conversations.turns(orm, row.id, at)),
        tools=tuple(row.tools),
        user=row.user,
        source=row.source,
        created_at=row.created_at,
        rating=cast(Rating, rating.rating) if rating else None,
        comment=rating.comment if rating else None,
    )


def _newest_rating(orm: Orm, session_id: str) -> FeedbackRow | None:
    query = select(FeedbackRow).where(
        FeedbackRow.session_id == session_id, FeedbackRow.retracted_at.is_(None)
    )
    return orm.scalar(query.order_by(FeedbackRow.number.desc()).limit(1))


def _rate(orm: Orm, feedback: Feedback, session_id: str) -> bool:
    _session_row(orm, session_id)
    row = FeedbackRow(
        id=feedback.id,
        session_id=session_id,
        rating=feedback.rating,
        comment=feedback.comment,
        created_at=feedback.created_at or now(),
    )
    return _add_once(orm, row)


def _add_signal(orm: Orm, signal: Signal) -> bool:
    response = select(TurnRow.id).where(
        TurnRow.session_id == signal.session_id, TurnRow.response_id == signal.response_id
    )
    if orm.scalar(response.limit(1)) is None:
        raise NotFound(f"there is no response {signal.response_id} in session {signal.session_id}")
    row = SignalRow(
        id=signal.id,
        session_id=signal.session_id,
        response_id=signal.response_id,
        signal=signal.kind,
        text=signal.text,
        comment=signal.comment,
        created_at=signal.created_at or now(),
    )
    return _add_once(orm, row)


def _add_once(orm: Orm, row: FeedbackRow | SignalRow) -> bool:
    """Whether it is new. Raises BadRequest where its id came before with other content."""
    known = _given(orm, row.id)
    if known is None:
        orm.add(row)
    elif _content(known) != _content(row):
        raise BadRequest(f"feedback {row.id} exists already with other content", "id")
    return known is None


def _given(orm: Orm, feedback_id: str) -> FeedbackRow | SignalRow | None:
    """The rating or the signal with that id."""
    rating = orm.scalar(select(FeedbackRow).where(FeedbackRow.id == feedback_id))
    return rating or orm.scalar(select(SignalRow).where(SignalRow.id == feedback_id))


def _content(row: FeedbackRow | SignalRow) -> dict[str, Any]:
    """What the client said, whenever it did. A rating and a signal are never the same."""
    return {name: value for name, value in _plain(row).items() if not name.endswith("_at")}


def _feedback(row: FeedbackRow) -> Feedback:
    rating = cast(Rating, row.rating)
    return Feedback(
        row.id, row.session_id, rating, row.comment, row.created_at, retracted=row.retracted_at is not None
    )


def _signal(row: SignalRow, turn: TurnRow | None, current: TurnRow | None) -> Signal:
    """`turn` is the response that the signal is about, `current` what is said in its place now."""
    position = None
    if current and (current is turn or (row.signal == "edited" and _says(current, row.text))):
        position = current.position
    return Signal(
        row.id,
        row.session_id,
        row.response_id,
        cast(SignalKind, row.signal),
        row.text,
        row.comment,
        row.created_at,
        position,
    )


def _says(turn: TurnRow, text: str | None) -> bool:
    """Clients trim answers."""
    message = Message.from_json(turn.message)
    return message.role == "assistant" and message.content.strip() == (text or "").strip()


def _dream(orm: Orm, dream_id: str) -> DreamRow:
    row = orm.scalar(select(DreamRow).where(DreamRow.id == dream_id))
    if row is None:
        raise NotFound(f"there is no dream {dream_id}")
    return row


def _version_row(orm: Orm, name: str) -> VersionRow:
    row = orm.scalar(select(VersionRow).where(VersionRow.name == name))
    if row is None:
        raise NotFound(f"there is no version {name}: `nightschool versions` lists them")
    return row


def _live(orm: Orm) -> str:
    return orm.scalar(select(LiveRow.version).order_by(LiveRow.number.desc()).limit(1)) or BASE


def _plain(row: Any) -> dict[str, Any]:
    """A row's columns, without its internal number."""
    names = [c.key for c in row.__table__.columns if c.key != "number"]
    return {name: getattr(row, name) for name in names}
