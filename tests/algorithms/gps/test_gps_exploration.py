"""Exploration noise and the first controllers."""

from dataclasses import replace

import pytest
import torch
from linear_problems import normal, random_controller

from visuomotor.algorithms.gps.exploration import (
    check_pd_controller,
    init_pd_controller,
    noisy_controller,
    smooth_noise,
)
from visuomotor.algorithms.gps.linear_gaussian import Controller
from visuomotor.errors import VisuomotorError
from visuomotor.tasks import VecEnv, make_task

EPISODES = 4000


@pytest.mark.parametrize("width", [0.0, 1.0, 2.0])
def test_noise_has_unit_variance_at_every_step(width):
    noise = smooth_noise((EPISODES, 40, 3), torch.Generator().manual_seed(0), width)
    assert noise.shape == (EPISODES, 40, 3)
    flat = noise.transpose(1, 2).flatten(0, 1)  # (episodes x actions, steps)
    variance = flat.square().mean(0)
    # 12,000 samples: the standard error of a variance of one is sqrt(2 / n)
    assert ((variance - 1).abs() < 5 * (2 / len(flat)) ** 0.5).all()
    assert (flat.mean(0).abs() < 5 / len(flat) ** 0.5).all()


def test_noise_is_correlated_over_time_as_two_gaussians_overlap():
    width = 2.0
    noise = smooth_noise((EPISODES, 60, 2), torch.Generator().manual_seed(1), width)
    middle = noise[:, 20:40]
    for lag in (1, 2, 4, 8):
        correlation = (middle * noise[:, 20 + lag : 40 + lag]).mean(0)
        expected = torch.exp(torch.tensor(-((lag / (2 * width)) ** 2)))
        assert ((correlation - expected).abs() < 5 * (2 / EPISODES) ** 0.5).all()
    across = (noise[..., 0] * noise[..., 1]).mean(0)
    assert (across.abs() < 5 / EPISODES**0.5).all()


def test_noise_comes_from_the_generator():
    one, same, other = (smooth_noise((2, 10, 3), torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_a_noisy_controller_draws_from_its_controller():
    generator = torch.Generator().manual_seed(5)
    controller = random_controller(generator, 1, 3, 4, 2)
    many = Controller(*(part.expand(20_000, *part.shape[1:]) for part in vars(controller).values()))
    state = normal(generator, 4)
    policy_fn = noisy_controller(many, normal(generator, 20_000, 3, 2))
    for t in range(3):
        drawn = policy_fn(t, {"state": state.expand(20_000, 4)}, None)
        gap = drawn - (controller.gain[0, t] @ state + controller.offset[0, t])
        spread = controller.covariance[0, t]
        assert (gap.mean(0).abs() < 5 * (spread.diagonal() / 20_000).sqrt()).all()
        error = (spread.diagonal()[:, None] * spread.diagonal() + spread.square()).div(20_000).sqrt()
        assert ((gap.T @ gap / 20_000 - spread).abs() < 5 * error).all()


class _Task:
    max_episode_steps, action_size = 4, 2

    def pd_gains(self):
        return torch.tensor([3.0, 2.0], dtype=torch.float64), torch.tensor([0.5, 0.25], dtype=torch.float64)


def test_holding_is_proportional_and_derivative():
    start = torch.tensor([[0.1, -0.2, 0.0, 0.0, 9.0], [1.0, 2.0, 0.0, 0.0, 9.0]], dtype=torch.float64)
    controller = init_pd_controller(_Task(), start, noise_std=0.1)  # pyright: ignore[reportArgumentType]
    assert controller.gain.shape == (2, 4, 2, 5)
    at_rest = controller.mean_action(start[:, None].expand(-1, 4, -1))
    torch.testing.assert_close(at_rest, torch.zeros_like(at_rest))
    moved = start.clone()
    moved[:, 0] += 0.5
    moved[:, 3] += 2.0
    expected = torch.tensor([-1.5, -0.5], dtype=torch.float64)
    torch.testing.assert_close(controller.mean_action(moved[:, None].expand(-1, 4, -1)), expected.expand(2, 4, 2))
    torch.testing.assert_close(controller.covariance[1, 2], 0.01 * torch.eye(2, dtype=torch.float64))


def test_without_gains_the_state_may_be_shorter_than_the_joints(monkeypatch):
    monkeypatch.setattr(_Task, "pd_gains", lambda self: (torch.zeros(2), torch.zeros(2)))
    controller = init_pd_controller(_Task(), torch.ones(3, 1).double(), noise_std=0.1)  # pyright: ignore[reportArgumentType]
    assert controller.gain.shape == (3, 4, 2, 1)
    assert not controller.gain.any()
    assert not controller.offset.any()


def test_what_the_first_controllers_need_is_checked_at_the_start(monkeypatch):
    task = make_task("insertion2d")
    env = VecEnv(task, 2, torch.Generator().manual_seed(0), image_size=16)
    robot, whole, actions = task.robot.robot, task.state(env.engine), task.action_size
    check_pd_controller(env)
    without, zeros = replace(robot, pd_gains=None), replace(robot, pd_gains=((0.0,) * actions,) * 2)
    for state, gains, told in (
        (whole.flip(1), robot, f"state must begin with {actions} joint positions and their velocities"),
        (whole[:, : 2 * actions - 1], robot, "state must begin with"),
        (whole, without, r"no gains to hold its first pose; .*from_mjcf\(\.\.\., pd_gains"),
        (whole.flip(1), zeros, None),
    ):
        monkeypatch.setattr(task, "state", lambda engine, state=state: state)
        monkeypatch.setattr(task.robot, "robot", gains)
        if told is None:
            check_pd_controller(env)
        else:
            with pytest.raises(VisuomotorError, match=told):
                check_pd_controller(env)
