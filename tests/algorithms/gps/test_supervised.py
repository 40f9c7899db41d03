"""The policy's targets against the Lagrangian that it comes from, and the pieces around it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import MultivariateNormal

from visuomotor.algorithms.gps.badmm import next_kl_weight
from visuomotor.algorithms.gps.linear_gaussian import Controller, Marginals
from visuomotor.algorithms.gps.supervised import (
    FitConfig,
    PolicyTargets,
    fit,
    importance_weights,
    log_density,
    policy_covariance,
    policy_targets,
)

_SEEDS = st.integers(0, 2**31 - 1)


def _positive(*shape, generator):
    root = torch.randn(*shape, shape[-1], generator=generator, dtype=torch.float64)
    return root @ root.mT + 0.5 * torch.eye(shape[-1], dtype=torch.float64)


def _controller(generator, conditions=3, steps=4, states=5, actions=2):
    def draw(*shape):
        return torch.randn(conditions, steps, *shape, generator=generator, dtype=torch.float64)

    return Controller(draw(actions, states), draw(actions), _positive(conditions, steps, actions, generator=generator))


@given(_SEEDS)
def test_the_targets_have_the_lagrangian_s_gradient(seed):
    generator = torch.Generator().manual_seed(seed)
    controller = _controller(generator)
    states = torch.randn(3, 4, 5, generator=generator, dtype=torch.float64)
    multiplier = torch.randn(3, 4, 2, generator=generator, dtype=torch.float64)
    weight = 0.1 + torch.rand(3, 4, generator=generator, dtype=torch.float64)
    targets = policy_targets(controller, states, multiplier, weight, torch.ones(3, 4, dtype=torch.float64))
    mean = torch.randn(3, 4, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    gap = mean - controller.mean_action(states)
    precision = torch.linalg.inv(controller.covariance)
    lagrangian = (0.5 * weight * torch.einsum("nti,ntij,ntj->nt", gap, precision, gap)).sum() + (
        multiplier * mean
    ).sum()
    (expected,) = torch.autograd.grad(lagrangian, mean)
    found = (targets.precision @ (mean.flatten(0, 1) - targets.target)[..., None])[..., 0].view_as(mean)
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)


def test_the_policy_s_covariance_is_the_numerical_optimum():
    controller = _controller(torch.Generator().manual_seed(1))
    precisions = torch.linalg.inv(controller.covariance).flatten(0, 1)
    root = torch.eye(2, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([root], max_iter=200, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        covariance = root @ root.T
        value = torch.einsum("nij,ji->n", precisions, covariance).mean() - torch.logdet(covariance)
        value.backward()
        return value

    optimiser.step(loss)
    torch.testing.assert_close(policy_covariance(controller), (root @ root.T).detach(), rtol=1e-3, atol=1e-4)


@given(_SEEDS)
def test_importance_weights_are_ratios_of_densities_cut_at_one(seed):
    generator = torch.Generator().manual_seed(seed)
    now, then = (
        Marginals(
            torch.randn(2, 3, 6, generator=generator, dtype=torch.float64),
            _positive(2, 3, 6, generator=generator),
            states=4,
        )
        for _ in range(2)
    )
    states = torch.randn(2, 3, 4, generator=generator, dtype=torch.float64)
    floor = 0.01 * torch.eye(4, dtype=torch.float64)

    def density(marginals):
        covariance = marginals.covariance[..., :4, :4] + floor
        return MultivariateNormal(marginals.mean[..., :4], covariance).log_prob(states).exp()

    expected = (density(now) / density(then)).clamp(max=1)
    torch.testing.assert_close(
        importance_weights(states, now, log_density(states, then, floor=0.1), floor=0.1), expected
    )


def test_a_singular_covariance_still_gives_weights():
    flat = torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    flat[..., 0, 0] = 1.0
    marginals = Marginals(torch.zeros(1, 1, 4, dtype=torch.float64), flat, states=4)
    states = torch.ones(1, 1, 4, dtype=torch.float64)
    weight = importance_weights(states, marginals, log_density(states, marginals, floor=0.1), floor=0.1)
    assert weight.item() == pytest.approx(1.0)


def test_fit_follows_the_precisions_where_targets_conflict():
    """Two targets for the same input: the optimum is their precision-weighted mean."""
    inputs = torch.ones(200, 1)
    target = torch.zeros(200, 2, dtype=torch.float64)
    target[100:] = 1.0
    precision = torch.eye(2, dtype=torch.float64).repeat(200, 1, 1)
    precision[100:] *= 3.0
    layer = torch.nn.Linear(1, 2)
    config = FitConfig(steps=1500, batch=200, learning_rate=0.02, weight_decay=0.0)
    fit(
        layer,
        list(layer.parameters()),
        [inputs],
        PolicyTargets(target, precision),
        config,
        torch.Generator().manual_seed(0),
    )
    torch.testing.assert_close(layer(inputs[:1]).detach(), torch.full((1, 2), 0.75), rtol=0, atol=0.03)


def test_fit_weighs_directions_as_the_precisions_do():
    """Precisions that are not diagonal: the optimum of two conflicting targets is (P_1 + P_2)^-1 P_2 (1, 1)."""
    first = torch.tensor([[4.0, 1.8], [1.8, 1.0]], dtype=torch.float64)
    second = torch.tensor([[1.0, -1.5], [-1.5, 3.0]], dtype=torch.float64)
    targets = PolicyTargets(
        torch.cat([torch.zeros(100, 2), torch.ones(100, 2)]).double(),
        torch.cat([first.expand(100, 2, 2), second.expand(100, 2, 2)]),
    )
    layer = torch.nn.Linear(1, 2)
    config = FitConfig(steps=1500, batch=200, learning_rate=0.02, weight_decay=0.0)
    fit(layer, list(layer.parameters()), [torch.ones(200, 1)], targets, config, torch.Generator().manual_seed(0))
    best = torch.linalg.solve(first + second, second @ torch.ones(2, dtype=torch.float64))
    torch.testing.assert_close(layer(torch.ones(1, 1))[0].detach().double(), best, rtol=0, atol=0.04)


def test_weights_double_above_the_mean_and_halve_far_below():
    weight = torch.ones(12, dtype=torch.float64)
    divergence = torch.full((12,), 1.0, dtype=torch.float64)
    # mean 0.21, deviation 2.9: the first lies more than two below; the second below the mean, but not far
    divergence[0], divergence[1], divergence[2] = -9.0, -0.5, 1.5
    assert next_kl_weight(weight, divergence).tolist() == [0.5, 1.0] + [2.0] * 10


def test_the_learning_rate_falls_to_a_tenth_along_a_cosine(monkeypatch):
    rates = []
    step = torch.optim.AdamW.step

    def record(optimizer: torch.optim.AdamW):
        rates.append(optimizer.param_groups[0]["lr"])
        return step(optimizer)

    monkeypatch.setattr(torch.optim.AdamW, "step", record)
    layer = torch.nn.Linear(1, 1)
    targets = PolicyTargets(torch.zeros(2, 1, dtype=torch.float64), torch.ones(2, 1, 1, dtype=torch.float64))
    config = FitConfig(steps=3, batch=2, learning_rate=1e-2)
    fit(layer, list(layer.parameters()), [torch.zeros(2, 1)], targets, config, torch.Generator())
    assert rates == pytest.approx([0.01, 0.00775, 0.00325])  # 0.1 + 0.9 times 1, 3/4 and 1/4
