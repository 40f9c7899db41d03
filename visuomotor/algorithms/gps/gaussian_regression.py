"""Linear regression from a handful of samples under a mixture prior: behind dynamics and policy linearisation."""

from collections.abc import Sequence
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
def fit_linear_gaussian(
    samples: Tensor,
    inputs: int,
    prior: GaussianMixture,
    strength: float,
    ridge: float,
    window: Sequence[float] = (1.0,),
) -> LinearGaussianFit:
    """Fit a Gaussian to the samples of each time step and condition it on the inputs.

    The covariance is the posterior mode under a normal-inverse-Wishart prior whose mean and scatter are the mixture's,
    weighted by how much each cluster explains this step's samples (Levine & Abbeel 2014):

        Sigma_t = (n S_t + m Phi + n_t m / (n_t + m) (mean_t - mu0)(mean_t - mu0)') / (n + m)

    n_t samples of one step are few for a regression on the whole state. Scatter about their own means is therefore also
    taken from neighbouring steps, where the system is nearly the same:  n S_t = sum_k w_|k| n_{t+k} S_{t+k},  with
    n = sum_k w_|k| n_{t+k}.

    Args:
        samples: `(n, T, I + O)`, inputs first.
        strength: m, how many samples the prior counts for.
        ridge: added to the inputs' variances, in their squared units.
        window: w_0, w_1, ...: how much the step itself and its neighbours on either side count.
    """
    count, steps, size = samples.shape
    responsibilities = prior.responsibilities(samples.reshape(-1, size)).view(count, steps, -1).mean(0)
    prior_mean, prior_scatter = prior.moments(responsibilities)
    mean = samples.mean(0)
    centred = (samples - mean).transpose(0, 1)
    gap = mean - prior_mean
    scatter, weight = _over_neighbours(centred.mT @ centred, window)
    scatter = (
        scatter
        + strength * prior_scatter
        + (count * strength / (count + strength)) * gap[..., :, None] * gap[..., None, :]
    )
    sigma = scatter / (count * weight + strength)[:, None, None]
    input_block = sigma[:, :inputs, :inputs] + ridge * torch.eye(inputs, dtype=sigma.dtype, device=sigma.device)
    gain = torch.cholesky_solve(sigma[:, :inputs, inputs:], cholesky(input_block)).mT
    offset = mean[:, inputs:] - (gain @ mean[:, :inputs, None])[..., 0]
    residual = sigma[:, inputs:, inputs:] - gain @ input_block @ gain.mT
    return LinearGaussianFit(gain, offset, (residual + residual.mT) / 2)


def _over_neighbours(values: Tensor, window: Sequence[float]) -> tuple[Tensor, Tensor]:
    """The sums of `values` `(T, ...)` over each step's neighbours that exist, and the sums of their weights `(T,)`."""
    steps = len(values)
    total, weight = torch.zeros_like(values), values.new_zeros(steps)
    for shift in range(1 - len(window), len(window)):
        here = slice(max(0, -shift), min(steps, steps - shift))
        there = slice(max(0, shift), min(steps, steps + shift))
        total[here] += window[abs(shift)] * values[there]
        weight[here] += window[abs(shift)]
    return total, weight
