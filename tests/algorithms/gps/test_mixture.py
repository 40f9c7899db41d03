"""Our mixture against scikit-learn's."""

import numpy as np
import pytest
import torch
from linear_problems import normal, positive_definite
from sklearn.mixture import GaussianMixture as Oracle

from visuomotor.algorithms.gps.mixture import GaussianMixture, fit_mixture, m_step

CLUSTERS, SIZE = 3, 5


def random_mixture(seed, scale=2.0):
    generator = torch.Generator().manual_seed(seed)
    weights = 0.2 + torch.rand(CLUSTERS, generator=generator, dtype=torch.float64)
    means = scale * normal(generator, CLUSTERS, SIZE)
    return GaussianMixture(weights / weights.sum(), means, positive_definite(generator, CLUSTERS, SIZE))


def draw(mixture, count, seed):
    generator = torch.Generator().manual_seed(seed)
    cluster = torch.multinomial(mixture.weights, count, replacement=True, generator=generator)
    root = torch.linalg.cholesky(mixture.covariances)[cluster]
    return mixture.means[cluster] + (root @ normal(generator, count, SIZE, 1))[..., 0]


def oracle_of(mixture, steps=1):
    return Oracle(
        CLUSTERS,
        reg_covar=1e-6,  # our floor
        max_iter=steps,
        tol=0,
        weights_init=mixture.weights.numpy(),
        means_init=mixture.means.numpy(),
        precisions_init=torch.linalg.inv(mixture.covariances).numpy(),
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_one_step_of_expectation_maximisation():
    points = draw(random_mixture(0), 500, seed=1)
    start = random_mixture(2)
    for steps in (1, 3):
        ours = fit_mixture(points, CLUSTERS, torch.Generator(), start, iterations=steps, tolerance=-np.inf)
        theirs = oracle_of(start, steps).fit(points.numpy())
        np.testing.assert_allclose(ours.weights, theirs.weights_, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(ours.means, theirs.means_, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(ours.covariances, theirs.covariances_, rtol=1e-8, atol=1e-8)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_densities_and_responsibilities():
    points = draw(random_mixture(3), 200, seed=4)
    oracle = oracle_of(random_mixture(5)).fit(points.numpy())
    ours = GaussianMixture(*(torch.from_numpy(p) for p in (oracle.weights_, oracle.means_, oracle.covariances_)))
    elsewhere = draw(random_mixture(6), 100, seed=7)
    np.testing.assert_allclose(ours.log_joint(elsewhere).logsumexp(-1), oracle.score_samples(elsewhere.numpy()), 1e-9)
    np.testing.assert_allclose(ours.responsibilities(elsewhere), oracle.predict_proba(elsewhere.numpy()), atol=1e-9)
    joint = torch.distributions.MultivariateNormal(ours.means, ours.covariances).log_prob(elsewhere[:, None])
    torch.testing.assert_close(ours.log_joint(elsewhere), joint + ours.weights.log())


def test_moments_are_those_of_samples():
    mixture = random_mixture(8)
    others = torch.tensor([[0.2, 0.3, 0.5], [0.0, 1.0, 0.0], [0.6, 0.4, 0.0]], dtype=torch.float64)
    mean, covariance = mixture.moments(others)
    assert mean.shape == (3, SIZE)
    assert covariance.shape == (3, SIZE, SIZE)
    torch.testing.assert_close(mean[1], mixture.means[1])
    torch.testing.assert_close(covariance[1], mixture.covariances[1])
    count = 100_000
    for row, weights in enumerate(others):
        points = draw(GaussianMixture(weights, mixture.means, mixture.covariances), count, seed=9)
        centred = points - mean[row]
        assert (centred.mean(0).abs() < 5 * points.std(0) / count**0.5).all()
        products = centred[:, :, None] * centred[:, None, :]
        assert ((products.mean(0) - covariance[row]).abs() < 5 * products.std(0) / count**0.5).all()


def test_fitting_finds_clusters_that_lie_apart():
    truth = random_mixture(10, scale=20.0)
    points = draw(truth, 3000, seed=11)
    found = fit_mixture(points, CLUSTERS, torch.Generator().manual_seed(0))
    nearest = torch.cdist(truth.means, found.means).min(-1)
    assert sorted(nearest.indices.tolist()) == [0, 1, 2]
    assert (nearest.values < 0.3).all()
    torch.testing.assert_close(found.weights[nearest.indices], truth.weights, rtol=0, atol=0.05)
    torch.testing.assert_close(found.covariances[nearest.indices], truth.covariances, rtol=0.3, atol=0.3)


def test_every_step_raises_the_likelihood():
    points = draw(random_mixture(12), 400, seed=13)
    mixture, last = random_mixture(14), -np.inf
    for _ in range(10):
        likelihood = mixture.log_joint(points).logsumexp(-1).mean().item()
        assert likelihood > last - 1e-6  # the covariances' floor may cost a trifle
        last = likelihood
        mixture = fit_mixture(points, CLUSTERS, torch.Generator(), mixture, iterations=1)


def test_stops_when_nothing_is_gained():
    points = draw(random_mixture(15), 400, seed=16)
    start = random_mixture(17)
    long = fit_mixture(points, CLUSTERS, torch.Generator(), start, iterations=500, tolerance=1e-3)
    longer = fit_mixture(points, CLUSTERS, torch.Generator(), start, iterations=1000, tolerance=1e-3)
    assert torch.equal(long.means, longer.means)


def test_clusters_without_points_are_dropped():
    points = draw(random_mixture(18), 300, seed=19)
    start = random_mixture(20)
    far = GaussianMixture(start.weights, start.means.clone(), start.covariances)
    far.means[1] += 1e4
    fitted = fit_mixture(points, CLUSTERS, torch.Generator(), far)
    assert len(fitted.weights) == 2
    assert torch.isclose(fitted.weights.sum(), torch.tensor(1.0).double())
    assert fitted.covariances.isfinite().all()


def test_identical_points_leave_the_floor():
    points = torch.ones(50, SIZE, dtype=torch.float64)
    fitted = m_step(points - points.mean(0), torch.ones(50, 1, dtype=torch.float64))
    torch.testing.assert_close(fitted.covariances[0], 1e-6 * torch.eye(SIZE, dtype=torch.float64))
