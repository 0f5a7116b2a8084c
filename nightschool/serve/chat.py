"""Chat completions, each from the client's JSON to a recorded answer."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from nightschool.config import ServeConfig
from nightschool.engines.base import Engine, FinishReason, GenerateRequest, Sampling
from nightschool.engines.tools import parse_calls
from nightschool.errors import BadRequest, ContextTooLong
from nightschool.serve import commands, wire
from nightschool.serve.batcher import Batcher, Stream
from nightschool.serve.errors import describe
from nightschool.serve.live import LiveModel
from nightschool.serve.text import TextStream
from nightschool.store import Store
from nightschool.types import Message, ToolCall

_SESSION_ID = re.compile(r"[\w.:@-]{1,200}")


@dataclass
class Answer:
    """An answer that is being decoded, and what is needed to send and record it."""

    request: wire.ChatRequest
    session_id: str
    history: list[Message]
    version: str
    prompt: int  # tokens
    stream: Stream
    text: TextStream
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish: FinishReason = "length"

    @property
    def headers(self) -> dict[str, str]:
        return {"X-Session-Id": self.session_id, "X-Nightschool-Version": self.version}

    @property
    def usage(self) -> dict[str, int]:
        return wire.usage(self.prompt, len(self.tokens))


class Chat:
    """Answers chat completions. An answer is durable before its last byte is sent."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        batcher: Batcher,
        live: LiveModel,
        config: ServeConfig,
        dream: Callable[[], str],
    ) -> None:
        self._engine, self._store, self._batcher = engine, store, batcher
        self._live, self._config, self._dream = live, config, dream

    async def complete(self, body: wire.ChatRequest, request: Request) -> Response:
        """Answer a request: with JSON, or with server-sent events if it asks for a stream.

        Raises BadRequest, NotFound, VersionError and StoreError.
        """
        history, command = commands.split(wire.to_messages(body.messages))
        session_id = _session_header(request)
        if command:
            return await self._command(command, history, body, session_id)
        if not history:
            raise BadRequest("messages hold only commands and their answers", "messages")
        answer = await self._begin(body, history, session_id)
        if body.stream:
            events = self._events(answer)
            return StreamingResponse(events, media_type="text/event-stream", headers=answer.headers)
        return await self._whole(answer, request)

    async def _begin(self, body: wire.ChatRequest, history: list[Message], session_id: str | None) -> Answer:
        version = await self._live.resolve(body.model)
        prompt = await asyncio.to_thread(self._engine.encode, history, body.tool_schemas)
        available = self._engine.context_length - len(prompt)  # tokens for the answer
        if available < 1:
            raise ContextTooLong(
                f"the request has {len(prompt)} tokens, but the model's context holds only "
                f"{self._engine.context_length}: shorten it",
                "messages",
                "context_length_exceeded",
            )
        sampling = Sampling(
            max_tokens=min(body.limit or self._config.max_tokens, available),
            temperature=1.0 if body.temperature is None else body.temperature,
            top_p=body.top_p or 1.0,
            seed=body.seed,
        )
        if session_id is None:
            session_id = await asyncio.to_thread(self._store.sessions.find, history, body.user)
        return Answer(
            request=body,
            session_id=session_id or f"s_{uuid.uuid4().hex[:16]}",
            history=history,
            version=version,
            prompt=len(prompt),
            stream=self._batcher.submit(GenerateRequest(tuple(prompt), sampling, version)),
            text=TextStream(self._engine.decode, body.stops, hold_calls=bool(body.tool_schemas)),
        )

    async def _pieces(self, answer: Answer) -> AsyncIterator[str]:
        """Yield the answer's text as it becomes certain. When this ends, `answer` is complete."""
        try:
            async for token in answer.stream:
                answer.tokens.append(token.token)
                answer.logprobs.append(token.logprob)
                if piece := answer.text.push(token.token):
                    yield piece
                if answer.text.stopped:
                    answer.finish = "stop"
                    break
                if token.finish:
                    answer.finish = token.finish
            if piece := answer.text.close():
                yield piece
        finally:
            answer.stream.cancel()

    async def _record(self, answer: Answer) -> tuple[Message, str]:
        """Record the answer. Returns the message to send and its finish reason. Raises StoreError."""
        text, calls = answer.text.text, tuple[ToolCall, ...]()
        if answer.request.tool_schemas:
            text, calls = parse_calls(text, lambda: f"call_{uuid.uuid4().hex[:24]}")
        message = Message("assistant", text, calls)
        await asyncio.to_thread(
            self._store.sessions.record,
            session_id=answer.session_id,
            user=answer.request.user,
            history=answer.history,
            answer=message,
            tools=answer.request.tool_schemas,
            response_id=answer.id,
            version=answer.version,
            tokens=answer.tokens,
            logprobs=answer.logprobs,
        )
        return message, "tool_calls" if calls else answer.finish

    async def _whole(self, answer: Answer, request: Request) -> Response:
        disconnected = asyncio.create_task(_disconnected(request))
        work = asyncio.create_task(self._collect(answer))
        await asyncio.wait({disconnected, work}, return_when=asyncio.FIRST_COMPLETED)
        disconnected.cancel()
        if not work.done():
            answer.stream.cancel()
            work.cancel()
            await self._skip(answer)
            return Response(status_code=499)
        message, finish = work.result()
        body = wire.completion(answer.id, answer.created, answer.version, message, finish, answer.usage)
        return JSONResponse(body, headers=answer.headers)

    async def _collect(self, answer: Answer) -> tuple[Message, str]:
        async for _ in self._pieces(answer):
            pass
        return await self._record(answer)

    async def _events(self, answer: Answer) -> AsyncIterator[str]:
        """Yield server-sent events; an error in the middle of an answer becomes one, too."""

        def chunk(delta: dict[str, object], finish: str | None = None) -> str:
            return wire.event(wire.chunk(answer.id, answer.created, answer.version, delta, finish))

        complete = False
        try:
            yield chunk({"role": "assistant", "content": ""})
            async for piece in self._pieces(answer):
                yield chunk({"content": piece})
            complete = True  # from here on it is recorded, even if the client disconnects
            message, finish = await self._record(answer)
            # Until now, text from the first tool call on was held back, even if the call cannot be parsed.
            if not message.tool_calls and (rest := message.content[answer.text.sent :]):
                yield chunk({"content": rest})
            if message.tool_calls:
                yield chunk({"tool_calls": wire.call_deltas(message.tool_calls)})
            yield chunk({}, finish)
            options = answer.request.stream_options
            if options and options.include_usage:
                last = wire.chunk(answer.id, answer.created, answer.version, {})
                yield wire.event({**last, "choices": [], "usage": answer.usage})
            yield wire.event("[DONE]")
        except (asyncio.CancelledError, GeneratorExit):
            if not complete:
                await asyncio.shield(self._skip(answer))
            raise
        except Exception as e:  # noqa: BLE001 - the status line is sent; an event can still tell the client
            yield wire.event(describe(e)[1])

    async def _skip(self, answer: Answer) -> None:
        detail = f"{answer.id}: {len(answer.tokens)} tokens had been decoded"
        await asyncio.to_thread(
            self._store.sessions.skip,
            "the client disconnected before the answer was complete",
            detail,
            answer.session_id,
        )

    async def _command(
        self,
        command: commands.Command,
        history: list[Message],
        body: wire.ChatRequest,
        session_id: str | None,
    ) -> Response:
        session_id = await asyncio.to_thread(
            self._store.sessions.sync, session_id, history, body.user, body.tool_schemas
        )
        text = await asyncio.to_thread(commands.execute, command, self._store, session_id, self._dream)
        response_id, created = f"chatcmpl-{uuid.uuid4().hex}", int(time.time())
        version = self._live.answering
        headers = {"X-Nightschool-Version": version} | ({"X-Session-Id": session_id} if session_id else {})
        if not body.stream:
            message = Message("assistant", text)
            data = wire.completion(response_id, created, version, message, "stop", wire.usage(0, 0))
            return JSONResponse(data, headers=headers)
        deltas = [({"role": "assistant", "content": text}, None), ({}, "stop")]
        events = [wire.event(wire.chunk(response_id, created, version, d, f)) for d, f in deltas]
        return Response(
            "".join([*events, wire.event("[DONE]")]), headers=headers, media_type="text/event-stream"
        )


def _session_header(request: Request) -> str | None:
    session_id = request.headers.get("x-session-id")
    if session_id is not None and not _SESSION_ID.fullmatch(session_id):
        raise BadRequest("X-Session-Id: 1 to 200 letters, digits or any of . _ : @ -", "X-Session-Id")
    return session_id


async def _disconnected(request: Request) -> None:
    """Return when the client has disconnected."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
