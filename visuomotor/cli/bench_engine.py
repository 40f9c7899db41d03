"""What the engine costs on top of MuJoCo's own batch, measured side by side."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import mujoco
import torch
from mujoco.batch import Batch

from visuomotor.engine import CpuEngine

FRAME_SKIP = 10


def bench_engine(model: mujoco.MjModel, num_envs: int = 64, rounds: int = 40) -> dict[str, Any]:
    """Time `CpuEngine.step(10)` against `mujoco.batch.Batch.step(nstep=10)`, from equal states and controls.

    The two take turns, so that a busy machine disturbs both alike. The bar is an `overhead_ratio` of at most 1.10.

    Returns:
        `overhead_ratio`: median over the rounds of engine time over raw time; `control_steps_per_second`: of the engine
        (worlds times steps of 10 physics steps, from its median time); `num_envs`, `rounds`.
    """
    engine, raw = CpuEngine(model, num_envs), Batch(model, num_envs, 0)
    controls, raw_state = engine.field("ctrl"), raw.state
    controls.uniform_(-1, 1, generator=torch.Generator().manual_seed(0))
    start = engine.state()
    stage = int(mujoco.mjtStage.mjSTAGE_VEL)

    def restore() -> None:
        engine.set_state(start)
        raw_state[:] = start.numpy()
        raw.bind("ctrl")[:] = controls.numpy()
        raw.forward()

    engine_times, raw_times = [], []
    for index in range(rounds + 2):
        restore()
        pair = [
            (engine_times, lambda: engine.step(FRAME_SKIP)),
            (raw_times, lambda: raw.step(nstep=FRAME_SKIP, stage=stage)),
        ]
        for times, step in pair if index % 2 else reversed(pair):  # neither always goes first
            times.append(_seconds(step))
    engine_times, raw_times = engine_times[2:], raw_times[2:]  # the first rounds warm the caches
    ratios = [ours / theirs for ours, theirs in zip(engine_times, raw_times, strict=True)]
    return {
        "overhead_ratio": statistics.median(ratios),
        "control_steps_per_second": num_envs / statistics.median(engine_times),
        "num_envs": num_envs,
        "rounds": rounds,
    }


def _seconds(step: Callable[[], None]) -> float:
    begin = time.perf_counter()
    step()
    return time.perf_counter() - begin
