"""How many control steps a second there are to learn from: physics, readings, pixels and restarts of a staged task."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from statistics import median
from typing import Any

import torch
from torch import Tensor

from visuomotor.tasks import VecEnv, StagedTask
from visuomotor.tasks.env import Observations, Transition

IMAGE_SIZE = 64
_ROUND = 25  # control steps of every world between two looks at the clock


def bench_env(task: StagedTask, worlds: int = 256, seconds: float = 15.0, seed: int = 0) -> dict[str, Any]:
    """Act at random in `worlds` varied worlds whose episodes end and start anew, and observe every step.

    Measured in rounds of 25 steps a world, after one that warms up: on a busy machine the median says more than the
    mean.

    Args:
        seconds: to spend on rounds; there are at least three.

    Returns:
        `control_steps_per_second`: the rounds' median; `slowest_round` and `fastest_round`, likewise; `shares`: of the
        time, by part; `task`, `worlds`, `rounds`, `image_size`, `control_hz`, `physics_milliseconds` (of one of its
        steps), `episodes` (started meanwhile), `divergences`.
    """
    generator = torch.Generator().manual_seed(seed)
    episodes = _TimedEpisodes(task, worlds, generator, image_size=IMAGE_SIZE, stagger=True)
    shape = (worlds, task.action_size)
    rates: list[float] = []
    whole, started = 0.0, 0
    while len(rates) < 4 or whole < seconds:
        if len(rates) == 1:  # the first round compiles the camera
            episodes.seconds, whole, started = dict.fromkeys(episodes.seconds, 0.0), 0.0, 0
        began = time.perf_counter()
        for _ in range(_ROUND):
            transition = episodes.step(2 * torch.rand(shape, generator=generator) - 1)
            started += int(transition.ended.sum())
            if transition.ended.any():
                episodes.restart(transition.ended)
                episodes.read()
            episodes.images()
        spent = time.perf_counter() - began
        whole += spent
        rates.append(worlds * _ROUND / spent)
    rates = rates[1:]
    shares = {part: spent / whole for part, spent in episodes.seconds.items()}
    return {
        "control_steps_per_second": median(rates),
        "slowest_round": min(rates),
        "fastest_round": max(rates),
        "shares": shares | {"other": 1 - sum(shares.values())},
        "task": task.name,
        "worlds": worlds,
        "rounds": len(rates),
        "image_size": IMAGE_SIZE,
        "control_hz": 1 / task.control_dt,
        "physics_milliseconds": 1000 * float(task.model.opt.timestep),
        "episodes": started,
        "divergences": episodes.engine.divergences,
    }


class _TimedEpisodes(VecEnv):
    """VecEnv that know where the time goes. Parts that use other parts count without them."""

    def __init__(self, *arguments: Any, **named: Any):
        self.seconds: dict[str, float] = dict.fromkeys(("physics", "readings", "pixels", "restarts"), 0.0)
        super().__init__(*arguments, **named)

    def step(self, actions: Tensor) -> Transition:
        with self._timed("physics"):
            return super().step(actions)

    def read(self) -> Observations:
        with self._timed("readings"):
            return super().read()

    def images(self, worlds: Tensor | None = None) -> Tensor:
        with self._timed("pixels"):
            return super().images(worlds)

    def restart(self, ended: Tensor) -> None:
        with self._timed("restarts"):
            super().restart(ended)

    @contextmanager
    def _timed(self, part: str) -> Generator[None]:
        inside = sum(self.seconds.values())
        began = time.perf_counter()
        yield
        spent = time.perf_counter() - began
        self.seconds[part] += spent - (sum(self.seconds.values()) - inside)
