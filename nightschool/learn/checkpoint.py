"""A training's state on disk: safetensors and JSON, replaced in one rename."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from nightschool.models.lora import Adapter

_NAME = "checkpoint"


def save(
    folder: Path, progress: dict[str, Any], adapter: Adapter, best: Adapter, optimizer: torch.optim.Optimizer
) -> None:
    """Write a new checkpoint beside the old one, then swap them."""
    new, old, current = (folder / f"{_NAME}{end}" for end in (".new", ".old", ""))
    shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    new.mkdir(parents=True)
    tensors: dict[str, torch.Tensor] = {}
    for i, (p, b) in enumerate(zip(adapter.parameters(), best.parameters(), strict=True)):
        state = optimizer.state.get(p, {})
        tensors |= {f"{i}.p": p.detach(), f"{i}.best": b.detach()}
        tensors |= {f"{i}.{key}": value for key, value in state.items()}
    save_file({k: v.cpu().contiguous() for k, v in tensors.items()}, new / "state.safetensors")
    (new / "progress.json").write_text(json.dumps(progress))
    if current.exists():
        current.rename(old)
    new.rename(current)
    shutil.rmtree(old, ignore_errors=True)


def load(
    folder: Path, adapter: Adapter, best: Adapter, optimizer: torch.optim.Optimizer
) -> dict[str, Any] | None:
    """Fill adapter, best and optimizer from the newest whole checkpoint; None where there is none."""
    # A kill between the two renames leaves only the old one, which is whole.
    found = next((f for f in (folder / _NAME, folder / f"{_NAME}.old") if f.exists()), None)
    if found is None:
        return None
    tensors = load_file(found / "state.safetensors")
    for i, (p, b) in enumerate(zip(adapter.parameters(), best.parameters(), strict=True)):
        p.data.copy_(tensors[f"{i}.p"])
        b.data.copy_(tensors[f"{i}.best"])
        keys = [k for k in tensors if k.startswith(f"{i}.") and k not in (f"{i}.p", f"{i}.best")]
        if keys:
            optimizer.state[p] = {k.split(".", 1)[1]: _placed(tensors[k], p) for k in keys}
    adapter.refresh()
    best.refresh()
    progress: dict[str, Any] = json.loads((found / "progress.json").read_text())
    return progress


def _placed(value: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """AdamW keeps its step counter (a scalar) on the CPU."""
    return value if value.dim() == 0 else value.to(like.device)
