"""Put a ring on a tight peg."""

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
from visuomotor.tasks.pr2.pr2_task import DOWN, UP, Pr2Task, Scene

_TOOL_TO_RING = 0.012  # m, from the fingers to the ring's middle; they end 1 mm above its lower side
_ABOVE = 0.004  # m, of the ring from the stand at the goal: it falls by that much when released
_NEAR = 0.03  # m, of the ring's middle from the peg's tip
_LATERAL, _LIFTED = 0.005, 0.003  # m, of the ring's middle from the peg's axis, of the ring from the stand


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
    start = ((0.50, -0.14, 1.09), DOWN)
    approach = (0.0, 0.0, -1.0)
    goal_offset = (0.0, 0.0, TUBE_RADIUS + _ABOVE)
    held_at = (_TOOL_TO_RING, 0.0, 0.0), UP
    target_to_tool = staticmethod(stand_to_tool)

    def add_objects(self, spec: mujoco.MjSpec, pr2: Pr2) -> Scene:
        ring, stand = add_ring(spec, pr2.right_tool), add_peg(spec, pr2.left_tool)
        return Scene(
            held_joint=ring.joint,
            grasp=ring.grasp,
            target=stand.foot,
            grip_opening=RING_RADIUS + TUBE_RADIUS,
            target_opening=STAND_HALF,
            clutter={"visual": add_other_pegs(spec, stand), "background": add_background(spec, NARROW_BIN)},
        )

    def keypoints(self, engine: Engine) -> Tensor:
        """The peg's tip and two corners of the stand's top."""
        corners = (0.0, 0.0, PEG_HEIGHT), (-STAND_HALF, STAND_HALF, 0.0), (-STAND_HALF, -STAND_HALF, 0.0)
        return self.points_on_target(engine, torch.tensor(corners, dtype=torch.float64)).float()

    def stage(self, engine: Engine) -> Tensor:
        ring = self.held_from_target(engine)
        tip = ring - torch.tensor([0.0, 0.0, PEG_HEIGHT], dtype=torch.float64)
        lateral = ring[:, :2].norm(dim=-1)
        stage = (tip.norm(dim=-1) < _NEAR).long()
        stage[(lateral < _LATERAL) & (ring[:, 2] < PEG_HEIGHT / 2)] = 2
        return stage

    def in_place(self, engine: Engine) -> Tensor:
        """The ring lies on the stand, around the peg."""
        ring = self.held_from_target(engine)
        return (ring[:, :2].norm(dim=-1) < _LATERAL) & (ring[:, 2] < TUBE_RADIUS + _LIFTED)
