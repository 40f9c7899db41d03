"""Put a toy brick on the studs of another one."""

from math import cos, sqrt
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
from visuomotor.tasks.pr2.pr2_task import Pr2Task, Scene
from visuomotor.tasks.quaternions import rotate

_TOOL_TO_BRICK = 0.028  # m, from the fingers to the brick's lower side; they end 11 mm above it
_ABOVE = 0.003  # m, of the brick from the other one at the goal: it falls by that much when released
_NEAR = 0.03  # m, of the brick from the studs' ends
_LATERAL, _LIFTED, _TILT = 0.005, 0.003, 0.1  # m, m and rad, of the brick from its place on the other one
_DOWN = (sqrt(0.5), 0.0, sqrt(0.5), 0.0)  # the hand points down, its fingers close along y
_UP = (sqrt(0.5), 0.0, -sqrt(0.5), 0.0)


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
    start = ((0.46, -0.24, 1.09), _DOWN)  # over no target, and not between any and the camera
    approach = (0.0, 0.0, -1.0)
    held_at = (_TOOL_TO_BRICK, 0.0, 0.0), _UP

    def add_objects(self, spec: mujoco.MjSpec, pr2: Pr2) -> Scene:
        held, base = add_held_brick(spec, pr2.right_tool), add_studded_brick(spec, pr2.left_tool)
        self._names = held, base
        return Scene(
            held_joint=held.joint,
            grasp=held.grasp,
            target=base.top,
            grip_opening=BRICK_HALF[1],
            target_opening=BASE_HALF[0],
            clutter={"visual": add_other_bricks(spec, base), "background": add_background(spec, NARROW_BIN)},
        )

    def __init__(self) -> None:
        super().__init__()
        held, base = self._names
        self._held, self._base = self.model.body(held.body).id, self.model.body(base.body).id

    def goal(self, target: Tensor) -> tuple[Tensor, Tensor]:
        """Upright over the studs, 3 mm above the other brick."""
        height = torch.tensor([0.0, 0.0, _ABOVE], dtype=torch.float64)
        upright = torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64)
        return target + height, upright.expand(len(target), 4)

    def left_hand(self, target: Tensor) -> tuple[Tensor, Tensor]:
        offset, quat = brick_to_tool()
        return target + torch.from_numpy(offset), torch.from_numpy(quat)

    def keypoints(self, engine: Engine) -> Tensor:
        """The middle of the top and two of its corners."""
        x, y, _ = BASE_HALF
        points = torch.tensor([[(0.0, 0.0, 0.0), (-x, y, 0.0), (-x, -y, 0.0)]], dtype=torch.float64)
        quat = engine.field("xquat")[:, self._base, None]
        return (self.target_position(engine)[:, None] + rotate(quat, points)).float()

    def stage(self, engine: Engine) -> Tensor:
        brick = self._brick_from_top(engine)
        ends = brick - torch.tensor([0.0, 0.0, STUD_HEIGHT], dtype=torch.float64)
        stage = (ends.norm(dim=-1) < _NEAR).long()
        stage[(brick[:, :2].norm(dim=-1) < _LATERAL) & (brick[:, 2] < STUD_HEIGHT / 2)] = 2
        return stage

    def in_place(self, engine: Engine) -> Tensor:
        """The brick sits level on the other one."""
        brick = self._brick_from_top(engine)
        level = engine.field("xmat")[:, self._held, 8] > cos(_TILT)
        return level & (brick[:, :2].norm(dim=-1) < _LATERAL) & (brick[:, 2] < _LIFTED)

    def _brick_from_top(self, engine: Engine) -> Tensor:
        """`(n, 3)` m: the middle of the brick's lower side less that of the other one's top."""
        return engine.field("xpos")[:, self._held] - self.target_position(engine)
