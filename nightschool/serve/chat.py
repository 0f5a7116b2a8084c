"""Conversations with the model, each from what a client asks for to answers that are recorded."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, replace

from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from nightschool.config import ServeConfig
from nightschool.engines.base import Engine, GenerateRequest, Sampling, TokenOut
from nightschool.engines.tools import OPEN, parse_calls
from nightschool.errors import BadRequest, ContextTooLong, GrammarError
from nightschool.serve import commands, constraints, session_ids
from nightschool.serve.answer import Answer, Ask, Wire
from nightschool.serve.batcher import Batcher, Stream
from nightschool.serve.errors import describe
from nightschool.serve.live import LiveModel
from nightschool.serve.merge import merged
from nightschool.serve.text import TextStream
from nightschool.store import Store
from nightschool.types import Message, ToolCall

# The first of these that a request has names its session: ours, then Codex's (whose helpers run as threads of
# their own under one session-id).
_SESSION_HEADERS = ("X-Session-Id", "thread-id", "session-id")
# Tokens of a raw prompt behind which its continuation is decoded, so that a blank that it begins with stays;
# a choice, one would do for most tokenizers.
_BEFORE = 4


@dataclass
class _Decoding:
    """An answer while it is decoded."""

    answer: Answer
    stream: Stream
    text: TextStream

    async def pieces(self) -> AsyncGenerator[tuple[_Decoding, str, list[TokenOut]]]:
        """Yield its text as it becomes certain, with the tokens since the last time."""
        new: list[TokenOut] = []
        try:
            async for token in self.stream:
                self.answer.tokens.append(token)
                new.append(token)
                if piece := self.text.push(token.token):
                    yield self, piece, new
                    new = []
                if self.text.stopped_at:
                    self.answer.finish, self.answer.stopped_at = "stop", self.text.stopped_at
                    break
                if token.finish:
                    self.answer.finish = token.finish
            if (piece := self.text.close()) or new:
                yield self, piece, new
        finally:
            self.stream.cancel()


@dataclass
class _Talk:
    """A request and the answers to it."""

    ask: Ask
    history: list[Message]
    rows: list[_Decoding]
    masked: bool  # whether the answers are sampled under a grammar

    @property
    def answers(self) -> list[Answer]:
        return [row.answer for row in self.rows]


class Chat:
    """Answers what clients ask for. An answer is durable before its last byte is sent."""

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

    async def complete(self, ask: Ask, wire: Wire, request: Request) -> Response:
        """Answer a request: with JSON, or with server-sent events if it asks for a stream.

        Raises BadRequest, NotFound, VersionError and StoreError.
        """
        history, command = commands.split(ask.messages)
        session_id = _session_header(request) or ask.session
        if command:
            return await self._command(command, history, ask, wire, session_id)
        _check_talk(ask, history)
        talk = await self._begin(ask, history, wire, session_id)
        first = talk.rows[0].answer
        if ask.stream:
            events = self._events(talk, wire)
            return StreamingResponse(events, media_type="text/event-stream", headers=_headers(first))
        if await self._undisturbed(talk, request):
            return JSONResponse(wire.whole(talk.answers), headers=_headers(first))
        return Response(status_code=499)

    async def count(self, ask: Ask) -> int:
        """How many tokens a conversation has. Raises BadRequest, NotFound and VersionError."""
        history, _ = commands.split(ask.messages)
        _check_talk(ask, history)
        await self._live.resolve(ask.model)
        (prompt,) = await asyncio.to_thread(self._prompts, ask, history)
        return len(prompt)

    def _prompts(self, ask: Ask, history: list[Message]) -> list[list[int]]:
        """The tokens that answers go on from. Raises BadRequest."""
        if not ask.prompts:
            return [self._engine.encode(history, ask.tools)]
        encode = self._engine.encode_text
        prompts = [encode(raw) if isinstance(raw, str) else list(raw) for raw in ask.prompts]
        if not all(prompts):
            raise BadRequest("a prompt holds no tokens: give a text", "prompt")
        if (unknown := max(map(max, prompts))) >= self._engine.vocabulary:
            text = f"there is no token {unknown}: the model's are below {self._engine.vocabulary}"
            raise BadRequest(text, "prompt")
        return prompts

    async def _begin(self, ask: Ask, history: list[Message], wire: Wire, session_id: str | None) -> _Talk:
        version = await self._live.resolve(ask.model)
        prompts, prepared = await asyncio.to_thread(self._prepare, ask, history)
        longest, room = max(map(len, prompts)), self._engine.context_length
        if longest >= room:
            raise ContextTooLong(
                # Clients tell by the first sentence, OpenAI's, that a shorter request would do.
                f"This model's maximum context length is {room} tokens. However, your messages resulted in "
                f"{longest} tokens: shorten them",
                "prompt" if ask.prompts else "messages",
                "context_length_exceeded",
            )
        if ask.prompts:  # a raw text is no conversation
            session_id = None
        elif session_id is None:
            session_id = await asyncio.to_thread(self._store.sessions.find, history, ask.user)
            session_id = session_id or f"s_{uuid.uuid4().hex[:16]}"
        response_id = f"{wire.prefix}{uuid.uuid4().hex}"

        def row(index: int) -> _Decoding:
            prompt, seed = prompts[index // ask.count], prepared.seed
            sampling = replace(
                prepared,
                max_tokens=min(ask.limit or self._config.max_tokens, room - len(prompt)),
                seed=None if seed is None else seed + index % ask.count,
            )
            before = prompt[-_BEFORE:] if ask.prompts else ()
            return _Decoding(
                Answer(response_id, index, session_id, version, len(prompt), recorded=not ask.prompts),
                self._batcher.submit(GenerateRequest(tuple(prompt), sampling, version)),
                TextStream(self._engine.decode, ask.stops, hold_calls=bool(ask.tools), before=before),
            )

        rows = [row(index) for index in range(len(prompts) * ask.count)]
        return _Talk(ask, history, rows, masked=bool(prepared.grammar))

    def _prepare(self, ask: Ask, history: list[Message]) -> tuple[list[list[int]], Sampling]:
        """The prompts, and how to sample their answers. Raises BadRequest."""
        sampling = replace(ask.sampling, top=ask.top or 0, grammar=constraints.grammar(ask))
        try:
            self._engine.prepare(sampling)
        except GrammarError as e:
            raise constraints.explained(ask, e) from e
        if ask.top is not None:
            self._engine.token_bytes(0)  # they are spelled on the event loop, which must not wait for a first
        return self._prompts(ask, history), sampling

    async def _record(self, talk: _Talk) -> None:
        """Complete the answers, and record those of a conversation, the first one last: the session goes on
        from that one unless the client chooses another. Raises StoreError."""
        session_id = talk.rows[0].answer.session_id
        for row in reversed(talk.rows):
            answer, text, calls = row.answer, row.text.text, tuple[ToolCall, ...]()
            if talk.ask.tools:
                text, calls = parse_calls(text, lambda: f"call_{uuid.uuid4().hex[:24]}")
            answer.message = Message("assistant", text, calls)
            if calls and not (answer.finish == "length" and OPEN in text):  # or else one was cut off
                answer.finish = "tool_calls"
            if not answer.recorded:
                continue
            session_id = await asyncio.to_thread(
                self._store.sessions.record,
                session_id=session_id,
                user=talk.ask.user,
                history=talk.history,
                answer=answer.message,
                tools=talk.ask.tools,
                response_id=f"{answer.id}-{answer.index}" if answer.index else answer.id,
                version=answer.version,
                tokens=[token.token for token in answer.tokens],
                logprobs=[token.logprob for token in answer.tokens],
                masked=talk.masked,
            )
        for answer in talk.answers:
            answer.session_id = session_id

    async def _undisturbed(self, talk: _Talk, request: Request) -> bool:
        """Decode and record the answers, unless the client disconnects before they are complete."""
        disconnected = asyncio.create_task(_disconnected(request))
        work = asyncio.create_task(self._collect(talk))
        await asyncio.wait({disconnected, work}, return_when=asyncio.FIRST_COMPLETED)
        disconnected.cancel()
        if work.done():
            work.result()
            return True
        work.cancel()
        await self._skip(talk)
        return False

    async def _collect(self, talk: _Talk) -> None:
        async for _ in merged([row.pieces() for row in talk.rows]):
            pass
        await self._record(talk)

    async def _events(self, talk: _Talk, wire: Wire) -> AsyncIterator[str]:
        """Yield server-sent events; an error in the middle of an answer becomes one, too."""
        complete = False
        try:
            for event in wire.begun(talk.answers):
                yield event
            async for row, piece, tokens in merged([row.pieces() for row in talk.rows]):
                for event in wire.said(row.answer, piece, tokens):
                    yield event
            complete = True  # from here on it is recorded, even if the client disconnects
            await self._record(talk)
            for row in talk.rows:
                message = row.answer.complete
                # Until now, text from the first tool call on was held back, even if it is none.
                sent = row.text.text[: row.text.sent]
                rest = message.content[len(sent.lstrip() if message.tool_calls else sent) :]
                for event in [*(wire.said(row.answer, rest, []) if rest else ()), *wire.ended(row.answer)]:
                    yield event
            for event in wire.closed(talk.answers):
                yield event
        except (asyncio.CancelledError, GeneratorExit):
            if not complete:
                await asyncio.shield(self._skip(talk))
            raise
        except Exception as e:  # noqa: BLE001 - the status line is sent; an event can still tell the client
            for event in wire.failed(*describe(e)):
                yield event

    async def _skip(self, talk: _Talk) -> None:
        first, decoded = talk.rows[0].answer, sum(len(row.answer.tokens) for row in talk.rows)
        if not first.recorded:
            return
        await asyncio.to_thread(
            self._store.sessions.skip,
            "the client disconnected before the answer was complete",
            f"{first.id}: {decoded} tokens had been decoded",
            first.session_id,
        )

    async def _command(
        self, command: commands.Command, history: list[Message], ask: Ask, wire: Wire, session_id: str | None
    ) -> Response:
        session_id = await asyncio.to_thread(
            self._store.sessions.sync, session_id, history, ask.user, ask.tools
        )
        text = await asyncio.to_thread(commands.execute, command, self._store, session_id, self._dream)
        answer = Answer(
            f"{wire.prefix}{uuid.uuid4().hex}", 0, session_id, self._live.answering, recorded=False
        )
        answer.message, answer.finish = Message("assistant", text), "stop"
        if not ask.stream:
            return JSONResponse(wire.whole([answer]), headers=_headers(answer))
        events = [*wire.begun([answer]), *wire.said(answer, text, []), *wire.ended(answer)]
        body = "".join([*events, *wire.closed([answer])])
        return Response(body, headers=_headers(answer), media_type="text/event-stream")


def _check_talk(ask: Ask, history: list[Message]) -> None:
    """Raises BadRequest if there is nothing to answer."""
    if not (history or ask.prompts):
        raise BadRequest("messages hold only commands and their answers", "messages")


def _headers(answer: Answer) -> dict[str, str]:
    session = {"X-Session-Id": session_ids.to_header(answer.session_id)} if answer.session_id else {}
    return {**session, "X-Nightschool-Version": answer.version}


def _session_header(request: Request) -> str | None:
    name = next((name for name in _SESSION_HEADERS if name in request.headers), None)
    return session_ids.checked(session_ids.from_header(request.headers[name]), name) if name else None


async def _disconnected(request: Request) -> None:
    """Return when the client has disconnected."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
