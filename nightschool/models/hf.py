"""Loading a causal language model of Hugging Face transformers, on a CPU or a GPU, and its versions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nightschool.config import ModelConfig
from nightschool.engines.base import Engine, Prefix, PromptAnswer, Tokens
from nightschool.errors import ModelError, VersionError
from nightschool.models import embedded, lora
from nightschool.models.base import Trainable
from nightschool.models.cache import PrefixCache, PrefixPool
from nightschool.models.decode import RowBatch
from nightschool.models.kernels.processor import instructions
from nightschool.models.runner import Runner
from nightschool.models.text import ChatText
from nightschool.types import BASE

_SCORED_AT_ONCE = 16  # answers in one forward of `score`; bounds its memory, not measured
# Prompt tokens with which a serving step takes about as long as a few without. 256 served well on two CPU
# cores (docs/performance.md, "The day"), but was not measured beside other numbers; 4096 is a guess.
_PREFILL_CHUNK = {"cpu": 256, "cuda": 4096}


def load(config: ModelConfig) -> HFModel:
    """Load the model that the settings name; sets torch's threads if they do. Raises ModelError."""
    path = str(embedded.folder(config.id) or config.id)
    device = config.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and config.threads:
        torch.set_num_threads(config.threads)
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # the command line shows its own
    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
        net = AutoModelForCausalLM.from_pretrained(path, dtype=_dtype(config.dtype, device))
    except (OSError, ValueError, KeyError, ImportError) as e:
        reason = str(e).strip().splitlines()[0]
        raise ModelError(f"cannot load the model {config.id!r}: {reason}") from e
    name = embedded.public_name(config.id)
    return HFModel(net.to(device), tokenizer, name, {config.id, Path(name).name})


def _dtype(name: str, device: str) -> torch.dtype:
    if name == "auto":
        name = "bfloat16" if device == "cuda" or _multiplies_bfloat16() else "float32"
    found: torch.dtype = getattr(torch, name)
    return found


def _multiplies_bfloat16() -> bool:
    """Whether this CPU has instructions for bfloat16 products (AMX's or AVX-512's). With them, bfloat16 is
    twice as fast as float32; without them, it is slower (docs/performance.md)."""
    return not instructions().isdisjoint({"amx_bf16", "avx512_bf16"})


class HFModel(ChatText, Engine, Trainable):
    """Text, forwards, and adapters by name."""

    def __init__(self, net: Any, tokenizer: Any, name: str, aliases: Collection[str] = ()) -> None:
        self.runner, self.aliases = Runner(net), aliases
        super().__init__(tokenizer, name, self.runner.context_length, _eos_tokens(net, tokenizer))
        self.device, self.dtype = self.runner.device, self.runner.dtype
        self.prefill_chunk = _PREFILL_CHUNK[self.device.type]
        self._adapters: dict[str, lora.Adapter] = {}

    # Engine

    def batch(
        self,
        prefix: Prefix | None = None,
        *,
        prefill_chunk: int | None = None,
        prefix_cache_tokens: int = 0,
    ) -> RowBatch:
        pool = PrefixPool(prefix_cache_tokens) if prefix_cache_tokens else None
        return RowBatch(self.runner, self.adapter, self.eos, _local(prefix), prefill_chunk, pool)

    @torch.inference_mode()
    def prefix(self, tokens: Tokens, version: str = BASE) -> PrefixCache:
        _, (cache,) = self.runner.prefill([tokens], self.adapter(version))
        return PrefixCache(tuple(tokens), cache)

    @torch.inference_mode()
    def score(
        self, pairs: Sequence[PromptAnswer], version: str = BASE, prefix: Prefix | None = None
    ) -> list[list[float]]:
        return [
            logprobs(logits_AV, answer_A).tolist()
            for logits_AV, answer_A in self._answer_logits(pairs, version, prefix)
        ]

    @torch.inference_mode()
    def likeliest(
        self, prompts: Sequence[Tokens], count: int, version: str = BASE, prefix: Prefix | None = None
    ) -> list[list[tuple[int, float]]]:
        found = list[list[tuple[int, float]]]()
        pairs = [(prompt, (self.eos[0],)) for prompt in prompts]  # an answer of any one token
        for logits_1V, _ in self._answer_logits(pairs, version, prefix):
            logps, tokens = logits_1V[0].float().log_softmax(-1).topk(min(count, logits_1V.shape[1]))
            found.append([*zip(tokens.tolist(), logps.tolist(), strict=True)])
        return found

    @torch.inference_mode()
    def agrees(
        self, pairs: Sequence[PromptAnswer], version: str = BASE, prefix: Prefix | None = None
    ) -> list[bool]:
        found = self._answer_logits(pairs, version, prefix)
        return [bool((logits_AV.argmax(-1) == answer_A).all()) for logits_AV, answer_A in found]

    def _answer_logits(
        self, pairs: Sequence[PromptAnswer], version: str, prefix: Prefix | None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """For each pair, the logits [answer, vocabulary] that predict the answer's tokens, and the tokens."""
        hidden = self._hidden(pairs, version, prefix, _SCORED_AT_ONCE)
        for (_, answer), hidden_AW in zip(pairs, hidden, strict=True):
            yield self.logits(hidden_AW), torch.tensor(list(answer), device=self.device)

    def load(self, version: str, directory: Path) -> None:
        self._adapters[version] = lora.load(directory, self.runner.groups, self.device, self.dtype)

    def unload(self, version: str) -> None:
        self._adapters.pop(version, None)

    def publish(self, version: str, adapter: lora.Adapter) -> None:
        """The adapter is not copied: `version` answers with whatever it has learned by then."""
        self._adapters[version] = adapter

    def versions(self) -> Iterable[str]:
        return list(self._adapters)

    # Trainable

    def hidden(
        self,
        pairs: Sequence[PromptAnswer],
        version: str = BASE,
        prefix: Prefix | None = None,
        *,
        at_once: int | None = None,
    ) -> list[Tensor]:
        # Clones: a view would keep its whole forward alive.
        return [hidden_AW.clone() for hidden_AW in self._hidden(pairs, version, prefix, at_once)]

    def _hidden(
        self, pairs: Sequence[PromptAnswer], version: str, prefix: Prefix | None, at_once: int | None
    ) -> Iterator[Tensor]:
        adapter, step = self.adapter(version), at_once or len(pairs) or 1
        for start in range(0, len(pairs), step):
            yield from self.runner.hidden(pairs[start : start + step], adapter, _local(prefix))

    def train_hidden(self, pairs: Sequence[PromptAnswer], version: str) -> list[Tensor]:
        adapter = self.adapter(version)
        assert adapter, "the base model is frozen"
        return self.runner.train_hidden(pairs, adapter)

    def logits(self, hidden_TW: Tensor) -> Tensor:
        return self.runner.logits(hidden_TW)

    def logits_vjp(self, gradient_TV: Tensor) -> Tensor:
        return self.runner.logits_vjp(gradient_TV)

    def fresh_adapter(self, rank: int, seed: int) -> lora.Adapter:
        return lora.fresh_adapter(self.runner.groups, rank, seed, self.device, self.dtype)

    def adapter(self, version: str) -> lora.Adapter | None:
        if version == BASE:
            return None
        if version not in self._adapters:
            raise VersionError(f"version {version} is not loaded")
        return self._adapters[version]


def logprobs(logits_AV: Tensor, answer_A: Tensor) -> Tensor:
    """The log-probability of each of an answer's tokens [answer], in nats."""
    return logits_AV.float().log_softmax(-1).gather(1, answer_A[:, None])[:, 0]


def _local(prefix: Prefix | None) -> PrefixCache | None:
    """The prefix, which must have been made by an HFModel."""
    assert prefix is None or isinstance(prefix, PrefixCache)
    return prefix


def _eos_tokens(net: Any, tokenizer: Any) -> list[int]:
    """The tokens that end an answer, the tokenizer's own first."""
    configured = net.generation_config.eos_token_id if net.generation_config else None
    listed = configured if isinstance(configured, list) else [configured]
    ordered = dict.fromkeys([tokenizer.eos_token_id, *listed])
    return [int(t) for t in ordered if t is not None]
