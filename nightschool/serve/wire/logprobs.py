"""Log-probabilities of sampled tokens in OpenAI's words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nightschool.engines.base import TokenOut

Spell = Callable[[int], bytes]  # what a token is in bytes


def spelled(tokens: Sequence[TokenOut], spell: Spell) -> list[dict[str, Any]]:
    """An answer's tokens and those that were likely in their place. The token that ended it is no part of its
    content."""
    return [
        {
            **_one(token.token, token.logprob, spell),
            "top_logprobs": [_one(*other, spell) for other in token.top],
        }
        for token in tokens
        if token.finish != "stop"
    ]


def without_bytes(logprobs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """As some events of the Responses API have them."""
    return [
        {
            "token": one["token"],
            "logprob": one["logprob"],
            "top_logprobs": [{"token": o["token"], "logprob": o["logprob"]} for o in one["top_logprobs"]],
        }
        for one in logprobs
    ]


def _one(token: int, logprob: float, spell: Spell) -> dict[str, Any]:
    """A token as people read it; one that is a part of a character can be told by its bytes only."""
    data = spell(token)
    return {"token": data.decode(errors="replace"), "bytes": [*data], "logprob": logprob}
