"""The backward pass against optima found in other ways."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from linear_problems import backward_pass, normal, plain_backward_pass, random_controller, random_problem

from visuomotor.algorithms.gps.linear_gaussian import Controller, Dynamics, compute_marginals
from visuomotor.algorithms.gps.lqr import LqrSolver, QuadraticCost


def weights(seed, conditions=3, steps=6):
    return 0.1 + torch.rand(conditions, steps, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def objective(cost, dynamics, weight, controller):
    """sum_t E[c_t] - w_t H(p), exactly, `(N,)`."""
    marginals = compute_marginals(controller, dynamics)
    entropy = torch.distributions.MultivariateNormal(controller.offset, controller.covariance).entropy()
    return (cost.expected(marginals) - weight * entropy).sum(-1)


def test_actions_are_those_of_one_quadratic_program_over_the_whole_horizon():
    # Certainty equivalence: from a known start and without noise, the controller's actions are the open-loop optimum.
    cost, dynamics, _ = random_problem(seed=1)
    states, actions, steps = 4, 2, 6
    controller, is_pd = backward_pass(cost, dynamics, weights(1))
    assert is_pd.all()
    for n in range(3):
        # z = A u + b with all actions stacked in u
        by_action = np.zeros((steps, states + actions, steps * actions))
        constant = np.zeros((steps, states + actions))
        to_state, start = np.zeros((states, steps * actions)), dynamics.initial_mean[n].numpy()
        for t in range(steps):
            by_action[t, :states], constant[t, :states] = to_state, start
            by_action[t, states:, t * actions : (t + 1) * actions] = np.eye(actions)
            if t < steps - 1:
                transition = dynamics.transition[n, t].numpy()
                to_state, start = transition @ by_action[t], transition @ constant[t] + dynamics.offset[n, t].numpy()
        hessian, gradient = cost.hessian[n].numpy(), cost.gradient[n].numpy()
        program = sum(by_action[t].T @ hessian[t] @ by_action[t] for t in range(steps))
        slope = sum(by_action[t].T @ (hessian[t] @ constant[t] + gradient[t]) for t in range(steps))
        best = np.linalg.solve(program, -slope).reshape(steps, actions)
        x = dynamics.initial_mean[n]
        for t in range(steps):
            u = controller.gain[n, t] @ x + controller.offset[n, t]
            np.testing.assert_allclose(u.numpy(), best[t], rtol=1e-8, atol=1e-8)
            if t < steps - 1:
                x = dynamics.transition[n, t] @ torch.cat([x, u]) + dynamics.offset[n, t]


def test_covariance_is_the_weight_times_the_inverse_curvature_of_the_cost_to_go():
    # The Riccati equation in its textbook form for cost-to-go matrices alone, written out in numpy.
    cost, dynamics, _ = random_problem(seed=2)
    weight = weights(2)
    controller, _ = backward_pass(cost, dynamics, weight)
    for n in range(3):
        later = np.zeros((4, 4))
        for t in range(5, -1, -1):
            hessian = cost.hessian[n, t].numpy()
            a = dynamics.transition[n, t, :, :4].numpy() if t < 5 else np.zeros((4, 4))
            b = dynamics.transition[n, t, :, 4:].numpy() if t < 5 else np.zeros((4, 2))
            q, s, r = hessian[:4, :4], hessian[:4, 4:], hessian[4:, 4:]
            curvature = r + b.T @ later @ b
            cross = s + a.T @ later @ b
            expected = weight[n, t].item() * np.linalg.inv(curvature)
            np.testing.assert_allclose(controller.covariance[n, t].numpy(), expected, rtol=1e-9, atol=1e-12)
            later = q + a.T @ later @ a - cross @ np.linalg.inv(curvature) @ cross.T


@given(seed=st.integers(0, 10_000))
def test_no_other_controller_has_a_lower_objective(seed):
    cost, dynamics, _ = random_problem(seed)
    weight = weights(seed)
    best, _ = backward_pass(cost, dynamics, weight)
    lowest = objective(cost, dynamics, weight, best)
    generator = torch.Generator().manual_seed(seed + 1)
    for size in (1e-3, 0.1):
        shake = random_controller(generator, 3, 6, 4, 2)
        other = Controller(
            best.gain + size * normal(generator, *best.gain.shape),
            best.offset + size * normal(generator, *best.offset.shape),
            (best.covariance + size * shake.covariance),
        )
        # second order in the size, and never below
        assert (objective(cost, dynamics, weight, other) > lowest + 1e-9).all()


@given(seed=st.integers(0, 10_000), states=st.integers(1, 9), actions=st.integers(1, 5), steps=st.integers(1, 7))
def test_agrees_with_the_plain_recursion(seed, states, actions, steps):
    cost, dynamics, _ = random_problem(seed, steps=steps, states=states, actions=actions)
    weight = weights(seed, steps=steps)
    fast, is_pd = backward_pass(cost, dynamics, weight)
    plain = plain_backward_pass(cost, dynamics, weight)
    assert is_pd.all()
    for part in ("gain", "offset", "covariance"):
        torch.testing.assert_close(getattr(fast, part), getattr(plain, part), rtol=1e-9, atol=1e-9)


def test_agrees_with_the_plain_recursion_at_full_size():
    cost, dynamics, _ = random_problem(3, conditions=2, steps=100, states=32, actions=7)
    slow = dynamics.transition * 0.5  # random systems of this size would diverge over a hundred steps
    one = Dynamics(  # shared by the conditions, as fitted dynamics are
        *(part[:1].expand(2, *part.shape[1:]) for part in (slow, dynamics.offset, dynamics.noise)),
        dynamics.initial_mean,
        dynamics.initial_covariance,
    )
    weight = weights(3, conditions=2, steps=100)
    fast, _ = backward_pass(cost, one, weight)
    plain = plain_backward_pass(cost, one, weight)
    for part in ("gain", "offset", "covariance"):
        torch.testing.assert_close(getattr(fast, part), getattr(plain, part), rtol=1e-9, atol=1e-9)


def test_holding_on_to_a_controller_is_a_cost_like_any_other():
    cost, dynamics, previous = random_problem(seed=4)
    eta = 0.7
    solver = LqrSolver(cost, dynamics, weights(4), previous)
    # - eta log p(u|x) as a quadratic, from autograd rather than by hand
    state_size = 4

    def pull(z, n, t):
        mean = previous.gain[n, t] @ z[:state_size] + previous.offset[n, t]
        return -eta * torch.distributions.MultivariateNormal(mean, previous.covariance[n, t]).log_prob(z[state_size:])

    hessian, gradient = cost.hessian.clone(), cost.gradient.clone()
    zero = torch.zeros(6, dtype=torch.float64)
    for n in range(3):
        for t in range(6):
            hessian[n, t] += torch.func.hessian(pull)(zero, n, t)
            gradient[n, t] += torch.func.grad(pull)(zero, n, t)
    plain = plain_backward_pass(QuadraticCost(hessian, gradient, cost.constant), dynamics, weights(4) + eta)
    for n in range(3):
        controller = solver.backward(n, eta)
        torch.testing.assert_close(torch.from_numpy(controller.gain), plain.gain[n], rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(torch.from_numpy(controller.offset), plain.offset[n], rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(torch.from_numpy(controller.covariance), plain.covariance[n], rtol=1e-9, atol=1e-9)


def test_indefinite_conditions_are_told_apart():
    cost, dynamics, _ = random_problem(seed=5)
    cost.hessian[1, 3] -= 100 * torch.eye(6, dtype=torch.float64)
    _, is_pd = backward_pass(cost, dynamics, weights(5))
    assert is_pd.tolist() == [True, False, True]
    cost.hessian[2, 0, 5, 5] = torch.nan
    _, is_pd = backward_pass(cost, dynamics, weights(5))
    assert is_pd.tolist() == [True, False, False]


def test_expected_cost_is_the_mean_over_samples():
    cost, _, _ = random_problem(seed=6)
    _, dynamics, controller = random_problem(seed=7)
    marginals = compute_marginals(controller, dynamics)
    draw = torch.distributions.MultivariateNormal(marginals.mean, marginals.covariance)
    torch.manual_seed(0)
    z = draw.sample((20_000,))
    values = 0.5 * torch.einsum("snti,ntij,sntj->snt", z, cost.hessian, z) + (cost.gradient * z).sum(-1) + cost.constant
    error = values.std(0) / len(values) ** 0.5
    assert ((values.mean(0) - cost.expected(marginals)).abs() < 5 * error).all()
