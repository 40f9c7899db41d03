"""Linear-quadratic control with an entropy term."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visuomotor.algorithms.gps import lqr_kernel
from visuomotor.algorithms.gps.linalg import single_threaded
from visuomotor.algorithms.gps.linear_gaussian import Controller, Dynamics, Marginals


@dataclass(frozen=True)
class QuadraticCost:
    """c_t(z) = 1/2 z' H_t z + g_t' z + c_t with z = [x; u].

    hessian `(N, T, Z, Z)` symmetric, gradient `(N, T, Z)`, constant `(N, T)`.
    """

    hessian: Tensor
    gradient: Tensor
    constant: Tensor

    @single_threaded
    def expected(self, marginals: Marginals) -> Tensor:
        """E[c_t(z_t)] under Gaussian marginals, `(N, T)`."""
        trace = torch.einsum("ntij,ntij->nt", self.hessian, marginals.covariance)
        hess_z = (self.hessian @ marginals.mean[..., None])[..., 0]
        return (
            0.5 * (trace + (hess_z * marginals.mean).sum(-1)) + (self.gradient * marginals.mean).sum(-1) + self.constant
        )


class ConditionController(NamedTuple):
    """One condition's controller: gain `(T, U, X)`, offset `(T, U)`, covariance `(T, U, U)`.

    `is_pd`: whether every Q_uu was positive definite; if not, the rest is meaningless.
    """

    gain: NDArray[np.float64]
    offset: NDArray[np.float64]
    covariance: NDArray[np.float64]
    is_pd: bool


def stack_controllers(controllers: Sequence[ConditionController]) -> Controller:
    """One controller of all conditions."""
    return Controller(
        torch.as_tensor(np.stack([controller.gain for controller in controllers])),
        torch.as_tensor(np.stack([controller.offset for controller in controllers])),
        torch.as_tensor(np.stack([controller.covariance for controller in controllers])),
    )


class LqrSolver:
    """The passes behind a trajectory update, one condition at a time, safe to call from several threads.

    Args:
        entropy_weight: nu_t >= 0, `(N, T)`.
        previous: the controller that eta keeps the new one near.
    """

    def __init__(self, cost: QuadraticCost, dynamics: Dynamics, entropy_weight: Tensor, previous: Controller) -> None:
        self._cost = list(zip(_rows(cost.hessian), _rows(cost.gradient), strict=True))
        self._transitions = list(zip(_rows(dynamics.transition), _rows(dynamics.offset), strict=True))
        self._noise = list(
            zip(
                _rows(dynamics.noise),
                _rows(dynamics.initial_mean),
                _rows(dynamics.initial_covariance),
                strict=True,
            )
        )
        self._previous = list(zip(_rows(previous.gain), _rows(previous.offset), _rows(previous.precision), strict=True))
        self._covariance, self._weight = _rows(previous.covariance), _rows(entropy_weight)

    def previous(self, condition: int) -> ConditionController:
        """The controller that eta keeps the new one near."""
        gain, offset, _ = self._previous[condition]
        return ConditionController(gain, offset, self._covariance[condition], True)

    def backward(self, condition: int, eta: float) -> ConditionController:
        """The controller that minimises  sum_t E[c_t] - eta E[log previous(u | x)] - (nu_t + eta) H(p(u | x)).

        With Q_t = c_t - eta log previous + E[V_{t+1}], it is p(u|x) = N(-Q_uu^-1 (Q_ux x + q_u), (nu_t + eta) Q_uu^-1):
        Levine et al. 2015, appendix A.3, where the costs are divided by the entropy's weight instead.
        """
        gain, offset, precision = self._previous[condition]
        controller = np.zeros_like(gain), np.zeros_like(offset), np.zeros_like(precision)
        problem = *self._cost[condition], *self._transitions[condition], self._weight[condition] + eta
        is_pd = lqr_kernel.backward(*problem, gain, offset, precision, eta, *controller)
        return ConditionController(*controller, is_pd)

    def divergence(self, condition: int, controller: ConditionController) -> float:
        """sum_t E[KL(controller || previous)] under the states that the controller visits; infinite without one."""
        if not controller.is_pd:
            return np.inf
        dynamics = *self._transitions[condition], *self._noise[condition]
        return lqr_kernel.divergence(
            controller.gain, controller.offset, controller.covariance, *self._previous[condition], *dynamics
        )


def _rows(tensor: Tensor) -> list[NDArray[np.float64]]:
    """Each condition's part, contiguous; copied only where it is not."""
    return [np.ascontiguousarray(row.numpy(), np.float64) for row in tensor.detach().cpu()]
