"""How many control steps a second ppo-gail learns from: the whole training loop, everything included."""

import dataclasses
import resource
import tempfile
from pathlib import Path
from statistics import median
from typing import Any, Literal

import torch

from visuomotor.algorithms.ppo_gail import PpoGail
from visuomotor.algorithms.ppo_gail.config import PRESETS
from visuomotor.demos import write_demonstrations
from visuomotor.demos.generate import demonstrate
from visuomotor.tasks import Task

_PARTS = ("env_step", "render", "inference", "learn")
_DEMONSTRATIONS = 4
_FEWEST_ITERATIONS = 4


def bench_ppo_gail(
    task: Task, num_envs: int | None, seconds: float, seed: int, device: Literal["auto", "cpu", "cuda"] = "auto"
) -> dict[str, Any]:
    """Train with the laptop preset on a few scripted demonstrations, without vision pretraining; the first iteration
    is warm-up and does not count.

    Args:
        num_envs: None for the preset's. seconds: to spend; there are at least three iterations that count.
        device: where the networks learn.

    Returns:
        `control_steps_per_second`: the iterations' median; `slowest_iteration` and `fastest_iteration`, likewise;
        `shares` of the time: env_step (physics, observations and resets), render, inference (acting), learn;
        `peak_memory_gb` of the process; `task`, `num_envs`, `device`, `iterations`, `control_steps`, `preset`.
    """
    preset = PRESETS["laptop"]
    with tempfile.TemporaryDirectory() as folder:
        demos = Path(folder) / "demos.hdf5"
        write_demonstrations(demos, task, demonstrate(task, _DEMONSTRATIONS, torch.Generator().manual_seed(seed)))
        config = dataclasses.replace(
            preset,
            demos=demos,
            device=device,
            num_envs=num_envs or preset.num_envs,
            total_steps=10**12,
            auxiliary=dataclasses.replace(preset.auxiliary, pretraining_updates=0),
        )
        algorithm = PpoGail(task, config, seed)
    rows: list[dict[str, Any]] = []
    for row in algorithm.steps():
        rows.append(row)
        if len(rows) >= _FEWEST_ITERATIONS and algorithm.elapsed_seconds > seconds:
            break
    taken = rows[1]["control_steps"] - rows[0]["control_steps"]
    rows = rows[1:]
    rates = [row["sps"] for row in rows]
    whole = sum(taken / rate for rate in rates)
    shares = {part: sum(row[f"time/{part}"] for row in rows) / whole for part in _PARTS}
    return {
        "control_steps_per_second": median(rates),
        "slowest_iteration": min(rates),
        "fastest_iteration": max(rates),
        "shares": shares | {"other": 1 - sum(shares.values())},
        "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
        "task": task.name,
        "num_envs": config.num_envs,
        "device": algorithm.device.type,
        "iterations": len(rows),
        "control_steps": taken * len(rows),
        "preset": "laptop",
    }
