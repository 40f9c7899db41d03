"""Marginals and divergences against samples and against torch.distributions."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from linear_problems import normal, random_controller, random_problem, simulate
from torch.distributions import MultivariateNormal
from torch.distributions import kl_divergence as torch_kl

from visuomotor.algorithms.gps.linear_gaussian import Controller, kl_divergence, marginals, propagate
from visuomotor.algorithms.gps.lqr import LqrSolver

SAMPLES = 20_000


def test_marginals_are_those_of_samples():
    _, dynamics, controller = random_problem(seed=10)
    spread = marginals(controller, dynamics)
    states, actions = simulate(controller, dynamics, SAMPLES, torch.Generator().manual_seed(0))
    z = torch.cat([states, actions], dim=-1)
    deviation = spread.covariance.diagonal(dim1=-2, dim2=-1).sqrt()
    assert ((z.mean(0) - spread.mean).abs() < 5 * deviation / SAMPLES**0.5).all()
    centred = z - spread.mean
    products = torch.einsum("snti,sntj->ntij", centred, centred) / SAMPLES
    # the variance of a product of Gaussians: s_ii s_jj + s_ij^2
    error = (deviation[..., :, None] * deviation[..., None, :]).square() + spread.covariance.square()
    assert ((products - spread.covariance).abs() < 5 * (error / SAMPLES).sqrt()).all()


def test_marginals_are_symmetric_and_split_into_state_and_action():
    _, dynamics, controller = random_problem(seed=11)
    spread = marginals(controller, dynamics)
    torch.testing.assert_close(spread.covariance, spread.covariance.mT, rtol=1e-12, atol=1e-12)
    assert spread.state_mean.shape == (3, 6, 4)
    assert spread.state_covariance.shape == (3, 6, 4, 4)
    for t, (mean, covariance) in enumerate(propagate(controller, dynamics)):
        torch.testing.assert_close(spread.state_mean[:, t], mean)
        torch.testing.assert_close(spread.state_covariance[:, t], covariance)
    torch.testing.assert_close(spread.mean[..., 4:], controller.mean_action(spread.state_mean))


def test_divergence_at_a_known_state_is_that_of_two_gaussians():
    generator = torch.Generator().manual_seed(12)
    new, old = (random_controller(generator, 3, 5, 4, 2) for _ in range(2))
    states = normal(generator, 3, 5, 4)
    nothing = torch.zeros(3, 5, 4, 4, dtype=torch.float64)
    expected = torch_kl(
        MultivariateNormal(new.mean_action(states), new.covariance),
        MultivariateNormal(old.mean_action(states), old.covariance),
    )
    torch.testing.assert_close(kl_divergence(new, old, states, nothing), expected, rtol=1e-10, atol=1e-10)


def test_divergence_is_the_mean_log_ratio_of_samples():
    _, dynamics, new = random_problem(seed=13)
    old = random_controller(torch.Generator().manual_seed(14), 3, 6, 4, 2)
    states, actions = simulate(new, dynamics, SAMPLES, torch.Generator().manual_seed(1))

    def log_density(controller):
        return MultivariateNormal(controller.mean_action(states), controller.covariance).log_prob(actions)

    ratio = log_density(new) - log_density(old)
    spread = marginals(new, dynamics)
    exact = kl_divergence(new, old, spread.state_mean, spread.state_covariance)
    assert ((ratio.mean(0) - exact).abs() < 5 * ratio.std(0) / SAMPLES**0.5).all()


@given(seed=st.integers(0, 10_000), size=st.floats(1e-4, 2.0))
def test_divergence_is_positive_unless_equal(seed, size):
    _, dynamics, old = random_problem(seed)
    spread = marginals(old, dynamics)
    at = spread.state_mean, spread.state_covariance
    same = kl_divergence(old, old, *at)
    torch.testing.assert_close(same, torch.zeros_like(same), rtol=0, atol=1e-11)
    generator = torch.Generator().manual_seed(seed + 1)
    for changed in (
        Controller(old.gain + size * normal(generator, *old.gain.shape), old.offset, old.covariance),
        Controller(old.gain, old.offset + size * normal(generator, *old.offset.shape), old.covariance),
        Controller(old.gain, old.offset, old.covariance * (1 + size)),
        Controller(old.gain, old.offset, old.covariance / (1 + size)),
    ):
        assert (kl_divergence(changed, old, *at) > 0).all()


@given(seed=st.integers(0, 10_000), states=st.integers(1, 9), actions=st.integers(1, 5), steps=st.integers(1, 7))
def test_the_search_measures_the_same_divergence(seed, states, actions, steps):
    cost, dynamics, old = random_problem(seed, steps=steps, states=states, actions=actions)
    passes = LqrSolver(cost, dynamics, torch.ones(3, steps, dtype=torch.float64), old)
    controllers = [passes.backward(n, 0.5) for n in range(3)]
    new = Controller(*(torch.stack([torch.from_numpy(controller[part]) for controller in controllers]) for part in range(3)))
    spread = marginals(new, dynamics)
    exact = kl_divergence(new, old, spread.state_mean, spread.state_covariance).sum(-1)
    measured = torch.tensor([passes.divergence(n, controllers[n]) for n in range(3)], dtype=torch.float64)
    torch.testing.assert_close(measured, exact, rtol=1e-9, atol=1e-9)
