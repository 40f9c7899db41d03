"""The linearised policy against policies that are known."""

import torch
from linear_problems import normal

from visuomotor.algorithms.gps.linearize import linearize
from visuomotor.algorithms.gps.mixture import fit_mixture


def prior_on(states, actions, generator):
    return fit_mixture(torch.cat([states, actions], -1).flatten(0, 1), 2, generator)


def test_exact_at_the_samples_and_everywhere_for_a_linear_policy():
    generator = torch.Generator().manual_seed(3)
    states = normal(generator, 12, 6, 3)
    gain = normal(generator, 2, 3)
    actions = states @ gain.T + 0.3
    covariance = 0.1 * torch.eye(2, dtype=torch.float64)
    policy = linearize(states, actions, covariance, prior_on(states, actions, generator))
    torch.testing.assert_close(policy.mean_action(states), actions)
    torch.testing.assert_close(policy.gain[5, 2], gain, rtol=0, atol=1e-3)
    torch.testing.assert_close(policy.covariance[0, 0], covariance, rtol=0, atol=1e-3)


def test_the_covariance_is_the_policy_s_and_the_residual_of_the_pooled_regression():
    """With a prior that does not count: least squares over the conditions at each step, from torch."""
    generator = torch.Generator().manual_seed(4)
    states = normal(generator, 20, 5, 3)
    actions = states @ normal(generator, 3, 2) + (states[..., :2] * states[..., 1:]).sin() - 0.5
    covariance = torch.tensor([[0.2, 0.05], [0.05, 0.1]], dtype=torch.float64)
    policy = linearize(states, actions, covariance, prior_on(states, actions, generator), strength=1e-9)
    inputs = torch.cat([states, torch.ones_like(states[..., :1])], -1).transpose(0, 1)
    targets = actions.transpose(0, 1)
    solution = torch.linalg.lstsq(inputs, targets).solution
    residual = targets - inputs @ solution
    pooled = residual.mT @ residual / len(states)
    assert (pooled.diagonal(dim1=-2, dim2=-1) > 0.05).all()
    expected = (covariance + pooled).expand(20, -1, -1, -1)
    torch.testing.assert_close(policy.covariance, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(policy.gain[7], solution[:, :3].mT, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(policy.mean_action(states), actions)


def test_the_residual_bounds_the_error_beside_the_samples_from_above():
    """A curved policy: none at a sample, grows beside it, and stays below the residual as far as the next condition."""
    generator = torch.Generator().manual_seed(5)
    states = torch.linspace(-3, 3, 25, dtype=torch.float64).view(-1, 1, 1)  # 0.25 apart
    actions = (2 * states).sin()
    nothing = torch.zeros(1, 1, dtype=torch.float64)
    policy = linearize(states, actions, nothing, prior_on(states, actions, generator), strength=1e-9)
    residual = policy.covariance[0, 0].item()

    def squared_error(beside):
        return (policy.mean_action(states + beside) - (2 * (states + beside)).sin()).square().mean().item()

    assert squared_error(0.0) < 1e-20
    assert 0.005 * residual < squared_error(0.05) < 0.05 * residual
    assert 0.1 * residual < squared_error(0.25) < 0.5 * residual
