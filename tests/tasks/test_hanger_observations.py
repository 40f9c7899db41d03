"""Keypoints, readings, state and cost of the hanger."""

import numpy as np
import pytest
import torch
from hanger_scenes import CLEARANCE, hand_targets, move_arm, seeded, some, started, starts

from visuomotor.props.rack import BAR_HALF_LENGTH, BAR_RADIUS, HEIGHT
from visuomotor.robots.pr2 import END_EFFECTOR_POINTS
from visuomotor.tasks import make_task
from visuomotor.tasks.pr2.hanger import Hanger

POINTS, VELOCITIES = slice(14, 23), slice(23, 32)


@pytest.fixture(scope="module")
def task() -> Hanger:
    return make_task("hanger")


def test_keypoints_are_the_ends_of_the_bar_and_the_middle_of_the_rail(task):
    engine = started(task, starts(task, "spatial", 3))
    model, position = task.model, engine.field("geom_xpos")

    def top(name):
        geom = model.geom(name)
        axis = engine.field("geom_xmat")[:, geom.id].view(-1, 3, 3)[:, :, 2]
        return position[:, geom.id] + axis * axis[:, 2:].sign() * geom.size[1]

    expected = torch.stack([top("rack_left_pole"), top("rack_right_pole"), position[:, model.geom("rack_rail").id]], 1)
    found = task.keypoints(engine)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected.float(), atol=1e-6, rtol=0)
    distances = torch.cdist(found, found)
    assert distances[0, 0, 1].item() == pytest.approx(2 * BAR_HALF_LENGTH, abs=1e-5)
    assert distances[0, 0, 2].item() == pytest.approx((BAR_HALF_LENGTH**2 + HEIGHT**2) ** 0.5, abs=1e-5)


def test_errors_are_the_points_less_where_they_are_when_it_hangs(task):
    params = starts(task)
    engine = started(task, params)
    for seed in range(3):  # anywhere
        engine.field("qpos")[:, task.robot.qpos] += 0.3 * torch.randn(18, 7, generator=seeded(seed)).double()
        engine.forward()
        points = engine.field("site_xpos")[:, [task.model.site(f"r_point_{index}").id for index in range(3)]].numpy()
        targets = [place + END_EFFECTOR_POINTS @ turn.T for place, turn in hand_targets(task, engine, params)]
        np.testing.assert_allclose(task.errors(engine), points - np.array(targets), atol=1e-12)


def test_errors_vanish_exactly_where_the_hanger_hangs_over_the_bar(task):
    params = starts(task)
    engine = started(task, params)
    move_arm(task, engine, hand_targets(task, engine, params))
    errors = task.errors(engine)
    assert errors.norm(dim=-1).max() < 2e-3  # as good as inverse kinematics is
    sites = engine.field("site_xpos")
    gap = sites[:, task.model.site("hanger_hook_inside").id] - sites[:, task.model.site("rack_bar_center").id]
    expected = torch.tensor([0.0, 0.0, BAR_RADIUS + CLEARANCE], dtype=torch.float64).expand(18, 3)
    torch.testing.assert_close(gap, expected, atol=4e-3, rtol=0)
    assert task.stage(engine).eq(2).all()
    # three points tell position and rotation: a turn or a shift shows
    quat = engine.model_field("eq_data")[:, 0, 6:10]
    quat[:] = torch.tensor([np.cos(0.05), 0, 0, np.sin(0.05)])
    assert (task.errors(engine).norm(dim=-1).max(1).values > 2e-3).all()


def test_proprioception_tells_nothing_about_the_target(task):
    params = starts(task)
    engine = started(task, params)
    seen, state = task.proprioception(engine), task.state(engine)
    assert (seen.dtype, state.dtype) == (torch.float32, torch.float64)
    assert seen.shape == (18, task.size("proprioception")) == (18, 32)
    assert state.shape == (18, task.size("state")) == (18, 32)
    assert torch.equal(seen, seen[:1].expand_as(seen))  # the same for every target and grasp
    assert len(torch.unique(state[:9, POINTS], dim=0)) == 9  # which the state does tell
    torch.testing.assert_close(state[:, POINTS], task.errors(engine).flatten(1))
    points = engine.field("site_xpos")[:, [task.model.site(f"r_point_{index}").id for index in range(3)]]
    torch.testing.assert_close(seen[:, POINTS], points.flatten(1).float())


def test_readings_have_names_and_units(task):
    names = task.proprioception_names
    assert len(names) == 32
    assert (names[0], names[7]) == (("r_shoulder_pan_joint", "rad"), ("r_shoulder_pan_joint velocity", "rad/s"))
    assert (names[14], names[24]) == (("r_point_0 x", "m"), ("r_point_0 y velocity", "m/s"))


def test_state_holds_angles_velocities_errors_and_the_points_velocities(task):
    engine = started(task, some(starts(task), 4))
    torque = torch.tensor([[3.0, -2.0, 1.0, -1.0, 0.5, 0.5, 0.2]]) / task.robot.action_limits
    for _ in range(3):
        task.step(engine, torque)
    before = task.state(engine)
    torch.testing.assert_close(before[:, :7], task.robot.joint_positions(engine))
    engine.step(1)
    after = task.state(engine)
    rate = (after - before) / task.model.opt.timestep
    assert before[:, 7:14].abs().max() > 0.05
    torch.testing.assert_close(rate[:, :7], (before[:, 7:14] + after[:, 7:14]) / 2, rtol=0.05, atol=0.05)
    middle = (before[:, VELOCITIES] + after[:, VELOCITIES]) / 2
    torch.testing.assert_close(rate[:, POINTS], middle, rtol=0.05, atol=0.02)


def test_cost_by_hand(task):
    """A torque of 1 N m costs 1/2 1e-3, at any joint; a point at 1 m/s 5/2."""
    state = torch.zeros(1, 2, 32, dtype=torch.float64)
    state[0, :, 14] = 0.1
    state[0, :, 25] = 1.0
    action = (1.0 / task.robot.action_limits)[None, None].expand(1, 2, 7)
    distance = 0.01 + np.log(0.01 + 1e-5)
    expected = [0.5 * (ramp * distance + 5.0 + 7e-3) for ramp in (0.5, 10.0)]
    assert task.cost(state, action)[0].tolist() == pytest.approx(expected)
