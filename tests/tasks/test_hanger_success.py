"""When a hanger hangs, and what an arm that does nothing reaches."""

import numpy as np
import pytest
import torch
from hanger_scenes import hand_targets, hang, move_arm, some, started, starts

from visuomotor.props.rack import BAR_HALF_LENGTH
from visuomotor.tasks import make_task
from visuomotor.tasks.pr2.hanger import Hanger


@pytest.fixture(scope="module")
def task() -> Hanger:
    return make_task("hanger")


@pytest.mark.parametrize(
    ("offset", "stage"),
    [
        ((0.0999, 0.0, 0.0), 1),
        ((0.1001, 0.0, 0.0), 0),
        ((-0.06, 0.0, 0.07), 1),  # 92 mm
        ((-0.08, 0.0, 0.07), 0),  # 106 mm
        ((0.0, 0.0, 0.0149), 2),
        ((0.0, 0.0, 0.0151), 1),
        ((0.0, 0.0, -0.0149), 2),
        ((-0.0151, 0.0, 0.0), 1),
        ((0.012, 0.0, 0.012), 1),  # 17 mm
        ((0.0, 0.1199, 0.01), 2),
        ((0.0, -0.1201, 0.01), 0),  # beside the bar
        ((0.05, 0.1201, 0.0), 0),
    ],
)
def test_near_within_10_cm_of_the_bar_and_hooked_within_15_mm(task, offset, stage):
    engine = started(task, starts(task, count=2))
    hang(task, engine, offset)
    assert task.stage(engine).tolist() == [stage] * 2
    assert task.reward(engine).tolist() == [(0.0, 0.125, 1.0)[stage]] * 2


def test_gains_hold_a_pose(task):
    proportional, derivative = task.pd_gains()
    assert proportional.tolist() == pytest.approx([1.0, 1.0, 8 / 30, 8 / 30, 4 / 30, 0.3, 0.3])
    assert derivative.tolist() == pytest.approx([5 / 30, 5 / 30, 1 / 30, 1 / 30, 0.4 / 30, 0.03, 0.03])
    engine = started(task, some(starts(task), 0))
    home = task.robot.joint_positions(engine).clone()
    engine.field("qvel")[:, task.robot.dofs] = 0.5
    for _ in range(60):
        error = home - task.robot.joint_positions(engine)
        task.step(engine, proportional * error - derivative * task.robot.joint_velocities(engine))
    assert (task.robot.joint_positions(engine) - home).abs().max() < 0.1  # the hanger's weight bends it a little
    assert task.robot.joint_velocities(engine).abs().max() < 0.05


def test_hanging_where_it_should_is_success_and_letting_go_at_the_start_is_not(task):
    params = some(starts(task), 0, 4, 8, 10, 16, 4)
    engine = started(task, params)
    targets = hand_targets(task, engine, params)[:5]
    move_arm(task, engine, targets)
    gap = task.errors(engine).norm(dim=-1)
    assert (gap[:5] < 0.003).all()
    assert (gap[5] > 0.1).all()
    calls = []
    outcome = task.finish_episode(engine, lambda: calls.append(engine.field("time")[0].item()))
    assert outcome.success.tolist() == [True] * 5 + [False]
    torch.testing.assert_close(outcome.distance, gap.mean(-1), rtol=0, atol=1e-9)
    np.testing.assert_allclose(calls, 0.05 * np.arange(1, 31))  # every control period for 1.5 s
    assert task.stage(engine).tolist() == [2] * 5 + [0]


@pytest.mark.parametrize("degrees", [-22, -18, 18, 22])
def test_a_hanger_must_be_upright_when_the_hand_opens(task, degrees):
    params = some(starts(task), 4, 13)
    engine = started(task, params)
    move_arm(task, engine, hand_targets(task, engine, params, np.radians(degrees)))
    assert task.stage(engine).tolist() == [2 if abs(degrees) < 20 else 1] * 2  # the reward is that of success
    outcome = task.finish_episode(engine)
    assert task.in_place(engine).all()  # it hangs in any case
    assert outcome.success.tolist() == [abs(degrees) < 20] * 2


@pytest.mark.parametrize("split", ["training", "spatial"])
def test_an_arm_that_does_nothing_hangs_hardly_anything(task, split):
    """It sinks, and the hook of the leaning hanger often catches the bar."""
    engine = started(task, starts(task, split, 54, randomize=True))
    for _ in range(task.max_episode_steps):
        task.step(engine, torch.zeros(54, 7, dtype=torch.float64))
    outcome = task.finish_episode(engine)
    assert task.in_place(engine).sum() > 5
    assert outcome.success.sum() <= 1


def test_actions_are_clipped_to_the_limits(task):
    engine = started(task, some(starts(task), 0, 0))
    task.step(engine, torch.tensor([[1.0] * 7, [100.0] * 7]))
    assert torch.equal(engine.state()[0], engine.state()[1])
    assert torch.equal(engine.field("ctrl")[0, task.robot.actuator_ids], task.robot.action_limits)


@pytest.mark.parametrize(
    ("place", "hangs"),
    [
        ((0.0299, 0.0, 0.0), True),
        ((0.0301, 0.0, 0.0), False),
        ((0.0, 0.0, -0.0301), False),
        ((0.02, 0.0, 0.02), True),
        ((0.0, BAR_HALF_LENGTH - 1e-4, 0.0), True),
        ((0.0, BAR_HALF_LENGTH + 1e-4, 0.0), False),
    ],
)
def test_a_released_hanger_hangs_within_3_cm_of_the_bar(task, place, hangs):
    engine = started(task, some(starts(task), 0, 5))
    hang(task, engine, place)
    assert task.in_place(engine).tolist() == [hangs] * 2
