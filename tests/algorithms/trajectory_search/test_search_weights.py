"""The three ways to weight sampled returns, against their definitions."""

from math import exp, log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from visuomotor.algorithms.trajectory_search.cem import elite_weights
from visuomotor.algorithms.trajectory_search.reps import (
    boltzmann_weights,
    divergence_from_uniform,
    dual_gradient,
    solve_dual,
)
from visuomotor.algorithms.trajectory_search.rwr import exponential_weights

RETURNS = torch.tensor([-3.0, 1.0, -0.5, 2.0, 0.0], dtype=torch.float64)


def drawn(seed: int, count: int = 30) -> torch.Tensor:
    return 50 * torch.randn(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 200


def dual(eta: float, returns: torch.Tensor, kl_bound: float) -> float:
    """g(eta) = eta epsilon + eta log mean_i exp(R_i / eta)."""
    return eta * kl_bound + eta * ((returns / eta).logsumexp(0).item() - log(len(returns)))


def test_elites_are_the_best_and_count_alike():
    assert elite_weights(RETURNS, 0.4).tolist() == [0, 0.5, 0, 0.5, 0]
    assert elite_weights(RETURNS, 0.01).tolist() == [0, 0, 0, 1, 0]


def test_exponential_weights_by_hand():
    """Two returns that differ by 4, of standard deviation sqrt(8): exp(1.5 * 4 / sqrt(8)) to one."""
    weights = exponential_weights(torch.tensor([3.0, -1.0], dtype=torch.float64), 1.5)
    assert weights.sum().item() == pytest.approx(1)
    assert (weights[0] / weights[1]).item() == pytest.approx(exp(6 / 8**0.5))


@pytest.mark.parametrize(
    "weigh", [lambda r: exponential_weights(r, 3.0), lambda r: boltzmann_weights(r, solve_dual(r, 1.0))]
)
def test_weights_depend_neither_on_the_zero_nor_on_the_unit_of_returns(weigh):
    returns = drawn(0)
    torch.testing.assert_close(weigh(1e3 * returns + 1e6), weigh(returns), atol=1e-6, rtol=1e-6)
    assert weigh(returns).argmax() == returns.argmax()


@pytest.mark.parametrize(
    "weigh", [lambda r: exponential_weights(r, 3.0), lambda r: boltzmann_weights(r, solve_dual(r, 1.0))]
)
def test_equal_returns_have_equal_weights(weigh):
    torch.testing.assert_close(weigh(torch.full((4,), -7.0).double()), torch.full((4,), 0.25).double())


def test_the_divergence_by_hand():
    weights = torch.tensor([0.5, 0.25, 0.25, 0.0], dtype=torch.float64)
    assert divergence_from_uniform(weights) == pytest.approx(0.5 * log(2))
    assert divergence_from_uniform(torch.full((4,), 0.25).double()) == pytest.approx(0, abs=1e-12)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(st.integers(0, 1000), st.floats(0.05, 3.0))
def test_reps_meets_its_bound_on_sampled_returns(seed, bound):
    """log 30 = 3.4 nats is the most that 30 samples can have."""
    returns = drawn(seed)
    weights = boltzmann_weights(returns, solve_dual(returns, bound))
    assert divergence_from_uniform(weights) == pytest.approx(bound, rel=1e-6)
    assert weights @ returns > returns.mean()


def test_a_bound_that_no_weights_can_reach_leaves_the_best_sample():
    returns = drawn(3)
    weights = boltzmann_weights(returns, solve_dual(returns, 10.0))
    assert weights[returns.argmax()].item() == pytest.approx(1)


@pytest.mark.parametrize("eta", [3.0, 20.0, 300.0])
def test_the_dual_s_gradient_is_its_finite_difference(eta):
    returns, step = drawn(1), 1e-4
    difference = (dual(eta + step, returns, 0.7) - dual(eta - step, returns, 0.7)) / (2 * step)
    assert dual_gradient(eta, returns, 0.7) == pytest.approx(difference, rel=1e-5, abs=1e-8)


def test_the_dual_bounds_the_return_and_meets_it_at_the_optimum():
    """Strong duality: max_w { w R : KL(w || uniform) <= epsilon } = min_eta g(eta)."""
    returns = drawn(2)
    eta = solve_dual(returns, 0.7)
    reached = (boltzmann_weights(returns, eta) @ returns).item()
    assert dual(eta, returns, 0.7) == pytest.approx(reached, rel=1e-9)
    assert min(dual(f * eta, returns, 0.7) for f in (0.5, 0.9, 1.1, 2.0)) > reached
