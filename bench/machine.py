"""The machine that a number was measured on."""

from __future__ import annotations

import os

from nightschool.models.kernels.processor import cpuinfo, instructions


def describe() -> str:
    """Such as "2 of 2 cores, AMD EPYC, AVX-512 bf16, no AMX, torch 2.13.0+cpu"."""
    import torch

    known = instructions()
    units = "AMX" if "amx_bf16" in known else "AVX-512 bf16, no AMX" if "avx512_bf16" in known else "no bf16"
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    cores = f"{torch.get_num_threads()} of {os.cpu_count()} cores"
    return f"{cores}, {cpuinfo('model name') or 'CPU'}, {units}{gpu}, torch {torch.__version__}"
