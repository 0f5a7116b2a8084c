"""A causal language model of Hugging Face transformers, on a CPU or a GPU.

Rows of text that run together are packed one after the other, without padding; behind a shared prefix they
neither copy nor recompute its key-value cache (`models.attention`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nightschool.config import ModelConfig
from nightschool.errors import ContextTooLong, ModelError, VersionError
from nightschool.models import embedded, lora
from nightschool.models import tools as plain_tools
from nightschool.models.attention import Attention, Continued, Packed
from nightschool.models.base import Prefix, to_template
from nightschool.models.cache import Cache, Kept, PrefixCache, common, joined, length
from nightschool.models.decode import RowBatch
from nightschool.models.decoder import Decoder, supports
from nightschool.models.generic import Generic
from nightschool.models.processor import instructions
from nightschool.types import BASE, Message, Tools

Tokens = Sequence[int]
Pair = tuple[Tokens, Tokens]  # prompt, answer
_ROWS = 16  # scored together
_READ = {"cpu": 256, "cuda": 4096}  # prompt tokens that make one step about as long as a few without
_WORTH = 8  # tokens that prompts must have in common before these are computed apart


def load(config: ModelConfig) -> HFModel:
    """Load the model that the settings name. Raises ModelError."""
    path = str(embedded.ensure()) if config.id == embedded.NAME else config.id
    device = config.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and config.threads:
        torch.set_num_threads(config.threads)
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # ours shows the stages
    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
        net = AutoModelForCausalLM.from_pretrained(path, dtype=_dtype(config.dtype, device))
    except (OSError, ValueError, KeyError, ImportError) as e:
        reason = str(e).strip().splitlines()[0]
        raise ModelError(f"cannot load the model {config.id!r}: {reason}") from e
    return HFModel(net.to(device), tokenizer, Path(config.id).name)


def _dtype(name: str, device: str) -> torch.dtype:
    if name == "auto":
        name = "bfloat16" if device == "cuda" or _multiplies_bfloat16() else "float32"
    found: torch.dtype = getattr(torch, name)
    return found


def _multiplies_bfloat16() -> bool:
    """Whether this CPU has instructions for bfloat16 products (AMX, or AVX-512's, twice as fast as float32);
    without them, bfloat16 is slower than float32."""
    return not instructions().isdisjoint({"amx_bf16", "avx512_bf16"})


class HFModel:
    """See `models.base.LanguageModel`; and what training needs: `answers_hidden`, `logits`, adapters."""

    def __init__(self, net: Any, tokenizer: Any, name: str) -> None:
        if not tokenizer.chat_template:
            raise ModelError(f"the model {name!r} has no chat template: use an instruction-tuned one")
        net.eval().requires_grad_(False)
        self.tokenizer, self.name, self._net = tokenizer, name, net
        self.device: torch.device = net.device
        self.dtype: torch.dtype = net.dtype
        self.context_length = _window(net.config)
        self.eos = _eos_tokens(net, tokenizer)
        self._body = Decoder(net) if supports(net.config) else Generic(net)
        self._adapters: dict[str, lora.Adapter] = {}

    # Text

    def encode(self, messages: Sequence[Message], tools: Tools = (), *, generate: bool = True) -> list[int]:
        if not self.knows_tools():
            messages, tools = plain_tools.plain(messages, tools), ()
        ids: list[int] = self.tokenizer.apply_chat_template(
            to_template(messages),
            tools=list(tools) or None,
            add_generation_prompt=generate,
            return_dict=False,
        )
        return ids

    def decode(self, tokens: Tokens) -> str:
        text: str = self.tokenizer.decode(list(tokens), skip_special_tokens=True)
        return text

    def encode_answer(self, text: str) -> list[int]:
        """An answer's tokens as the model would have sampled them: the text, then EOS."""
        return [*self.tokenizer.encode(text, add_special_tokens=False), self.eos[0]]

    def knows_tools(self) -> bool:
        return "tools" in self.tokenizer.chat_template

    # Running

    def batch(
        self, prefix: Prefix | None = None, *, read_tokens: int | None = None, kept_tokens: int = 0
    ) -> RowBatch:
        assert prefix is None or isinstance(prefix, PrefixCache)
        if read_tokens == 0:
            read_tokens = _READ[self.device.type]
        return RowBatch(self, prefix, read_tokens, Kept(kept_tokens) if kept_tokens else None)

    @torch.inference_mode()
    def prefix(self, tokens: Tokens, version: str = BASE) -> PrefixCache:
        _, (cache,) = self._read_packed([tokens], self.adapter(version))
        return PrefixCache(tuple(tokens), cache)

    @torch.inference_mode()
    def score(
        self, pairs: Sequence[Pair], version: str = BASE, prefix: Prefix | None = None
    ) -> list[list[float]]:
        return [
            logprobs(logits_AV, answer_A).tolist()
            for logits_AV, answer_A in self._answers_logits(pairs, version, prefix)
        ]

    @torch.inference_mode()
    def agrees(self, pairs: Sequence[Pair], version: str = BASE, prefix: Prefix | None = None) -> list[bool]:
        found = self._answers_logits(pairs, version, prefix)
        return [bool((logits_AV.argmax(-1) == answer_A).all()) for logits_AV, answer_A in found]

    def _answers_logits(
        self, pairs: Sequence[Pair], version: str, prefix: Prefix | None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """For each pair the logits [answer, vocabulary] that predict its answer's tokens, and these."""
        assert prefix is None or isinstance(prefix, PrefixCache)
        for start in range(0, len(pairs), _ROWS):
            some = pairs[start : start + _ROWS]
            hidden = self.answers_hidden(some, self.adapter(version), prefix)
            for (_, answer), hidden_AD in zip(some, hidden, strict=True):
                yield self.logits(hidden_AD), torch.tensor(list(answer), device=self.device)

    @torch.no_grad()
    def answers_hidden(
        self,
        pairs: Sequence[Pair],
        adapter: lora.Adapter | None,
        prefix: PrefixCache | None = None,
    ) -> list[Tensor]:
        """For each (prompt, answer) the final hidden states [answer, width] that predict its tokens.

        The state that predicts answer token t stands at the token before it: the first one at the
        prompt's last token, and the answer's last token (EOS) predicts nothing.
        """
        shared, past = 0, prefix.layers if prefix else None
        if past is None and (past := self._beginning([prompt for prompt, _ in pairs], adapter)):
            shared = length(past)
        rows = [[*prompt[shared:], *answer[:-1]] for prompt, answer in pairs]
        attention = Packed([len(row) for row in rows], [past] * len(rows))
        hidden = self.run_rows(rows, attention, adapter, [length(past)] * len(rows))
        return [h[len(prompt) - shared - 1 :] for h, (prompt, _) in zip(hidden, pairs, strict=True)]

    def learning_hidden(self, pairs: Sequence[Pair], adapter: lora.Adapter) -> list[Tensor]:
        """`answers_hidden`, differentiable in the adapter.

        No gradient flows through the prompts' keys and values: what is learned is how to answer, not how to
        read (measured: docs/performance.md), at a third of the cost.
        """
        heads = [prompt[:-1] for prompt, _ in pairs]
        rows = [[prompt[-1], *answer[:-1]] for prompt, answer in pairs]
        with torch.no_grad():
            _, caches = self.read(heads, adapter)
        attention = Continued([len(row) for row in rows], caches)
        return self.run_rows(rows, attention, adapter, [len(head) for head in heads])

    def read(
        self, prompts: Sequence[Tokens], adapter: lora.Adapter | None, pasts: Sequence[Cache | None] = ()
    ) -> tuple[list[Tensor], list[Cache]]:
        """The final hidden state [width] of each prompt's last token, and each prompt's keys and values (not
        those of the past it goes on from). What all prompts begin with (a system turn, as a rule) is computed
        once."""
        beginning = None if any(pasts) else self._beginning(prompts, adapter)
        if beginning is None:
            return self._read_packed(prompts, adapter, pasts)
        own = [prompt[length(beginning) :] for prompt in prompts]
        last, caches = self._read_packed(own, adapter, [beginning] * len(own))
        return last, [joined(beginning, cache) for cache in caches]

    def _beginning(self, prompts: Sequence[Tokens], adapter: lora.Adapter | None) -> Cache | None:
        """What all prompts begin with, where that is long enough to be worth a forward of its own."""
        shared = common_length(prompts) if len(prompts) > 1 else 0
        if shared < _WORTH:
            return None
        _, (cache,) = self._read_packed([prompts[0][:shared]], adapter)
        return cache

    def _read_packed(
        self, prompts: Sequence[Tokens], adapter: lora.Adapter | None, pasts: Sequence[Cache | None] = ()
    ) -> tuple[list[Tensor], list[Cache]]:
        lengths = [len(prompt) for prompt in prompts]
        attention = Packed(lengths, pasts, keep=True)
        before = [length(past) for past in pasts] or None
        hidden = self.run_rows(prompts, attention, adapter, before)
        split = zip(*(kv.split(lengths, 2) for kv in attention.kept), strict=True)
        return [h[-1] for h in hidden], [list(cache) for cache in split]

    def run_rows(
        self,
        rows: Sequence[Tokens],
        attention: Attention,
        adapter: lora.Adapter | None,
        before: Sequence[int] | None = None,
    ) -> list[Tensor]:
        """Final hidden states [length, width] of rows that run packed; `before`: how many tokens each one
        goes on from."""
        lengths = [len(row) for row in rows]
        before = before or [0] * len(rows)
        for n, b in zip(lengths, before, strict=True):
            self.check_length(b + n)
        ids_T = torch.tensor([t for row in rows for t in row], device=self.device)
        positions = [torch.arange(b, b + n) for n, b in zip(lengths, before, strict=True)]
        positions_T = torch.cat(positions).to(self.device)
        hidden_TD = self.run(ids_T, positions_T, attention, lora.all_tokens(adapter))
        return list(hidden_TD.split(lengths))

    def run(self, ids_T: Tensor, positions_T: Tensor, attention: Attention, spans: lora.Spans) -> Tensor:
        """Final hidden states [tokens, width] of one forward."""
        return self._body.run(ids_T, positions_T, attention, spans)

    def logits(self, hidden: Tensor) -> Tensor:
        """[tokens, width] -> [tokens, vocabulary], in the model's dtype."""
        return self._body.logits(hidden)

    def logits_back(self, gradient: Tensor) -> Tensor:
        """Derivative by the logits [tokens, vocabulary] -> by the hidden states [tokens, width]."""
        weight: Tensor = self._net.get_output_embeddings().weight
        return gradient.to(weight.dtype) @ weight

    def weight(self, layer: str) -> Tensor:
        """Of a linear layer, by its module's name."""
        found: Tensor = self._net.get_submodule(layer).weight
        return found

    def check_length(self, tokens: int) -> None:
        if tokens > self.context_length:
            raise ContextTooLong(
                f"{tokens} tokens do not fit into the model's context of {self.context_length}: "
                "shorten the request",
                code="context_length_exceeded",
            )

    # Adapters

    def adapter(self, version: str) -> lora.Adapter | None:
        """The adapter of a loaded version; None for the base model. Raises VersionError."""
        if version == BASE:
            return None
        if version not in self._adapters:
            raise VersionError(f"version {version} is not loaded")
        return self._adapters[version]

    def fresh_adapter(self, rank: int, seed: int) -> lora.Adapter:
        return lora.fresh(self._body.groups, rank, seed, self.device, self.dtype)

    def put(self, version: str, adapter: lora.Adapter) -> None:
        """Serve this adapter object under a name (a student while it learns)."""
        self._adapters[version] = adapter

    def load(self, version: str, directory: Path) -> None:
        self._adapters[version] = lora.load(directory, self._body.groups, self.device, self.dtype)

    def unload(self, version: str) -> None:
        self._adapters.pop(version, None)

    def versions(self) -> Iterable[str]:
        return list(self._adapters)


def logprobs(logits_AV: Tensor, answer_A: Tensor) -> Tensor:
    """Of each of an answer's tokens [answer], in nats."""
    return logits_AV.float().log_softmax(-1).gather(1, answer_A[:, None])[:, 0]


def _window(config: Any) -> int:
    """The context in tokens. Within its sliding window, a model that has one attends like any other."""
    window = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    return int(min(config.max_position_embeddings, window or config.max_position_embeddings))


def common_length(rows: Sequence[Tokens]) -> int:
    """Tokens that all rows begin with, leaving each at least one of its own."""
    first, last = min(map(list, rows)), max(map(list, rows))  # lexicographic extremes share what all share
    return min(common(first, last), min(len(row) for row in rows) - 1)


def _eos_tokens(net: Any, tokenizer: Any) -> list[int]:
    """Tokens that end an answer, the chat template's own first."""
    configured = net.generation_config.eos_token_id if net.generation_config else None
    listed = configured if isinstance(configured, list) else [configured]
    ordered = dict.fromkeys([tokenizer.eos_token_id, *listed])
    return [int(t) for t in ordered if t is not None]
