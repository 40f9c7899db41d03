"""Time-varying linear-Gaussian controllers and dynamics, their marginals and divergences.

Axes: `condition` (N), `time` (T), then the quantity; X states, U actions, Z = X + U. Everything is float64.
"""

from dataclasses import dataclass, fields, replace
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Controller:
    """p(u_t | x_t) = N(K_t x_t + k_t, C_t).

    gain `(N, T, U, X)`, offset `(N, T, U)`, covariance `(N, T, U, U)`.
    """

    gain: Tensor
    offset: Tensor
    covariance: Tensor

    @property
    def precision(self) -> Tensor:
        """C_t^-1, `(N, T, U, U)`."""
        return torch.cholesky_inverse(torch.linalg.cholesky(self.covariance))

    def mean_action(self, states: Tensor) -> Tensor:
        """K_t x_t + k_t for states `(..., T, X)` whose leading axes broadcast with `(N,)`; returns `(..., T, U)`."""
        return (self.gain @ states[..., None])[..., 0] + self.offset

    def where(self, mask: Tensor, other: Self) -> Self:
        """This controller for the conditions in `mask` `(N,)`, `other` for the rest."""
        chosen = {
            f.name: torch.where(
                mask.view(-1, *[1] * (getattr(self, f.name).ndim - 1)), getattr(self, f.name), getattr(other, f.name)
            )
            for f in fields(self)
        }
        return replace(self, **chosen)


@dataclass(frozen=True)
class Dynamics:
    """p(x_{t+1} | x_t, u_t) = N(F_t [x_t; u_t] + f_t, R_t), and the Gaussian over x_0.

    transition `(N, T-1, X, Z)`, offset `(N, T-1, X)`, noise `(N, T-1, X, X)`; initial_mean `(N, X)`,
    initial_covariance `(N, X, X)`.
    """

    transition: Tensor
    offset: Tensor
    noise: Tensor
    initial_mean: Tensor
    initial_covariance: Tensor


@dataclass(frozen=True)
class Marginals:
    """The Gaussians over z_t = [x_t; u_t] that a controller makes of the dynamics.

    mean `(N, T, Z)`, covariance `(N, T, Z, Z)`; `states` is X.
    """

    mean: Tensor
    covariance: Tensor
    states: int

    @property
    def state_mean(self) -> Tensor:
        return self.mean[..., : self.states]

    @property
    def state_covariance(self) -> Tensor:
        return self.covariance[..., : self.states, : self.states]


def marginals(controller: Controller, dynamics: Dynamics) -> Marginals:
    """Propagate the initial Gaussian through controller and dynamics (exact for linear-Gaussian systems)."""
    conditions, steps, actions, states = controller.gain.shape
    # [x; u] = A x + (0, k) with A = [I; K], so cov(z) = A P A' + diag(0, C)
    eye = torch.eye(states, dtype=torch.float64, device=controller.gain.device)
    stacked = torch.cat([eye.expand(conditions, steps, states, states), controller.gain], dim=-2)
    action_noise = torch.zeros(
        conditions, steps, states + actions, states + actions, dtype=torch.float64, device=eye.device
    )
    action_noise[..., states:, states:] = controller.covariance
    # the closed loop x' = (F A) x + F (0, k) + f with noise R + F diag(0, C) F'
    closed = dynamics.transition @ stacked[:, :-1]
    action_part = dynamics.transition[..., states:]
    drift = (action_part @ controller.offset[:, :-1, :, None])[..., 0] + dynamics.offset
    noise = dynamics.noise + action_part @ controller.covariance[:, :-1] @ action_part.mT
    mean, covariance = dynamics.initial_mean, dynamics.initial_covariance
    means, covariances = [mean], [covariance]
    for t in range(steps - 1):
        step = closed[:, t]
        mean = torch.baddbmm(drift[:, t, :, None], step, mean[..., None])[..., 0]
        covariance = torch.baddbmm(noise[:, t], step @ covariance, step.mT)
        means.append(mean)
        covariances.append(covariance)
    state_mean, state_covariance = torch.stack(means, 1), torch.stack(covariances, 1)
    joint_mean = torch.cat([state_mean, controller.mean_action(state_mean)], dim=-1)
    joint_covariance = stacked @ state_covariance @ stacked.mT + action_noise
    return Marginals(joint_mean, (joint_covariance + joint_covariance.mT) / 2, states)


def kl_divergence(new: Controller, old: Controller, state_mean: Tensor, state_covariance: Tensor) -> Tensor:
    """E_x[ KL(new(u|x) || old(u|x)) ] in nats for x ~ N(state_mean, state_covariance), `(N, T)`.

    1/2 ( log|C_old|/|C_new| - U + tr(C_old^-1 C_new) + E[d' C_old^-1 d] ),   d = (K_new - K_old) x + k_new - k_old.
    """
    factor = torch.linalg.cholesky(old.covariance)
    gain, offset = new.gain - old.gain, new.offset - old.offset
    mean_gap = (gain @ state_mean[..., None])[..., 0] + offset
    # E[d d'] = gain P gain' + mean_gap mean_gap'
    second_moment = gain @ state_covariance @ gain.mT + mean_gap[..., :, None] * mean_gap[..., None, :]
    trace = torch.cholesky_solve(new.covariance + second_moment, factor).diagonal(dim1=-2, dim2=-1).sum(-1)
    log_determinant = 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1) - torch.logdet(new.covariance)
    return 0.5 * (log_determinant - new.offset.shape[-1] + trace)
