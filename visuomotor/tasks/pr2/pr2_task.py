"""What the tasks of the first paper share: the right arm brings what it holds to a target in the left hand."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from math import sqrt
from typing import ClassVar

import mujoco
import numpy as np
import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.props.room import add_room
from visuomotor.robots.pr2 import END_EFFECTOR_POINTS, Pr2, add_pr2, solve_arm
from visuomotor.tasks.appearance import AppearanceRandomizer
from visuomotor.tasks.cost import Cost
from visuomotor.tasks.keypoint_cost import keypoint_cost
from visuomotor.tasks.quaternions import conjugate, multiply, rotate
from visuomotor.tasks.reset_params import ResetParams, Rows
from visuomotor.tasks.task import EpisodeOutcome, Task

_START_STD = 0.02  # rad by which each joint's start deviates (normal) where starts are random
_OPEN = 0.045  # m, each finger
_RELEASE_SECONDS = 1.5
_REMEMBERED = 1000  # solutions for the left arm, which follow from its target alone
_WANDER = 0.1  # rad, how far the arm strays from its way in the images for pose regression
TORQUE_COST = 1e-3  # per (N m)^2
POINTS, VELOCITIES = slice(14, 23), slice(23, 32)  # of the state: the points less their targets, their velocities
UPRIGHT = (1.0, 0.0, 0.0, 0.0)
DOWN = (sqrt(0.5), 0.0, sqrt(0.5), 0.0)  # the hand points down, its fingers close along y
UP = (sqrt(0.5), 0.0, -sqrt(0.5), 0.0)
LEFTWARDS = (sqrt(0.5), 0.0, 0.0, sqrt(0.5))

Vector = tuple[float, float, float]
Quat = tuple[float, float, float, float]


@dataclass(frozen=True)
class Scene:
    """Names of what a task puts into the robot's hands, and around."""

    held_joint: str
    """Free joint of what the right hand holds."""
    grasp: str
    """Weld equality that holds it: `eq_active` releases it, `eq_data[3:10]` is its pose in the tool frame."""
    target: str
    """Site that is at the drawn target position."""
    grip_opening: float
    """m, of each right finger on what it holds."""
    target_opening: float
    """m, of each left finger on the target."""
    clutter: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Geoms that are seen in the split of that name only, and never felt."""


class Pr2Task(Task):
    """A PR2's right arm, by torques, brings what its hand holds to a target that its left hand holds.

    State (32): 7 joint angles, 7 velocities, the three end-effector points less their targets (9), their velocities
    (9). Proprioception (32): the same, but the points in the world, so that the target must be seen.

    Splits: `training` (the training positions times the grasps, in turn), `spatial` (positions between them), `visual`
    (the paper's distractors), `background` (things behind the target), `random` (any position in the range).
    """

    max_episode_steps: ClassVar[int] = 100
    num_conditions: ClassVar[int] = 54  # each of nine positions six times, from starts that deviate
    splits: ClassVar[tuple[str, ...]] = ("training", "spatial", "visual", "background", "random")

    torso_height: ClassVar[float] = 0.25
    """m, the lift that puts the work in the middle of both arms' reach."""
    camera_fovy: ClassVar[float] = 45.0
    """degrees, the camera's vertical field of view."""
    camera_offset: ClassVar[Vector] = (-0.05, 0.0, 0.0)
    """m, from the middle of the target positions to what the camera looks at."""
    center: ClassVar[Vector]
    """m, middle of the target positions."""
    reach: ClassVar[float] = 0.10
    """m, how far they lie from it in x and y."""
    start: ClassVar[tuple[Vector, Quat]]
    """Position (m) and quaternion of the right hand where episodes start."""
    goal_offset: ClassVar[Vector] = (0.0, 0.0, 0.0)
    """m, from the target to the held object when the task is done."""
    goal_quat: ClassVar[Quat] = UPRIGHT
    """Quaternion of the held object when the task is done."""
    points: ClassVar[tuple[Vector, ...]] = END_EFFECTOR_POINTS
    """m, the three end-effector points in the hand's frame. On one line, they leave the turn about it free."""
    approach: ClassVar[Vector | None] = None
    """Direction in the world in which the object comes to its goal; see `keypoint_cost`."""
    approach_power: ClassVar[float] = 1.0
    """How late it comes; see there."""
    held_at: ClassVar[tuple[Vector, Quat]] = (0.0, 0.0, 0.0), UPRIGHT
    """Position (m) and quaternion of the held object in the hand."""
    grasps: ClassVar[tuple[tuple[float, float], ...]] = ((0.0, 0.0),)
    """How the hand's hold differs from that, one row a grasp: shift along the object's z axis (m), tilt about the
    fingers' axis (rad)."""
    spatial_grasps: ClassVar[tuple[tuple[float, float], ...] | None] = None
    """Those of the split `spatial`; by default the same."""
    releases: ClassVar[bool] = True
    """Whether the hand lets go in the end."""

    def __init__(self) -> None:
        spec = mujoco.MjSpec()
        x, y, z = np.add(self.center, self.camera_offset).tolist()
        pr2 = add_pr2(
            spec,
            torso_height=self.torso_height,
            camera_target=(x, y, z),
            camera_fovy=self.camera_fovy,
            points=self.points,
        )
        scene = self.add_objects(spec, pr2)
        add_room(spec)
        for site in pr2.points:
            spec.add_sensor(
                name=f"{site}_velocity",
                type=mujoco.mjtSensor.mjSENS_FRAMELINVEL,
                objtype=mujoco.mjtObj.mjOBJ_SITE,
                objname=site,
            )
        super().__init__(spec, pr2.robot, pr2.camera)
        model, self.scene = self.model, scene
        self._left_qpos = [int(model.joint(name).qposadr[0]) for name in pr2.left_joints]
        self._left_servos = [model.actuator(name).id for name in pr2.left_joints]
        self._fingers = [model.actuator(name).id for name in pr2.right_fingers]
        self._finger_qpos = [int(model.joint(name).qposadr[0]) for name in pr2.right_fingers]
        self._left_fingers = [model.actuator(name).id for name in pr2.left_fingers]
        self._left_finger_qpos = [int(model.joint(name).qposadr[0]) for name in pr2.left_fingers]
        held = model.joint(scene.held_joint)
        self._held_qpos, self.held_body = int(held.qposadr[0]), int(held.bodyid[0])
        self._tool = model.body(pr2.right_tool).id
        self._points = [model.site(name).id for name in pr2.points]
        self._grasp, self._target = model.equality(scene.grasp).id, model.site(scene.target).id
        self._target_body = int(model.site(scene.target).bodyid[0])
        self._clutter = {name: [model.geom(geom).id for geom in geoms] for name, geoms in scene.clutter.items()}
        self._clutter_alpha = {
            name: torch.from_numpy(model.geom_rgba[ids, 3].copy()) for name, ids in self._clutter.items()
        }
        for ids in self._clutter.values():
            model.geom_rgba[ids, 3] = 0.0  # the model itself shows none
        self._appearance = AppearanceRandomizer(model)
        self._start_angles = torch.from_numpy(solve_arm(model, "r", *self.start))
        self._left_angles: dict[tuple[float, ...], Tensor] = {}

    # -- what differs from task to task

    @abstractmethod
    def add_objects(self, spec: mujoco.MjSpec, pr2: Pr2) -> Scene:
        """Put what the right hand holds, the target and the clutter into a spec."""

    def goal(self, target: Tensor) -> tuple[Tensor, Tensor]:
        """Position `(n, 3)` m and quaternion `(n, 4)` in the world of the held object when the task is done, for target
        positions `(n, 3)` m."""
        quat = torch.tensor(self.goal_quat, dtype=torch.float64)
        return target + torch.tensor(self.goal_offset, dtype=torch.float64), quat.expand(len(target), 4)

    @staticmethod
    @abstractmethod
    def target_to_tool() -> tuple[np.ndarray, np.ndarray]:
        """Position (m) and quaternion of the left hand in the frame of the object that it holds."""

    def left_hand(self, target: Tensor) -> tuple[Tensor, Tensor]:
        """Position `(3,)` m and quaternion `(4,)` of the left hand that holds the target at a position `(3,)` m."""
        offset, quat = self.target_to_tool()
        return target + torch.from_numpy(offset), torch.from_numpy(quat)

    def place_target(self, engine: Engine, env_ids: Tensor, target: Tensor) -> None:
        """Put the target at positions `(n, 3)` m, where it does not come with the left hand."""

    @abstractmethod
    def in_place(self, engine: Engine) -> Tensor:
        """`(n,)` bool: the object is where it should be, some time after the right hand has let go."""

    def training_positions(self) -> Tensor:
        """`(P, 2)` in units of `reach` about `center`: three by three."""
        return torch.tensor([(x, y) for x in (-1.0, 0.0, 1.0) for y in (-1.0, 0.0, 1.0)], dtype=torch.float64)

    def spatial_positions(self) -> Tensor:
        """Twelve positions between the nine of training."""
        pairs = [(x, y) for x in (-0.75, -0.25, 0.25, 0.75) for y in (-0.5, 0.0, 0.5)]
        return torch.tensor(pairs, dtype=torch.float64)

    # -- how episodes start

    def _at(self, offsets: Tensor) -> Tensor:
        """`(n, 3)` m: target positions, for offsets `(n, 2)` in units of `reach` about `center`."""
        center = torch.tensor(self.center, dtype=torch.float64)
        return center + torch.nn.functional.pad(self.reach * offsets, (0, 1))

    @cached_property
    def _positions(self) -> Tensor:
        """`(P, 3)` m: those of training and of `spatial`."""
        return self._at(torch.cat([self.training_positions(), self.spatial_positions()]))

    def sample_reset(
        self, count: int, generator: torch.Generator, split: str = "random", randomize: bool = True
    ) -> ResetParams:
        """See `Task`. Starts deviate by 0.02 rad (normal) a joint where `randomize`."""
        self.check_split(split)
        rows = self.spatial_grasps if split == "spatial" and self.spatial_grasps else self.grasps
        grasps = torch.tensor(rows, dtype=torch.float64)
        if split == "random":
            offsets = 2 * torch.rand(count, 2, generator=generator, dtype=torch.float64) - 1
            target, grasp = self._at(offsets), torch.randint(len(grasps), (count,), generator=generator)
        else:
            positions = self._at(self.spatial_positions() if split == "spatial" else self.training_positions())
            condition = torch.arange(count) % (len(positions) * len(grasps))
            target, grasp = positions[condition % len(positions)], condition // len(positions)
        start = torch.zeros(count, 7, dtype=torch.float64)
        if randomize:
            start = _START_STD * torch.randn(count, 7, generator=generator, dtype=torch.float64)
        return ResetParams(
            placement={"target": target, "start": start},
            dynamics={"grasp": grasps[grasp]},
            appearance={
                name: torch.full((count,), float(split == name), dtype=torch.float64) for name in self._clutter
            },
        )

    def reset(self, engine: Engine, env_ids: Tensor, params: ResetParams) -> None:
        self.apply_randomization(engine, env_ids, params)
        self._place(engine, env_ids, params, self._start_angles + params.placement["start"])

    def grasp_poses(self, grasp: Tensor) -> tuple[Tensor, Tensor]:
        """Position `(n, 3)` m and quaternion `(n, 4)` of the held object in the hand, for rows `(n, 2)` of `grasps`."""
        position, quat = (torch.tensor(part, dtype=torch.float64).expand(len(grasp), -1) for part in self.held_at)
        shift, tilt = grasp.unbind(-1)
        nothing = torch.zeros_like(shift)
        along = rotate(quat, torch.stack([nothing, nothing, shift], dim=-1))
        tilted = torch.stack([(tilt / 2).cos(), nothing, (tilt / 2).sin(), nothing], dim=-1)
        return position + along, multiply(tilted, quat)

    def apply_randomization(self, engine: Engine, env_ids: Tensor, params: ResetParams) -> None:
        position, quat = self.grasp_poses(params.dynamics["grasp"])
        weld = engine.model_field("eq_data")
        weld[env_ids, self._grasp, 3:6], weld[env_ids, self._grasp, 6:10] = position, quat
        self.apply_appearance(engine, env_ids, params.appearance)

    def apply_appearance(self, engine: Engine, env_ids: Tensor, appearance: Rows) -> None:
        self._appearance.restore(engine, env_ids)
        color = engine.model_field("geom_rgba")
        for name, ids in self._clutter.items():
            alpha = appearance[name].float()[:, None] * self._clutter_alpha[name]
            color[env_ids[:, None], torch.tensor(ids), 3] = alpha

    def randomize_appearance(self, engine: Engine, generator: torch.Generator, split: str = "random") -> None:
        """Colours and lights. The camera stays: millimetres count, and where it is cannot be read."""
        self._appearance.randomize(engine, generator)

    def reset_for_pose_data(self, engine: Engine, generator: torch.Generator) -> None:
        """The target anywhere in the range, the arm anywhere on the way from its start to the target."""
        params = self.sample_reset(engine.worlds, generator, randomize=False)
        position, quat = self._hand_targets(params.placement["target"], *self.grasp_poses(params.dynamics["grasp"]))
        near = self._start_angles.numpy()
        reached = torch.stack(
            [
                torch.from_numpy(solve_arm(self.model, "r", p.numpy(), q.numpy(), start=near))
                for p, q in zip(position, quat, strict=True)
            ]
        )
        way = torch.rand(len(params), 1, generator=generator, dtype=torch.float64)
        angles = self._start_angles + way * (reached - self._start_angles)
        wander = _WANDER * torch.randn(angles.shape, generator=generator, dtype=torch.float64)
        everyone = torch.arange(engine.worlds)
        self.apply_randomization(engine, everyone, params)
        self._place(engine, everyone, params, angles + wander)

    def _place(self, engine: Engine, env_ids: Tensor, params: ResetParams, angles: Tensor) -> None:
        """Right arm at angles `(n, 7)` with the object in its hand, the target in the left hand at its position."""
        engine.reset(env_ids)
        self.place_target(engine, env_ids, params.placement["target"])
        rows = env_ids[:, None]
        qpos, ctrl = engine.field("qpos"), engine.field("ctrl")
        left = self.left_arms(params)
        self.robot.set_joints(engine, env_ids, angles)
        qpos[rows, self._left_qpos] = ctrl[rows, self._left_servos] = left
        for joints, servos, opening in (
            (self._finger_qpos, self._fingers, self.scene.grip_opening),
            (self._left_finger_qpos, self._left_fingers, self.scene.target_opening),
        ):
            qpos[rows, joints] = ctrl[rows, servos] = torch.tensor(opening, dtype=torch.float64)
        engine.field("eq_active")[env_ids, self._grasp] = 1
        engine.forward(env_ids)
        hand_position, hand_quat = engine.field("xpos")[env_ids, self._tool], engine.field("xquat")[env_ids, self._tool]
        position, quat = self.grasp_poses(params.dynamics["grasp"])
        held = torch.cat([hand_position + rotate(hand_quat, position), multiply(hand_quat, quat)], dim=-1)
        qpos[rows, self._held_qpos + torch.arange(7)] = held
        engine.forward(env_ids)

    def left_arms(self, params: ResetParams) -> Tensor:
        """`(n, 7)` rad: the left arm's angles. By default it holds the target at its position."""
        return torch.stack([self._left_arm(target) for target in params.placement["target"]])

    def _left_arm(self, target: Tensor) -> Tensor:
        """`(7,)` rad: the left arm's angles that put the target at a position; the recent ones are remembered. It is
        three times as fast to search from those of the nearest position of training and `spatial`."""
        key = tuple(target.tolist())
        if key not in self._left_angles:
            if len(self._left_angles) >= _REMEMBERED:
                del self._left_angles[next(iter(self._left_angles))]
            position, quat = self.left_hand(target)
            nearest = self._positions[(self._positions - target).norm(dim=-1).argmin()]
            near = None if torch.equal(nearest, target) else self._left_arm(nearest).numpy()
            angles = solve_arm(self.model, "l", position.numpy(), quat.numpy(), start=near)
            self._left_angles[key] = torch.from_numpy(angles)
        return self._left_angles[key]

    # -- what is observed

    def proprioception(self, engine: Engine) -> Tensor:
        return self._readings(engine).float()

    @property
    def proprioception_names(self) -> tuple[tuple[str, str], ...]:
        joints = self.robot.robot.joints
        points = [f"{self.model.site(site).name} {axis}" for site in self._points for axis in "xyz"]
        found = [(name, "rad") for name in joints] + [(f"{name} velocity", "rad/s") for name in joints]
        return (*found, *((name, "m") for name in points), *((f"{name} velocity", "m/s") for name in points))

    def state(self, engine: Engine) -> Tensor:
        readings = self._readings(engine)
        readings[:, POINTS] = self.errors(engine).flatten(1)
        return readings

    def errors(self, engine: Engine) -> Tensor:
        """`(n, 3, 3)` m: the end-effector points less where they are when the object is at its goal."""
        weld = engine.model_field("eq_data")[:, self._grasp]
        position, quat = self._hand_targets(self.target_position(engine), weld[:, 3:6], weld[:, 6:10])
        points = torch.tensor(self.points, dtype=torch.float64)
        targets = position[:, None] + rotate(quat[:, None], points.expand(len(quat), -1, -1))
        return engine.field("site_xpos")[:, self._points] - targets

    def target_position(self, engine: Engine) -> Tensor:
        """`(n, 3)` m, of the target's site."""
        return engine.field("site_xpos")[:, self._target]

    def held_from_target(self, engine: Engine) -> Tensor:
        """`(n, 3)` m: the held object's origin less the target's site."""
        return engine.field("xpos")[:, self.held_body] - self.target_position(engine)

    def points_on_target(self, engine: Engine, points: Tensor) -> Tensor:
        """`(n, K, 3)` m, world: points `(K, 3)` relative to the target's site, along the axes of its body."""
        quat = engine.field("xquat")[:, self._target_body, None]
        return self.target_position(engine)[:, None] + rotate(quat, points[None])

    def _readings(self, engine: Engine) -> Tensor:
        """`(n, 32)` float64: joint angles and velocities, the end-effector points in the world and their velocities."""
        return torch.cat(
            [
                self.robot.joint_positions(engine),
                self.robot.joint_velocities(engine),
                engine.field("site_xpos")[:, self._points].flatten(1),
                engine.field("sensordata"),
            ],
            dim=-1,
        )

    def _hand_targets(self, target: Tensor, held_position: Tensor, held_quat: Tensor) -> tuple[Tensor, Tensor]:
        """Position `(n, 3)` and quaternion `(n, 4)` of the hand when the object that it holds is at its goal.

        Args:
            target: `(n, 3)` m. held_position, held_quat: the object in the hand.
        """
        position, quat = self.goal(target)
        quat = multiply(quat, conjugate(held_quat))
        return position - rotate(quat, held_position), quat

    # -- what is wanted

    @cached_property
    def cost(self) -> Cost:
        effort = TORQUE_COST * self.robot.action_limits.square()
        return keypoint_cost(
            POINTS,
            VELOCITIES,
            action=effort,
            approach=self.approach,
            approach_power=self.approach_power,
            extra=self.extra_cost,
        )

    def extra_cost(self, state: Tensor) -> Tensor:
        """What else a step costs, `()`: a square of the state `(X,)`; see `keypoint_cost`."""
        return state.new_zeros(())

    def finish_episode(self, engine: Engine, callback: Callable[[], None] | None = None) -> EpisodeOutcome:
        """Let go, wait 1.5 s, and see whether the object is in its place."""
        distance = self.errors(engine).norm(dim=-1).mean(-1)
        if not self.releases:
            return EpisodeOutcome(self.in_place(engine), distance)
        engine.field("ctrl")[:, self.robot.actuator_ids] = 0.0
        engine.field("ctrl")[:, self._fingers] = _OPEN
        engine.field("eq_active")[:, self._grasp] = 0
        diverged = torch.zeros(engine.worlds, dtype=torch.bool)
        for _ in range(round(_RELEASE_SECONDS / self.control_dt)):
            engine.step(self.frame_skip)
            diverged |= engine.diverged
            if callback is not None:
                callback()
        return EpisodeOutcome(self.in_place(engine) & ~diverged, distance)
