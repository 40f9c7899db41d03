"""The policy as a time-varying linear-Gaussian function of the full state, near the sampled trajectories."""

from collections.abc import Sequence

import torch
from torch import Tensor

from visuomotor.algorithms.gps.gaussian_regression import fit_linear_gaussian
from visuomotor.algorithms.gps.linear_gaussian import Controller
from visuomotor.algorithms.gps.mixture import GaussianMixture


def linearize(
    states: Tensor,
    actions: Tensor,
    covariance: Tensor,
    prior: GaussianMixture,
    strength: float = 1.0,
    window: Sequence[float] = (1.0,),
) -> Controller:
    """pi(u | x) near the samples, from the policy's mean actions at their observations (Levine et al. 2015, IV-B).

    The observation is a function of the state, so a regression of mean actions on states recovers the policy without
    its derivative, and without a model of the camera. The gain is fitted to all conditions at once, as the dynamics
    are; the offset is each condition's own, so that the result is exact at its sample.

    The covariance is the policy's, Sigma, plus the residual covariance R of the pooled regression. Where observations
    are a function of the state, R is not noise but the error that a common offset leaves. With each condition's own
    offset that error is zero at the sample, where Sigma alone would be exact, and grows with the distance from it, to
    the order of R at other conditions. One sample a condition cannot measure it in between, so R stands for it: an
    upper bound near the samples. R weakens the pull towards the policy, nu (Sigma + R)^-1, but does not change where
    BADMM converges, since the multipliers make the expected actions agree under any covariance. The released code
    also adds the residual, there of several samples of one condition.

    Args:
        states: `(N, T, X)` sampled states.
        actions: `(N, T, U)` the policy's mean actions at the same steps.
        covariance: `(U, U)` of the policy.
        prior: mixture over (x, u), fitted to the same samples.
    """
    size = states.shape[-1]
    fit = fit_linear_gaussian(torch.cat([states, actions], dim=-1), size, prior, strength, ridge=1e-6, window=window)
    gain = fit.gain.expand(len(states), *fit.gain.shape)
    offset = actions - (gain @ states[..., None])[..., 0]
    return Controller(gain, offset, (fit.covariance + covariance).expand(len(states), *fit.covariance.shape))
