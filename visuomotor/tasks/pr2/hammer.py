"""Bring the claw of a toy hammer under the head of a nail."""

from typing import ClassVar

import mujoco
import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.props.clutter import NARROW_BIN, add_background
from visuomotor.props.nail import CLAW, HANDLE_RADIUS, HEAD_HEIGHT, add_bench, add_hammer, add_toys, bench_to_tool
from visuomotor.robots.pr2 import Pr2
from visuomotor.tasks.pr2.pr2_task import LEFTWARDS, Pr2Task, Scene
from visuomotor.tasks.quaternions import rotate

_BELOW = 0.014  # m, from the claw's middle up to the nail's head at the goal
_NEAR = 0.04  # m, of the claw from its goal
_UNDER = 0.010  # m, of the claw from the nail's axis in the end


class Hammer(Pr2Task):
    """A PR2 fits the claw of a toy hammer under the head of a nail on a bench in its left hand (Levine et al. 2015).

    See `Pr2Task` for state, readings and splits: here 5 positions x 3 grasps, and new grasps in `spatial`. At the
    claw's middle there are 2.5 mm between prong and nail, less further in, more at the tips; above and below 11 mm.
    `visual`: toys on the bench. `background`: a crate, a bin and a cushion behind it. Success: the nail stands between
    the prongs, and its head is above them.
    """

    name: ClassVar[str] = "hammer"
    description: ClassVar[str] = "bring the claw of a toy hammer under a nail (PR2, 7 torques at 20 Hz)"
    stages: ClassVar[tuple[str, ...]] = ("start", "near", "under")
    stage_rewards: ClassVar[tuple[float, ...]] = (0.0, 0.125, 1.0)

    num_conditions = 60  # each of 15 four times
    camera_fovy = 36.0
    camera_offset = (-0.05, -0.06, 0.0)  # so that the claw is in the image from the start
    center = (0.60, 0.02, 0.88)  # of the nail's head
    # Hand and claw point to the left, so that the camera sees the nail. The start is a little higher than the goal.
    start = ((0.59, -0.28, 1.01), LEFTWARDS)
    points = ((0.02, 0.05, 0.05), (0.02, -0.05, 0.05), CLAW)  # a small turn of the hand moves the claw far
    approach = (0.0, 1.0, 0.0)
    grasps = ((0.0, 0.0), (0.012, 0.15), (-0.012, -0.15))
    spatial_grasps = ((0.006, 0.075), (-0.006, -0.075), (0.006, -0.075))
    releases = False
    target_to_tool = staticmethod(bench_to_tool)

    def add_objects(self, spec: mujoco.MjSpec, pr2: Pr2) -> Scene:
        hammer, bench = add_hammer(spec, pr2.right_tool), add_bench(spec, pr2.left_tool)
        self._claw_name = hammer.claw
        return Scene(
            held_joint=hammer.joint,
            grasp=hammer.grasp,
            target=bench.nail,
            grip_opening=HANDLE_RADIUS,
            target_opening=bench.finger_opening,
            clutter={"visual": add_toys(spec, bench), "background": add_background(spec, NARROW_BIN)},
        )

    def __init__(self) -> None:
        super().__init__()
        self._claw = self.model.site(self._claw_name).id

    def training_positions(self) -> Tensor:
        return torch.tensor([(0, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)], dtype=torch.float64)

    def spatial_positions(self) -> Tensor:
        return torch.tensor([(0, -0.5), (0, 0.5), (-0.5, 0), (0.5, 0)], dtype=torch.float64)

    def goal(self, target: Tensor) -> tuple[Tensor, Tensor]:
        """Upright, with the middle of the claw under the nail's head."""
        quat = torch.tensor(LEFTWARDS, dtype=torch.float64)
        claw = rotate(quat, torch.tensor([CLAW[0], CLAW[1], CLAW[2] + _BELOW], dtype=torch.float64))
        return target - claw, quat.expand(len(target), 4)

    def left_hand(self, target: Tensor) -> tuple[Tensor, Tensor]:
        """The target is the nail's head, above the bench's origin."""
        return super().left_hand(target + torch.tensor([0.0, 0.0, -HEAD_HEIGHT], dtype=torch.float64))

    def keypoints(self, engine: Engine) -> Tensor:
        """The nail's head, two corners of the bench, and the claw: joint readings do not contain how it is held."""
        points = torch.tensor([(0, 0, 0), (0.07, 0.105, -HEAD_HEIGHT), (-0.07, 0.105, -HEAD_HEIGHT)]).double()
        bench = self.points_on_target(engine, points)
        return torch.cat([bench, engine.field("site_xpos")[:, self._claw, None]], dim=1).float()

    def stage(self, engine: Engine) -> Tensor:
        claw = engine.field("site_xpos")[:, self._claw] - self.target_position(engine)
        lateral = claw[:, :2].norm(dim=-1)
        stage = ((lateral < _NEAR) & (claw[:, 2].abs() < _NEAR)).long()
        stage[(lateral < _UNDER) & (claw[:, 2] < 0) & (claw[:, 2] > -HEAD_HEIGHT)] = 2
        return stage

    def in_place(self, engine: Engine) -> Tensor:
        return self.success(self.stage(engine))
