"""Exploration of the local controllers: the first ones, and smooth noise."""

import torch
from torch import Tensor

from visuomotor.algorithms.gps.linear_gaussian import Controller
from visuomotor.algorithms.gps.rollout import PolicyFn
from visuomotor.tasks import Observations, Task


def smooth_noise(shape: tuple[int, ...], generator: torch.Generator, smoothing_steps: float = 2.0) -> Tensor:
    """Standard normal noise `(n, T, U)`, smoothed over time by a Gaussian of that width, of unit variance again."""
    white = torch.randn(shape, generator=generator, dtype=torch.float64)
    if smoothing_steps <= 0:
        return white
    reach = int(4 * smoothing_steps)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=torch.float64) / smoothing_steps).square())
    padded = torch.nn.functional.pad(white.mT, (reach, reach))  # (n, U, T + 2 reach)
    smooth = (padded.unfold(-1, 2 * reach + 1, 1) * kernel).sum(-1).mT
    # fewer terms fall on the ends of the episode, so each step has its own scale
    present = torch.nn.functional.pad(torch.ones(shape[1], dtype=torch.float64), (reach, reach))
    scale = (present.unfold(-1, 2 * reach + 1, 1) * kernel.square()).sum(-1).sqrt()
    return smooth / scale[:, None]


def noisy_controller(controller: Controller, noise: Tensor) -> PolicyFn:
    """Actions drawn from the controllers: K x + k + chol(C) noise, with noise `(N, T, U)`; zeros for mean actions."""
    shaped = (torch.linalg.cholesky(controller.covariance) @ noise[..., None])[..., 0]

    def act(step: int, observations: Observations, images: Tensor | None) -> Tensor:
        mean = (controller.gain[:, step] @ observations["state"][..., None])[..., 0] + controller.offset[:, step]
        return mean + shaped[:, step]

    return act


def init_pd_controller(task: Task, start_states: Tensor, noise_std: float) -> Controller:
    """The first controllers: hold each condition's start pose by proportional and derivative gains.

    Args:
        start_states: `(N, X)`; joint positions come first, then their velocities.
        noise_std: standard deviation of the exploration, as a fraction of each action limit.
    """
    proportional, derivative = task.pd_gains()
    conditions, states = start_states.shape
    actions = task.action_size
    gain = torch.zeros(actions, states, dtype=torch.float64)
    gain[:, :actions] = -torch.diag(proportional)
    gain[:, actions : 2 * actions] = -torch.diag(derivative)
    offset = proportional * start_states[:, :actions]
    covariance = noise_std**2 * torch.eye(actions, dtype=torch.float64)
    steps = task.max_episode_steps
    return Controller(
        gain.expand(conditions, steps, -1, -1).clone(),
        offset[:, None].expand(-1, steps, -1).clone(),
        covariance.expand(conditions, steps, -1, -1).clone(),
    ).rounded(start_states[:, None])
