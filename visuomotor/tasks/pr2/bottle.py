"""Screw the cap on a bottle."""

from math import pi
from typing import ClassVar

import mujoco
import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.props.bottle import BODY_RADIUS, CAP_RADIUS, add_bottle, add_bottles, add_cap, bottle_to_tool
from visuomotor.props.clutter import NARROW_BIN, add_background
from visuomotor.robots.pr2 import Pr2
from visuomotor.tasks.pr2.pr2_task import DOWN, UP, Pr2Task, Scene

_TOOL_TO_CAP = 0.012  # m, from the fingers to the cap's ceiling
_NEAR = 0.03  # m, of the cap from the bottle's mouth
_SEATED = 0.003  # m, likewise
_TURN = pi / 2  # rad, of the thread
_SPIN, _SPIN_COST = 2.0, 0.5  # rad/s, of the wrist; per (rad/s)^2
_WRIST_SPEED = 13  # of the state


class Bottle(Pr2Task):
    """A PR2 puts a cap on a bottle in its left hand and turns it (Levine et al. 2015).

    See `Pr2Task` for state, readings and splits. The end-effector points lie on the cap's axis, so that any turn about
    it will do; the cost rewards the wrist's spin at 2 rad/s. `visual`: a second bottle, a mug and a jar. `background`:
    a crate, a bin and a cushion behind. Success: the cap is on the neck, to 3 mm, when the gripper has opened, and the
    thread has been turned by 90 degrees or more, against its friction.
    """

    name: ClassVar[str] = "bottle"
    description: ClassVar[str] = "screw a cap on a bottle (PR2, 7 torques at 20 Hz)"
    stages: ClassVar[tuple[str, ...]] = ("start", "near", "seated", "turned")
    stage_rewards: ClassVar[tuple[float, ...]] = (0.0, 0.05, 0.25, 1.0)

    camera_fovy = 32.0
    center = (0.58, -0.10, 0.94)  # of the bottle's mouth
    start = ((0.50, -0.14, 1.09), DOWN)
    points = ((0.02, 0.0, 0.0), (0.08, 0.0, 0.0), (-0.04, 0.0, 0.0))
    approach = (0.0, 0.0, -1.0)
    approach_power = 2.0  # else the cap comes down beside the neck
    held_at = (_TOOL_TO_CAP, 0.0, 0.0), UP
    target_to_tool = staticmethod(bottle_to_tool)

    def add_objects(self, spec: mujoco.MjSpec, pr2: Pr2) -> Scene:
        cap, bottle = add_cap(spec, pr2.right_tool), add_bottle(spec, pr2.left_tool)
        self._thread_name = bottle.thread
        return Scene(
            held_joint=cap.joint,
            grasp=cap.grasp,
            target=bottle.mouth,
            grip_opening=CAP_RADIUS,
            target_opening=BODY_RADIUS,
            clutter={"visual": add_bottles(spec), "background": add_background(spec, NARROW_BIN)},
        )

    def __init__(self) -> None:
        super().__init__()
        self._thread = int(self.model.joint(self._thread_name).qposadr[0])

    def keypoints(self, engine: Engine) -> Tensor:
        """The bottle's mouth, and two points at the height of its shoulder, before and beside it."""
        points = torch.tensor([(0.0, 0.0, 0.0), (-BODY_RADIUS, 0.0, -0.022), (0.0, -BODY_RADIUS, -0.022)]).double()
        return self.points_on_target(engine, points).float()

    def extra_cost(self, state: Tensor) -> Tensor:
        """The wrist turns at a speed of its own."""
        return _SPIN_COST * (state[_WRIST_SPEED] - _SPIN).square()

    def stage(self, engine: Engine) -> Tensor:
        distance = self.held_from_target(engine).norm(dim=-1)
        stage = (distance < _NEAR).long() + (distance < _SEATED)
        stage[(stage == 2) & (engine.field("qpos")[:, self._thread] >= _TURN)] = 3
        return stage

    def in_place(self, engine: Engine) -> Tensor:
        return self.success(self.stage(engine))
