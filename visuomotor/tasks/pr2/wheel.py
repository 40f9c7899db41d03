"""Put a wheel on a toy plane's axle."""

from math import sqrt
from typing import ClassVar

import mujoco
import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.props.axle import (
    AXLE_LENGTH,
    FUSELAGE_HALF,
    WHEEL_HALF_WIDTH,
    WHEEL_RADIUS,
    add_axle,
    add_plane_parts,
    add_wheel,
    axle_to_tool,
)
from visuomotor.props.clutter import NARROW_BIN, add_background
from visuomotor.robots.pr2 import Pr2
from visuomotor.tasks.pr2.pr2_task import LEFTWARDS, Pr2Task, Scene

_TOOL_TO_WHEEL = 0.010  # m, from the fingers to the wheel's middle; they end 3 mm before its far side
_BEFORE = 0.004  # m, of the wheel from the fuselage at the goal
_NEAR = 0.03  # m, of the wheel's middle from the axle's tip
_LATERAL, _AWAY = 0.005, 0.010  # m, of the wheel's middle from the axle's line, of the wheel from the fuselage
_BACKWARDS = (sqrt(0.5), 0.0, -sqrt(0.5), 0.0)  # the wheel's axis in the hand: towards the palm


class Wheel(Pr2Task):
    """A PR2 puts a wheel on the axle of a toy plane that its left hand holds (Levine, Wagener, Abbeel 2015).

    See `Pr2Task` for state, readings and splits. There are 2.5 mm between axle and hub; the axle points to the right.
    The end-effector points lie on the wheel's axis, so that any turn about it will do. `visual`: a cabin, a tail and a
    pilot on the plane, and a spare wheel. `background`: a crate, a bin and a cushion behind it. Success: the wheel
    hangs on the axle, within 10 mm of the fuselage, when the gripper has opened.
    """

    name: ClassVar[str] = "wheel"
    description: ClassVar[str] = "put a wheel on a toy plane's axle (PR2, 7 torques at 20 Hz)"
    stages: ClassVar[tuple[str, ...]] = ("start", "near", "on")
    stage_rewards: ClassVar[tuple[float, ...]] = (0.0, 0.125, 1.0)

    camera_fovy = 38.0
    center = (0.60, 0.02, 1.0)  # of the axle's root
    start = ((0.52, -0.32, 1.03), LEFTWARDS)  # so that the camera sees the axle
    points = ((0.02, 0.0, 0.0), (0.08, 0.0, 0.0), (-0.04, 0.0, 0.0))
    approach = (0.0, 1.0, 0.0)
    goal_offset = (0.0, -WHEEL_HALF_WIDTH - _BEFORE, 0.0)
    goal_quat = (0.5, 0.5, -0.5, 0.5)  # LEFTWARDS times _BACKWARDS: the wheel's axis points to the right
    held_at = (_TOOL_TO_WHEEL, 0.0, 0.0), _BACKWARDS
    target_to_tool = staticmethod(axle_to_tool)

    def add_objects(self, spec: mujoco.MjSpec, pr2: Pr2) -> Scene:
        wheel, axle = add_wheel(spec, pr2.right_tool), add_axle(spec, pr2.left_tool)
        return Scene(
            held_joint=wheel.joint,
            grasp=wheel.grasp,
            target=axle.root,
            grip_opening=WHEEL_RADIUS,
            target_opening=axle.finger_opening,
            clutter={"visual": add_plane_parts(spec, axle), "background": add_background(spec, NARROW_BIN)},
        )

    def keypoints(self, engine: Engine) -> Tensor:
        """The axle's tip and both ends of the fuselage's upper edge."""
        x, _, z = FUSELAGE_HALF
        points = torch.tensor([(0.0, -AXLE_LENGTH, 0.0), (x, 0.0, z), (-x, 0.0, z)], dtype=torch.float64)
        return self.points_on_target(engine, points).float()

    def stage(self, engine: Engine) -> Tensor:
        wheel = self.held_from_target(engine)  # the axle runs along -y
        tip = wheel + torch.tensor([0.0, AXLE_LENGTH, 0.0], dtype=torch.float64)
        stage = (tip.norm(dim=-1) < _NEAR).long()
        stage[self.in_place(engine)] = 2
        return stage

    def in_place(self, engine: Engine) -> Tensor:
        """The wheel is around the axle, beside the fuselage."""
        wheel = self.held_from_target(engine)  # the axle runs along -y
        lateral, away = wheel[:, [0, 2]].norm(dim=-1), -wheel[:, 1] - WHEEL_HALF_WIDTH
        return (lateral < _LATERAL) & (away < _AWAY)
