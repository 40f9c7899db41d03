"""Hang a coat hanger on a clothes rack."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

import mujoco
import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.props.clutter import add_background, add_clothes
from visuomotor.props.hanger import add_hanger, hook_inside_height
from visuomotor.props.rack import BAR_HALF_LENGTH, BAR_RADIUS, HEIGHT, add_rack, rack_to_tool
from visuomotor.robots.pr2 import Pr2
from visuomotor.tasks.pr2.pr2_task import UPRIGHT, Pr2Task, Scene
from visuomotor.tasks.task import EpisodeOutcome

_CLEARANCE = 0.004  # m between bar and hook at the target: the hanger drops by it when released
_GRIP_OPENING = 0.004  # m, each finger on the wire
_NEAR = 0.10  # m, of the hook's inside from the bar's axis
_HOOKED = 0.015  # m, likewise: the bar is inside the hook
_MOST_LEAN = math.radians(20)  # rad, of a hanger that is upright


class Hanger(Pr2Task):
    """A PR2 brings the hook of a coat hanger over the bar of a rack that its left hand holds (Levine et al. 2015).

    See `Pr2Task` for state, readings and splits. `visual`: clothes on the rack. `background`: a crate, a bin and a
    cushion behind it. Success: the hanger is upright when the gripper opens, and then hangs on the bar. The last stage
    needs an upright hanger too: else a policy that is paid for stages learns to catch the bar with a leaning one.
    """

    name: ClassVar[str] = "hanger"
    description: ClassVar[str] = "hang a coat hanger on a clothes rack (PR2, 7 torques at 20 Hz)"
    stages: ClassVar[tuple[str, ...]] = ("start", "near", "hooked")
    stage_rewards: ClassVar[tuple[float, ...]] = (0.0, 0.125, 1.0)
    expert: ClassVar[str] = "visuomotor.demos.hanging:hang"

    center = (0.68, -0.10, 1.0)  # of the bar
    start = ((0.53, -0.10, 1.20), UPRIGHT)  # above and behind every bar
    goal_offset = (0.0, 0.0, BAR_RADIUS + _CLEARANCE - hook_inside_height())
    target_to_tool = staticmethod(rack_to_tool)
    grasps = ((0.0, 0.0), (0.015, 0.2))

    def add_objects(self, spec: mujoco.MjSpec, pr2: Pr2) -> Scene:
        hanger = add_hanger(spec, pr2.right_tool)
        rack = add_rack(spec, pr2.left_tool)
        self._hook_site = hanger.hook_inside
        return Scene(
            held_joint=hanger.joint,
            grasp=hanger.grasp,
            target=rack.bar_center,
            grip_opening=_GRIP_OPENING,
            target_opening=rack.finger_opening,
            clutter={"visual": add_clothes(spec, rack), "background": add_background(spec)},
        )

    def __init__(self) -> None:
        super().__init__()
        self._hook = self.model.site(self._hook_site).id

    def keypoints(self, engine: Engine) -> Tensor:
        """Both ends of the bar and the middle of the base rail."""
        corners = (0.0, BAR_HALF_LENGTH, 0.0), (0.0, -BAR_HALF_LENGTH, 0.0), (0.0, 0.0, -HEIGHT)
        return self.points_on_target(engine, torch.tensor(corners, dtype=torch.float64)).float()

    def stage(self, engine: Engine) -> Tensor:
        offset = self._hook_from_bar(engine)
        distance = offset[:, [0, 2]].norm(dim=-1)
        beside = offset[:, 1].abs() >= BAR_HALF_LENGTH
        stage = ((distance < _NEAR) & ~beside).long()
        stage[(distance < _HOOKED) & ~beside & self._is_upright(engine)] = 2
        return stage

    def in_place(self, engine: Engine) -> Tensor:
        """The hanger hangs on the bar."""
        offset = self._hook_from_bar(engine)
        return (offset[:, [0, 2]].norm(dim=-1) < 2 * _HOOKED) & (offset[:, 1].abs() < BAR_HALF_LENGTH)

    def finish_episode(self, engine: Engine, callback: Callable[[], None] | None = None) -> EpisodeOutcome:
        """As in `Pr2Task`, and the hanger must be upright before: the hook of a sinking arm often catches the bar."""
        upright = self._is_upright(engine)
        outcome = super().finish_episode(engine, callback)
        return replace(outcome, success=outcome.success & upright)

    def _is_upright(self, engine: Engine) -> Tensor:
        """`(n,)`: whether the hanger leans by less than `_MOST_LEAN`."""
        qx, qy = engine.field("xquat")[:, self.held_body, 1:3].unbind(-1)
        return 1 - 2 * (qx.square() + qy.square()) > math.cos(_MOST_LEAN)

    def _hook_from_bar(self, engine: Engine) -> Tensor:
        """`(n, 3)` m: the inside of the hook less the bar's centre; the bar runs along y."""
        return engine.field("site_xpos")[:, self._hook] - self.target_position(engine)
