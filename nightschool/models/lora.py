"""Low-rank adapters (LoRA, arXiv 2106.09685) that are chosen per row of a batch.

PEFT's own layers allow one adapter per forward, or a slow mixed mode; a decode step here serves rows of
several versions. The files on disk are PEFT's, and the tests hold the arithmetic against PEFT's.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from nightschool.errors import VersionError

_PREFIX = "base_model.model."
Pair = tuple[Tensor, Tensor]  # A [rank, in], B [out, rank]


class Adapter:
    """Weights of one adapter: float32 masters, and a copy in the model's dtype for running without gradients.

    The scaling alpha / rank is folded into B.
    """

    def __init__(self, pairs: dict[str, Pair], dtype: torch.dtype) -> None:
        self.masters = pairs
        self._dtype = dtype
        self._running: dict[str, Pair] = {}
        self.refresh()

    @property
    def rank(self) -> int:
        return next(iter(self.masters.values()))[0].shape[0]

    def parameters(self) -> list[Tensor]:
        """All masters in a fixed order."""
        return [tensor for name in sorted(self.masters) for tensor in self.masters[name]]

    def trainable(self, on: bool) -> None:
        for tensor in self.parameters():
            tensor.requires_grad_(on)

    def refresh(self) -> None:
        """Bring the running copy up to date after the masters moved."""
        self._running = {
            name: (a.detach().to(self._dtype), b.detach().to(self._dtype))
            for name, (a, b) in self.masters.items()
        }

    def copy(self) -> Adapter:
        """An independent adapter with the same weights."""
        pairs = {n: (a.detach().clone(), b.detach().clone()) for n, (a, b) in self.masters.items()}
        return Adapter(pairs, self._dtype)

    def pair(self, name: str) -> Pair | None:
        """The weights for one layer: differentiable where gradients are wanted."""
        if torch.is_grad_enabled() and (masters := self.masters.get(name)):
            return masters[0].to(self._dtype), masters[1].to(self._dtype)
        return self._running.get(name)

    def state(self) -> dict[str, Tensor]:
        """Tensors under PEFT's names."""
        out = {}
        for name, (a, b) in self.masters.items():
            out[f"{_PREFIX}{name}.lora_A.weight"] = a.detach().cpu().contiguous()
            out[f"{_PREFIX}{name}.lora_B.weight"] = b.detach().cpu().contiguous()
        return out


class Route:
    """Which adapter which rows of the running forward use; shared by all layers of a model."""

    def __init__(self) -> None:
        self.spans: list[tuple[Tensor | None, Adapter]] = []  # rows (None: all), adapter

    def all_rows(self, adapter: Adapter | None) -> None:
        self.spans = [(None, adapter)] if adapter else []

    def by_row(self, adapters: list[Adapter | None], device: torch.device) -> None:
        """`adapters[i]` serves row i."""
        groups: dict[int, tuple[Adapter, list[int]]] = {}
        for row, adapter in enumerate(adapters):
            if adapter is not None:
                groups.setdefault(id(adapter), (adapter, []))[1].append(row)
        self.spans = [
            (None if len(rows) == len(adapters) else torch.tensor(rows, device=device), adapter)
            for adapter, rows in groups.values()
        ]


class LoraLinear(nn.Module):
    """A frozen linear layer plus the adapters of the current route."""

    def __init__(self, base: nn.Linear, name: str, route: Route) -> None:
        super().__init__()
        self.base, self.name, self.route = base, name, route

    @property
    def weight(self) -> Tensor:
        return self.base.weight

    def forward(self, x: Tensor) -> Tensor:
        """x [rows, ..., in] -> [rows, ..., out]."""
        y: Tensor = self.base(x)
        for rows, adapter in self.route.spans:
            pair = adapter.pair(self.name)
            if pair is None:
                continue
            a, b = pair
            if rows is None:
                y = y + nn.functional.linear(nn.functional.linear(x, a), b)
            else:
                delta = nn.functional.linear(nn.functional.linear(x[rows], a), b)
                y = y.index_add(0, rows, delta)
        return y


def install(net: nn.Module, route: Route) -> dict[str, tuple[int, int]]:
    """Wrap every linear layer but the output head; return {layer: (in, out)}."""
    head = net.get_output_embeddings()  # type: ignore[operator]
    names = [n for n, m in net.named_modules() if isinstance(m, nn.Linear) and m is not head]
    shapes = {}
    for name in names:
        parent_name, _, leaf = name.rpartition(".")
        parent = net.get_submodule(parent_name)
        base = getattr(parent, leaf)
        setattr(parent, leaf, LoraLinear(base, name, route))
        shapes[name] = (base.in_features, base.out_features)
    return shapes


def fresh(
    shapes: dict[str, tuple[int, int]], rank: int, seed: int, device: torch.device, dtype: torch.dtype
) -> Adapter:
    """A new adapter that changes nothing yet: A uniform as PEFT's (Kaiming, a = sqrt 5), B zero."""
    rng = torch.Generator().manual_seed(seed)
    pairs = {}
    for name, (n_in, n_out) in sorted(shapes.items()):
        bound = 1 / math.sqrt(n_in)
        a = (torch.rand(rank, n_in, generator=rng) * 2 - 1) * bound
        pairs[name] = (a.to(device), torch.zeros(n_out, rank, device=device))
    return Adapter(pairs, dtype)


def save(adapter: Adapter, directory: Path, base_model: str) -> None:
    """Write a PEFT directory that vLLM, transformers and others load."""
    from peft import LoraConfig

    leaves = sorted({name.rpartition(".")[2] for name in adapter.masters})
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
    """PEFT writes sets in no fixed order; the same adapter is to give the same bytes."""
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data, indent=2, sort_keys=True) + "\n")


def load(
    directory: Path, shapes: dict[str, tuple[int, int]], device: torch.device, dtype: torch.dtype
) -> Adapter:
    """Read a PEFT LoRA directory for a model with these layers. Raises VersionError."""
    try:
        config = json.loads((directory / "adapter_config.json").read_text())
        tensors = load_file(directory / "adapter_model.safetensors")
    except (OSError, ValueError, SafetensorError) as e:
        raise VersionError(f"adapter {directory} cannot be read: {e}") from e
    if config.get("peft_type") != "LORA" or config.get("use_dora") or config.get("use_rslora"):
        raise VersionError(f"adapter {directory} is not a plain LoRA adapter, the only kind that is served")
    scale = config["lora_alpha"] / config["r"]
    pairs = {}
    for name in _layers(tensors):
        a = tensors[f"{_PREFIX}{name}.lora_A.weight"].float()
        b = tensors.get(f"{_PREFIX}{name}.lora_B.weight")
        if name not in shapes or b is None or (a.shape[1], b.shape[0]) != shapes[name]:
            raise VersionError(f"adapter {directory} does not fit this model: layer {name}")
        pairs[name] = (a.to(device), (b.float() * scale).to(device))
    if not pairs:
        raise VersionError(f"adapter {directory} holds no LoRA weights")
    return Adapter(pairs, dtype)


def _layers(tensors: Iterable[str]) -> list[str]:
    ends = ".lora_A.weight"
    return sorted(t.removeprefix(_PREFIX).removesuffix(ends) for t in tensors if t.endswith(ends))
