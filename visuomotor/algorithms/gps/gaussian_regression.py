"""Linear regression from a handful of samples under a mixture prior: behind dynamics and policy linearisation."""

from typing import NamedTuple

import torch
from torch import Tensor

from visuomotor.algorithms.gps.linalg import cholesky, single_threaded
from visuomotor.algorithms.gps.mixture import GaussianMixture


class LinearGaussianFit(NamedTuple):
    """output ~ N(gain input + offset, covariance) at each time step.

    gain `(T, O, I)`, offset `(T, O)`, covariance `(T, O, O)`.
    """

    gain: Tensor
    offset: Tensor
    covariance: Tensor


@single_threaded
def fit_linear_gaussian(samples: Tensor, inputs: int, prior: GaussianMixture, strength: float, ridge: float) -> LinearGaussianFit:
    """Fit a Gaussian to the samples of each time step and condition it on the inputs.

    The covariance is the posterior mode under a normal-inverse-Wishart prior whose mean and scatter are the mixture's,
    weighted by how much each cluster explains this step's samples (Levine & Abbeel 2014; PAPER_FACTS 1.7):

        Sigma = (n S + m Phi + n m / (n + m) (mean - mu0)(mean - mu0)') / (n + m)

    Args:
        samples: `(n, T, I + O)`, inputs first.
        strength: m, how many samples the prior counts for.
        ridge: added to the inputs' variances, relative to nothing: in squared units of the inputs.
    """
    count, steps, size = samples.shape
    responsibilities = prior.responsibilities(samples.reshape(-1, size)).view(count, steps, -1).mean(0)
    prior_mean, prior_scatter = prior.moments(responsibilities)
    mean = samples.mean(0)
    centred = (samples - mean).transpose(0, 1)
    gap = mean - prior_mean
    scatter = (
        centred.mT @ centred
        + strength * prior_scatter
        + (count * strength / (count + strength)) * gap[..., :, None] * gap[..., None, :]
    )
    sigma = scatter / (count + strength)
    input_block = sigma[:, :inputs, :inputs] + ridge * torch.eye(inputs, dtype=sigma.dtype, device=sigma.device)
    gain = torch.cholesky_solve(sigma[:, :inputs, inputs:], cholesky(input_block)).mT
    offset = mean[:, inputs:] - (gain @ mean[:, :inputs, None])[..., 0]
    residual = sigma[:, inputs:, inputs:] - gain @ input_block @ gain.mT
    return LinearGaussianFit(gain, offset, (residual + residual.mT) / 2)
