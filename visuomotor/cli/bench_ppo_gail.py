"""How many control steps a second reinforcement and imitation learn from: the whole loop, everything included."""

import dataclasses
import resource
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import torch

from visuomotor.demos import write_demonstrations
from visuomotor.demos.generate import demonstrate
from visuomotor.algorithms.ppo_gail.config import PRESETS
from visuomotor.algorithms.ppo_gail.ppo_gail import Trainer
from visuomotor.tasks import StagedTask

_PARTS = ("physics", "pixels", "policy", "update")
_DEMONSTRATIONS = 4
_FEWEST_ITERATIONS = 4


def bench_ppo_gail(task: StagedTask, worlds: int | None, seconds: float, seed: int) -> dict[str, Any]:
    """Train with the laptop preset on a few scripted demonstrations, without lessons in seeing; the first iteration is
    warm-up and does not count.

    Args:
        worlds: None for the preset's. seconds: to spend; there are at least three iterations that count.

    Returns:
        `control_steps_per_second`: the iterations' median; `slowest_iteration` and `fastest_iteration`, likewise;
        `shares` of the time: physics with readings and restarts, pixels, policy (acting), update; `peak_memory_gb` of
        the process; `task`, `worlds`, `iterations`, `control_steps`, `preset`.
    """
    preset = PRESETS["laptop"]
    with tempfile.TemporaryDirectory() as folder:
        demos = Path(folder) / "demos.hdf5"
        shown = demonstrate(task, _DEMONSTRATIONS, torch.Generator().manual_seed(seed))
        write_demonstrations(demos, task, shown)
        config = dataclasses.replace(
            preset,
            demos=demos,
            worlds=worlds or preset.worlds,
            control_steps=10**12,
            sight=dataclasses.replace(preset.sight, lessons=0),
        )
        trainer = Trainer(task.name, config, seed)
    rows: list[dict[str, Any]] = []
    for row in trainer.steps():
        rows.append(row)
        if len(rows) >= _FEWEST_ITERATIONS and trainer.elapsed > seconds:
            break
    rows = rows[1:]
    rates = [row["steps_per_second"] for row in rows]
    taken = trainer.control_steps // trainer.iteration
    whole = sum(taken / rate for rate in rates)
    shares = {part: sum(row[f"seconds_{part}"] for row in rows) / whole for part in _PARTS}
    return {
        "control_steps_per_second": median(rates),
        "slowest_iteration": min(rates),
        "fastest_iteration": max(rates),
        "shares": shares | {"other": 1 - sum(shares.values())},
        "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
        "task": task.name,
        "worlds": config.worlds,
        "iterations": len(rows),
        "control_steps": taken * len(rows),
        "preset": "laptop",
    }
