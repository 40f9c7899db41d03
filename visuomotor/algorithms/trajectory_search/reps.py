"""Relative entropy policy search."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log
from typing import Annotated, Any, ClassVar

from torch import Tensor

from visuomotor.algorithms.trajectory_search.config import EpisodicConfig, PolicyConfig
from visuomotor.algorithms.trajectory_search.episodic import EpisodicSearch
from visuomotor.runs.config import Range

_HALVINGS = 100  # of the bracket of log eta
_WIDEST = 30.0  # of log eta, about the spread of the returns


@dataclass(frozen=True, kw_only=True)
class RepsConfig(EpisodicConfig):
    """Relative entropy policy search."""

    kl_bound: Annotated[float, Range(1e-6, 1000)] = 1.0
    """nats, the divergence of the weighted samples from the unweighted ones."""


class Reps(EpisodicSearch[RepsConfig]):
    """Raise the expected return within a bound on the relative entropy (Peters et al. 2010).

    The episodic form: max_p E_p[R] with KL(p || q) <= epsilon, q the Gaussian that the parameters were drawn from. The
    optimum is p ~ q exp(R / eta); the Gaussian is fitted to the samples with these weights.
    """

    name: ClassVar[str] = "reps"
    presets: ClassVar[Mapping[str, Any]] = {
        "laptop": RepsConfig(),
        "network": RepsConfig(num_conditions=4, policy=PolicyConfig(kind="network")),
    }

    def weights(self, returns: Tensor) -> tuple[Tensor, dict[str, float]]:
        eta = solve_dual(returns, self.config.kl_bound)
        weights = boltzmann_weights(returns, eta)
        return weights, {"eta": eta, "kl": divergence_from_uniform(weights), "kl_bound": self.config.kl_bound}


def boltzmann_weights(returns: Tensor, eta: float) -> Tensor:
    """w_i ~ exp(R_i / eta), with sum one, for returns `(n,)`."""
    return ((returns - returns.max()) / eta).softmax(0)


def dual_gradient(eta: float, returns: Tensor, kl_bound: float) -> float:
    """dg / d eta = epsilon - KL(w || uniform)  of the dual  g(eta) = eta epsilon + eta log mean_i exp(R_i / eta).

    The dual is convex, and the optimal eta is its minimum. KL = sum_i w_i R_i / eta - log mean_i exp(R_i / eta).
    """
    return kl_bound - divergence_from_uniform(boltzmann_weights(returns, eta))


def divergence_from_uniform(weights: Tensor) -> float:
    """KL(w || 1/n) = log n + sum_i w_i log w_i, nats, for weights `(n,)` with sum one."""
    return log(len(weights)) + weights.xlogy(weights).sum().item()


def solve_dual(returns: Tensor, kl_bound: float) -> float:
    """The eta > 0 whose weights have the divergence `kl_bound` from uniform ones, for returns `(n,)`.

    The divergence falls as eta grows, so log eta is found by halving a bracket. n samples cannot have a larger
    divergence than log n: for such a bound it is the smallest eta of the bracket, and the best sample counts alone.
    """
    spread = max((returns.max() - returns.min()).item(), 1e-12)
    low, high = log(spread) - _WIDEST, log(spread) + _WIDEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if dual_gradient(exp(middle), returns, kl_bound) < 0:  # the divergence is above the bound
            low = middle
        else:
            high = middle
    return exp(high)
