"""Where episodes start, drawn for each world from a generator of its own."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor

from visuomotor.errors import VisuomotorError, brief, whole_number
from visuomotor.tasks import ResetParams, Task

_ENDLESS = 2**64

Seeds = int | Sequence[int | None]
"""`seed`: world i gets `seed + i`; or one for each world, None for a world that goes on with its own."""


class WorldStarts:
    """The starts of `num_envs` worlds, so that what a world draws depends on its own seed and on no other world.

    Args:
        task: whose starts. randomize: whether worlds differ in dynamics and appearance.
    """

    def __init__(self, task: Task, num_envs: int, randomize: bool):
        self._task, self._randomize = task, randomize
        self._generators = [torch.Generator() for _ in range(num_envs)]

    def seed(self, seed: Seeds, chosen: Tensor) -> None:
        """Seed the generators of the worlds `chosen` `(num_envs,)` bool.

        Raises:
            VisuomotorError: a seed is negative or no int, or there is not one for each world.
        """
        worlds = len(self._generators)
        if isinstance(seed, Integral):
            first = _checked(seed)
            seeds = [(first + world) % _ENDLESS for world in range(worlds)]
        elif isinstance(seed, list | tuple) or (isinstance(seed, np.ndarray) and seed.ndim == 1):
            seeds = [None if each is None else _checked(each) for each in seed]
        else:
            raise VisuomotorError(f"seed must be a whole number, or a list with one for each world, not {brief(seed)}")
        if len(seeds) != worlds:
            raise VisuomotorError(f"{len(seeds)} seeds for {worlds} worlds; give one for each, or a single int")
        for generator, each, wanted in zip(self._generators, seeds, chosen.tolist(), strict=True):
            if wanted and each is not None:
                generator.manual_seed(each)

    def draw(self, env_ids: Tensor) -> ResetParams:
        """The next starts of worlds `env_ids` `(n,)` int, one row each."""
        return ResetParams.cat(
            [self._task.sample_reset(1, self._generators[world], randomize=self._randomize) for world in env_ids]
        )


def _checked(seed: Any) -> int:
    return whole_number("seed", seed, 0, _ENDLESS - 1)
