"""Iterations of BADMM in numbers worked out by hand: a known linear system, quadratic costs, simple policies."""

from dataclasses import replace

import pytest
import torch
from badmm_problem import (
    ACTIONS,
    CONDITIONS,
    GAIN,
    OFFSET,
    QUADRATIC,
    STEPS,
    TRANSITION,
    FixedPolicy,
    draw,
    first_controller,
    run,
    samples_of,
    settings,
    starts,
    true_dynamics,
    visited,
)
from linear_problems import normal
from torch.distributions import MultivariateNormal

from visuomotor.algorithms.gps.badmm import initial_state, iterate
from visuomotor.algorithms.gps.linear_gaussian import Controller, compute_marginals, kl_divergence
from visuomotor.algorithms.gps.supervised import policy_covariance
from visuomotor.tasks import Cost


def fixed_policy_as_controller(covariance):
    return Controller(
        GAIN.expand(CONDITIONS, STEPS, -1, -1), OFFSET.expand(CONDITIONS, STEPS, -1), covariance.expand(12, STEPS, 2, 2)
    )


def test_one_inner_iteration():
    """Trajectories minimise the augmented Lagrangian; then lambda' = lambda + alpha nu (mu_pi - mu_p)."""
    config = settings(dual_step_size=0.7)
    weight = torch.tensor([0.5, 1.0, 2.0, 0.8], dtype=torch.float64)
    multiplier = 0.5 * normal(torch.Generator().manual_seed(1), CONDITIONS, STEPS, ACTIONS)
    controller, start = first_controller(), starts(2)
    state = replace(initial_state(controller, config), kl_weight=weight, lagrange_multiplier=multiplier)
    after, _ = run(state, draw(controller, start, seed=3), config)

    # By certainty equivalence the mean actions are the optimum of the system without noise, one quadratic program.
    # The policy's covariance is the inverse of the mean precision.
    precision = torch.linalg.inv(controller.covariance).mean((0, 1))

    def augmented_lagrangian(flat):
        actions = flat.view(CONDITIONS, STEPS, ACTIONS)
        states = visited(start, actions)
        gap = actions - states @ GAIN.T - OFFSET
        divergence = 0.5 * torch.einsum("nti,ij,ntj->nt", gap, precision, gap)
        return (QUADRATIC(states, actions) - (multiplier * actions).sum(-1) + weight * divergence).sum()

    zero = torch.zeros(CONDITIONS * STEPS * ACTIONS, dtype=torch.float64)
    gradient, hessian = torch.func.grad(augmented_lagrangian)(zero), torch.func.hessian(augmented_lagrangian)(zero)
    actions = torch.linalg.solve(hessian, -gradient).view(CONDITIONS, STEPS, ACTIONS)
    states = visited(start, actions)
    torch.testing.assert_close(after.controller.mean_action(states), actions, rtol=0, atol=1e-3)
    gap = states @ GAIN.T + OFFSET - actions
    assert gap.abs().mean() > 0.1  # the policy disagrees, so that the next line says something
    torch.testing.assert_close(after.lagrange_multiplier, multiplier + 0.7 * weight[:, None] * gap, rtol=0, atol=1e-3)


def test_weights_follow_the_divergence_of_trajectories_from_policy():
    """KL(p || pi), not KL(pi || p): here the two differ in which steps lie above the mean over time."""
    config = settings(initial_kl_weight=0.5)
    controller, start = first_controller(), starts(2)
    after, rows = run(initial_state(controller, config), draw(controller, start, seed=3), config)
    policy = fixed_policy_as_controller(policy_covariance(controller))
    marginals = compute_marginals(after.controller, true_dynamics(start))
    at = marginals.state_mean, marginals.state_covariance
    forward = kl_divergence(after.controller, policy, *at).mean(0)
    backward = kl_divergence(policy, after.controller, *at).mean(0)
    above = forward > forward.mean()
    assert not torch.equal(above, backward > backward.mean())
    assert rows[-1]["policy_kl"] == pytest.approx(forward.mean().item(), rel=1e-2)
    # no step of four can lie two deviations below the mean: none is halved
    assert torch.equal(after.kl_weight, torch.where(above, 1.0, 0.5).double())


def summed_cost(controller, start):
    """Of the mean trajectory, mean over conditions."""
    episodes = draw(controller, start, seed=0, noise=0.0)
    return QUADRATIC(episodes.states, episodes.actions).sum(-1).mean().item()


def test_the_step_size_follows_predicted_and_actual_improvement():
    """Predicted: the cost along the mean trajectories falls by so much. Actual: that of the samples."""
    config = settings(inner_iterations=2, kl_step=0.05, initial_kl_weight=1e-9)
    controller, start = first_controller(), starts(2)
    drawn = draw(controller, start, seed=3, noise=0.85)
    first, rows = run(initial_state(controller, config), drawn, config)
    bound = 0.05 * STEPS
    assert rows[-1]["kl_bound"] == pytest.approx(bound)
    assert 0.9 * bound < rows[-1]["kl"] < 1.1 * bound  # the bound is active, and a trajectory's in total
    marginals = compute_marginals(first.controller, true_dynamics(start))
    moved = kl_divergence(first.controller, controller, marginals.state_mean, marginals.state_covariance).sum(-1)
    assert (moved < 1.11 * bound).all()  # in both inner iterations together
    assert first.kl_step_mult == 1

    again = draw(first.controller, start, seed=3)
    second, rows = run(first, again, config)
    predicted = summed_cost(controller, start) - summed_cost(first.controller, start)
    costs = [QUADRATIC(samples.states, samples.actions).sum(-1).mean().item() for samples in (drawn, again)]
    actual = costs[0] - costs[1]
    assert rows[0]["predicted_improvement"] == pytest.approx(predicted, rel=1e-4)
    assert rows[0]["actual_improvement"] == pytest.approx(actual)
    factor = predicted / (2 * (predicted - actual))
    assert 1.2 < factor < 4 or 0.2 < factor < 0.8
    assert second.kl_step_mult.item() == pytest.approx(factor, rel=1e-3)
    # the new step size already bounds this iteration's update
    assert rows[-1]["kl_bound"] == pytest.approx(bound * second.kl_step_mult.item())
    assert 0.9 * rows[-1]["kl_bound"] < rows[-1]["kl"] < 1.1 * rows[-1]["kl_bound"]
    # and another iteration's starts from it
    third, _ = run(second, draw(second.controller, start, seed=5), config)
    assert torch.equal(third.last_update.controller.gain, second.controller.gain)


def test_remembered_samples_are_fitted_in_order_with_their_importance():
    """Labels of the current controllers for all samples; older ones count min(1, p_now(x) / p_then(x))."""
    std_floor = 0.1
    weights = {"dual_step_size": 0.5, "initial_kl_weight": 0.5}
    config = settings(kl_step=0.05, reuse_iterations=3, importance_std_floor=std_floor, **weights)
    policy, state = FixedPolicy(), initial_state(first_controller(), config)
    drawn, controllers = [], []
    for iteration in range(4):
        controllers.append(state.controller)
        drawn.append(draw(state.controller, starts(2) + 0.05 * starts(10 + iteration), seed=iteration))
        before, (state, _) = state, run(state, drawn[-1], config, policy)
    samples, targets, covariance = policy.fits[-1]
    assert len(samples) == 3  # the first is forgotten

    now = controllers[-1]
    assert all(torch.equal(s.states, d.states) for s, d in zip(samples, drawn[1:], strict=True))
    precision = torch.linalg.inv(now.covariance) * before.kl_weight[:, None, None]
    shift = (now.covariance @ before.lagrange_multiplier[..., None])[..., 0] / before.kl_weight[:, None]
    assert shift.abs().max() > 0.01
    torch.testing.assert_close(covariance, torch.linalg.inv(torch.linalg.inv(now.covariance).mean((0, 1))))

    def density(controller, episodes, states):
        marginals = compute_marginals(controller, true_dynamics(episodes.states[:, 0]))
        blurred = marginals.state_covariance + std_floor**2 * torch.eye(2, dtype=torch.float64)
        return MultivariateNormal(marginals.state_mean, blurred).log_prob(states).exp()

    size = CONDITIONS * STEPS
    for place, (controller, episodes) in enumerate(zip(controllers[1:], drawn[1:], strict=True)):
        rows = slice(place * size, (place + 1) * size)
        label = now.mean_action(episodes.states) - shift
        torch.testing.assert_close(targets.target[rows], label.flatten(0, 1), rtol=0, atol=1e-6)
        ratio = density(now, drawn[-1], episodes.states) / density(controller, episodes, episodes.states)
        assert place == 2 or ratio[:, 1:].std() > 0.1  # the older ones' weights really differ
        expected = ratio.clamp(max=1.0)[..., None, None] * precision
        torch.testing.assert_close(targets.precision[rows], expected.flatten(0, 1), rtol=1e-2, atol=1e-4)


def test_every_inner_iteration_s_targets_come_from_the_controllers_of_the_one_before():
    config, start = settings(initial_kl_weight=0.5, dual_step_size=0.5), starts(2)
    state = initial_state(first_controller(), config)
    samples = draw(state.controller, start, seed=3)
    once, _ = run(state, samples, config)
    policy = FixedPolicy()
    run(state, samples, settings(initial_kl_weight=0.5, dual_step_size=0.5, inner_iterations=2), policy)
    _, targets, covariance = policy.fits[1]
    # the weights nu change only after the last inner iteration
    shift = (once.controller.covariance @ once.lagrange_multiplier[..., None])[..., 0] / 0.5
    expected = (once.controller.mean_action(samples.states) - shift).flatten(0, 1)
    assert shift.abs().mean() > 2e-3
    torch.testing.assert_close(targets.target, expected, rtol=0, atol=2e-4)  # `once` is rounded
    torch.testing.assert_close(targets.precision, 0.5 * once.controller.precision.flatten(0, 1))
    torch.testing.assert_close(covariance, policy_covariance(once.controller))


def test_the_prior_remembers_recent_iterations_and_no_others(fitted):
    """The last samples' actions hold no information, the first ones come from another system: the second's decide."""
    config = settings(kl_step=0.05, reuse_iterations=3)
    config = replace(config, dynamics=replace(config.dynamics, prior_strength=1e4, prior_iterations=2))
    state = initial_state(first_controller(), config)
    other = TRANSITION * torch.tensor([1.0, 1.0, -2.0, 3.0], dtype=torch.float64)
    drawn = []
    for seed, (transition, noise) in enumerate([(other, 1.0), (TRANSITION, 1.0), (TRANSITION, 0.0)]):
        gain, offset = state.controller.gain, state.controller.offset
        still = replace(state.controller, gain=torch.zeros_like(gain), offset=torch.full_like(offset, 0.3))
        state = replace(state, controller=still, last_update=None)
        drawn.append(draw(still, starts(2), seed, noise, transition))
        state, _ = run(state, drawn[-1], config)
    exact = compute_marginals(still, true_dynamics(starts(2)))
    history, marginals = fitted[-1]
    torch.testing.assert_close(marginals.state_mean, exact.state_mean, rtol=0, atol=2e-2)
    torch.testing.assert_close(marginals.state_covariance, exact.state_covariance, rtol=0, atol=2e-2)
    assert len(state.transition_history) == len(history) == 2
    for kept, samples in zip(state.transition_history, drawn[1:], strict=True):
        assert torch.equal(kept.actions, samples.actions)


class ConstantPolicy:
    """The same action everywhere and always, fitted by weighted least squares."""

    def __init__(self):
        self.action = torch.zeros(1, dtype=torch.float64)

    def fit(self, samples, targets, covariance):
        slope = (targets.precision @ targets.target[..., None]).sum(0)
        self.action = torch.linalg.solve(targets.precision.sum(0), slope)[:, 0]
        return 0.0

    def mean_actions(self, samples):
        return self.action.expand(samples.actions.shape)


def test_a_policy_that_cannot_represent_the_optimum_reaches_the_best_that_it_can():
    """x' = x + u, and a policy with one action theta. The joint optimum in closed form: dJ/dtheta = 0, and lambda_t of
    each condition is dJ/du_t there. Only multipliers with the right sign come to it and bring the trajectories along.
    """
    conditions, steps = 12, 4
    generator = torch.Generator().manual_seed(0)
    start = normal(generator, conditions, 1).repeat(2, 1)  # each twice, with opposite noise: samples' means are exact
    progress = torch.arange(1, steps + 1, dtype=torch.float64) / steps
    early, late, state_weight = 1 - progress, 5 * progress**3, 0.2
    cost = Cost(  # u = 1 is wanted early and u = -1 late
        squares=lambda x, u: torch.stack([(u - 1).square().sum(), (u + 1).square().sum(), (x - 1).square().sum()]),
        outer=lambda s, p: 0.5 * ((1 - p) * s[0] + 5 * p**3 * s[1] + state_weight * s[2]),
    )
    # J = sum over conditions and t of 1/2 (early (theta - 1)^2 + late (theta + 1)^2 + 0.2 (x_0 + t theta - 1)^2)
    t = torch.arange(steps, dtype=torch.float64)
    curvature = (early + late + state_weight * t**2).sum() * len(start)
    theta = ((early - late - state_weight * t * (start - 1)).sum() / curvature).item()
    wish = state_weight * (start + t * theta - 1)  # of each state, (N, T)
    later = wish.flip(-1).cumsum(-1).flip(-1) - wish  # u_t moves all later states
    multiplier = (early * (theta - 1) + late * (theta + 1) + later)[..., None]

    config = settings(inner_iterations=20, dual_step_size=10.0, reuse_iterations=1)
    weight = torch.full((steps,), 0.3, dtype=torch.float64)
    zeros = torch.zeros(len(start), steps, 1, 1, dtype=torch.float64)
    state = initial_state(Controller(zeros, zeros[..., 0], zeros + 0.09), config)
    policy, rows = ConstantPolicy(), []
    for _ in range(8):
        white = normal(generator, conditions, steps, 1)
        white = torch.cat([white, -white])
        x, states, actions = start, [], []
        for step in range(steps):
            controller = state.controller.at(step)
            states.append(x)
            mean = (controller.gain @ x[..., None])[..., 0] + controller.offset
            actions.append(mean + controller.covariance[..., 0].sqrt() * white[:, step])
            x = x + actions[-1]
        states, actions = torch.stack(states, 1), torch.stack(actions, 1)
        state = replace(state, kl_weight=weight)  # their schedule is not what this is about
        state = iterate(
            state,
            samples_of(states, actions),
            policy,
            cost,
            config,
            generator,
            rows.append,
        )
    assert policy.action.item() == pytest.approx(theta, abs=0.002)
    assert multiplier.abs().mean() > 1
    torch.testing.assert_close(state.lagrange_multiplier, multiplier, rtol=0, atol=0.03)
    constant = start[:, None] + t[:, None] * theta
    torch.testing.assert_close(
        state.controller.mean_action(constant), torch.full_like(constant, theta), rtol=0, atol=0.003
    )
