"""What makes a scripted expert move like a person."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

Range = tuple[float, float]


@dataclass(frozen=True)
class ExpertNoise:
    """How a person moves. A value is drawn from a range each time that it is needed."""

    reaction: Range = (0.2, 0.5)
    """s, before anything happens."""
    speed: Range = (0.10, 0.20)
    """m/s, the mean over one movement."""
    pause_chance: float = 0.3
    """Probability of a stop between two movements."""
    pause: Range = (0.2, 0.7)
    """s."""
    via_point_chance: float = 0.3
    """Probability that a movement does not go straight."""
    via_point: float = 0.04
    """m, standard deviation along each axis of the point that it goes through, from the middle of the straight way."""
    tremor: float = 0.003
    """m, standard deviation along each axis of the target about where it is meant to be."""
    tremor_time: float = 0.4
    """s, how long the tremor is correlated."""
    grasp_miss: float = 0.004
    """m, standard deviation of the place of a grasp, along each axis."""
    grasp_turn: float = 0.12
    """rad, standard deviation of a grasp's angle about the vertical."""
    first_miss_chance: float = 0.15
    """Probability that the fingers close above the object at the first attempt."""
    release: Range = (1.0, 1.4)
    """s, for which the gripper opens before it leaves an object."""


class Tremor:
    """The trembling of a hand: Gaussian, through two low passes, so that its speed is smooth as well.

    Args:
        dt: s, a control step.
    """

    def __init__(self, dt: float):
        self._dt, self._stages = dt, np.zeros((2, 3))

    def sample(self, noise: ExpertNoise, generator: torch.Generator) -> NDArray[np.float64]:
        """`(3,)` m: the next value."""
        keep = math.exp(-2 * self._dt / noise.tremor_time)
        # Two equal low passes of white noise keep this part of its variance.
        passed = (1 - keep) ** 4 * (1 + keep**2) / (1 - keep**2) ** 3
        fresh = noise.tremor / math.sqrt(passed) * torch.randn(3, generator=generator, dtype=torch.float64).numpy()
        first, second = self._stages
        first += (1 - keep) * (fresh - first)
        second += (1 - keep) * (first - second)
        return second.copy()
