"""What insertion in 2-D and in 3-D share: an arm pushes the peg at its end into a slot."""

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar, Final

import mujoco
import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.props.room import add_room
from visuomotor.robots.collision import AS_TARGET, STIFF_CONTACT
from visuomotor.robots.geoms import box
from visuomotor.robots.peg_arm import PEG_LENGTH, PEG_TIP, PEG_TOP, PegJoint, add_peg_arm
from visuomotor.tasks.cost import Cost
from visuomotor.tasks.keypoint_cost import keypoint_cost
from visuomotor.tasks.reset_params import ResetParams
from visuomotor.tasks.task import Task, site_velocity

SLOT: Final = (1.2, 0.0, 0.1)  # m, the middle of the slot's bottom when it is not shifted
SLOT_HALF: Final = 0.075  # m: 2.5 cm of play on each side of the peg
MOST_SHIFT: Final = 0.1  # m, of the slot
_SHOULDER = (0.0, 0.0, 1.8)  # m
_INSERTED = 0.1  # m, of the peg's tip from the slot's bottom: four fifths of the peg are in the slot
_START_STD = 0.02  # rad by which each joint's start deviates (normal) where starts are random
_POINTS = (PEG_TIP, PEG_TOP)
_COLOR = (0.25, 0.45, 0.75, 1.0)


class Insertion(Task):
    """An arm without weight, by torques, pushes a peg of 0.5 m into a slot as deep (Levine et al. 2016, simulation).

    State: joint angles, joint velocities, tip and top of the peg less where they are when it is inserted, their
    velocities; of points and velocities only the axes along which the arm moves.

    Episodes are 100 steps of 50 ms, as in the other tasks: the motion takes 2 s, and every method pays for each step
    of a trajectory.

    Splits: `training` (four positions of the slot, in turn), `random` (any in the range, joints a little off).
    """

    max_episode_steps: ClassVar[int] = 100
    splits: ClassVar[tuple[str, ...]] = ("training", "random")
    stages: ClassVar[tuple[str, ...]] = ("outside", "inside", "inserted")
    stage_rewards: ClassVar[tuple[float, ...]] = (0.0, 0.125, 1.0)

    joints: ClassVar[Sequence[PegJoint]]
    """Joints of the arm."""
    axes: ClassVar[tuple[int, ...]]
    """World axes along which the arm moves the peg."""
    camera_pose: ClassVar[tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]]
    """Where the camera is (m), and the directions of the right and the upper side of its image."""
    shifts: ClassVar[tuple[tuple[float, float], ...]]
    """m, of the slot along x and y in the training conditions."""

    def __init__(self) -> None:
        spec = mujoco.MjSpec()
        spec.option.gravity = (0.0, 0.0, 0.0)  # the arm is counterbalanced
        spec.option.timestep = 0.01
        spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        add_room(spec)
        robot = add_peg_arm(spec, self.joints, _SHOULDER)
        slot = spec.worldbody.add_body(name="slot", pos=SLOT, mocap=True)
        self.add_walls(slot)
        for name, height in zip(_POINTS, (0.0, PEG_LENGTH), strict=True):
            slot.add_site(name=f"{name}_target", pos=(0, 0, height), size=[0.01, 0, 0], group=4)
        eye, right, up = self.camera_pose
        spec.worldbody.add_camera(name="side", pos=eye, xyaxes=[*right, *up], fovy=45.0)
        super().__init__(spec, robot, "side")
        self._points = [self.model.site(name).id for name in _POINTS]
        self._targets = [self.model.site(f"{name}_target").id for name in _POINTS]

    @abstractmethod
    def add_walls(self, slot: Any) -> None:
        """Put walls (`add_wall`) around the slot on a body whose origin is the middle of its bottom."""

    @abstractmethod
    def random_shifts(self, uniform: Tensor) -> Tensor:
        """Shifts of the slot `(n, 2)` along x and y, in units of `MOST_SHIFT`, of draws `(n, 2)` from [0, 1)."""

    # -- how episodes start

    def sample_reset(
        self, count: int, generator: torch.Generator, split: str = "random", randomize: bool = True
    ) -> ResetParams:
        """See `Task`. Joints deviate by 0.02 rad (normal) where `randomize`."""
        self.check_split(split)
        if split == "training":
            shifts = torch.tensor(self.shifts, dtype=torch.float64)[torch.arange(count) % len(self.shifts)]
        else:
            shifts = MOST_SHIFT * self.random_shifts(torch.rand(count, 2, generator=generator, dtype=torch.float64))
        joints = torch.zeros(count, self.robot.arm_size, dtype=torch.float64)
        if randomize:
            joints = _START_STD * torch.randn(joints.shape, generator=generator, dtype=torch.float64)
        return ResetParams({"shift": shifts, "joints": joints})

    def reset(self, engine: Engine, env_ids: Tensor, params: ResetParams) -> None:
        engine.reset(env_ids)
        self.robot.set_joints(engine, env_ids, self.robot.home + params.placement["joints"])
        slot = torch.tensor(SLOT, dtype=torch.float64).repeat(len(env_ids), 1)
        slot[:, :2] += params.placement["shift"]
        engine.field("mocap_pos")[env_ids, 0] = slot
        engine.forward(env_ids)

    # -- what is observed

    def keypoints(self, engine: Engine) -> Tensor:
        """The middles of the slot's bottom and of its mouth."""
        return engine.field("site_xpos")[:, self._targets].float()

    def errors(self, engine: Engine) -> Tensor:
        """`(n, 2, 3)` m: tip and top of the peg less where they are when it is inserted."""
        places = engine.field("site_xpos")
        return places[:, self._points] - places[:, self._targets]

    def state(self, engine: Engine) -> Tensor:
        parts = [
            self.robot.joint_positions(engine),
            self.robot.joint_velocities(engine),
            self.errors(engine)[..., self.axes].flatten(1),
            site_velocity(engine, self._points)[..., self.axes].flatten(1),
        ]
        return torch.cat(parts, dim=1)

    def stage(self, engine: Engine) -> Tensor:
        tip = self.errors(engine)[:, 0]
        above = tip[:, :2].abs().amax(-1) < SLOT_HALF
        stage = ((tip[:, 2] < PEG_LENGTH) & above).long()
        stage[(tip.norm(dim=-1) < _INSERTED) & above] = 2
        return stage

    # -- what is wanted

    @cached_property
    def cost(self) -> Cost:
        """`keypoint_cost` of both ends of the peg."""
        first, count = 2 * self.robot.arm_size, len(_POINTS) * len(self.axes)
        return keypoint_cost(slice(first, first + count), slice(first + count, first + 2 * count))


def add_wall(slot: Any, name: str, center: tuple[float, ...], half: tuple[float, ...]) -> None:
    """A box of half sizes `half` (m) that the peg touches, without friction as in the authors' released model."""
    box(slot, name, center, half, _COLOR, AS_TARGET, condim=1, **STIFF_CONTACT)
