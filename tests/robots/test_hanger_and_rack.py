"""The hanger in the right hand, the rack in the left: the grasp holds, and what is hung stays hung."""

import mujoco
import numpy as np
import pytest

from visuomotor.props.clutter import add_clothes
from visuomotor.props.hanger import add_hanger, hook_inside_height
from visuomotor.props.rack import BAR_RADIUS, add_rack, rack_to_tool
from visuomotor.robots.mjcf import compile_scene
from visuomotor.robots.pr2 import add_pr2, solve_arm

BAR = np.array([0.72, -0.1, 1.0])
STIFFNESS = np.array((200, 200, 80, 100, 40, 40, 20.0))
DAMPING = np.array((20, 20, 5, 8, 3, 3, 1.0))


def left_tool(bar):
    """Where the left hand is when the bar's centre is there."""
    offset, quat = rack_to_tool()
    return bar + offset, quat


class Scene:
    """A PR2 with rack and hanger, whose right hand follows a straight line in joint space."""

    def __init__(self, tool):
        spec = mujoco.MjSpec()
        self.pr2 = add_pr2(spec)
        self.rack, self.hanger = add_rack(spec, self.pr2.left_tool), add_hanger(spec, self.pr2.right_tool)
        self.clutter = add_clothes(spec, self.rack)
        self.model = compile_scene(spec, "the scene")
        self.data = mujoco.MjData(self.model)
        joints = [self.model.joint(name) for name in self.pr2.robot.joints]
        self.positions = [joint.qposadr[0] for joint in joints]
        self.velocities = [joint.dofadr[0] for joint in joints]
        left = solve_arm(self.model, "l", *left_tool(BAR))
        for name, theta in zip(self.pr2.left_joints, left, strict=True):
            self.data.joint(name).qpos = self.data.actuator(name).ctrl = theta
        for name in self.pr2.left_fingers:
            self.data.joint(name).qpos = self.data.actuator(name).ctrl = self.rack.finger_opening
        self.data.qpos[self.positions] = solve_arm(self.model, "r", tool, (1, 0, 0, 0))
        self.data.joint(self.hanger.joint).qpos = (*tool, 1, 0, 0, 0)
        mujoco.mj_forward(self.model, self.data)

    def move(self, tool, steps):
        start = self.data.qpos[self.positions].copy()
        goal = solve_arm(self.model, "r", tool, (1, 0, 0, 0), start=start)
        for step in range(steps):
            error = start + min(1.0, step / (0.7 * steps)) * (goal - start) - self.data.qpos[self.positions]
            self.data.ctrl[:7] = STIFFNESS * error - DAMPING * self.data.qvel[self.velocities]
            mujoco.mj_step(self.model, self.data)

    @property
    def slip(self):
        return np.linalg.norm(self.data.body(self.hanger.body).xpos - self.data.body(self.pr2.right_tool).xpos)

    @property
    def hook_above_bar(self):
        return self.data.site(self.hanger.hook_inside).xpos - self.data.site(self.rack.bar_center).xpos


def hand_for_hook(offset):
    """The tool position at which the hook's inside is `offset` (m) from where it rests on the bar."""
    return BAR + np.array([0, 0, BAR_RADIUS - hook_inside_height()]) + offset


def test_the_hanger_hangs_and_stays_after_release():
    scene = Scene(hand_for_hook((-0.2, 0, 0.09)))
    scene.move(hand_for_hook((0, 0, 0.05)), 400)
    assert scene.slip < 1e-3  # the weld holds
    scene.move(hand_for_hook((0, 0, -0.002)), 200)
    assert scene.slip < 2e-3
    scene.data.eq_active[scene.model.equality(scene.hanger.grasp).id] = 0
    scene.move(hand_for_hook((-0.15, 0, -0.01)), 400)
    assert scene.slip > 0.1  # the hand has left
    np.testing.assert_allclose(scene.hook_above_bar, (0, 0, BAR_RADIUS), atol=3e-3)


def test_released_beside_the_bar_it_falls():
    scene = Scene(hand_for_hook((-0.2, 0, 0.09)))
    scene.data.eq_active[:] = 0
    scene.move(hand_for_hook((-0.2, 0, 0.09)), 200)
    assert scene.hook_above_bar[2] < -1


def test_the_bar_is_a_bar():
    """Pushed straight at the bar from behind, the hook does not pass."""
    scene = Scene(hand_for_hook((-0.15, 0, 0.02)))
    scene.move(hand_for_hook((0.15, 0, 0.02)), 300)
    assert scene.hook_above_bar[0] < 0.02


@pytest.mark.parametrize("shift", [(0.1, 0.1, 0.1), (-0.1, -0.1, -0.1), (0.1, -0.1, 0.1), (-0.1, 0.1, -0.1)])
def test_both_arms_reach_the_work_volume(shift):
    model = Scene(hand_for_hook((-0.2, 0, 0.09))).model
    bar = BAR + shift
    solve_arm(model, "l", *left_tool(bar))
    solve_arm(model, "r", hand_for_hook((0, 0, 0)) + shift, (1, 0, 0, 0))


def test_the_rack_stands_upright_where_it_is_asked_to():
    scene = Scene(hand_for_hook((-0.2, 0, 0.09)))
    np.testing.assert_allclose(scene.data.site(scene.rack.bar_center).xpos, BAR, atol=1e-3)
    np.testing.assert_allclose(scene.data.body(scene.rack.body).xmat.reshape(3, 3), np.eye(3), atol=1e-2)


def test_clutter_is_seen_and_never_felt():
    scene = Scene(hand_for_hook((-0.2, 0, 0.09)))
    for name in scene.clutter:
        geom = scene.model.geom(name)
        assert geom.contype == geom.conaffinity == 0
