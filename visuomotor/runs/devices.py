"""Where networks live, and what the processor can do."""

import functools
import os

import torch

from visuomotor.errors import VisuomotorError


def choose_device(name: str) -> torch.device:
    """`cpu`, `cuda`, or `auto`, which takes CUDA where there is one. A job's processes share a machine's GPUs.

    Raises:
        VisuomotorError: CUDA is asked for and there is none.
    """
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise VisuomotorError("there is no CUDA device here; use --device cpu or auto")
    if name == "cpu" or not there:
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())


@functools.cache
def multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for bfloat16 (AVX512_BF16, AMX). Elsewhere it is slower than float32."""
    capabilities = getattr(torch.cpu, "get_capabilities", dict)  # newer than the oldest torch that we allow
    return bool(capabilities().get("avx512_bf16"))
