"""Fitted dynamics against a system that is known."""

from dataclasses import replace

import pytest
import torch
from linear_problems import normal

from visuomotor.algorithms.gps.config import DynamicsConfig
from visuomotor.algorithms.gps.dynamics import fit_dynamics, fit_prior, fit_stable_dynamics, relative_width, transitions
from visuomotor.algorithms.gps.gaussian_regression import fit_linear_gaussian
from visuomotor.algorithms.gps.linear_gaussian import Controller, Dynamics, Marginals
from visuomotor.algorithms.gps.mixture import GaussianMixture
from visuomotor.algorithms.gps.rollout import Samples

STATES, ACTIONS, STEPS = 6, 2, 30


def system(seed):
    """x' = A x + B u + c with A stable: `(X, X + U)` and `(X,)`."""
    generator = torch.Generator().manual_seed(seed)
    rotation = torch.linalg.qr(normal(generator, STATES, STATES)).Q
    return torch.cat([0.95 * rotation, normal(generator, STATES, ACTIONS)], -1), 0.1 * normal(generator, STATES)


def trajectories(seed, count, noise=0.01, spread=0.3):
    matrix, drift = system(0)
    generator = torch.Generator().manual_seed(seed)
    actions = 0.5 * normal(generator, count, STEPS, ACTIONS)
    x = spread * normal(generator, count, STATES)
    states = []
    for t in range(STEPS):
        states.append(x)
        x = torch.cat([x, actions[:, t]], -1) @ matrix.T + drift + noise * normal(generator, count, STATES)
    return torch.stack(states, 1), actions


def prior_on(states, actions, clusters=5):
    return fit_prior(transitions(states, actions), clusters, 2000, torch.Generator().manual_seed(0))


def prediction_error(transition, offset, states, actions):
    """Root mean square over steps and samples of transition `(T-1, X, Z)` and offset `(T-1, X)`."""
    z = torch.cat([states, actions], -1)[:, :-1]
    predicted = (transition @ z[..., None])[..., 0] + offset
    return (predicted - states[:, 1:]).square().mean().sqrt().item()


def least_squares(states, actions):
    """Of each step's few samples alone, the shortest solution."""
    z = torch.cat([states, actions], -1)[:, :-1]
    z = torch.cat([z, torch.ones_like(z[..., :1])], -1).transpose(0, 1)
    solution = torch.linalg.lstsq(z, states[:, 1:].transpose(0, 1), driver="gelsd").solution.mT
    return solution[..., :-1], solution[..., -1]


def test_recovers_a_linear_system_from_one_sample_a_condition():
    states, actions = trajectories(seed=1, count=60)
    dynamics = fit_dynamics(states, actions, prior_on(states, actions))
    matrix, drift = system(0)
    assert dynamics.transition.shape == (60, STEPS - 1, STATES, STATES + ACTIONS)
    assert (dynamics.transition - matrix).abs().mean() < 0.01
    assert (dynamics.offset - drift).abs().mean() < 0.01
    # the noise is 0.01^2 on the diagonal; the ridge makes it no smaller
    variance = dynamics.noise.diagonal(dim1=-2, dim2=-1)
    assert 0.5e-4 < variance.mean() < 2e-4
    assert (torch.linalg.eigvalsh(dynamics.noise) > 0).all()
    torch.testing.assert_close(dynamics.noise, dynamics.noise.mT)


def test_every_condition_has_the_same_motion_but_its_own_start():
    states, actions = trajectories(seed=2, count=4)
    dynamics = fit_dynamics(states, actions, prior_on(states, actions))
    assert torch.equal(dynamics.transition[0], dynamics.transition[3])
    assert dynamics.transition.stride(0) == 0  # shared, not copied
    assert torch.equal(dynamics.initial_mean, states[:, 0])
    eye = torch.eye(STATES, dtype=torch.float64)
    torch.testing.assert_close(dynamics.initial_covariance, 1e-6 * eye.expand(4, -1, -1))


def test_few_samples_predict_better_with_the_prior_than_without():
    held_out = trajectories(seed=3, count=200)
    pooled = trajectories(seed=4, count=40)
    prior = prior_on(*pooled)
    for count in (1, 2, 3, 4, 5):
        states, actions = trajectories(seed=5 + count, count=count)
        dynamics = fit_dynamics(states, actions, prior)
        with_prior = prediction_error(dynamics.transition[0], dynamics.offset[0], *held_out)
        without = prediction_error(*least_squares(states, actions), *held_out)
        assert with_prior < 0.5 * without, count
        assert with_prior < 0.1, count


def test_a_weak_prior_is_least_squares_and_a_strong_one_is_the_prior():
    states, actions = trajectories(seed=20, count=100)
    prior = prior_on(*trajectories(seed=21, count=100, noise=0.3), clusters=2)
    tuples = transitions(states, actions)
    inputs = STATES + ACTIONS
    weak = fit_linear_gaussian(tuples, inputs, prior, strength=1e-9, ridge=1e-12)
    gain, offset = least_squares(states, actions)
    torch.testing.assert_close(weak.gain, gain, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(weak.offset, offset, rtol=1e-4, atol=1e-4)
    # one Gaussian as the prior, so strong that the samples do not count: its own regression
    mean, covariance = torch.zeros(1, inputs + STATES).double(), torch.eye(inputs + STATES).double()[None] + 0.5
    alone = GaussianMixture(torch.ones(1, dtype=torch.float64), mean, covariance)
    strong = fit_linear_gaussian(tuples - tuples.mean(0), inputs, alone, strength=1e12, ridge=0.0)
    expected = torch.linalg.solve(covariance[0, :inputs, :inputs], covariance[0, :inputs, inputs:]).T
    torch.testing.assert_close(strong.gain, expected.expand_as(strong.gain), rtol=1e-6, atol=1e-6)


def test_the_regression_is_the_conditional_of_the_posterior_mode():
    # by hand: two numbers, one cluster, three samples
    samples = torch.tensor([[[0.0, 1.0]], [[1.0, 2.5]], [[2.0, 2.0]]], dtype=torch.float64)
    prior = GaussianMixture(
        torch.ones(1, dtype=torch.float64),
        torch.tensor([[0.5, 0.5]], dtype=torch.float64),
        torch.tensor([[[2.0, 1.0], [1.0, 3.0]]], dtype=torch.float64),
    )
    m, n = 2.0, 3.0
    mean = samples[:, 0].mean(0)
    centred = samples[:, 0] - mean
    gap = mean - 0.5
    sigma = (centred.T @ centred + m * prior.covariances[0] + n * m / (n + m) * torch.outer(gap, gap)) / (n + m)
    fit = fit_linear_gaussian(samples, 1, prior, strength=m, ridge=0.01)
    slope = sigma[0, 1] / (sigma[0, 0] + 0.01)
    assert torch.isclose(fit.gain[0, 0, 0], slope)
    assert torch.isclose(fit.offset[0, 0], mean[1] - slope * mean[0])
    assert torch.isclose(fit.covariance[0, 0, 0], sigma[1, 1] - slope * slope * (sigma[0, 0] + 0.01))


def test_the_prior_sees_at_most_so_many_points():
    states, actions = trajectories(seed=30, count=40)
    tuples = transitions(states, actions)
    assert tuples.shape == (40, STEPS - 1, 2 * STATES + ACTIONS)
    torch.testing.assert_close(tuples[3, 7], torch.cat([states[3, 7], actions[3, 7], states[3, 8]]))
    few = fit_prior(tuples, 20, 100, torch.Generator().manual_seed(0))
    assert len(few.weights) <= 2  # a hundred points carry two clusters, not twenty
    same = fit_prior(tuples, 20, 100, torch.Generator().manual_seed(0))
    assert torch.equal(few.means, same.means)


def test_two_transitions_have_a_prior():
    tuples = transitions(*trajectories(seed=34, count=2))[:, :1]
    prior = fit_prior(tuples, 20, 100, torch.Generator().manual_seed(0))
    torch.testing.assert_close(prior.means, tuples.mean(0))


def test_the_window_takes_scatter_from_neighbouring_steps():
    """By hand: scatter of the neighbours about their own means, and the step's own mean."""
    samples = normal(torch.Generator().manual_seed(31), 4, 6, 3)
    prior = GaussianMixture(
        torch.ones(1, dtype=torch.float64),
        torch.zeros(1, 3, dtype=torch.float64),
        torch.eye(3, dtype=torch.float64)[None],
    )
    m, window = 0.5, (1.0, 0.6, 0.2)
    fit = fit_linear_gaussian(samples, 2, prior, strength=m, ridge=0.0, window=window)
    mean = samples.mean(0)
    for t in range(6):
        sigma, count = torch.zeros(3, 3, dtype=torch.float64), 0.0
        for other in range(6):
            if abs(other - t) < 3:
                centred = samples[:, other] - mean[other]
                sigma += window[abs(other - t)] * centred.T @ centred
                count += window[abs(other - t)] * 4
        sigma += m * torch.eye(3) + 4 * m / (4 + m) * torch.outer(mean[t], mean[t])
        sigma /= count + m
        gain = torch.linalg.solve(sigma[:2, :2], sigma[:2, 2])
        torch.testing.assert_close(fit.gain[t, 0], gain)
        torch.testing.assert_close(fit.offset[t, 0], mean[t, 2] - gain @ mean[t, :2])
        torch.testing.assert_close(fit.covariance[t, 0, 0], sigma[2, 2] - gain @ sigma[:2, 2])


def test_the_relative_width_is_the_largest_deviation_over_its_range():
    states = torch.tensor([[[0.0, 1.0], [2.0, 1.5]], [[-2.0, 1.2], [1.0, 1.1]]], dtype=torch.float64)  # ranges 4, 0.5
    covariance = torch.diag_embed(torch.tensor([[1.0, 0.04], [4.0, 0.01]], dtype=torch.float64)).expand(2, 2, 2, 2)
    marginals = Marginals(torch.zeros(2, 2, 2).double(), covariance, states=2)
    assert relative_width(marginals, states) == pytest.approx(0.5)  # 2 / 4, more than 0.2 / 0.5
    broken = replace(marginals, covariance=covariance * torch.nan)
    assert relative_width(broken, states) == float("inf")


@pytest.mark.parametrize(
    ("stds", "fits", "chosen"),
    [([0.1], 1, 0), ([9.0, 0.1], 2, 1), ([9.0, 0.9, 1.3, 5.0], 4, 1), ([9.0, torch.nan, 8.0, 9.0], 4, 2)],
)
def test_unstable_dynamics_are_fitted_again_and_the_most_stable_are_taken(monkeypatch, stds, fits, chosen):
    """One state whose samples span a range of 1: a deviation of 0.4 is the limit."""
    states = torch.tensor([0.0, 1.0], dtype=torch.float64).view(2, 1, 1).expand(2, 2, 1)
    nothing = torch.zeros(2, dtype=torch.bool)
    samples = Samples(states, states, torch.zeros(2, 2, 1).double(), None, nothing)
    still = Controller(torch.zeros(2, 2, 1, 1).double(), torch.zeros(2, 2, 1).double(), torch.ones(2, 2, 1, 1).double())
    made = []

    def fit(*_args):
        covariance = torch.full((2, 1, 1), stds[len(made)] ** 2, dtype=torch.float64)
        zeros = torch.zeros(2, 1, 1, dtype=torch.float64)
        transition = torch.zeros(2, 1, 1, 2, dtype=torch.float64)
        made.append(Dynamics(transition, zeros, zeros[..., None], states[:, 0], covariance))
        return made[-1]

    monkeypatch.setattr("visuomotor.algorithms.gps.dynamics.fit_dynamics", fit)
    history = (normal(torch.Generator().manual_seed(0), 2, 90, 3),)
    generator = torch.Generator().manual_seed(0)
    dynamics, marginals = fit_stable_dynamics(samples, still, history, DynamicsConfig(), generator)
    assert len(made) == fits
    assert dynamics is made[chosen]
    assert marginals.state_covariance[0, 0].item() == pytest.approx(stds[chosen] ** 2)
