"""Swimming with three links."""

from functools import cached_property
from typing import ClassVar

import mujoco
import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.props.room import add_room
from visuomotor.robots.collision import NOTHING
from visuomotor.robots.geoms import cylinder
from visuomotor.robots.swimmer import HEAD, ROOT, TORSO, add_swimmer
from visuomotor.tasks.cost import Cost
from visuomotor.tasks.reset_params import ResetParams
from visuomotor.tasks.task import Task

_SPEED = 0.3  # m/s, wanted of the centre of mass along x
_FINISH = 0.75  # m, of the buoys ahead of the head's start: half of the way at the wanted speed
_NEAR = 0.5  # m, of the head behind the finish
_HEIGHT = 0.3  # m, of the plane above the floor
_DENSITY, _VISCOSITY = 3000.0, 0.1  # kg/m^3 and Pa s, of the medium
_TOO_SLOW, _EFFORT = 100.0, 1e-2  # prices: per (m/s)^2, and of the squared actions
_START_STD = 0.05  # rad by which joints and heading deviate (normal) where starts are random
_BUOY = (0.85, 0.15, 0.12, 1.0)
_POSES = ((0.0, 0.0, 0.0), (0.4, 0.4, -0.3), (-0.4, -0.4, 0.3), (0.4, -0.4, 0.0))
"""Joints from home, and heading (rad), of the training conditions: home, turned to either side, bent further."""
_AHEAD = 5  # of the state: the velocity of the centre of mass along x


class Swimmer(Task):
    """Three links in a plane of a viscous medium swim past the line of two buoys, by two torques (Levine et al. 2016).

    State (8): 2 joint angles, 2 velocities, heading (rad), velocity of the centre of mass in the plane (2), turning of
    the front link (rad/s). Where the swimmer is makes no difference: what is wanted is a speed along x.

    Splits: `training` (four poses, in turn), `random` (home, joints and heading a little off).

    Episodes are 100 steps of 50 ms, as in the other tasks. The fastest strokes take 0.7 s: torques that are two sines,
    one 0.9 rad behind the other, lead 1.3 m far. Success: the head has passed the buoys.
    """

    name: ClassVar[str] = "swimmer"
    description: ClassVar[str] = "swim past two buoys in a viscous medium (3 links, 2 torques at 20 Hz)"
    max_episode_steps: ClassVar[int] = 100
    splits: ClassVar[tuple[str, ...]] = ("training", "random")
    stages: ClassVar[tuple[str, ...]] = ("behind", "near", "passed")
    stage_rewards: ClassVar[tuple[float, ...]] = (0.0, 0.125, 1.0)

    def __init__(self) -> None:
        spec = mujoco.MjSpec()
        spec.option.gravity = (0.0, 0.0, 0.0)
        spec.option.timestep = 0.01
        spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        spec.option.density, spec.option.viscosity = _DENSITY, _VISCOSITY
        add_room(spec)
        robot = add_swimmer(spec, _HEIGHT)
        for name, y in (("left", 0.6), ("right", -0.6)):
            ends = (_FINISH, y, 0.0), (_FINISH, y, _HEIGHT + 0.1)
            cylinder(spec.worldbody, f"buoy_{name}", *ends, 0.05, _BUOY, NOTHING)
            spec.worldbody.add_site(name=f"buoy_{name}", pos=(_FINISH, y, _HEIGHT), size=[0.01, 0, 0], group=4)
        spec.worldbody.add_camera(name="above", pos=(0.3, -1.0, 3.2), xyaxes=[1, 0, 0, 0, 0.95, 0.31], fovy=50.0)
        kind, body = mujoco.mjtSensor.mjSENS_SUBTREELINVEL, mujoco.mjtObj.mjOBJ_BODY
        spec.add_sensor(name="velocity", type=kind, objtype=body, objname=TORSO)
        super().__init__(spec, robot, "above")
        self._root_qpos = [int(self.model.joint(name).qposadr[0]) for name in ROOT]
        self._root_dofs = [int(self.model.joint(name).dofadr[0]) for name in ROOT]
        self._head = self.model.site(HEAD).id
        self._buoys = [self.model.site(f"buoy_{name}").id for name in ("left", "right")]

    def sample_reset(
        self, count: int, generator: torch.Generator, split: str = "random", randomize: bool = True
    ) -> ResetParams:
        """See `Task`. Joints and heading deviate by 0.05 rad (normal) where `randomize`."""
        self.check_split(split)
        pose = torch.zeros(count, self.robot.arm_size + 1, dtype=torch.float64)
        if split == "training":
            pose = torch.tensor(_POSES, dtype=torch.float64)[torch.arange(count) % len(_POSES)]
        if randomize:
            pose = pose + _START_STD * torch.randn(pose.shape, generator=generator, dtype=torch.float64)
        return ResetParams({"joints": pose[:, :-1], "heading": pose[:, -1]})

    def reset(self, engine: Engine, env_ids: Tensor, params: ResetParams) -> None:
        engine.reset(env_ids)
        self.robot.set_joints(engine, env_ids, self.robot.home + params.placement["joints"])
        engine.field("qpos")[env_ids, self._root_qpos[2]] = params.placement["heading"]
        engine.forward(env_ids)

    # -- what is observed

    def keypoints(self, engine: Engine) -> Tensor:
        """Both buoys, at the swimmer's height."""
        return engine.field("site_xpos")[:, self._buoys].float()

    def errors(self, engine: Engine) -> Tensor:
        """`(n, 1, 3)` m: the head less the nearest point of the line between the buoys, which it has yet to pass."""
        behind = (engine.field("site_xpos")[:, self._head, 0] - _FINISH).clamp(max=0)
        return torch.stack([behind, torch.zeros_like(behind), torch.zeros_like(behind)], dim=-1)[:, None]

    def state(self, engine: Engine) -> Tensor:
        heading = engine.field("qpos")[:, self._root_qpos[2:]]
        parts = [
            self.robot.joint_positions(engine),
            self.robot.joint_velocities(engine),
            heading,
            engine.field("sensordata")[:, :2],
            engine.field("qvel")[:, self._root_dofs[2:]],
        ]
        return torch.cat(parts, dim=1)

    def stage(self, engine: Engine) -> Tensor:
        behind = _FINISH - engine.field("site_xpos")[:, self._head, 0]
        return (behind < _NEAR).long() + (behind <= 0).long()

    # -- what is wanted

    @cached_property
    def cost(self) -> Cost:
        """50 (v_x - 0.3 m/s)^2 + 0.005 |u|^2 of every step, v_x of the centre of mass along x."""

        def squares(state: Tensor, actions: Tensor) -> Tensor:
            return torch.stack([_TOO_SLOW * (state[_AHEAD] - _SPEED).square(), _EFFORT * actions.square().sum()])

        return Cost(squares, lambda values, progress: 0.5 * values.sum())
