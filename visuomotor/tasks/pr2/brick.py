"""Put a toy brick on the studs of another one."""

from math import cos
from typing import ClassVar

import mujoco
import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.props.brick import (
    BASE_HALF,
    BRICK_HALF,
    STUD_HEIGHT,
    add_held_brick,
    add_other_bricks,
    add_studded_brick,
    brick_to_tool,
)
from visuomotor.props.clutter import NARROW_BIN, add_background
from visuomotor.robots.pr2 import Pr2
from visuomotor.tasks.pr2.pr2_task import DOWN, UP, Pr2Task, Scene

_TOOL_TO_BRICK = 0.028  # m, from the fingers to the brick's lower side; they end 11 mm above it
_ABOVE = 0.003  # m, of the brick from the other one at the goal: it falls by that much when released
_NEAR = 0.03  # m, of the brick from the studs' ends
_LATERAL, _LIFTED, _TILT = 0.005, 0.003, 0.1  # m, m and rad, of the brick from its place on the other one


class Brick(Pr2Task):
    """A PR2 puts a toy brick on the studs of one in its left hand (Levine, Wagener, Abbeel 2015).

    See `Pr2Task` for state, readings and splits. There are 2 mm between the studs and the brick's hollow. `visual`:
    three more bricks. `background`: a crate, a bin and a cushion behind it. Success: the brick sits on the other one,
    to 3 mm and 0.1 rad, with the studs inside, when the gripper has opened.
    """

    name: ClassVar[str] = "brick"
    description: ClassVar[str] = "put a toy brick on the studs of another (PR2, 7 torques at 20 Hz)"
    stages: ClassVar[tuple[str, ...]] = ("start", "near", "on")
    stage_rewards: ClassVar[tuple[float, ...]] = (0.0, 0.125, 1.0)

    camera_fovy = 32.0
    center = (0.58, -0.10, 0.90)  # of the top between the studs
    start = ((0.46, -0.24, 1.09), DOWN)  # over no target, and not between any and the camera
    approach = (0.0, 0.0, -1.0)
    goal_offset = (0.0, 0.0, _ABOVE)
    held_at = (_TOOL_TO_BRICK, 0.0, 0.0), UP
    target_to_tool = staticmethod(brick_to_tool)

    def add_objects(self, spec: mujoco.MjSpec, pr2: Pr2) -> Scene:
        held, base = add_held_brick(spec, pr2.right_tool), add_studded_brick(spec, pr2.left_tool)
        return Scene(
            held_joint=held.joint,
            grasp=held.grasp,
            target=base.top,
            grip_opening=BRICK_HALF[1],
            target_opening=BASE_HALF[0],
            clutter={"visual": add_other_bricks(spec, base), "background": add_background(spec, NARROW_BIN)},
        )

    def keypoints(self, engine: Engine) -> Tensor:
        """The middle of the top and two of its corners."""
        x, y, _ = BASE_HALF
        points = torch.tensor([(0.0, 0.0, 0.0), (-x, y, 0.0), (-x, -y, 0.0)], dtype=torch.float64)
        return self.points_on_target(engine, points).float()

    def stage(self, engine: Engine) -> Tensor:
        brick = self.held_from_target(engine)
        ends = brick - torch.tensor([0.0, 0.0, STUD_HEIGHT], dtype=torch.float64)
        stage = (ends.norm(dim=-1) < _NEAR).long()
        stage[(brick[:, :2].norm(dim=-1) < _LATERAL) & (brick[:, 2] < STUD_HEIGHT / 2)] = 2
        return stage

    def in_place(self, engine: Engine) -> Tensor:
        """The brick sits level on the other one."""
        brick = self.held_from_target(engine)
        level = engine.field("xmat")[:, self.held_body, 8] > cos(_TILT)
        return level & (brick[:, :2].norm(dim=-1) < _LATERAL) & (brick[:, 2] < _LIFTED)
