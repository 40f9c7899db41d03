"""The backward pass of linear-quadratic control with an entropy term, batched over conditions."""

from dataclasses import dataclass

import torch
from torch import Tensor

from visuomotor.gps.linear_gaussian import Controller, Dynamics, Marginals


@dataclass(frozen=True)
class QuadraticCost:
    """c_t(z) = 1/2 z' H_t z + g_t' z + c_t with z = [x; u].

    hessian `(N, T, Z, Z)` symmetric, gradient `(N, T, Z)`, constant `(N, T)`.
    """

    hessian: Tensor
    gradient: Tensor
    constant: Tensor

    def expected(self, marginals: Marginals) -> Tensor:
        """E[c_t(z_t)] under Gaussian marginals, `(N, T)`."""
        trace = (self.hessian * marginals.covariance).sum((-2, -1))
        bent = (self.hessian @ marginals.mean[..., None])[..., 0]
        return 0.5 * (trace + (bent * marginals.mean).sum(-1)) + (self.gradient * marginals.mean).sum(-1) + self.constant


def backward_pass(cost: QuadraticCost, dynamics: Dynamics, entropy_weight: Tensor) -> tuple[Controller, Tensor]:
    """The controller that minimises  sum_t E[c_t(x_t, u_t)] - w_t H(p(u_t | x_t))  under linear-Gaussian dynamics.

    With Q_t = c_t + E[V_{t+1}], the optimum is p(u|x) = N(-Q_uu^-1 (Q_ux x + q_u), w_t Q_uu^-1): Levine et al. 2015,
    appendix A.3, where the costs are divided by the weight instead.

    Args:
        entropy_weight: w_t > 0, `(N, T)`.

    Returns:
        The controller, and `(N,)` bool: conditions in which every Q_uu was positive definite. The controller of the
        others is meaningless.
    """
    states = dynamics.initial_mean.shape[-1]
    steps = cost.gradient.shape[1]
    value_hessian, value_gradient = torch.zeros(()), torch.zeros(())
    failures = torch.zeros(cost.gradient.shape[0], dtype=torch.int32, device=cost.gradient.device)
    gains, factors = [], []
    for t in range(steps - 1, -1, -1):
        hessian, gradient = cost.hessian[:, t], cost.gradient[:, t]
        if t < steps - 1:
            transition = dynamics.transition[:, t]
            slope = torch.baddbmm(value_gradient, value_hessian, dynamics.offset[:, t, :, None])
            hessian = torch.baddbmm(hessian, transition.mT, value_hessian @ transition)
            gradient = torch.baddbmm(gradient[..., None], transition.mT, slope)
        else:
            gradient = gradient[..., None]
        factor, info = torch.linalg.cholesky_ex(hessian[:, states:, states:])
        failures += info.abs()
        # one solve for both [Q_ux | q_u]
        right = torch.cat([hessian[:, states:, :states], gradient[:, states:]], dim=-1)
        gain = -torch.cholesky_solve(right, factor)  # (N, U, X + 1): [K | k]
        gains.append(gain)
        factors.append(factor)
        left = torch.cat([hessian[:, :states, :states], gradient[:, :states]], dim=-1)
        value = torch.baddbmm(left, hessian[:, :states, states:], gain)
        value_hessian = (value[..., :states] + value[..., :states].mT) / 2
        value_gradient = value[..., states:]
    gain = torch.stack(gains[::-1], 1)
    covariance = torch.cholesky_inverse(torch.stack(factors[::-1], 1)) * entropy_weight[..., None, None]
    return Controller(gain[..., :states], gain[..., states], covariance), failures == 0
