"""The HTTP application: one thin handler for each route."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Protocol

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from nightschool import __version__
from nightschool.config import ServeConfig
from nightschool.engines.base import Engine
from nightschool.errors import ModelNotFound
from nightschool.serve import errors, guard
from nightschool.serve.batcher import Batcher
from nightschool.serve.body import Route
from nightschool.serve.chat import Chat
from nightschool.serve.live import LiveModel
from nightschool.serve.request_id import RequestId
from nightschool.serve.wire import anthropic_errors, anthropic_models
from nightschool.serve.wire.anthropic import CountRequest, MessagesRequest
from nightschool.serve.wire.anthropic_events import MessagesWire
from nightschool.serve.wire.chat import ChatRequest, ChatWire
from nightschool.serve.wire.completions import CompletionRequest, CompletionWire
from nightschool.serve.wire.control import DreamRequest, FeedbackRequest, check_feedback
from nightschool.serve.wire.responses import ResponsesRequest
from nightschool.serve.wire.responses_events import ResponsesWire
from nightschool.store import Store
from nightschool.types import BASE, LIVE, Feedback, Session, Signal

_PAGE = """<!doctype html><meta charset="utf-8"><title>Nightschool</title>
<h1>Nightschool</h1>
<p>This server answers chats and learns from the good ones. Point any OpenAI-compatible client to
<code>{url}</code> (model <code>live</code>: {model} with what it has learned).</p>
<p>When a chat went well, type <code>/good</code>.</p>
"""


class Watch(Protocol):
    """When the server starts dreams by itself (`night.schedule.Schedule`)."""

    def touch(self) -> None:
        """Note that a request arrived."""
        ...

    async def watch(self) -> None:
        """Run beside the server until cancelled."""
        ...


def create_app(
    engine: Engine,
    store: Store,
    config: ServeConfig,
    *,
    dream: Callable[[], str],
    schedule: Watch,
) -> FastAPI:
    """Build the application. It owns `store` from now on and closes it at shutdown.

    `dream` starts a dream and returns its id; it raises DreamError if one is running, and NothingToLearn.
    `schedule` starts dreams without being asked.
    """
    batcher = Batcher(engine, config)
    live = LiveModel(engine, store, batcher)
    chat = Chat(engine, store, batcher, live, config, dream)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        batcher.start()
        await live.follow()
        watch = asyncio.create_task(schedule.watch())
        yield
        watch.cancel()
        batcher.stop()
        store.close()

    app = FastAPI(
        title="Nightschool",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses=errors.DOCUMENTED,
    )
    app.router.route_class = Route
    app.add_middleware(errors.BodyLimit, limit=config.max_body_bytes)
    guard.install(app, config)
    app.add_middleware(RequestId)
    errors.install(app)
    started = int(time.time())

    @app.post("/v1/chat/completions", responses=errors.STREAMED)
    async def chat_completions(body: ChatRequest, request: Request) -> Response:
        schedule.touch()
        return await chat.complete(body.ask(), ChatWire(body, engine.token_bytes), request)

    @app.post("/v1/responses", responses=errors.STREAMED)
    async def responses(body: ResponsesRequest, request: Request) -> Response:
        schedule.touch()
        ask = await asyncio.to_thread(body.ask, store.sessions)
        return await chat.complete(ask, ResponsesWire(body, engine.token_bytes), request)

    @app.post(anthropic_errors.PATH, responses=errors.STREAMED | anthropic_errors.DOCUMENTED)
    async def messages(body: MessagesRequest, request: Request) -> Response:
        schedule.touch()
        return await chat.complete(body.ask(), MessagesWire(), request)

    @app.post(f"{anthropic_errors.PATH}/count_tokens", responses=anthropic_errors.DOCUMENTED)
    async def count_tokens(body: CountRequest) -> dict[str, Any]:
        return {"input_tokens": await chat.count(body.ask())}

    @app.post("/v1/completions", responses=errors.STREAMED)
    async def completions(body: CompletionRequest, request: Request) -> Response:
        schedule.touch()
        return await chat.complete(body.ask(), CompletionWire(body, engine.decode), request)

    def model(name: str, created: int = started, **more: Any) -> dict[str, Any]:
        about = {"context_length": engine.context_length, "max_model_len": engine.context_length}
        openai = {"id": name, "object": "model", "created": created, "owned_by": "nightschool"}
        return {**openai, **anthropic_models.info(name, created, engine.context_length), **about, **more}

    def all_models() -> list[dict[str, Any]]:
        versions = store.versions.all()
        return [
            model(LIVE, root=engine.name, parent=live.answering, version=live.answering),
            model(BASE, root=engine.name, parent=None),
            *(
                model(v.name, root=engine.name, parent=v.parent, created=_seconds(v.created_at))
                for v in versions
            ),
        ]

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        found = all_models()
        return {"object": "list", "data": found, **anthropic_models.page([one["id"] for one in found])}

    @app.get("/v1/models/{name:path}")
    def one_model(name: str) -> dict[str, Any]:
        found = [one for one in all_models() if one["id"] == name]
        if not found:
            raise ModelNotFound(f"there is no model {name!r}: /v1/models lists them")
        return found[0]

    @app.get("/", include_in_schema=False)
    def page(request: Request) -> HTMLResponse:
        return HTMLResponse(_PAGE.format(url=f"{request.base_url}v1", model=engine.name))

    @app.get("/health")
    def health() -> dict[str, Any]:
        return {"status": "ok"}

    @app.get("/healthz")
    async def healthz() -> dict[str, Any]:
        await live.follow()
        swaps = await asyncio.to_thread(store.versions.swaps)
        refusal = await asyncio.to_thread(store.versions.refusal)
        return {
            "status": "ok",
            "model": engine.name,
            "live": await asyncio.to_thread(store.versions.live),
            "answering": live.answering,
            "last_swap": vars(swaps[0]) if swaps else None,
            "refused": vars(refusal) if refusal else None,
        }

    @app.get("/v1/sessions")
    def sessions(helpers: bool = False) -> dict[str, Any]:
        found = store.sessions.all(helpers=helpers)
        return {"object": "list", "data": [_session(s, whole=False) for s in found]}

    @app.get("/v1/sessions/{session_id:path}")
    def session(session_id: str) -> dict[str, Any]:
        return _session(store.sessions.get(session_id), whole=True)

    @app.post("/v1/feedback")
    def feedback(body: FeedbackRequest) -> dict[str, Any]:
        check_feedback(body)
        feedback_id = body.id or f"fb_{uuid.uuid4().hex[:16]}"
        session_id = body.session_id or store.sessions.of_response(body.response_id or "")
        reply: dict[str, Any] = {"id": feedback_id, "session_id": session_id}
        if body.signal and body.response_id:
            signal = Signal(feedback_id, session_id, body.response_id, body.signal, body.edited, body.comment)
            new = store.feedback.signal(signal)
            return reply | {"response_id": body.response_id, "signal": body.signal, "new": new}
        assert body.rating  # otherwise `check_feedback` has raised
        new = store.feedback.rate(Feedback(feedback_id, session_id, body.rating, body.comment))
        return reply | {"rating": body.rating, "new": new}

    @app.delete("/v1/feedback/{feedback_id}")
    def retract(feedback_id: str) -> dict[str, Any]:
        return {"id": feedback_id, "session_id": store.feedback.retract(feedback_id), "retracted": True}

    @app.get("/v1/dreams")
    def dreams() -> dict[str, Any]:
        return {"object": "list", "data": [d.to_json() for d in store.dreams.all()]}

    @app.post("/v1/dreams", status_code=202)
    def new_dream(body: DreamRequest | None = None) -> JSONResponse:
        return JSONResponse({"id": dream(), "status": "running"}, 202)

    @app.get("/v1/dreams/{dream_id}")
    def one_dream(dream_id: str) -> dict[str, Any]:
        return store.dreams.get(dream_id).to_json()

    @app.get("/v1/versions")
    def list_versions() -> dict[str, Any]:
        rows = [{**vars(v), "live": v.name == live.answering} for v in store.versions.all()]
        return {"object": "list", "live": store.versions.live(), "data": rows}

    return app


def _seconds(stamp: str) -> int:
    return int(datetime.fromisoformat(stamp).timestamp())


def _session(session: Session, *, whole: bool) -> dict[str, Any]:
    out: dict[str, Any] = {
        "id": session.id,
        "user": session.user,
        "source": session.source,
        "created_at": session.created_at,
        "rating": session.rating,
        "comment": session.comment,
        "turns": len(session.messages),
    }
    if whole:
        out |= {"messages": [m.to_json() for m in session.messages], "tools": list(session.tools)}
    return out
