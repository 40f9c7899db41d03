"""BADMM on a problem whose optimum is known: a linear system, quadratic costs, a policy that is linear in the state."""

from dataclasses import replace

import numpy as np
import torch

from visuomotor.algorithms.gps.badmm import initial_state, iterate
from visuomotor.algorithms.gps.config import PRESETS
from visuomotor.algorithms.gps.linear_gaussian import Controller
from visuomotor.algorithms.gps.rollout import Samples
from visuomotor.tasks import Cost

_STEPS, _CONDITIONS = 8, 16
_A = torch.tensor([[1.0, 0.2], [0.0, 0.9]], dtype=torch.float64)
_B = torch.tensor([[0.0], [0.4]], dtype=torch.float64)
_ACTION_COST, _STATE_COST = 0.2, 1.0


def _optimal_gains():
    """Riccati recursion in numpy: u = -L_t x minimises sum of 1/2 (x'x + 0.2 u'u)."""
    a, b = _A.numpy(), _B.numpy()
    value, gains = np.zeros((2, 2)), []
    for _ in range(_STEPS):
        gain = np.linalg.solve(_ACTION_COST * np.eye(1) + b.T @ value @ b, b.T @ value @ a)
        gains.append(gain)
        value = _STATE_COST * np.eye(2) + a.T @ value @ (a - b @ gain)
    return np.stack(gains[::-1])


class _LinearPolicy:
    """mean(x, t) = K_t x + k_t, fitted by weighted least squares: the exact optimum of its targets."""

    def __init__(self):
        self.controller = torch.zeros(_STEPS, 3, 1, dtype=torch.float64)

    def fit(self, samples, targets, covariance):
        states = torch.cat([s.states for s in samples])
        inputs = torch.cat([states, torch.ones_like(states[..., :1])], -1)
        target = targets.target.view(len(states), _STEPS, 1)
        weight = targets.precision.view(len(states), _STEPS, 1)
        for t in range(_STEPS):
            root = weight[:, t].sqrt()
            self.controller[t] = torch.linalg.lstsq(root * inputs[:, t], root * target[:, t]).solution
        return 0.0

    def mean_actions(self, samples):
        inputs = torch.cat([samples.states, torch.ones_like(samples.states[..., :1])], -1)
        return (inputs[..., None, :] @ self.controller)[..., 0, :]


def _sample(controller, starts, generator):
    state, states, actions = starts, [], []
    for t in range(_STEPS):
        noise = torch.randn(_CONDITIONS, 1, generator=generator, dtype=torch.float64)
        mean = (controller.gain[:, t] @ state[..., None])[..., 0] + controller.offset[:, t]
        action = mean + (torch.linalg.cholesky(controller.covariance[:, t]) @ noise[..., None])[..., 0]
        states.append(state)
        actions.append(action)
        drift = 1e-3 * torch.randn(_CONDITIONS, 2, generator=generator, dtype=torch.float64)
        state = state @ _A.T + action @ _B.T + drift
    states = torch.stack(states, 1)
    return Samples(states, states, torch.stack(actions, 1), None, torch.zeros(_CONDITIONS, dtype=torch.bool))


def _mean_cost(policy, starts):
    """The cost of the policy's mean actions on the noiseless system."""
    state, total = starts, 0.0
    for t in range(_STEPS):
        action = torch.cat([state, torch.ones_like(state[:, :1])], -1) @ policy.controller[t]
        total += 0.5 * (_STATE_COST * state.square().sum() + _ACTION_COST * action.square().sum()).item()
        state = state @ _A.T + action @ _B.T
    return total / len(starts)


def test_policy_and_trajectories_converge_to_the_known_optimum():
    generator = torch.Generator().manual_seed(0)
    starts = torch.randn(_CONDITIONS, 2, generator=generator, dtype=torch.float64)
    cost = Cost(
        squares=lambda x, u: torch.stack([x.square().sum(), u.square().sum()]),
        outer=lambda s, _progress: 0.5 * (_STATE_COST * s[0] + _ACTION_COST * s[1]),
    )
    base = PRESETS["laptop"]
    config = replace(base, dynamics=replace(base.dynamics, clusters=2), badmm=replace(base.badmm, reuse_iterations=2))
    zeros = torch.zeros(_CONDITIONS, _STEPS, 1, 2, dtype=torch.float64)
    start = Controller(zeros, zeros[..., 0], 0.3 * torch.ones(_CONDITIONS, _STEPS, 1, 1, dtype=torch.float64))
    policy, state = _LinearPolicy(), initial_state(start, config)
    optimum = _LinearPolicy()
    optimum.controller[:, :2] = -torch.from_numpy(_optimal_gains()).mT
    best = _mean_cost(optimum, starts)
    before = _mean_cost(policy, starts)
    rows = []
    for _ in range(12):
        samples = _sample(state.controller, starts, generator)
        state = iterate(state, samples, policy, cost, config, generator, rows.append)
    assert before > 1.5 * best  # doing nothing is much worse, so that the next line says something
    assert _mean_cost(policy, starts) < 1.02 * best
    gaps = [row["policy_action_gap"] for row in rows]
    assert gaps[-1] < 0.2 * max(gaps)  # policy and trajectories agree
