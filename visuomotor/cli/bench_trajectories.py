"""Trajectory optimisation alone, on the full state: how soon every training condition is solved."""

import time
from dataclasses import replace
from typing import Any

from visuomotor.algorithms.gps.config import PRESETS
from visuomotor.algorithms.gps.gps import Trainer


def bench_trajectories(task: str, seed: int = 0) -> dict[str, Any]:
    """The laptop preset's trajectory phase, one sample a condition and iteration.

    Returns:
        `conditions`; `solved`: how many of them an episode of their own controller has solved, after each iteration;
        `successes`: in each iteration's episodes; `iterations_to_solve_all`, None if it never happened;
        `final_distance_m` of the last iteration's episodes; `seconds`; `seed`.
    """
    laptop = PRESETS["laptop"]
    config = replace(laptop, pose=replace(laptop.pose, epochs=0), end_to_end=replace(laptop.end_to_end, iterations=0))
    started = time.monotonic()
    trainer = Trainer(task, config, seed)
    rows = list(trainer.steps())
    conditions = len(trainer.conditions)
    solved = [round(row["solved"] * conditions) for row in rows]
    return {
        "task": task,
        "seed": seed,
        "conditions": conditions,
        "samples_per_condition_and_iteration": 1,
        "solved": solved,
        "successes": [round(row["success"] * conditions) for row in rows],
        "iterations_to_solve_all": solved.index(conditions) + 1 if conditions in solved else None,
        "final_distance_m": rows[-1]["final_distance"],
        "seconds": time.monotonic() - started,
    }
