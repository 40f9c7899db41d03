"""The cross-entropy method."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from visuomotor.algorithms.trajectory_search.config import EpisodicConfig, PolicyConfig
from visuomotor.algorithms.trajectory_search.episodic import EpisodicSearch
from visuomotor.runs.config import Range


@dataclass(frozen=True, kw_only=True)
class CemConfig(EpisodicConfig):
    """The cross-entropy method."""

    elite_fraction: Annotated[float, Range(1e-3, 1)] = 0.2
    """Share of the parameter vectors that the Gaussian is fitted to: those of the highest returns."""


class Cem(EpisodicSearch[CemConfig]):
    """Fit the Gaussian to the best parameters (Rubinstein 1999; de Boer et al. 2005, section 4)."""

    name: ClassVar[str] = "cem"
    presets: ClassVar[Mapping[str, Any]] = {
        "laptop": CemConfig(),
        "network": CemConfig(num_conditions=4, policy=PolicyConfig(kind="network")),
    }

    def weights(self, returns: Tensor) -> tuple[Tensor, dict[str, float]]:
        return elite_weights(returns, self.config.elite_fraction), {}


def elite_weights(returns: Tensor, fraction: float) -> Tensor:
    """`(n,)`: equal weights of the best `fraction` of returns `(n,)`, at least one; none of the others."""
    elites = max(1, round(fraction * len(returns)))
    weights = torch.zeros_like(returns)
    weights[returns.topk(elites).indices] = 1 / elites
    return weights
