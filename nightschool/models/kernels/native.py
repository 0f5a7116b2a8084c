"""The small operations of a decoder layer on bfloat16 in C++ (`native.cpp`), each in one pass.

They are compiled for this processor when first needed, and cached beside the converted models. Without a
compiler, callers use torch's own operations, which do the same more slowly.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from ctypes import c_float, c_int64, c_void_p
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import pad

from nightschool.models.embedded import cache_dir
from nightschool.models.kernels.processor import instructions

BLOCK = 32  # outputs in a block of packed weights; the same in native.cpp
WIDTHS = (64, 128)  # head widths that `attend` and `attend_prefix` support; the same in native.cpp
_SOURCE = Path(__file__).with_suffix(".cpp")
_FLAGS = "-O3 -march=native -fopenmp -fno-math-errno -fno-trapping-math -shared -fPIC".split()
_ARGUMENTS = {
    "rms_norm": [*[c_void_p] * 3, *[c_int64] * 2, c_float],
    "rotate": [c_void_p, c_int64, *[c_void_p] * 2, *[c_int64] * 3],
    "gated_silu": [*[c_void_p] * 2, *[c_int64] * 2],
    "product": [*[c_void_p] * 3, *[c_int64] * 3],
    "argmax_logsumexp": [*[c_void_p] * 3, *[c_int64] * 2],
    "attend": [*[c_void_p, c_int64] * 4, *[c_void_p] * 2, *[c_int64] * 4],
    "attend_prefix": [c_void_p, c_int64, *[c_void_p] * 2, c_int64, *[c_void_p] * 2, *[c_int64] * 5],
}


@cache
def library() -> ctypes.CDLL | None:
    """The compiled operations, or None if they cannot be compiled here."""
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if compiler is None or sys.platform != "linux":
        return None
    recipe = f"{_SOURCE.read_text()}{_FLAGS}{compiler}{sorted(instructions())}"
    built = cache_dir().parent / f"native-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}.so"
    try:
        if not built.exists():
            _compile(compiler, built)
        found = ctypes.CDLL(str(built))  # it uses the OpenMP that torch has loaded, and so torch's threads
    except (OSError, subprocess.CalledProcessError):
        return None
    for name, arguments in _ARGUMENTS.items():
        function = getattr(found, name)
        function.argtypes, function.restype = arguments, None
    return found


def _compile(compiler: str, built: Path) -> None:
    built.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=built.parent) as folder:
        made = Path(folder) / built.name
        subprocess.run([compiler, *_FLAGS, "-o", made, _SOURCE], check=True, capture_output=True)
        made.replace(built)  # atomic: another process may be compiling, too


def serves(*tensors: Tensor) -> bool:
    """Whether the operations can take these tensors: bfloat16 on a CPU, with gradients disabled, and the
    library compiled."""
    supported = all(x.dtype == torch.bfloat16 and x.device.type == "cpu" for x in tensors)
    return supported and not torch.is_grad_enabled() and library() is not None


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """As `norm.rms_norm`."""
    x = x.contiguous()
    out, width = torch.empty_like(x), x.shape[-1]
    tokens = x.numel() // width
    _library().rms_norm(x.data_ptr(), weight.data_ptr(), out.data_ptr(), tokens, width, eps)
    return out


def rotate(x_THD: Tensor, cos_T1D: Tensor, sin_T1D: Tensor) -> None:
    """Rotate the heads in place, as `decoder.rotated` does; the sines are signed."""
    heads_at, angles_at = (x_THD.data_ptr(), x_THD.stride(0)), (cos_T1D.data_ptr(), sin_T1D.data_ptr())
    tokens, heads, width = x_THD.shape
    _library().rotate(*heads_at, *angles_at, tokens, heads, width)


def gated_silu(gate_up: Tensor) -> Tensor:
    """silu(first half) * second half: [tokens, 2 * inner] -> [tokens, inner]."""
    tokens, width = gate_up.shape[0], gate_up.shape[1] // 2
    out = gate_up.new_empty((tokens, width))
    _library().gated_silu(gate_up.data_ptr(), out.data_ptr(), tokens, width)
    return out


def fast_product(weight: Tensor) -> bool:
    """Whether `product` is the fastest way to multiply by these weights [out, in]."""
    return _faster_than_torch(weight) and weight.shape[1] % 2 == 0


def packed(weight: Tensor) -> Tensor:
    """Weights [out, in] as `product` takes them: [out / BLOCK, in / 2, BLOCK, 2], padded with zeros."""
    outputs, inner = weight.shape
    blocks = -(-outputs // BLOCK)
    whole = pad(weight, (0, 0, 0, blocks * BLOCK - outputs))
    return whole.view(blocks, BLOCK, inner // 2, 2).transpose(1, 2).contiguous()


def product(x_RI: Tensor, packed: Tensor, outputs: int) -> Tensor:
    """x [rows, in] times the transpose of weights [outputs, in] that were `packed`: [rows, outputs]."""
    (rows, inner), x = x_RI.shape, x_RI.contiguous()
    out = x.new_empty((rows, outputs))
    _library().product(x.data_ptr(), packed.data_ptr(), out.data_ptr(), rows, inner, outputs)
    return out


def argmax_logsumexp(logits_RV: Tensor) -> tuple[Tensor, Tensor]:
    """As `sampling.argmax_logsumexp`."""
    logits, (rows, width) = logits_RV.contiguous(), logits_RV.shape
    tokens = torch.empty(rows, dtype=torch.int64)
    total = torch.empty(rows, dtype=torch.float32)
    _library().argmax_logsumexp(logits.data_ptr(), tokens.data_ptr(), total.data_ptr(), rows, width)
    return tokens, total


def attend(q_RHD: Tensor, k_RGD: Tensor, v_RGD: Tensor, cache: Tensor, at_R: Tensor) -> Tensor:
    """Attention of one new token a row [rows, heads, head width]. Writes its keys and values at position
    `at_R` of the row's slot in the cache [slots, 2 * key heads, room, head width], and attends to all
    positions up to there."""
    (rows, heads, width), groups = q_RHD.shape, k_RGD.shape[1]
    new = [_in_rows(x) for x in (q_RHD, k_RGD, v_RGD)]
    out = q_RHD.new_empty((rows, heads, width))
    placed = (cache.data_ptr(), cache.shape[2], at_R.data_ptr())
    _library().attend(
        *[part for x in new for part in (x.data_ptr(), x.stride(0))],
        *placed,
        out.data_ptr(),
        rows,
        groups,
        heads // groups,
        width,
    )
    return out


def fast_attend_prefix(q: Tensor) -> bool:
    """Whether `attend_prefix` is the fastest way for these queries [..., head width]."""
    return _faster_than_torch(q) and q.shape[-1] in WIDTHS


def attend_prefix(q_THD: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
    """Attention [tokens, heads, head width] to keys and values [2, key heads, past, head width] that all
    precede these tokens, and the log-sum-exps of its scores [tokens, heads]."""
    (tokens, heads, width), (groups, count) = q_THD.shape, past.shape[1:3]
    q = _in_rows(q_THD)
    keys, values = past if past[0, 0].is_contiguous() else past.contiguous()
    out = q.new_empty((tokens, heads, width))
    logs = torch.empty((tokens, heads), dtype=torch.float32)
    before = (keys.data_ptr(), values.data_ptr(), keys.stride(0))
    found, sizes = (out.data_ptr(), logs.data_ptr()), (tokens, groups, heads // groups, width, count)
    _library().attend_prefix(q.data_ptr(), q.stride(0), *before, *found, *sizes)
    return out, logs


def _faster_than_torch(x: Tensor) -> bool:
    """Whether our products of such tensors are faster than torch's: not where torch's use AMX."""
    return serves(x) and "amx_bf16" not in instructions()


def _in_rows(x_THD: Tensor) -> Tensor:
    """The tensor with each token's heads contiguous; there may be gaps between tokens."""
    return x_THD if x_THD[0].is_contiguous() else x_THD.contiguous()


def _library() -> ctypes.CDLL:
    found = library()
    assert found
    return found
