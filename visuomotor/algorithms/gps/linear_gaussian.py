"""Time-varying linear-Gaussian controllers and dynamics, their marginals and divergences.

Axes: `condition` (N), `time` (T), then the quantity; X states, U actions, Z = X + U. Everything is float64.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from visuomotor.algorithms.gps.linalg import cholesky, single_threaded


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
        return torch.cholesky_inverse(cholesky(self.covariance))

    def mean_action(self, states: Tensor) -> Tensor:
        """K_t x_t + k_t for states `(..., T, X)` whose leading axes broadcast with `(N,)`; returns `(..., T, U)`. One
        step's controller (`at`) takes states `(..., X)`."""
        return (self.gain @ states[..., None])[..., 0] + self.offset

    def at(self, step: int) -> "Controller":
        """One step's controller, without the axis of time."""
        return Controller(self.gain[:, step], self.offset[:, step], self.covariance[:, step])

    def rounded(self, state_mean: Tensor) -> "Controller":
        """With gains that float16 holds and other numbers that float32 holds: a checkpoint stores them as such, and
        nothing is lost. The offsets make up for it at `state_mean` `(N, T, X)`: the mean action there stays."""
        limit = torch.finfo(torch.float16).max
        gain = self.gain.clamp(-limit, limit).half().double()
        offset = self.offset + ((self.gain - gain) @ state_mean[..., None])[..., 0]
        return Controller(gain, offset.float().double(), self.covariance.float().double())

    def rows(self, conditions: Tensor) -> "Controller":
        """The controllers of `conditions` `(n,)` int, in that order."""
        return Controller(self.gain[conditions], self.offset[conditions], self.covariance[conditions])


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
    """The Gaussians over z_t = [x_t; u_t] that controller and dynamics induce.

    mean `(N, T, Z)`, covariance `(N, T, Z, Z)`; `states` is X.
    """

    mean: Tensor
    covariance: Tensor
    states: int

    def mean_only(self) -> "Marginals":
        """The same means without spread."""
        return Marginals(self.mean, torch.zeros_like(self.covariance), self.states)

    @property
    def state_mean(self) -> Tensor:
        return self.mean[..., : self.states]

    @property
    def state_covariance(self) -> Tensor:
        return self.covariance[..., : self.states, : self.states]


def where(chosen: Tensor, ones: Controller, others: Controller) -> Controller:
    """The controllers of `ones` where `chosen` `(N,)` bool, else those of `others`."""
    return Controller(
        *(
            torch.where(chosen.view(-1, *[1] * (a.ndim - 1)), a, b)
            for a, b in zip(vars(ones).values(), vars(others).values(), strict=True)
        )
    )


def propagate(controller: Controller, dynamics: Dynamics) -> Iterator[tuple[Tensor, Tensor]]:
    """The state's mean `(N, X)` and covariance `(N, X, X)` at each step, exact for linear-Gaussian systems."""
    mean, covariance = dynamics.initial_mean, dynamics.initial_covariance
    yield mean, covariance
    states = mean.shape[-1]
    for t in range(controller.gain.shape[1] - 1):
        now, transition = controller.at(t), dynamics.transition[:, t]
        # the closed loop x' = (F_x + F_u K) x + F_u k + f with noise R + F_u C F_u'
        from_state, from_action = transition[..., :states], transition[..., states:]
        closed = torch.baddbmm(from_state, from_action, now.gain)
        f_t = torch.baddbmm(dynamics.offset[:, t, :, None], from_action, now.offset[..., None])
        noise = torch.baddbmm(dynamics.noise[:, t], from_action @ now.covariance, from_action.mT)
        mean = torch.baddbmm(f_t, closed, mean[..., None])[..., 0]
        covariance = torch.baddbmm(noise, closed @ covariance, closed.mT)
        yield mean, covariance


@single_threaded
def compute_marginals(controller: Controller, dynamics: Dynamics) -> Marginals:
    """Propagate the initial Gaussian through controller and dynamics."""
    conditions, steps, actions, states = controller.gain.shape
    mean = controller.gain.new_empty(conditions, steps, states + actions)
    covariance = controller.gain.new_empty(conditions, steps, states + actions, states + actions)
    for t, (state_mean, state_covariance) in enumerate(propagate(controller, dynamics)):
        now = controller.at(t)
        cross = now.gain @ state_covariance
        mean[:, t, :states] = state_mean
        mean[:, t, states:] = now.mean_action(state_mean)
        covariance[:, t, :states, :states] = state_covariance
        covariance[:, t, states:, :states] = cross
        covariance[:, t, :states, states:] = cross.mT
        covariance[:, t, states:, states:] = torch.baddbmm(now.covariance, cross, now.gain.mT)
    return Marginals(mean, covariance, states)


@single_threaded
def kl_divergence(new: Controller, old: Controller, state_mean: Tensor, state_covariance: Tensor) -> Tensor:
    """E_x[ KL(new(u|x) || old(u|x)) ] in nats for x ~ N(state_mean, state_covariance), `(N, T)`.

    1/2 ( log|C_old|/|C_new| - U + tr(C_old^-1 C_new) + E[d' C_old^-1 d] ),   d = (K_new - K_old) x + k_new - k_old.
    """
    factor = cholesky(old.covariance)
    gain = new.gain - old.gain
    mean_gap = gain @ state_mean[..., None] + (new.offset - old.offset)[..., None]
    second_moment = gain @ state_covariance @ gain.mT + mean_gap * mean_gap.mT  # E[d d']
    trace = torch.cholesky_solve(new.covariance + second_moment, factor).diagonal(dim1=-2, dim2=-1).sum(-1)
    log_determinant = 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1) - torch.logdet(new.covariance)
    return 0.5 * (log_determinant - new.offset.shape[-1] + trace)
