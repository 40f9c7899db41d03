"""The Gaussian that an episodic search draws parameters from, and its weighted fit."""

from dataclasses import dataclass

import torch
from torch import Tensor

from visuomotor.algorithms.gps.linalg import cholesky
from visuomotor.algorithms.trajectory_search.config import EpisodicConfig

RIDGE = 1e-12  # of the variances, so that a covariance without noise still has a factor


@dataclass(frozen=True)
class Gaussian:
    """N(mean, covariance) of D parameters: mean `(D,)`, covariance `(D, D)`, float64."""

    mean: Tensor
    covariance: Tensor

    @property
    def std(self) -> Tensor:
        """`(D,)`."""
        return self.covariance.diagonal().sqrt()

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """`(count, D)`."""
        white = torch.randn(count, len(self.mean), generator=generator, dtype=torch.float64)
        ridge = RIDGE * torch.eye(len(self.mean), dtype=torch.float64)
        return self.mean + white @ cholesky(self.covariance + ridge).mT


def weighted_fit(parameters: Tensor, weights: Tensor, previous: Gaussian, config: EpisodicConfig) -> Gaussian:
    """The Gaussian that makes weighted parameters likeliest, mixed with the last one.

        m = sum_i w_i theta_i        S = sum_i w_i (theta_i - m)(theta_i - m)' / (1 - sum_i w_i^2)

    The divisor makes S unbiased (Deisenroth et al. 2013, A survey on policy search for robotics, section 2.4.2).

    Args:
        parameters: `(n, D)`. weights: `(n,)`, which sum to one.
        previous: where the parameters were drawn from.
    """
    mean = weights @ parameters
    away = parameters - mean
    spare = 1 - weights.square().sum()
    covariance = (weights[:, None] * away).mT @ away / spare.clamp(min=1e-3)  # one sample alone has no spread
    if config.covariance == "diagonal":
        covariance = torch.diag(covariance.diagonal())
    share = config.smoothing
    mean = share * mean + (1 - share) * previous.mean
    covariance = share * covariance + (1 - share) * previous.covariance
    lacking = (config.min_std**2 - covariance.diagonal()).clamp(min=0)
    return Gaussian(mean, covariance + torch.diag(lacking))
