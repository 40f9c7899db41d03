"""A known linear system with quadratic costs, and iterations of BADMM on it."""

from dataclasses import replace

import torch
from linear_problems import normal

from visuomotor.algorithms.gps.badmm import iterate
from visuomotor.algorithms.gps.config import PRESETS
from visuomotor.algorithms.gps.linear_gaussian import Controller, Dynamics
from visuomotor.algorithms.gps.rollout import Samples
from visuomotor.tasks import Cost

CONDITIONS, STEPS, STATES, ACTIONS = 12, 4, 2, 2
# x' = F [x; u] + f, without noise: the fitted dynamics are exact
TRANSITION = torch.tensor([[1.0, 0.3, 0.2, 0.0], [0.0, 0.9, 0.5, 0.4]], dtype=torch.float64)
DRIFT = torch.tensor([0.1, -0.2], dtype=torch.float64)
# the policy u = G x + g
GAIN = torch.tensor([[0.2, -0.4], [0.3, 0.1]], dtype=torch.float64)
OFFSET = torch.tensor([0.5, -0.3], dtype=torch.float64)
QUADRATIC = Cost(
    squares=lambda x, u: torch.stack([(x[0] - 1).square(), (x[1] - u[0] + 0.5).square(), u.square().sum()]),
    outer=lambda s, progress: 0.5 * (3 * progress * s[0] + s[1] + 0.4 * s[2]),
)


class FixedPolicy:
    """u = 0 until it is fitted, then always u = G x + g; keeps what it was fitted to."""

    def __init__(self):
        self.fits = []

    def fit(self, samples, targets, covariance):
        self.fits.append((samples, targets, covariance))
        return 0.0

    def mean_actions(self, samples):
        return samples.states @ GAIN.T + OFFSET if self.fits else torch.zeros_like(samples.actions)


def samples_of(states, actions):
    return Samples(states, states, actions, None, torch.zeros(len(states), dtype=torch.bool))


def settings(kl_step=100.0, largest_loss=1e9, **changes):
    """Regression without a prior that counts; by default a KL bound that does not, and no update is taken back."""
    base = PRESETS["laptop"]
    limits = {"min_kl_step_mult": 0.01, "max_kl_step_mult": 10.0, "largest_loss": largest_loss}
    return replace(
        base,
        dynamics=replace(base.dynamics, clusters=2, prior_strength=1e-6, ridge=1e-10),
        trajectory=replace(base.trajectory, kl_step=kl_step, **limits),
        badmm=replace(base.badmm, **{"inner_iterations": 1, **changes}),
    )


def first_controller(seed=0):
    """Small random gains; a covariance that differs between the steps."""
    generator = torch.Generator().manual_seed(seed)
    variance = torch.tensor([[0.3, 0.1], [0.2, 0.4], [0.1, 0.2], [0.3, 0.3]], dtype=torch.float64)
    return Controller(
        0.2 * normal(generator, CONDITIONS, STEPS, ACTIONS, STATES),
        0.2 * normal(generator, CONDITIONS, STEPS, ACTIONS),
        torch.diag_embed(variance).expand(CONDITIONS, -1, -1, -1).clone(),
    )


def starts(seed):
    return normal(torch.Generator().manual_seed(seed), CONDITIONS, STATES)


def visited(start, actions, transition=TRANSITION):
    """States of open-loop actions `(N, T, U)`, `(N, T, X)`."""
    states = [start]
    for t in range(STEPS - 1):
        states.append(torch.cat([states[-1], actions[:, t]], -1) @ transition.T + DRIFT)
    return torch.stack(states, 1)


def draw(controller, start, seed, noise=1.0, transition=TRANSITION):
    """An episode a condition of the controller."""
    generator = torch.Generator().manual_seed(seed)
    x, actions = start, []
    states = []
    for t in range(STEPS):
        states.append(x)
        mean = (controller.gain[:, t] @ x[..., None])[..., 0] + controller.offset[:, t]
        white = noise * normal(generator, CONDITIONS, ACTIONS, 1)
        actions.append(mean + (torch.linalg.cholesky(controller.covariance[:, t]) @ white)[..., 0])
        x = torch.cat([x, actions[-1]], -1) @ transition.T + DRIFT
    states, actions = torch.stack(states, 1), torch.stack(actions, 1)
    return samples_of(states, actions)


def true_dynamics(start):
    return Dynamics(
        TRANSITION.expand(CONDITIONS, STEPS - 1, -1, -1),
        DRIFT.expand(CONDITIONS, STEPS - 1, -1),
        torch.zeros(CONDITIONS, STEPS - 1, STATES, STATES, dtype=torch.float64),
        start,
        1e-6 * torch.eye(STATES, dtype=torch.float64).expand(CONDITIONS, -1, -1),
    )


def run(state, samples, config, policy=None, cost=QUADRATIC):
    """One iteration: the next state and the row of every inner iteration."""
    rows = []
    policy = policy or FixedPolicy()
    generator = torch.Generator().manual_seed(0)
    return iterate(state, samples, policy, cost, config, generator, rows.append), rows
