"""Reward-weighted regression."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from torch import Tensor

from visuomotor.algorithms.trajectory_search.config import EpisodicConfig, PolicyConfig
from visuomotor.algorithms.trajectory_search.episodic import EpisodicSearch
from visuomotor.runs.config import Range


@dataclass(frozen=True, kw_only=True)
class RwrConfig(EpisodicConfig):
    """Reward-weighted regression."""

    inverse_temperature: Annotated[float, Range(1e-3, 1000)] = 5.0
    """How much steeper weights grow with returns, which are measured in their standard deviation."""


class Rwr(EpisodicSearch[RwrConfig]):
    """Fit the Gaussian to all parameters, weighted by exponentiated returns (Peters and Schaal 2007)."""

    name: ClassVar[str] = "rwr"
    presets: ClassVar[Mapping[str, Any]] = {
        "laptop": RwrConfig(),
        "network": RwrConfig(num_conditions=4, policy=PolicyConfig(kind="network")),
    }

    def weights(self, returns: Tensor) -> tuple[Tensor, dict[str, float]]:
        return exponential_weights(returns, self.config.inverse_temperature), {}


def exponential_weights(returns: Tensor, inverse_temperature: float) -> Tensor:
    """w_i ~ exp(beta R_i / std(R)), with sum one, for returns `(n,)`.

    Expectation-maximization on the expected reward needs rewards that are probabilities up to a factor; exp(beta R) is
    one. Its beta belongs to the units of R, so returns are divided by their standard deviation.
    """
    scaled = returns / returns.std().clamp(min=1e-12)
    return (inverse_temperature * (scaled - scaled.max())).softmax(0)
