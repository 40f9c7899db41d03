"""Fitted dynamics: one time-varying linear-Gaussian model from one sample per condition."""

from collections.abc import Sequence

import torch
from torch import Tensor

from visuomotor.algorithms.gps.config import DynamicsConfig
from visuomotor.algorithms.gps.gaussian_regression import fit_linear_gaussian
from visuomotor.algorithms.gps.linear_gaussian import Controller, Dynamics, Marginals, compute_marginals
from visuomotor.algorithms.gps.mixture import GaussianMixture, fit_mixture
from visuomotor.algorithms.gps.rollout import Samples

_INITIAL_VARIANCE = 1e-6  # of the start's state: every condition starts in one state of its own
_STABLE = 0.4  # times the range of the sampled states: a wider standard deviation is no model of them
_FITS = 4


def transitions(states: Tensor, actions: Tensor) -> Tensor:
    """The tuples (x_t, u_t, x_{t+1}) of states `(n, T, X)` and actions `(n, T, U)`, as `(n, T-1, 2X + U)`."""
    return torch.cat([states[:, :-1], actions[:, :-1], states[:, 1:]], dim=-1)


def fit_prior(tuples: Tensor, clusters: int, points: int, generator: torch.Generator) -> GaussianMixture:
    """The mixture over recent tuples `(n, T, D)`, global over time, on at most `points` of them drawn at random.

    Fitted from scratch each time: a mixture that goes on from the last iteration's loses its clusters one by one as the
    trajectories move on, and dynamics fitted under what is left are unstable.
    """
    pool = tuples.reshape(-1, tuples.shape[-1])
    if len(pool) > points:
        pool = pool[torch.randperm(len(pool), generator=generator)[:points]]
    # a cluster of fewer points than about half its dimensions is mostly floor
    clusters = max(1, min(clusters, len(pool) // 40))
    return fit_mixture(pool, clusters, generator)


def fit_dynamics(
    states: Tensor,
    actions: Tensor,
    prior: GaussianMixture,
    strength: float = 1.0,
    ridge: float = 1e-6,
    window: Sequence[float] = (1.0,),
) -> Dynamics:
    """Fit one model to the samples of all conditions (Levine et al. 2015, section IV-B).

    Conditions that visit similar states share their dynamics, so their samples are pooled at each time step and one
    sample a condition suffices. Only the initial Gaussian is each condition's own.

    Args:
        states, actions: `(N, T, X)` and `(N, T, U)`, one sample a condition.
        prior: mixture over tuples, from `fit_prior`.
        strength: how many samples the prior counts for.
        ridge: added to the variances of states and actions.
        window: how much neighbouring time steps count, see `fit_linear_gaussian`.
    """
    count, size = states.shape[0], states.shape[-1]
    fit = fit_linear_gaussian(transitions(states, actions), size + actions.shape[-1], prior, strength, ridge, window)
    initial_covariance = _INITIAL_VARIANCE * torch.eye(size, dtype=states.dtype, device=states.device)
    return Dynamics(
        transition=fit.gain.expand(count, *fit.gain.shape),
        offset=fit.offset.expand(count, *fit.offset.shape),
        noise=fit.covariance.expand(count, *fit.covariance.shape),
        initial_mean=states[:, 0],
        initial_covariance=initial_covariance.expand(count, size, size),
    )


def fit_stable_dynamics(
    samples: Samples,
    controller: Controller,
    history: Sequence[Tensor],
    config: DynamicsConfig,
    generator: torch.Generator,
) -> tuple[Dynamics, Marginals]:
    """Dynamics fitted to the samples, and the marginals of `controller`, with which they were drawn.

    The prior's clusters are drawn at random, and now and then the closed loop of a fit is unstable over the episode:
    its marginals explode. Such a fit is recognised and made again, a few times at most; the most stable one is taken.

    Args:
        history: tuples of recent samples, `(n, T, D)` each, for the prior.
    """
    best: tuple[float, Dynamics, Marginals] | None = None
    for _ in range(_FITS):
        prior = fit_prior(torch.cat(list(history)), config.clusters, config.prior_points, generator)
        dynamics = fit_dynamics(
            samples.states, samples.actions, prior, config.prior_strength, config.ridge, config.window
        )
        marginals = compute_marginals(controller, dynamics)
        width = relative_width(marginals, samples.states)
        if best is None or width < best[0]:
            best = width, dynamics, marginals
        if width < _STABLE:
            break
    assert best is not None
    return best[1], best[2]


def relative_width(marginals: Marginals, states: Tensor) -> float:
    """The largest standard deviation of a state under the marginals, in units of that state's range over all samples
    `(N, T, X)`; infinite where it is not finite."""
    flat = states.flatten(0, 1)
    extent = (flat.amax(0) - flat.amin(0)).clamp(min=1e-9)
    std = marginals.state_covariance.diagonal(dim1=-2, dim2=-1).clamp(min=0).sqrt()
    widest = float((std / extent).max())
    return widest if widest == widest else float("inf")
