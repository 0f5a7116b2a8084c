"""Constrained decoding: which tokens may come next in a row that has to follow a grammar."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nightschool.errors import GrammarError
from nightschool.models.vocabulary import Vocabulary

if TYPE_CHECKING:
    from llguidance import LLMatcher

log = logging.getLogger(__name__)
# Compiled grammars that are kept. (Chosen, not measured.)
_GRAMMARS = 64


class Masks:
    """Compiles grammars (llguidance's variant of Lark) for one vocabulary, and keeps those last used."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._compiled = lru_cache(maxsize=_GRAMMARS)(self._compile)

    def matcher(self, grammar: str) -> Matcher:
        """A matcher at the grammar's beginning. Raises GrammarError."""
        return Matcher(self._compiled(grammar).deep_copy())

    def _compile(self, grammar: str) -> LLMatcher:
        from llguidance import LLMatcher

        made = LLMatcher(self._vocabulary.constrained, grammar, log_level=0)
        if made.is_error():
            raise GrammarError(" ".join(made.get_error().split()))
        return made


class Matcher:
    """How far one row has come in its grammar. It is `broken` where no token could go on, or the grammar has
    become too complex: the row has to end there, incomplete."""

    def __init__(self, inner: LLMatcher) -> None:
        self._inner = inner

    @property
    def broken(self) -> bool:
        return self._inner.is_error()

    def mask(self, logits_V: Tensor) -> None:
        """Set the logits of all tokens that may not come next to minus infinity, in place. EOS may come only
        where the grammar is complete (or the matcher is broken)."""
        allowed = torch.frombuffer(bytearray(self._inner.compute_logit_bias()), dtype=torch.uint8)
        if self.broken:
            log.error("a grammar cannot be followed further: %s", self._inner.get_error().splitlines()[0])
        logits_V.masked_fill_(allowed.to(logits_V.device) == 0, float("-inf"))

    def advance(self, token: int) -> None:
        """Go on by the token that was sampled."""
        self._inner.consume_token(token)
