"""Marginals and divergences against samples and against torch.distributions."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from linear_problems import normal, random_controller, random_problem, simulate
from torch.distributions import MultivariateNormal
from torch.distributions import kl_divergence as torch_kl

from visuomotor.algorithms.gps.linear_gaussian import Controller, compute_marginals, kl_divergence, propagate, where
from visuomotor.algorithms.gps.lqr import LqrSolver, stack_controllers

SAMPLES = 20_000


def test_marginals_are_those_of_samples():
    _, dynamics, controller = random_problem(seed=10)
    marginals = compute_marginals(controller, dynamics)
    states, actions = simulate(controller, dynamics, SAMPLES, torch.Generator().manual_seed(0))
    z = torch.cat([states, actions], dim=-1)
    deviation = marginals.covariance.diagonal(dim1=-2, dim2=-1).sqrt()
    assert ((z.mean(0) - marginals.mean).abs() < 5 * deviation / SAMPLES**0.5).all()
    centred = z - marginals.mean
    products = torch.einsum("snti,sntj->ntij", centred, centred) / SAMPLES
    # the variance of a product of Gaussians: s_ii s_jj + s_ij^2
    error = (deviation[..., :, None] * deviation[..., None, :]).square() + marginals.covariance.square()
    assert ((products - marginals.covariance).abs() < 5 * (error / SAMPLES).sqrt()).all()


def test_marginals_are_symmetric_and_split_into_state_and_action():
    _, dynamics, controller = random_problem(seed=11)
    marginals = compute_marginals(controller, dynamics)
    torch.testing.assert_close(marginals.covariance, marginals.covariance.mT, rtol=1e-12, atol=1e-12)
    assert marginals.state_mean.shape == (3, 6, 4)
    assert marginals.state_covariance.shape == (3, 6, 4, 4)
    for t, (mean, covariance) in enumerate(propagate(controller, dynamics)):
        torch.testing.assert_close(marginals.state_mean[:, t], mean)
        torch.testing.assert_close(marginals.state_covariance[:, t], covariance)
    torch.testing.assert_close(marginals.mean[..., 4:], controller.mean_action(marginals.state_mean))


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
    marginals = compute_marginals(new, dynamics)
    exact = kl_divergence(new, old, marginals.state_mean, marginals.state_covariance)
    assert ((ratio.mean(0) - exact).abs() < 5 * ratio.std(0) / SAMPLES**0.5).all()


@given(seed=st.integers(0, 10_000), size=st.floats(1e-4, 2.0))
def test_divergence_is_positive_unless_equal(seed, size):
    _, dynamics, old = random_problem(seed)
    marginals = compute_marginals(old, dynamics)
    at = marginals.state_mean, marginals.state_covariance
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
    solver = LqrSolver(cost, dynamics, torch.ones(3, steps, dtype=torch.float64), old)
    controllers = [solver.backward(n, 0.5) for n in range(3)]
    new = stack_controllers(controllers)
    marginals = compute_marginals(new, dynamics)
    exact = kl_divergence(new, old, marginals.state_mean, marginals.state_covariance).sum(-1)
    measured = torch.tensor([solver.divergence(n, controllers[n]) for n in range(3)], dtype=torch.float64)
    torch.testing.assert_close(measured, exact, rtol=1e-9, atol=1e-9)


def test_where_takes_some_conditions_controllers():
    ones, others = (random_problem(seed)[2] for seed in (15, 16))
    mixed = where(torch.tensor([True, False, True]), ones, others)
    for part in ("gain", "offset", "covariance"):
        found, a, b = (getattr(controller, part) for controller in (mixed, ones, others))
        assert torch.equal(found, torch.stack([a[0], b[1], a[2]]))


def test_a_rounded_controller_is_stored_in_small_types_and_acts_the_same_at_the_mean_state():
    generator = torch.Generator().manual_seed(3)
    controller = random_controller(generator, conditions=2, steps=3, states=4, actions=2)
    controller.gain[0, 0, 0, 0] = 1e6  # more than float16 holds
    state_mean = normal(generator, 2, 3, 4)
    rounded = controller.rounded(state_mean)
    assert rounded.gain[0, 0, 0, 0] == 65504
    for stored, dtype in (("gain", torch.float16), ("offset", torch.float32), ("covariance", torch.float32)):
        value = getattr(rounded, stored)
        assert value.dtype == torch.float64
        assert torch.equal(value.to(dtype).double(), value), stored
    kept = controller.gain < 1e5
    torch.testing.assert_close(rounded.gain[kept], controller.gain[kept], rtol=2**-11, atol=1e-7)
    small = [0, 1], [1, 1]  # steps without the huge gain
    torch.testing.assert_close(
        rounded.mean_action(state_mean)[small], controller.mean_action(state_mean)[small], rtol=1e-6, atol=1e-6
    )
    torch.testing.assert_close(rounded.covariance, controller.covariance, rtol=1e-6, atol=1e-6)
