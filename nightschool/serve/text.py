"""From sampled tokens to text that may be sent: whole characters only, and no part of a stop string."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nightschool.engines.tools import OPEN

_BROKEN = "\ufffd"  # what a tokenizer decodes an incomplete character to


class TextStream:
    """Takes tokens by `push`, then `close`; both return the text that has become certain.

    `text` is all certain text so far; `stopped_at` is the stop string at which it ended. With `hold_calls`,
    the text from the first tool call on is never returned, because it is not meant for the reader. `before`
    are tokens that the text goes on from.
    """

    def __init__(
        self,
        decode: Callable[[Sequence[int]], str],
        stops: Sequence[str] = (),
        *,
        hold_calls: bool = False,
        before: Sequence[int] = (),
    ) -> None:
        self._decode, self._stops, self._hold_calls = decode, stops, hold_calls
        self._tokens = list(before)
        self._decoded = len(before)  # tokens decoded so far
        self._context = 0  # where the tokens begin that are decoded again, as context
        self._raw = ""  # decoded so far
        self.sent = 0  # characters of `text` that were returned
        self.stopped_at: str | None = None

    @property
    def text(self) -> str:
        """The answer so far, cut at a stop string."""
        return self._raw

    def push(self, token: int) -> str:
        """Add a token."""
        self._tokens.append(token)
        self._grow()
        return self._release(final=False)

    def close(self) -> str:
        """End the answer; returns the text held back so far, up to the first tool call."""
        self._grow(final=True)
        return self._release(final=True)

    def _grow(self, *, final: bool = False) -> None:
        """Decode the new tokens after a few old ones, as a token's text can depend on the token before it."""
        before = self._decode(self._tokens[self._context : self._decoded])
        after = self._decode(self._tokens[self._context :])
        if self.stopped_at or (after.endswith(_BROKEN) and not final):
            return
        self._raw += after[len(before) :]
        self._context, self._decoded = self._decoded, len(self._tokens)
        ends = [(at, stop) for stop in self._stops if (at := self._raw.find(stop)) >= 0]
        if ends:
            end, self.stopped_at = min(ends)
            self._raw = self._raw[:end]

    def _release(self, *, final: bool) -> str:
        end = len(self._raw)
        if not (final or self.stopped_at):
            end -= max((_overlap(self._raw, stop) for stop in self._stops), default=0)
        if self._hold_calls:
            end = min(end, self._call_start(final))
        piece = self._raw[self.sent : max(end, self.sent)]
        self.sent += len(piece)
        return piece

    def _call_start(self, final: bool) -> int:
        """The position where a tool call begins, or may be beginning."""
        at = self._raw.find(OPEN)
        if at >= 0:
            return at
        return len(self._raw) - (0 if final else _overlap(self._raw, OPEN))


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of `text` may be the beginning of `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
