"""The Gaussian of an episodic search: its draws, its fit, and whole searches on a quadratic."""

from dataclasses import replace

import pytest
import torch

from visuomotor.algorithms.trajectory_search.cem import elite_weights
from visuomotor.algorithms.trajectory_search.config import EpisodicConfig
from visuomotor.algorithms.trajectory_search.gaussian import Gaussian, weighted_fit
from visuomotor.algorithms.trajectory_search.reps import boltzmann_weights, solve_dual
from visuomotor.algorithms.trajectory_search.rwr import exponential_weights

FULL = EpisodicConfig(covariance="full", min_std=0.0)
MEAN = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
COVARIANCE = torch.tensor([[2.0, 0.6, 0.0], [0.6, 1.0, -0.3], [0.0, -0.3, 0.5]], dtype=torch.float64)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_draws_have_the_gaussian_s_moments():
    samples = Gaussian(MEAN, COVARIANCE).sample(200_000, seeded())
    torch.testing.assert_close(samples.mean(0), MEAN, atol=0.02, rtol=0)
    torch.testing.assert_close(samples.mT.cov(), COVARIANCE, atol=0.02, rtol=0)


def test_equal_weights_give_the_sample_mean_and_the_unbiased_covariance():
    samples = Gaussian(MEAN, COVARIANCE).sample(12, seeded())
    fit = weighted_fit(samples, torch.full((12,), 1 / 12).double(), Gaussian(MEAN, COVARIANCE), FULL)
    torch.testing.assert_close(fit.mean, samples.mean(0))
    torch.testing.assert_close(fit.covariance, samples.mT.cov())


def test_weights_smoothing_and_the_floor_by_hand():
    samples = torch.tensor([[0.0, 0.0], [4.0, 1.0], [9.0, 9.0]], dtype=torch.float64)
    weights = torch.tensor([0.75, 0.25, 0.0], dtype=torch.float64)
    previous = Gaussian(torch.tensor([2.0, 0.0]).double(), torch.diag(torch.tensor([16.0, 0.04]).double()))
    # m = (1, 1/4), S = (3, 3/16; covariance 3/4) / (1 - 10/16) = (8, 1/2; 2)
    full = weighted_fit(samples, weights, previous, replace(FULL, smoothing=0.25))
    torch.testing.assert_close(full.mean, torch.tensor([1.75, 0.0625]).double())
    torch.testing.assert_close(full.covariance, torch.tensor([[14.0, 0.5], [0.5, 0.155]]).double())
    floored = weighted_fit(samples, weights, previous, EpisodicConfig(smoothing=0.25, min_std=0.5))
    torch.testing.assert_close(floored.covariance, torch.diag(torch.tensor([14.0, 0.25]).double()))
    torch.testing.assert_close(floored.std, torch.tensor([14.0**0.5, 0.5]).double())


def test_one_sample_alone_has_no_spread():
    weights = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    fit = weighted_fit(
        torch.randn(3, 2, generator=seeded()).double(), weights, Gaussian(MEAN[:2], COVARIANCE[:2, :2]), FULL
    )
    assert not fit.covariance.any()
    assert fit.sample(5, seeded()).isfinite().all()


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
@pytest.mark.parametrize(
    "weigh",
    [
        lambda returns: elite_weights(returns, 0.3),
        lambda returns: exponential_weights(returns, 4.0),
        lambda returns: boltzmann_weights(returns, solve_dual(returns, 1.0)),
    ],
    ids=["cem", "rwr", "reps"],
)
def test_each_finds_the_maximum_of_a_quadratic(weigh, covariance):
    config = EpisodicConfig(covariance=covariance, min_std=1e-3)
    best = torch.tensor([0.7, -1.2, 0.3, 0.9], dtype=torch.float64)
    curvature = torch.diag(torch.tensor([1.0, 4.0, 2.0, 0.5]).double()) + 0.3
    found, generator = Gaussian(torch.zeros(4).double(), torch.eye(4).double()), seeded(1)
    for _ in range(40):
        samples = found.sample(60, generator)
        away = samples - best
        found = weighted_fit(samples, weigh(-((away @ curvature) * away).sum(-1)), found, config)
    torch.testing.assert_close(found.mean, best, atol=0.02, rtol=0)
