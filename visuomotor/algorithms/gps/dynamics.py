"""Fitted dynamics: one time-varying linear-Gaussian model from one sample per condition."""

import torch
from torch import Tensor

from visuomotor.algorithms.gps.linear_gaussian import Dynamics
from visuomotor.algorithms.gps.gaussian_regression import fit_linear_gaussian
from visuomotor.algorithms.gps.mixture import GaussianMixture, fit_mixture

_INITIAL_VARIANCE_FLOOR = 1e-6


def transitions(states: Tensor, actions: Tensor) -> Tensor:
    """The tuples (x_t, u_t, x_{t+1}) of states `(n, T, X)` and actions `(n, T, U)`, as `(n, T-1, 2X + U)`."""
    return torch.cat([states[:, :-1], actions[:, :-1], states[:, 1:]], dim=-1)


def fit_prior(tuples: Tensor, clusters: int, points: int, generator: torch.Generator) -> GaussianMixture:
    """The mixture over recent tuples `(n, T, D)`, global over time, on at most `points` of them drawn at random.

    Fitted anew each time: a mixture that goes on from the last iteration's loses its clusters one by one as the
    trajectories move on, and dynamics fitted under what is left are unstable.
    """
    pool = tuples.reshape(-1, tuples.shape[-1])
    if len(pool) > points:
        pool = pool[torch.randperm(len(pool), generator=generator)[:points]]
    # a cluster of fewer points than about half its dimensions is mostly floor
    clusters = max(2, min(clusters, len(pool) // 40))
    return fit_mixture(pool, clusters, generator)


def fit_dynamics(
    states: Tensor, actions: Tensor, prior: GaussianMixture, strength: float = 1.0, ridge: float = 1e-6
) -> Dynamics:
    """Fit one model to the samples of all conditions (Levine et al. 2015, section IV-B).

    Conditions that visit similar states share their dynamics, so their samples are pooled at each time step and one
    sample a condition suffices. Only the initial Gaussian is each condition's own.

    Args:
        states, actions: `(N, T, X)` and `(N, T, U)`, one sample a condition.
        prior: mixture over tuples, from `fit_prior`.
        strength: how many samples the prior counts for.
        ridge: added to the variances of states and actions.
    """
    count, size = states.shape[0], states.shape[-1]
    fit = fit_linear_gaussian(transitions(states, actions), size + actions.shape[-1], prior, strength, ridge)
    initial_covariance = _INITIAL_VARIANCE_FLOOR * torch.eye(size, dtype=states.dtype, device=states.device)
    return Dynamics(
        transition=fit.gain.expand(count, *fit.gain.shape),
        offset=fit.offset.expand(count, *fit.offset.shape),
        noise=fit.covariance.expand(count, *fit.covariance.shape),
        initial_mean=states[:, 0],
        initial_covariance=initial_covariance.expand(count, size, size),
    )
