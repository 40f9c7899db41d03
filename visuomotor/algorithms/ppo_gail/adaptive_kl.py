"""PPO's soft trust region: a penalty on the KL divergence whose weight follows what was measured."""

import math
from dataclasses import dataclass

from torch import Tensor

from visuomotor.errors import VisuomotorError


@dataclass
class AdaptiveKl:
    """The weight of the KL divergence from the policy that collected the data (Heess et al. 2017).

    It grows by `factor` after an iteration that moved more than twice the target, shrinks by it after one that moved
    less than half, and stays within [min, max]. The hinge stops single updates that run away before the weight
    has grown.
    """

    target: float
    coefficient: float = 1.0
    factor: float = 1.5
    min: float = 1 / 35
    max: float = 35.0
    hinge: float = 250.0

    def __post_init__(self) -> None:
        if not (self.target > 0 and self.factor > 1 and 0 < self.min <= self.coefficient <= self.max):
            raise VisuomotorError(
                f"the KL target must be positive, the factor above 1, and the coefficient within [min, max], not {self}"
            )

    def update(self, measured: float) -> None:
        """Adjust the weight to the mean KL divergence of an iteration's last epoch."""
        if not math.isfinite(measured):
            raise VisuomotorError(
                f"the policy moved by a KL divergence of {measured}: training diverged; lower ppo.learning-rate"
            )
        if measured > 2 * self.target:
            self.coefficient = min(self.coefficient * self.factor, self.max)
        elif measured < self.target / 2:
            self.coefficient = max(self.coefficient / self.factor, self.min)

    def penalty(self, kl: Tensor) -> Tensor:
        """What to add to the loss for a mean KL divergence, a scalar:

        coefficient kl + hinge max(0, kl - 2 target)^2
        """
        return self.coefficient * kl + self.hinge * (kl - 2 * self.target).clamp(min=0).square()
