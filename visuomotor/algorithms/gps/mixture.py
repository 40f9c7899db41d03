"""A Gaussian mixture by expectation maximisation: the global prior behind every local linear fit."""

from dataclasses import dataclass
from math import log, pi

import torch
from torch import Tensor

from visuomotor.algorithms.gps.linalg import cholesky, single_threaded, solve_lower
from visuomotor.engine.thread_pool import available_cores, parallel_for

_COVARIANCE_FLOOR = 1e-6
_NEGLIGIBLE = 1e-15  # of a point's responsibility


@dataclass(frozen=True)
class GaussianMixture:
    """K Gaussians over D numbers: weights `(K,)`, means `(K, D)`, covariances `(K, D, D)`, float64."""

    weights: Tensor
    means: Tensor
    covariances: Tensor

    def log_joint(self, points: Tensor) -> Tensor:
        """log( weight_k N(point; mean_k, covariance_k) ) of points `(P, D)`, as `(P, K)`."""
        factors = cholesky(self.covariances)
        # whitening matrices are few and small: invert once, then one product over all points
        eye = torch.eye(points.shape[1], dtype=points.dtype, device=points.device)
        whitening = solve_lower(factors, eye.expand_as(factors))
        log_determinant = factors.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        constant = self.weights.log() - log_determinant - 0.5 * points.shape[1] * log(2 * pi)
        distance = points.new_empty(len(self.weights), len(points))

        def measure(k: int) -> None:  # cluster by cluster: a tensor of all would be many times the cache
            white = torch.addmm(-(whitening[k] @ self.means[k]), points, whitening[k].mT)
            distance[k] = white.square_().sum(-1)

        parallel_for(measure, len(distance), available_cores())
        return constant - 0.5 * distance.T

    def responsibilities(self, points: Tensor) -> Tensor:
        """p(k | point), `(P, K)`."""
        return self.log_joint(points).softmax(-1)

    def moments(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Mean `(..., D)` and covariance `(..., D, D)` of the mixture with other weights `(..., K)`."""
        mean = weights @ self.means
        second = self.covariances + self.means[:, :, None] * self.means[:, None, :]
        second_moment = (weights @ second.flatten(1)).view(*weights.shape[:-1], *second.shape[1:])
        return mean, second_moment - mean[..., :, None] * mean[..., None, :]


def m_step(points: Tensor, responsibilities: Tensor) -> GaussianMixture:
    """The M step: weighted moments, covariances raised by 1e-6."""
    mass = responsibilities.sum(0) + 1e-10
    means = responsibilities.T @ points / mass[:, None]
    scatter: list[Tensor] = []
    for share in responsibilities.T:
        mine = share > _NEGLIGIBLE  # in many dimensions nearly every point belongs to one cluster alone
        scatter.append((points[mine] * share[mine, None]).mT @ points[mine])
    covariances = torch.stack(scatter) / mass[:, None, None] - means[:, :, None] * means[:, None, :]
    floor = _COVARIANCE_FLOOR * torch.eye(points.shape[1], dtype=points.dtype, device=points.device)
    return GaussianMixture(mass / mass.sum(), means, (covariances + covariances.mT) / 2 + floor)


@single_threaded
def fit_mixture(
    points: Tensor,
    clusters: int,
    generator: torch.Generator,
    start: GaussianMixture | None = None,
    iterations: int = 4,
    tolerance: float = 1e-2,
) -> GaussianMixture:
    """Expectation maximisation on points `(P, D)`, from `start` or from seeds drawn far apart (k-means++).

    Stops when the mean log-likelihood gains less than `tolerance` nats. Clusters that lose nearly all their points are
    dropped, and none is born: start from a mixture of other points only to compare with another implementation.
    """
    points = points.to(torch.float64)
    centre = points.mean(0)  # centring keeps the moment differences of the M step accurate
    points = points - centre
    if start is None:
        mixture = m_step(points, _kmeans_pp_init(points, clusters, generator))
    else:
        mixture = GaussianMixture(start.weights, start.means - centre, start.covariances)
    previous = -torch.inf
    for _ in range(iterations):
        log_joint = mixture.log_joint(points)
        likelihood = log_joint.logsumexp(-1).mean().item()
        responsibilities = log_joint.softmax(-1)
        alive = responsibilities.sum(0) > 1.0
        mixture = m_step(points, responsibilities[:, alive])
        if likelihood - previous < tolerance:
            break
        previous = likelihood
    return GaussianMixture(mixture.weights, mixture.means + centre, mixture.covariances)


def _kmeans_pp_init(points: Tensor, clusters: int, generator: torch.Generator) -> Tensor:
    """Hard assignments `(P, K)` to seeds drawn by k-means++ on standardised axes."""
    scaled = points / (points.std(0) + 1e-9)
    seeds = [scaled[int(torch.randint(len(points), (1,), generator=generator))]]
    distance = (scaled - seeds[0]).square().sum(-1)
    for _ in range(clusters - 1):
        chosen = int(torch.multinomial(distance + 1e-12, 1, generator=generator))
        seeds.append(scaled[chosen])
        distance = torch.minimum(distance, (scaled - seeds[-1]).square().sum(-1))
    nearest = torch.cdist(scaled, torch.stack(seeds)).argmin(-1)
    return torch.nn.functional.one_hot(nearest, clusters).to(points.dtype)
