"""A training's state on disk: safetensors and JSON, replaced in one rename."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from nightschool.models.lora import Adapter

_NAME = "checkpoint"


def save(
    folder: Path, progress: dict[str, Any], adapters: Sequence[Adapter], optimizer: torch.optim.Optimizer
) -> None:
    """Write a new checkpoint beside the old one, then swap them; the optimizer's state is that of the first
    of the adapters."""
    new, old, current = (folder / f"{_NAME}{end}" for end in (".new", ".old", ""))
    shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    new.mkdir(parents=True)
    tensors: dict[str, torch.Tensor] = {}
    for i, same in enumerate(zip(*(adapter.parameters() for adapter in adapters), strict=True)):
        tensors |= {f"{i}.{n}": p.detach() for n, p in enumerate(same)}
        tensors |= {f"{i}.{key}": value for key, value in optimizer.state.get(same[0], {}).items()}
    save_file({k: v.cpu().contiguous() for k, v in tensors.items()}, new / "state.safetensors")
    (new / "progress.json").write_text(json.dumps(progress))
    if current.exists():
        current.rename(old)
    new.rename(current)
    shutil.rmtree(old, ignore_errors=True)


def load(
    folder: Path, adapters: Sequence[Adapter], optimizer: torch.optim.Optimizer
) -> dict[str, Any] | None:
    """Fill adapters and optimizer from the newest whole checkpoint; None where there is none."""
    # A kill between the two renames leaves only the old one, which is whole.
    found = next((f for f in (folder / _NAME, folder / f"{_NAME}.old") if f.exists()), None)
    if found is None:
        return None
    tensors = load_file(found / "state.safetensors")
    for i, same in enumerate(zip(*(adapter.parameters() for adapter in adapters), strict=True)):
        for n, p in enumerate(same):
            p.data.copy_(tensors.pop(f"{i}.{n}"))
        state = {k: tensors[k] for k in tensors if k.startswith(f"{i}.")}
        if state:
            first = same[0]
            optimizer.state[first] = {k.split(".", 1)[1]: _placed(v, first) for k, v in state.items()}
    for adapter in adapters:
        adapter.refresh()
    progress: dict[str, Any] = json.loads((found / "progress.json").read_text())
    return progress


def _placed(value: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """AdamW keeps its step counter (a scalar) on the CPU."""
    return value if value.dim() == 0 else value.to(like.device)
