"""From sampled tokens to text that may be sent: whole characters only, and nothing of a stop string."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nightschool.engines.tools import OPEN

_BROKEN = "\ufffd"  # how a tokenizer shows a character whose bytes are not all there yet


class TextStream:
    """Feed tokens with `push`, end with `close`; both return the text that is now certain.

    `text` is all that was certain so far, `stopped` whether a stop string came. With `hold_calls`, text
    from the first tool call on is kept for the end: it is no text for the reader.
    """

    def __init__(
        self, decode: Callable[[Sequence[int]], str], stops: Sequence[str] = (), *, hold_calls: bool = False
    ) -> None:
        self._decode, self._stops, self._hold_calls = decode, stops, hold_calls
        self._tokens: list[int] = []
        self._known, self._shown = 0, 0  # tokens whose text is out; of these, the ones kept as context
        self._raw = ""  # decoded so far
        self.sent = 0  # characters of `text` that were returned
        self.stopped = False

    @property
    def text(self) -> str:
        """The answer so far, cut at a stop string."""
        return self._raw

    def push(self, token: int) -> str:
        """One more token."""
        self._tokens.append(token)
        self._grow()
        return self._release(final=False)

    def close(self) -> str:
        """No more tokens: what was held back, unless it is (the beginning of) a tool call."""
        self._grow(final=True)
        return self._release(final=True)

    def _grow(self, *, final: bool = False) -> None:
        """Decode what is new, behind a few known tokens (a token's text can depend on the one before it)."""
        before = self._decode(self._tokens[self._shown : self._known])
        after = self._decode(self._tokens[self._shown :])
        if self.stopped or (after.endswith(_BROKEN) and not final):
            return
        self._raw += after[len(before) :]
        self._shown, self._known = self._known, len(self._tokens)
        ends = [at for stop in self._stops if (at := self._raw.find(stop)) >= 0]
        if ends:
            self._raw, self.stopped = self._raw[: min(ends)], True

    def _release(self, *, final: bool) -> str:
        end = len(self._raw)
        if not (final or self.stopped):
            end -= max((_overlap(self._raw, stop) for stop in self._stops), default=0)
        if self._hold_calls:
            end = min(end, self._call_start(final))
        piece = self._raw[self.sent : max(end, self.sent)]
        self.sent += len(piece)
        return piece

    def _call_start(self, final: bool) -> int:
        """Where a tool call begins, or may be beginning."""
        at = self._raw.find(OPEN)
        if at >= 0:
            return at
        return len(self._raw) - (0 if final else _overlap(self._raw, OPEN))


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of `text` may be the beginning of `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
