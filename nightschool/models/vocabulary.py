"""The tokens of a Hugging Face tokenizer as bytes, for people and for llguidance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nightschool.errors import GrammarError

if TYPE_CHECKING:
    from llguidance import LLTokenizer


class Vocabulary:
    """The first `width` tokens, which are those that a model has logits for; some may be padding.

    Both properties are made when they are first asked for, which takes a second for 50,000 tokens.
    """

    def __init__(self, tokenizer: Any, width: int, eos: Sequence[int]) -> None:
        self._tokenizer, self.width, self._eos = tokenizer, width, list(eos)

    @property
    def tokens(self) -> list[bytes]:
        """Each token's bytes; of a tokenizer that cannot be constrained, what each decodes to by itself."""
        return self._read[0]

    @cached_property
    def constrained(self) -> LLTokenizer:
        """The tokenizer as grammars need it. Raises GrammarError for one whose tokens are no bytes (such as
        WordPiece), or that is not of the library `tokenizers`."""
        from llguidance import LLTokenizer, TokenizerWrapper

        tokens, reason = self._read
        if reason:
            raise GrammarError(f"this model's tokenizer cannot be held to a grammar: {reason}")
        special = self._special()
        cut = _Cut(self._tokenizer, tokens, special, self._eos[0])
        made = LLTokenizer(TokenizerWrapper(cut), n_vocab=self.width, eos_token=self._eos)
        cut.greedy = made.greedy_tokenize
        return made

    @cached_property
    def _read(self) -> tuple[list[bytes], str]:
        """Each token's bytes, and why they are not known, if so."""
        from llguidance.hf import from_tokenizer

        read: Callable[[list[int]], bytes]
        try:
            read, reason = from_tokenizer(self._tokenizer, slices=[]).decode_bytes, ""
        except ValueError as e:
            read, reason = lambda ids: self._tokenizer.decode(ids).encode(), " ".join(str(e).split())
        known = min(self.width, len(self._tokenizer))
        return [read([i]) for i in range(known)] + [b""] * (self.width - known), reason

    def _special(self) -> set[int]:
        """The tokens that are no text. Added ones that are text (such as <tool_call> for some models) are not
        among them, though llguidance's own reading of tokenizers takes them for special."""
        texts = {id for id in self._tokenizer.get_vocab().values() if id < self.width}
        added = self._tokenizer.added_tokens_decoder.items()
        empty = {id for id in texts if not self._read[0][id]}
        return {*range(self.width)} - texts | {id for id, token in added if token.special} | empty


class _Cut:
    """What llguidance's `TokenizerWrapper` wraps: the tokens, and how a text is cut into them."""

    bos_token_id = None

    def __init__(self, tokenizer: Any, tokens: list[bytes], special: set[int], eos: int) -> None:
        self.tokens, self.special_token_ids, self.eos_token_id = tokens, sorted(special), eos
        self.greedy: Callable[[str], list[int]]
        self._tokenizer, self._special = tokenizer, special

    def __call__(self, text: str) -> list[int]:
        """A text in tokens, as the model knows it where that is exactly this text: some tokenizers normalise
        it, begin it with a space, or read special tokens out of it."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        exact = b"".join(self.tokens[i] for i in ids) == text.encode()
        return ids if exact and self._special.isdisjoint(ids) else self.greedy(text)
