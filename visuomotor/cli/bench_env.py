"""How many control steps a second there are to learn from: physics, observations, pixels and resets of a task."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from statistics import median
from typing import Any

import torch
from torch import Tensor

from visuomotor.tasks import Observations, ResetParams, Task, Transition, VecEnv

IMAGE_SIZE = 64
OBSERVED = ("proprioception", "privileged", "object_features", "keypoints")  # what ppo-gail learns from
_ROUND = 25  # control steps of every world between two readings of the clock


def bench_env(task: Task, num_envs: int = 256, seconds: float = 15.0, seed: int = 0) -> dict[str, Any]:
    """Act at random in randomized worlds, reset those whose episodes end, and observe and render every step.

    Measured in rounds of 25 steps a world, after one that warms up: on a busy machine the median says more than the
    mean.

    Args:
        seconds: to spend on rounds; there are at least three.

    Returns:
        `control_steps_per_second`: the rounds' median; `slowest_round` and `fastest_round`, likewise; `shares` of the
        time, by part; `task`, `num_envs`, `rounds`, `image_size`, `control_hz`, `physics_milliseconds` (of one of its
        steps), `episodes` (that ended meanwhile), `num_diverged`.
    """
    generator = torch.Generator().manual_seed(seed)
    env = _TimedEnv(task, num_envs, generator, observations=OBSERVED, image_size=IMAGE_SIZE, init_at_random_ep_len=True)
    shape = (num_envs, task.action_size)
    rates: list[float] = []
    whole, ended = 0.0, 0
    while len(rates) < 4 or whole < seconds:
        if len(rates) == 1:  # the first round compiles the camera
            env.seconds, whole, ended = dict.fromkeys(env.seconds, 0.0), 0.0, 0
        began = time.perf_counter()
        for _ in range(_ROUND):
            done = env.step(2 * torch.rand(shape, generator=generator) - 1).done
            ended += int(done.sum())
            if done.any():
                env.reset(done.nonzero()[:, 0])
                env.observe()
            env.render()
        spent = time.perf_counter() - began
        whole += spent
        rates.append(num_envs * _ROUND / spent)
    rates = rates[1:]
    shares = {part: spent / whole for part, spent in env.seconds.items()}
    return {
        "control_steps_per_second": median(rates),
        "slowest_round": min(rates),
        "fastest_round": max(rates),
        "shares": shares | {"other": 1 - sum(shares.values())},
        "task": task.name,
        "num_envs": num_envs,
        "rounds": len(rates),
        "image_size": IMAGE_SIZE,
        "control_hz": 1 / task.control_dt,
        "physics_milliseconds": 1000 * float(task.model.opt.timestep),
        "episodes": ended,
        "num_diverged": env.engine.num_diverged,
    }


class _TimedEnv(VecEnv):
    """Measures where the time goes. A part that uses another one counts without it."""

    def __init__(self, *arguments: Any, **named: Any):
        self.seconds: dict[str, float] = dict.fromkeys(("step", "observe", "render", "reset"), 0.0)
        super().__init__(*arguments, **named)

    def step(self, actions: Tensor) -> Transition:
        with self._timed("step"):
            return super().step(actions)

    def observe(self) -> Observations:
        with self._timed("observe"):
            return super().observe()

    def render(self, env_ids: Tensor | None = None) -> Tensor:
        with self._timed("render"):
            return super().render(env_ids)

    def reset(self, env_ids: Tensor | None = None, params: ResetParams | None = None) -> None:
        with self._timed("reset"):
            super().reset(env_ids, params)

    @contextmanager
    def _timed(self, part: str) -> Generator[None]:
        inside = sum(self.seconds.values())
        began = time.perf_counter()
        yield
        spent = time.perf_counter() - began
        self.seconds[part] += spent - (sum(self.seconds.values()) - inside)
