"""Low-rank adapters (LoRA, arXiv 2106.09685) that are chosen per token of a forward.

PEFT's own layers allow one adapter per forward, or a slow mixed mode; here one decode step serves rows of
several versions. The files on disk are PEFT's, and the tests compare the arithmetic with PEFT's.

Linear layers that read the same input (a model's queries, keys and values) form a *group* and run as one:
their A matrices are stacked, their B matrices become the blocks of a block-diagonal one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import linear

from nightschool.errors import VersionError
from nightschool.models.kernels import native

_PREFIX = "base_model.model."
# Tokens up to which a CPU multiplies a low-rank pair faster packed, or in float32 (docs/performance.md).
_MAX_PACKED_TOKENS = 64
AB = tuple[Tensor, Tensor]  # A [rank, in], B [out, rank]


@dataclass(frozen=True)
class Group:
    """Linear layers that read the same `inputs` features; `parts` are the (name, out features) of each."""

    inputs: int
    parts: tuple[tuple[str, int], ...]

    @property
    def outputs(self) -> list[int]:
        return [out for _, out in self.parts]


Groups = Mapping[str, Group]


class Adapter:
    """The weights of one adapter: float32 masters, and copies for running without gradients.

    A group of k layers has masters A [k * rank, in] and B [sum of outs, rank]. The scaling alpha / rank is
    folded into B.
    """

    def __init__(self, groups: Groups, masters: dict[str, AB], dtype: torch.dtype) -> None:
        self.groups, self.masters, self._dtype = groups, masters, dtype
        self._blocks = {
            name: self._block_mask(name) for name, group in groups.items() if len(group.parts) > 1
        }
        self.refresh()

    @property
    def rank(self) -> int:
        return next(iter(self.masters.values()))[1].shape[1]

    def parameters(self) -> list[Tensor]:
        """All masters, in a fixed order."""
        return [tensor for name in sorted(self.masters) for tensor in self.masters[name]]

    def trainable(self, on: bool) -> None:
        for tensor in self.parameters():
            tensor.requires_grad_(on)

    @torch.no_grad()
    def refresh(self) -> None:
        """Update the running copies after the masters changed."""
        self._exact = {
            name: (a.detach(), self._spread(name, b.detach())) for name, (a, b) in self.masters.items()
        }
        self._rounded = {n: (a.to(self._dtype), b.to(self._dtype)) for n, (a, b) in self._exact.items()}
        self._packed: dict[str, AB] = {}  # filled when first needed

    @torch.no_grad()
    def approach(self, other: Adapter, share: float) -> None:
        """Move the masters by a fraction `share` of the way to another's; `refresh` afterwards."""
        for mine, its in zip(self.parameters(), other.parameters(), strict=True):
            mine.lerp_(its, share)

    def copy(self) -> Adapter:
        """An independent adapter with the same weights."""
        pairs = {n: (a.detach().clone(), b.detach().clone()) for n, (a, b) in self.masters.items()}
        return Adapter(self.groups, pairs, self._dtype)

    def delta(self, name: str, x: Tensor) -> Tensor:
        """What the adapter adds to a group's output: [tokens, in] -> [tokens, sum of outs]. Differentiable
        where gradients are enabled; otherwise possibly in float32."""
        if torch.is_grad_enabled():
            a, b = self.masters[name]
            return linear(linear(x, a.to(x.dtype)), self._spread(name, b).to(x.dtype))
        if x.device.type == "cpu" and x.shape[0] <= _MAX_PACKED_TOKENS:
            return self._small_delta(name, x)
        a, b = self._rounded[name]
        return linear(linear(x, a), b)

    def _small_delta(self, name: str, x: Tensor) -> Tensor:
        """By packed weights, else in float32, in which torch's small products are faster."""
        a, b = self._rounded[name]
        if not (native.fast_product(a) and native.fast_product(b)):
            a, b = self._exact[name]
            return linear(linear(x.float(), a), b)
        if name not in self._packed:
            self._packed[name] = native.packed(a), native.packed(b)
        packed_a, packed_b = self._packed[name]
        return native.product(native.product(x, packed_a, len(a)), packed_b, len(b))

    def state(self) -> dict[str, Tensor]:
        """Tensors under PEFT's names."""
        out = {}
        for name, (a, b) in self.masters.items():
            group = self.groups[name]
            split_b = b.detach().split(group.outputs)
            for (part, _), a_i, b_i in zip(group.parts, a.detach().split(self.rank), split_b, strict=True):
                out[f"{_PREFIX}{part}.lora_A.weight"] = a_i.cpu().contiguous()
                out[f"{_PREFIX}{part}.lora_B.weight"] = b_i.cpu().contiguous()
        return out

    def _spread(self, name: str, b: Tensor) -> Tensor:
        """B as a block-diagonal matrix [sum of outs, k * rank]."""
        mask = self._blocks.get(name)
        return b if mask is None else b.repeat(1, len(self.groups[name].parts)) * mask

    def _block_mask(self, name: str) -> Tensor:
        ones = [torch.ones(out, self.rank) for out in self.groups[name].outputs]
        mask: Tensor = torch.block_diag(*ones)
        return mask.to(self.masters[name][1].device)


Spans = Sequence[tuple[Tensor | None, Adapter]]  # which tokens (None: all) use which adapter


def all_tokens(adapter: Adapter | None) -> Spans:
    """One adapter, or none, for every token."""
    return [(None, adapter)] if adapter else []


def by_token(adapters: Sequence[Adapter | None], device: torch.device) -> Spans:
    """Token i uses `adapters[i]`."""
    found: dict[int, tuple[Adapter, list[int]]] = {}
    for token, adapter in enumerate(adapters):
        if adapter is not None:
            found.setdefault(id(adapter), (adapter, []))[1].append(token)
    if len(found) == 1 and (only := next(iter(found.values()))) and len(only[1]) == len(adapters):
        return [(None, only[0])]
    return [(torch.tensor(tokens, device=device), adapter) for adapter, tokens in found.values()]


def add(y: Tensor, x: Tensor, name: str, spans: Spans) -> Tensor:
    """A group's output y = W x plus the adapters' low-rank products. May write into y."""
    for tokens, adapter in spans:
        delta = adapter.delta(name, x if tokens is None else x[tokens])
        if torch.is_grad_enabled():
            y = y + delta if tokens is None else y.index_add(0, tokens, delta)
        elif tokens is None:
            y = y.add_(delta)
        else:
            y = y.index_add_(0, tokens, delta.to(y.dtype))
    return y


def fresh_adapter(groups: Groups, rank: int, seed: int, device: torch.device, dtype: torch.dtype) -> Adapter:
    """A new adapter that changes nothing yet: A uniform as PEFT's (Kaiming, a = sqrt 5), B zero."""
    rng = torch.Generator().manual_seed(seed)
    pairs = {}
    for name, group in sorted(groups.items()):
        bound = 1 / math.sqrt(group.inputs)
        a = (torch.rand(rank * len(group.parts), group.inputs, generator=rng) * 2 - 1) * bound
        pairs[name] = (a.to(device), torch.zeros(sum(group.outputs), rank, device=device))
    return Adapter(groups, pairs, dtype)


def save(adapter: Adapter, directory: Path, base_model: str) -> None:
    """Write a PEFT directory that vLLM, transformers and others load."""
    from peft import LoraConfig

    leaves = sorted({name.rpartition(".")[2] for group in adapter.groups.values() for name, _ in group.parts})
    LoraConfig(
        task_type="CAUSAL_LM",
        base_model_name_or_path=base_model,
        r=adapter.rank,
        lora_alpha=adapter.rank,  # scaling 1: B holds it already
        target_modules=leaves,
        inference_mode=True,
    ).save_pretrained(directory)
    _sort_json(directory / "adapter_config.json")
    save_file(adapter.state(), directory / "adapter_model.safetensors", metadata={"format": "pt"})


def _sort_json(path: Path) -> None:
    """PEFT writes sets in no fixed order; the same adapter must give the same bytes."""
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data, indent=2, sort_keys=True) + "\n")


def load(directory: Path, groups: Groups, device: torch.device, dtype: torch.dtype) -> Adapter:
    """Read a PEFT LoRA directory for a model with these layers. Raises VersionError."""
    try:
        config = json.loads((directory / "adapter_config.json").read_text())
        tensors = load_file(directory / "adapter_model.safetensors")
    except (OSError, ValueError, SafetensorError) as e:
        raise VersionError(f"adapter {directory} cannot be read: {e}") from e
    if config.get("peft_type") != "LORA" or config.get("use_dora") or config.get("use_rslora"):
        raise VersionError(f"adapter {directory} is not a plain LoRA adapter, the only kind that is served")
    found = _pairs(tensors)
    known = {part: (group.inputs, out) for group in groups.values() for part, out in group.parts}
    for name, (a, b) in found.items():
        if (
            known.get(name) != (a.shape[1], b.shape[0])
            or a.shape[0] != b.shape[1]
            or a.shape[0] != config["r"]
        ):
            raise VersionError(f"adapter {directory} does not fit this model: layer {name}")
    if not found:
        raise VersionError(f"adapter {directory} holds no LoRA weights")
    scale, rank = config["lora_alpha"] / config["r"], config["r"]
    masters = {}
    for name, group in groups.items():
        # Zeros for a layer that the adapter does not change.
        pairs = [
            found.get(p, (torch.zeros(rank, group.inputs), torch.zeros(out, rank))) for p, out in group.parts
        ]
        a, b = (torch.cat([pair[i].float() for pair in pairs]) for i in (0, 1))
        masters[name] = (a.to(device), (b * scale).to(device))
    return Adapter(groups, masters, dtype)


def _pairs(tensors: Mapping[str, Tensor]) -> dict[str, AB]:
    """Layer name -> (A, B); B is empty where it is missing."""
    out = {}
    for name in _layers(tensors):
        b = tensors.get(f"{_PREFIX}{name}.lora_B.weight")
        out[name] = (tensors[f"{_PREFIX}{name}.lora_A.weight"], torch.empty(0, 0) if b is None else b)
    return out


def _layers(tensors: Iterable[str]) -> list[str]:
    ends = ".lora_A.weight"
    return sorted(t.removeprefix(_PREFIX).removesuffix(ends) for t in tensors if t.endswith(ends))
