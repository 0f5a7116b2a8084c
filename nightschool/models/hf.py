"""A causal language model of Hugging Face transformers, on a CPU or a GPU.

What the model's own code is used for: embedding, layers, output head. What is ours: how rows share one
forward. Rows are padded on the *right*, so under a causal mask no real token ever sees padding and no mask
is needed; rows behind a shared prefix are packed into one row with a block mask, so that the prefix's
key-value cache is neither copied nor recomputed.
"""

from __future__ import annotations

import inspect
import logging
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nightschool.config import ModelConfig
from nightschool.errors import ContextTooLong, ModelError, VersionError
from nightschool.models import embedded, lora
from nightschool.models import tools as plain_tools
from nightschool.models.attention import NAME as ATTENTION
from nightschool.models.attention import causal
from nightschool.models.base import Prefix, to_template
from nightschool.models.cache import Capture, PrefixCache
from nightschool.models.decode import RowBatch
from nightschool.types import BASE, Message, Tools

log = logging.getLogger(__name__)
Tokens = Sequence[int]


def load(config: ModelConfig) -> HFModel:
    """Load the model that the settings name. Raises ModelError."""
    path = str(embedded.ensure()) if config.id == embedded.NAME else config.id
    device = config.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        torch.set_num_threads(config.threads or os.cpu_count() or 1)
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # ours shows the stages
    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
        net = AutoModelForCausalLM.from_pretrained(
            path, dtype=_dtype(config.dtype, device), attn_implementation=ATTENTION
        )
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
    flags = Path("/proc/cpuinfo")
    return flags.exists() and re.search(r"\b(amx_bf16|avx512_bf16)\b", flags.read_text()) is not None


class HFModel:
    """See `models.base.LanguageModel`; and what training needs: `hidden`, `behind`, `logits`, adapters."""

    def __init__(self, net: Any, tokenizer: Any, name: str) -> None:
        if not tokenizer.chat_template:
            raise ModelError(f"the model {name!r} has no chat template: use an instruction-tuned one")
        self.net, self.tokenizer, self.name = net.eval().requires_grad_(False), tokenizer, name
        self.device: torch.device = net.device
        self.dtype: torch.dtype = net.dtype
        self.context_length: int = net.config.max_position_embeddings
        self.eos = _eos_tokens(net, tokenizer)
        self.route = lora.Route()
        self._shapes = lora.install(net, self.route)
        self._adapters: dict[str, lora.Adapter] = {}
        parameters = inspect.signature(net.model.forward).parameters
        self._cache_argument = "cache" if "cache" in parameters else "past_key_values"

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

    def batch(self) -> RowBatch:
        return RowBatch(self)

    @torch.inference_mode()
    def prefix(self, tokens: Tokens, version: str = BASE) -> PrefixCache:
        self.check_length(len(tokens))
        capture = Capture()
        self.run(torch.tensor([list(tokens)], device=self.device), self.adapter(version), cache=capture)
        return PrefixCache(tuple(tokens), capture.layers)

    @torch.inference_mode()
    def score(
        self,
        pairs: Sequence[tuple[Tokens, Tokens]],
        version: str = BASE,
        prefix: Prefix | None = None,
    ) -> list[list[float]]:
        assert prefix is None or isinstance(prefix, PrefixCache)
        hidden = self.answers_hidden(pairs, self.adapter(version), prefix)
        out = []
        for (_, answer), hidden_AD in zip(pairs, hidden, strict=True):
            logp_AV = self.logits(hidden_AD).float().log_softmax(-1)
            index = torch.tensor(list(answer), device=self.device)
            out.append(logp_AV.gather(1, index[:, None])[:, 0].tolist())
        return out

    def answers_hidden(
        self,
        pairs: Sequence[tuple[Tokens, Tokens]],
        adapter: lora.Adapter | None,
        prefix: PrefixCache | None = None,
    ) -> list[Tensor]:
        """For each (prompt, answer) the final hidden states [answer, width] that predict its tokens.

        The state that predicts answer token t stands at the token before it: the first one at the
        prompt's last token, and the answer's last token (EOS) predicts nothing.
        """
        rows = [[*prompt, *answer[:-1]] for prompt, answer in pairs]
        hidden = self.behind(prefix, rows, adapter) if prefix else self.hidden(rows, adapter)
        return [
            h[len(prompt) - 1 : len(prompt) + len(answer) - 1]
            for h, (prompt, answer) in zip(hidden, pairs, strict=True)
        ]

    def hidden(self, rows: Sequence[Tokens], adapter: lora.Adapter | None) -> list[Tensor]:
        """Final hidden states [length, width] of each row; rows run padded together."""
        ids_BL = pad_right(rows, self.eos[0], self.device)
        self.check_length(ids_BL.shape[1])
        hidden_BLD = self.run(ids_BL, adapter)
        return [hidden_BLD[i, : len(row)] for i, row in enumerate(rows)]

    def behind(
        self, prefix: PrefixCache, rows: Sequence[Tokens], adapter: lora.Adapter | None
    ) -> list[Tensor]:
        """The same for rows that stand behind a prefix (without gradients through the prefix)."""
        hidden, _ = self.behind_with_cache(prefix, rows, adapter)
        return hidden

    def behind_with_cache(
        self, prefix: PrefixCache, rows: Sequence[Tokens], adapter: lora.Adapter | None
    ) -> tuple[list[Tensor], Capture]:
        """Also the keys and values that the packed rows added."""
        lengths = [len(row) for row in rows]
        self.check_length(prefix.length + max(lengths))
        ids_1T = torch.tensor([[t for row in rows for t in row]], device=self.device)
        positions_1T = torch.cat([torch.arange(n) for n in lengths])[None].to(self.device) + prefix.length
        mask = prefix.block_mask(lengths, self.dtype)
        capture = Capture(prefix)
        hidden_TD = self.run(ids_1T, adapter, cache=capture, positions=positions_1T, mask=mask)[0]
        return list(torch.split(hidden_TD, lengths)), capture

    def run(
        self,
        ids_BL: Tensor,
        adapter: lora.Adapter | list[lora.Adapter | None] | None,
        *,
        cache: Any = None,
        positions: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """One forward of the model's body; `adapter` serves all rows, or is a list with one per row."""
        if isinstance(adapter, list):
            self.route.by_row(adapter, self.device)
        else:
            self.route.all_rows(adapter)
        if positions is None:
            positions = torch.arange(ids_BL.shape[1], device=self.device)[None]
        out = self.net.model(
            input_ids=ids_BL,
            attention_mask=causal() if mask is None else mask,
            position_ids=positions,
            use_cache=False,
            **{self._cache_argument: cache},
        )
        hidden: Tensor = out.last_hidden_state
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        """[..., width] -> [..., vocabulary], in the model's dtype."""
        out: Tensor = self.net.get_output_embeddings()(hidden)
        return out

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
        return lora.fresh(self._shapes, rank, seed, self.device, self.dtype)

    def put(self, version: str, adapter: lora.Adapter) -> None:
        """Serve this adapter object under a name (a student while it learns)."""
        self._adapters[version] = adapter

    def load(self, version: str, directory: Path) -> None:
        self._adapters[version] = lora.load(directory, self._shapes, self.device, self.dtype)

    def unload(self, version: str) -> None:
        self._adapters.pop(version, None)

    def versions(self) -> Iterable[str]:
        return list(self._adapters)


def pad_right(rows: Sequence[Tokens], fill: int, device: torch.device) -> Tensor:
    """[rows, longest]; the filling is never seen by a real token (causal mask)."""
    longest = max(len(row) for row in rows)
    return torch.tensor([[*row, *[fill] * (longest - len(row))] for row in rows], device=device)


def _eos_tokens(net: Any, tokenizer: Any) -> list[int]:
    """Tokens that end an answer, the chat template's own first."""
    configured = net.generation_config.eos_token_id if net.generation_config else None
    listed = configured if isinstance(configured, list) else [configured]
    ordered = dict.fromkeys([tokenizer.eos_token_id, *listed])
    return [int(t) for t in ordered if t is not None]
