"""How long one step of the visuomotor policy takes."""

import statistics
import time
from typing import Any

import torch

from visuomotor.algorithms.gps.config import PRESETS
from visuomotor.policies import VisuomotorPolicy

_PROPRIOCEPTION, _ACTIONS = 32, 7


def bench_policy(repeats: int = 200) -> dict[str, Any]:
    """Time one step of the policy, from an image and the joint readings to an action, on one core.

    The bars are 10 ms at the laptop preset's image size and 25 ms at the paper's.

    Returns:
        `milliseconds_per_step`: median at the laptop's size; `milliseconds_per_step_paper`: at the paper's;
        `size`, `size_paper`: those sides in pixels; `repeats`.
    """
    laptop, paper = PRESETS["laptop"].image.size, PRESETS["paper"].image.size
    return {
        "milliseconds_per_step": _milliseconds(laptop, repeats),
        "milliseconds_per_step_paper": _milliseconds(paper, repeats),
        "size": laptop,
        "size_paper": paper,
        "repeats": repeats,
    }


def _milliseconds(size: int, repeats: int) -> float:
    torch.manual_seed(0)
    policy = VisuomotorPolicy(_PROPRIOCEPTION, _ACTIONS).eval()
    image = torch.randint(256, (1, size, size, 3), dtype=torch.uint8)
    proprioception = torch.randn(1, _PROPRIOCEPTION)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    times: list[float] = []
    try:
        with torch.inference_mode():
            for _ in range(repeats + 10):
                begin = time.perf_counter()
                policy(image, proprioception)
                times.append(time.perf_counter() - begin)
    finally:
        torch.set_num_threads(threads)
    return 1000 * statistics.median(times[10:])  # the first ones warm up
