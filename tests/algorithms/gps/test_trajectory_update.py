"""The search on eta: its bound, its optimum, and what it does when nothing fits."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from linear_problems import normal, plain_backward_pass, random_controller, random_problem

from visuomotor.algorithms.gps.linear_gaussian import Controller, compute_marginals, kl_divergence
from visuomotor.algorithms.gps.lqr import QuadraticCost
from visuomotor.algorithms.gps.trajectory_update import (
    BadmmTerms,
    add_log_density,
    next_step_size,
    update_controllers,
)

BOUND = torch.tensor([0.5, 2.0, 8.0], dtype=torch.float64)


def random_badmm_terms(seed, weight=0.3):
    generator = torch.Generator().manual_seed(seed)
    nu = weight * (0.5 + torch.rand(3, 6, generator=generator, dtype=torch.float64))
    return BadmmTerms(random_controller(generator, 3, 6, 4, 2), 0.2 * normal(generator, 3, 6, 2), nu)


def divergence(new, old, dynamics):
    marginals = compute_marginals(new, dynamics)
    return kl_divergence(new, old, marginals.state_mean, marginals.state_covariance).sum(-1)


def lagrangian(cost, dynamics, controller, badmm_terms):
    """E_p[sum_t l - u' lambda_t] + sum_t nu_t E[KL(p || pi)], straight from its definition."""
    marginals = compute_marginals(controller, dynamics)
    value = cost.expected(marginals)
    if badmm_terms is not None:
        value = value - (controller.mean_action(marginals.state_mean) * badmm_terms.lagrange_multiplier).sum(-1)
        gap = kl_divergence(controller, badmm_terms.policy, marginals.state_mean, marginals.state_covariance)
        value = value + badmm_terms.kl_weight * gap
    return value.sum(-1)


def at_eta(cost, dynamics, previous, badmm_terms, eta):
    """The optimum for a given eta `(N,)`, by the plain recursion."""
    weight = torch.zeros(3, 6, dtype=torch.float64)
    if badmm_terms is not None:
        cost, weight = badmm_terms.augment_cost(cost), badmm_terms.kl_weight
    scale = eta[:, None].expand(3, 6)
    return plain_backward_pass(add_log_density(cost, previous, scale), dynamics, weight + scale)


@given(seed=st.integers(0, 10_000), with_policy=st.booleans(), start=st.sampled_from([1e-6, 0.1, 1.0, 1e5]))
def test_the_bound_holds_within_its_tolerance(seed, with_policy, start):
    cost, dynamics, previous = random_problem(seed)
    badmm_terms = random_badmm_terms(seed) if with_policy else None
    eta = torch.full((3,), start, dtype=torch.float64)
    update = update_controllers(cost, dynamics, previous, BOUND, badmm_terms, eta)
    exact = divergence(update.controller, previous, dynamics)
    torch.testing.assert_close(update.kl, exact, rtol=1e-8, atol=1e-9)
    assert (exact <= 1.1 * BOUND).all()
    inactive = update.eta <= 1.01e-8
    assert ((exact >= 0.9 * BOUND) | inactive).all()
    assert update.converged.all()
    assert update.passes <= 20
    before = lagrangian(cost, dynamics, previous, badmm_terms)
    assert (lagrangian(cost, dynamics, update.controller, badmm_terms) < before).all()
    torch.testing.assert_close(update.marginals.mean, compute_marginals(update.controller, dynamics).mean)


@pytest.mark.parametrize("with_policy", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_no_eta_on_a_grid_does_better(seed, with_policy):
    cost, dynamics, previous = random_problem(seed + 100)
    badmm_terms = random_badmm_terms(seed) if with_policy else None
    update = update_controllers(cost, dynamics, previous, BOUND, badmm_terms, tolerance=1e-4, passes=100)
    found = lagrangian(cost, dynamics, update.controller, badmm_terms)
    best = torch.full((3,), torch.inf, dtype=torch.float64)
    for exponent in torch.linspace(-8, 6, 281, dtype=torch.float64):
        candidate = at_eta(cost, dynamics, previous, badmm_terms, (10**exponent).expand(3))
        inside = divergence(candidate, previous, dynamics) <= BOUND
        value = lagrangian(cost, dynamics, candidate, badmm_terms)
        best = torch.where(inside & (value < best), value, best)
    scale = (lagrangian(cost, dynamics, previous, badmm_terms) - best).abs()
    assert (found <= best + 1e-3 * scale).all()
    # a grid of 20 points a decade comes close to the optimum, so the search may not be far below it either
    assert (found >= best - 0.1 * scale).all()


def test_a_wide_ball_is_left_at_the_optimum_itself():
    cost, dynamics, previous = random_problem(seed=20)
    badmm_terms = random_badmm_terms(20)
    update = update_controllers(cost, dynamics, previous, torch.full((3,), 1e6, dtype=torch.float64), badmm_terms)
    assert update.converged.all()
    assert (update.eta <= 1.01e-8).all()
    best = plain_backward_pass(badmm_terms.augment_cost(cost), dynamics, badmm_terms.kl_weight)
    torch.testing.assert_close(update.controller.gain, best.gain, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(update.controller.covariance, best.covariance, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("with_policy", [False, True])
def test_the_result_is_stationary(with_policy):
    """The Lagrangian of the constrained problem, straight from its definition, has no slope in any parameter."""
    cost, dynamics, previous = random_problem(seed=25)
    badmm_terms = random_badmm_terms(25) if with_policy else None
    update = update_controllers(cost, dynamics, previous, BOUND, badmm_terms)

    def slopes(controller):
        root = torch.linalg.cholesky(controller.covariance)
        parts = [part.clone().requires_grad_() for part in (controller.gain, controller.offset, root)]
        new = Controller(parts[0], parts[1], parts[2] @ parts[2].mT)
        value = lagrangian(cost, dynamics, new, badmm_terms) + update.eta * divergence(new, previous, dynamics)
        return torch.cat([slope.flatten() for slope in torch.autograd.grad(value.sum(), parts)])

    assert slopes(update.controller).abs().max() < 1e-8 * slopes(previous).abs().max()


def test_an_indefinite_cost_is_tamed_by_a_larger_eta():
    cost, dynamics, previous = random_problem(seed=21)
    hessian = cost.hessian.clone()
    hessian[:, :, 4:, 4:] -= 2.0 * torch.eye(2, dtype=torch.float64)
    indefinite = QuadraticCost(hessian, cost.gradient, cost.constant)
    start = torch.full((3,), 1e-3, dtype=torch.float64)
    with pytest.raises(torch.linalg.LinAlgError):  # the start really is too small
        torch.linalg.cholesky(at_eta(indefinite, dynamics, previous, None, start).covariance)
    bound = torch.full((3,), 0.5, dtype=torch.float64)
    update = update_controllers(indefinite, dynamics, previous, bound, eta=start)
    assert (update.kl > 0).all()
    assert (divergence(update.controller, previous, dynamics) <= 1.1 * bound).all()
    before, after = (lagrangian(indefinite, dynamics, one, None) for one in (previous, update.controller))
    assert (after < before).all()


def test_without_any_way_inside_the_previous_controller_stays():
    cost, dynamics, previous = random_problem(seed=22)
    hessian = cost.hessian.clone()
    hessian[1] = torch.nan
    broken = QuadraticCost(hessian, cost.gradient, cost.constant)
    update = update_controllers(broken, dynamics, previous, BOUND)
    assert update.converged.tolist() == [True, False, True]
    assert update.kl[1] == 0
    for part in ("gain", "offset", "covariance"):
        assert torch.equal(getattr(update.controller, part)[1], getattr(previous, part)[1])


@pytest.mark.parametrize("bounds", [[0.0, 0.0, 0.0], [0.5, 0.0, 8.0]])
def test_a_ball_without_any_room_keeps_the_previous_controller(bounds):
    cost, dynamics, previous = random_problem(seed=24)
    update = update_controllers(cost, dynamics, previous, torch.tensor(bounds, dtype=torch.float64))
    for condition, bound in enumerate(bounds):
        assert (update.kl[condition] == 0) == (bound == 0)
        for part in ("gain", "offset", "covariance"):
            kept = torch.equal(getattr(update.controller, part)[condition], getattr(previous, part)[condition])
            assert kept == (bound == 0), part


def test_conditions_do_not_touch_each_other():
    cost, dynamics, previous = random_problem(seed=23)
    together = update_controllers(cost, dynamics, previous, BOUND)
    again = update_controllers(cost, dynamics, previous, BOUND)
    assert torch.equal(together.controller.gain, again.controller.gain)
    widened = update_controllers(cost, dynamics, previous, BOUND * torch.tensor([1.0, 3.0, 1.0]))
    assert torch.equal(together.controller.gain[[0, 2]], widened.controller.gain[[0, 2]])
    assert not torch.equal(together.controller.gain[1], widened.controller.gain[1])


def test_log_density_as_a_cost():
    cost, _, controller = random_problem(seed=24)
    weight = torch.rand(3, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    total = add_log_density(cost, controller, weight)
    z = normal(torch.Generator().manual_seed(1), 3, 6, 6)

    def value(quadratic, point):
        hess_z = (quadratic.hessian @ point[..., None])[..., 0]
        return 0.5 * (hess_z * point).sum(-1) + (quadratic.gradient * point).sum(-1) + quadratic.constant

    density = torch.distributions.MultivariateNormal(controller.mean_action(z[..., :4]), controller.covariance)
    at_mean = density.log_prob(density.mean)  # the constant that is left out
    expected = value(cost, z) - weight * (density.log_prob(z[..., 4:]) - at_mean)
    torch.testing.assert_close(value(total, z), expected, rtol=1e-10, atol=1e-10)


def test_step_size_by_hand():
    def step(size, predicted, actual, smallest=0.01, largest=10.0):
        values = (torch.tensor([v], dtype=torch.float64) for v in (size, predicted, actual))
        return next_step_size(*values, smallest, largest).item()

    assert step(1.0, 10.0, 5.0) == pytest.approx(1.0)  # half of what was predicted: as far again
    assert step(1.0, 10.0, 8.0) == pytest.approx(2.5)  # 10 / (2 * 2)
    assert step(2.0, 10.0, 8.0) == pytest.approx(5.0)
    assert step(1.0, 10.0, 0.0) == pytest.approx(0.5)
    assert step(1.0, 10.0, -10.0) == pytest.approx(0.25)  # worse than before
    assert step(1.0, 10.0, -990.0) == pytest.approx(0.1)  # at most ten times less
    assert step(1.0, 10.0, 9.9) == pytest.approx(5.0)  # at most five times more
    assert step(1.0, 10.0, 12.0) == pytest.approx(5.0)  # better than predicted
    assert step(4.0, 10.0, 12.0) == pytest.approx(10.0)  # the largest
    assert step(1.0, 10.0, -990.0, smallest=0.5) == pytest.approx(0.5)  # the smallest
    # no improvement was predicted: as far again if the prediction held, half as far if not
    assert step(2.0, -1.0, -0.5) == pytest.approx(2.0)
    assert step(2.0, -1.0, -2.0) == pytest.approx(1.0)
    assert step(2.0, 0.0, 0.0) == pytest.approx(2.0)
    # nothing is known: as little as possible
    assert step(2.0, 10.0, float("nan")) == pytest.approx(0.2)
    assert step(2.0, float("-inf"), 1.0) == pytest.approx(0.2)
