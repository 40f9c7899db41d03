"""Put a ring on a tight peg."""

from math import sqrt
from typing import ClassVar

import mujoco
import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.props.clutter import NARROW_BIN, add_background
from visuomotor.props.peg import (
    PEG_HEIGHT,
    RING_RADIUS,
    STAND_HALF,
    TUBE_RADIUS,
    add_other_pegs,
    add_peg,
    add_ring,
    stand_to_tool,
)
from visuomotor.robots.pr2 import Pr2
from visuomotor.tasks.pr2.pr2_task import Pr2Task, Scene
from visuomotor.tasks.quaternions import rotate

_TOOL_TO_RING = 0.012  # m, from the fingers to the ring's middle; they end 1 mm above its lower side
_ABOVE = 0.004  # m, of the ring from the stand at the goal: it falls by that much when released
_NEAR = 0.03  # m, of the ring's middle from the peg's tip
_LATERAL, _LIFTED = 0.005, 0.003  # m, of the ring's middle from the peg's axis, of the ring from the stand
_DOWN = (sqrt(0.5), 0.0, sqrt(0.5), 0.0)  # the hand points down, its fingers close along y
_UP = (sqrt(0.5), 0.0, -sqrt(0.5), 0.0)


class Ring(Pr2Task):
    """A PR2 puts a ring on a tight peg that its left hand holds (Levine, Wagener, Abbeel 2015).

    See `Pr2Task` for state, readings and splits. There are 2.5 mm between ring and peg. `visual`: a second peg, a tower
    of discs and a marble. `background`: a crate, a bin and a cushion behind it. Success: the ring lies on the stand, to
    3 mm, with the peg inside, when the gripper has opened.
    """

    name: ClassVar[str] = "ring"
    description: ClassVar[str] = "put a ring on a tight peg (PR2, 7 torques at 20 Hz)"
    stages: ClassVar[tuple[str, ...]] = ("start", "near", "on")
    stage_rewards: ClassVar[tuple[float, ...]] = (0.0, 0.125, 1.0)

    camera_fovy = 32.0
    center = (0.58, -0.10, 0.90)  # of the peg's foot
    start = ((0.50, -0.14, 1.09), _DOWN)
    approach = (0.0, 0.0, -1.0)
    held_at = (_TOOL_TO_RING, 0.0, 0.0), _UP

    def add_objects(self, spec: mujoco.MjSpec, pr2: Pr2) -> Scene:
        ring, stand = add_ring(spec, pr2.right_tool), add_peg(spec, pr2.left_tool)
        self._names = ring, stand
        return Scene(
            held_joint=ring.joint,
            grasp=ring.grasp,
            target=stand.foot,
            grip_opening=RING_RADIUS + TUBE_RADIUS,
            target_opening=STAND_HALF,
            clutter={"visual": add_other_pegs(spec, stand), "background": add_background(spec, NARROW_BIN)},
        )

    def __init__(self) -> None:
        super().__init__()
        ring, stand = self._names
        self._ring, self._stand = self.model.body(ring.body).id, self.model.body(stand.body).id

    def goal(self, target: Tensor) -> tuple[Tensor, Tensor]:
        """Flat around the peg, 4 mm above the stand."""
        height = torch.tensor([0.0, 0.0, TUBE_RADIUS + _ABOVE], dtype=torch.float64)
        upright = torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64)
        return target + height, upright.expand(len(target), 4)

    def left_hand(self, target: Tensor) -> tuple[Tensor, Tensor]:
        offset, quat = stand_to_tool()
        return target + torch.from_numpy(offset), torch.from_numpy(quat)

    def keypoints(self, engine: Engine) -> Tensor:
        """The peg's tip and two corners of the stand's top."""
        corners = (0.0, 0.0, PEG_HEIGHT), (-STAND_HALF, STAND_HALF, 0.0), (-STAND_HALF, -STAND_HALF, 0.0)
        points = torch.tensor([corners], dtype=torch.float64)
        quat = engine.field("xquat")[:, self._stand, None]
        return (self.target_position(engine)[:, None] + rotate(quat, points)).float()

    def stage(self, engine: Engine) -> Tensor:
        ring = self._ring_from_foot(engine)
        tip = ring - torch.tensor([0.0, 0.0, PEG_HEIGHT], dtype=torch.float64)
        lateral = ring[:, :2].norm(dim=-1)
        stage = (tip.norm(dim=-1) < _NEAR).long()
        stage[(lateral < _LATERAL) & (ring[:, 2] < PEG_HEIGHT / 2)] = 2
        return stage

    def in_place(self, engine: Engine) -> Tensor:
        """The ring lies on the stand, around the peg."""
        ring = self._ring_from_foot(engine)
        return (ring[:, :2].norm(dim=-1) < _LATERAL) & (ring[:, 2] < TUBE_RADIUS + _LIFTED)

    def _ring_from_foot(self, engine: Engine) -> Tensor:
        """`(n, 3)` m: the ring's middle less the peg's foot."""
        return engine.field("xpos")[:, self._ring] - self.target_position(engine)
