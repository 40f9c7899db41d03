"""Exploration of the local controllers: the first ones, and smooth noise."""

import torch
from torch import Tensor

from visuomotor.algorithms.gps.linalg import cholesky
from visuomotor.algorithms.gps.linear_gaussian import Controller
from visuomotor.algorithms.gps.rollout import PolicyFn
from visuomotor.errors import VisuomotorError
from visuomotor.tasks import Observations, Task, VecEnv


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
    shaped = (cholesky(controller.covariance) @ noise[..., None])[..., 0]

    def act(step: int, observations: Observations, images: Tensor | None) -> Tensor:
        return controller.at(step).mean_action(observations["state"]) + shaped[:, step]

    return act


def check_pd_controller(env: VecEnv) -> None:
    """Check that `init_pd_controller` can hold a pose in an environment's task, and that the cost fits its state.

    Raises:
        VisuomotorError: the robot's actions are torques and it has no `pd_gains`; there are gains, and the state
            does not begin with joint positions and velocities; or it is too short for the default cost.
    """
    task, robot = env.task, env.task.robot
    holds = _hold(*task.pd_gains())
    if robot.robot.control == "torque" and robot.robot.pd_gains is None and not holds:
        raise VisuomotorError(
            f"the robot of task {task.name!r} moves by torques and has no gains to hold its first pose; give it some, "
            "zeros where it needs none: Robot.from_mjcf(..., pd_gains=(proportional, derivative))"
        )
    parts = [robot.joint_positions(env.engine), robot.joint_velocities(env.engine)]
    expected = torch.cat([part[:, : task.action_size] for part in parts], 1)
    if holds and not task.state(env.engine)[:, : expected.shape[1]].equal(expected):
        raise VisuomotorError(
            f"task {task.name!r}: state must begin with {task.action_size} joint positions and their velocities: the "
            "first controllers hold these by pd_gains; begin it as Task.state does"
        )
    _ = task.cost  # says what is wrong with it


def _hold(proportional: Tensor, derivative: Tensor) -> bool:
    return bool(proportional.any() or derivative.any())


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
    offset = torch.zeros(conditions, actions, dtype=torch.float64)
    if _hold(proportional, derivative):  # else the state may begin with anything
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
