"""Exploration: run the local controllers with smooth noise."""

import torch
from torch import Tensor

from visuomotor.algorithms.gps.linear_gaussian import Controller
from visuomotor.tasks.conditioned_task import ConditionedTask
from visuomotor.algorithms.gps.rollout import PolicyFn, Observation


def smooth_noise(shape: tuple[int, ...], generator: torch.Generator, width: float = 2.0) -> Tensor:
    """Standard normal noise `(n, T, U)`, smoothed over time by a Gaussian of `width` steps, of unit variance again."""
    white = torch.randn(shape, generator=generator, dtype=torch.float64)
    if width <= 0:
        return white
    reach = int(4 * width)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=torch.float64) / width).square())
    padded = torch.nn.functional.pad(white.mT, (reach, reach))  # (n, U, T + 2 reach)
    smooth = (padded.unfold(-1, 2 * reach + 1, 1) * kernel).sum(-1).mT
    # fewer terms fall on the ends of the episode, so each step has its own scale
    present = torch.nn.functional.pad(torch.ones(shape[1], dtype=torch.float64), (reach, reach))
    scale = (present.unfold(-1, 2 * reach + 1, 1) * kernel.square()).sum(-1).sqrt()
    return smooth / scale[:, None]


def noisy_controller(controller: Controller, noise: Tensor) -> PolicyFn:
    """An policy_fn that draws from the controller: K x + k + chol(C) noise, with noise `(N, T, U)`."""
    shaped = (torch.linalg.cholesky(controller.covariance) @ noise[..., None])[..., 0]

    def act(observation: Observation) -> Tensor:
        t = observation.step
        mean = (controller.gain[:, t] @ observation.state[..., None])[..., 0] + controller.offset[:, t]
        return mean + shaped[:, t]

    return act


def init_pd_controller(task: ConditionedTask, start_states: Tensor, noise: float) -> Controller:
    """The first controllers: hold each condition's start pose by proportional and derivative gains.

    Args:
        start_states: `(N, X)`, joint angles first, then their velocities.
        noise: standard deviation of the exploration, as a fraction of each action limit.
    """
    proportional, derivative = task.pd_gains()
    conditions, states = start_states.shape
    actions = task.action_size
    gain = torch.zeros(actions, states, dtype=torch.float64)
    gain[:, :actions] = -torch.diag(proportional)
    gain[:, actions : 2 * actions] = -torch.diag(derivative)
    offset = proportional * start_states[:, :actions]
    covariance = torch.diag((noise * task.action_limits).square())
    return Controller(
        gain.expand(conditions, task.steps, -1, -1).clone(),
        offset[:, None].expand(-1, task.steps, -1).clone(),
        covariance.expand(conditions, task.steps, -1, -1).clone(),
    )
