"""Hang a coat hanger on a clothes rack."""

from collections.abc import Callable
from functools import cached_property
from typing import ClassVar

import mujoco
import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.props.clutter import add_background, add_clothes
from visuomotor.props.hanger import add_hanger, hook_inside_height
from visuomotor.props.rack import BAR_HALF_LENGTH, BAR_RADIUS, HEIGHT, add_rack, rack_to_tool
from visuomotor.props.room import add_room
from visuomotor.robots.pr2 import END_EFFECTOR_POINTS, add_pr2, solve_arm
from visuomotor.tasks.cost import Cost
from visuomotor.tasks.keypoint_cost import keypoint_cost
from visuomotor.tasks.quaternions import conjugate, multiply, rotate
from visuomotor.tasks.reset_params import ResetParams, Rows
from visuomotor.tasks.task import EpisodeOutcome, Task

_CENTER = (0.68, -0.10, 1.0)  # m, middle of the bar positions
_TORSO = 0.25  # m, the torso lift that puts the work in the middle of both arms' reach
_REACH = 0.10  # m, how far they lie from it in x and y
_START = (0.53, -0.10, 1.20)  # m, where the right hand starts: above and behind every bar
_START_STD = 0.02  # rad by which each joint's start deviates (normal) where starts are random
_CLEARANCE = 0.004  # m between bar and hook at the target: the hanger drops by it when released
_GRIP_OPENING = 0.004  # m, each finger on the wire
_OPEN = 0.045  # m, each finger
_RELEASE_SECONDS = 1.5
_WANDER = 0.1  # rad, how far the arm strays from its way in the images for pose regression
# How the hand holds the hanger, one row a grasp: shift along the neck (m) and tilt about the fingers' axis (rad)
_GRASPS = ((0.0, 0.0), (0.015, 0.2))
_NEAR = 0.10  # m, of the hook's inside from the bar's axis
_HOOKED = 0.015  # m, likewise: the bar is inside the hook
_TORQUE_COST = 1e-3  # per (N m)^2
_POINTS, _VELOCITIES = slice(14, 23), slice(23, 32)  # of the state: the points less their targets, their velocities


class Hanger(Task):
    """A PR2 brings the hook of a coat hanger over the bar of a rack that its left hand holds (Levine et al. 2015).

    State (32): 7 joint angles, 7 velocities, the three end-effector points less their targets (9), their velocities
    (9). Proprioception (32): the same, but the points in the world, so that the target must be seen. Success: the hook
    lies over the bar and the hanger stays on it when the gripper opens.

    Splits: `training` (9 positions x 2 grasps in turn), `spatial` (12 positions between them), `visual` (clothes on the
    rack), `background` (a crate, a bin and a cushion behind it), `random` (any position in the range).
    """

    name: ClassVar[str] = "hanger"
    description: ClassVar[str] = "hang a coat hanger on a clothes rack (PR2, 7 torques at 20 Hz)"
    max_episode_steps: ClassVar[int] = 100
    splits: ClassVar[tuple[str, ...]] = ("training", "spatial", "visual", "background", "random")
    stages: ClassVar[tuple[str, ...]] = ("start", "near", "hooked")
    stage_rewards: ClassVar[tuple[float, ...]] = (0.0, 0.125, 1.0)
    expert: ClassVar[str] = "visuomotor.demos.hanging:hang"

    def __init__(self) -> None:
        spec = mujoco.MjSpec()
        pr2 = add_pr2(spec, torso_height=_TORSO, camera_target=(_CENTER[0] - 0.05, _CENTER[1], _CENTER[2]))
        hanger = add_hanger(spec, pr2.right_tool)
        rack = add_rack(spec, pr2.left_tool)
        clothes, background = add_clothes(spec, rack), add_background(spec)
        add_room(spec)
        for site in pr2.points:
            spec.add_sensor(
                name=f"{site}_velocity",
                type=mujoco.mjtSensor.mjSENS_FRAMELINVEL,
                objtype=mujoco.mjtObj.mjOBJ_SITE,
                objname=site,
            )
        super().__init__(spec, pr2.robot, pr2.camera)
        model, self._pr2 = self.model, pr2
        self._left_qpos = [int(model.joint(name).qposadr[0]) for name in pr2.left_joints]
        self._left_servos = [model.actuator(name).id for name in pr2.left_joints]
        self._fingers = [model.actuator(name).id for name in pr2.right_fingers]
        self._finger_qpos = [int(model.joint(name).qposadr[0]) for name in pr2.right_fingers]
        self._left_fingers = [model.actuator(name).id for name in pr2.left_fingers]
        self._left_finger_qpos = [int(model.joint(name).qposadr[0]) for name in pr2.left_fingers]
        self._rack_opening = rack.finger_opening
        self._hanger_qpos = int(model.joint(hanger.joint).qposadr[0])
        self._tool = model.body(pr2.right_tool).id
        self._points = [model.site(name).id for name in pr2.points]
        self._grasp = model.equality(hanger.grasp).id
        self._hook, self._bar = model.site(hanger.hook_inside).id, model.site(rack.bar_center).id
        self._rack = model.body(rack.body).id
        self._clutter = {
            name: [model.geom(geom).id for geom in geoms]
            for name, geoms in (("clothes", clothes), ("background", background))
        }
        self._clutter_alpha = {
            name: torch.from_numpy(model.geom_rgba[ids, 3].copy()) for name, ids in self._clutter.items()
        }
        self._start_angles = torch.from_numpy(solve_arm(model, "r", _START, (1.0, 0.0, 0.0, 0.0)))
        self._left_angles: dict[tuple[float, ...], Tensor] = {}

    def sample_reset(
        self, count: int, generator: torch.Generator, split: str = "random", randomize: bool = True
    ) -> ResetParams:
        """See `Task`. Starts deviate by 0.02 rad (normal) a joint where `randomize`."""
        self.check_split(split)
        if split == "random":
            offsets = 2 * torch.rand(count, 2, generator=generator, dtype=torch.float64) - 1
            grasp = torch.randint(len(_GRASPS), (count,), generator=generator)
        else:
            positions = _spatial_positions() if split == "spatial" else _training_positions()
            condition = torch.arange(count) % (len(positions) * len(_GRASPS))
            offsets, grasp = positions[condition % len(positions)], condition // len(positions)
        start = torch.zeros(count, 7, dtype=torch.float64)
        if randomize:
            start = _START_STD * torch.randn(count, 7, generator=generator, dtype=torch.float64)
        target = torch.tensor(_CENTER, dtype=torch.float64) + torch.nn.functional.pad(_REACH * offsets, (0, 1))
        return ResetParams(
            placement={"target": target, "start": start},
            dynamics={"grasp": torch.tensor(_GRASPS, dtype=torch.float64)[grasp]},
            appearance={
                name: torch.full((count,), float(split == shown_in), dtype=torch.float64)
                for name, shown_in in (("clothes", "visual"), ("background", "background"))
            },
        )

    def reset(self, engine: Engine, env_ids: Tensor, params: ResetParams) -> None:
        self.apply_randomization(engine, env_ids, params)
        self._place(engine, env_ids, params, self._start_angles + params.placement["start"])

    def apply_randomization(self, engine: Engine, env_ids: Tensor, params: ResetParams) -> None:
        position, quat = _grasp_poses(params.dynamics["grasp"])
        weld = engine.model_field("eq_data")
        weld[env_ids, self._grasp, 3:6], weld[env_ids, self._grasp, 6:10] = position, quat
        self.apply_appearance(engine, env_ids, params.appearance)

    def apply_appearance(self, engine: Engine, env_ids: Tensor, appearance: Rows) -> None:
        color = engine.model_field("geom_rgba")
        for name, ids in self._clutter.items():
            alpha = appearance[name].float()[:, None] * self._clutter_alpha[name]
            color[env_ids[:, None], torch.tensor(ids), 3] = alpha

    def reset_for_pose_data(self, engine: Engine, generator: torch.Generator) -> None:
        """The rack anywhere in the range, the arm anywhere on the way from its start to the target."""
        params = self.sample_reset(engine.worlds, generator, randomize=False)
        position, quat = self._hand_targets(params.placement["target"], *_grasp_poses(params.dynamics["grasp"]))
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
        """Right arm at angles `(n, 7)`, hanger in hand, rack in the left hand at its target."""
        engine.reset(env_ids)
        rows = env_ids[:, None]
        qpos, ctrl = engine.field("qpos"), engine.field("ctrl")
        left = torch.stack([self._left_arm(target) for target in params.placement["target"]])
        self.robot.set_joints(engine, env_ids, angles)
        qpos[rows, self._left_qpos] = ctrl[rows, self._left_servos] = left
        for joints, servos, opening in (
            (self._finger_qpos, self._fingers, _GRIP_OPENING),
            (self._left_finger_qpos, self._left_fingers, self._rack_opening),
        ):
            qpos[rows, joints] = ctrl[rows, servos] = torch.tensor(opening, dtype=torch.float64)
        engine.field("eq_active")[env_ids, self._grasp] = 1
        engine.forward(env_ids)
        hand_position, hand_quat = engine.field("xpos")[env_ids, self._tool], engine.field("xquat")[env_ids, self._tool]
        position, quat = _grasp_poses(params.dynamics["grasp"])
        hanger = torch.cat([hand_position + rotate(hand_quat, position), multiply(hand_quat, quat)], dim=-1)
        qpos[rows, self._hanger_qpos + torch.arange(7)] = hanger
        engine.forward(env_ids)

    def keypoints(self, engine: Engine) -> Tensor:
        """Both ends of the bar and the middle of the base rail."""
        corners = torch.tensor(
            [[(0.0, BAR_HALF_LENGTH, 0.0), (0.0, -BAR_HALF_LENGTH, 0.0), (0.0, 0.0, -HEIGHT)]], dtype=torch.float64
        )
        quat = engine.field("xquat")[:, self._rack, None]
        return (engine.field("site_xpos")[:, self._bar, None] + rotate(quat, corners)).float()

    def stage(self, engine: Engine) -> Tensor:
        offset = self._hook_from_bar(engine)
        distance = offset[:, [0, 2]].norm(dim=-1)
        beside = offset[:, 1].abs() >= BAR_HALF_LENGTH
        stage = ((distance < _NEAR) & ~beside).long()
        stage[(distance < _HOOKED) & ~beside] = 2
        return stage

    def proprioception(self, engine: Engine) -> Tensor:
        return self._readings(engine).float()

    def state(self, engine: Engine) -> Tensor:
        readings = self._readings(engine)
        readings[:, _POINTS] = self.errors(engine).flatten(1)
        return readings

    def errors(self, engine: Engine) -> Tensor:
        """`(n, 3, 3)` m: the end-effector points less where they are when the hanger hangs upright on the bar."""
        weld = engine.model_field("eq_data")[:, self._grasp]
        bar = engine.field("site_xpos")[:, self._bar]
        position, quat = self._hand_targets(bar, weld[:, 3:6], weld[:, 6:10])
        points = torch.tensor(END_EFFECTOR_POINTS, dtype=torch.float64)
        targets = position[:, None] + rotate(quat[:, None], points.expand(len(quat), -1, -1))
        return engine.field("site_xpos")[:, self._points] - targets

    @cached_property
    def cost(self) -> Cost:
        return keypoint_cost(_POINTS, _VELOCITIES, action=_TORQUE_COST * self.robot.action_limits.square())

    def finish_episode(self, engine: Engine, callback: Callable[[], None] | None = None) -> EpisodeOutcome:
        """Let go, wait 1.5 s, and see whether the hanger hangs on the bar."""
        distance = self.errors(engine).norm(dim=-1).mean(-1)
        engine.field("ctrl")[:, self.robot.actuator_ids] = 0.0
        engine.field("ctrl")[:, self._fingers] = _OPEN
        engine.field("eq_active")[:, self._grasp] = 0
        diverged = torch.zeros(engine.worlds, dtype=torch.bool)
        for _ in range(round(_RELEASE_SECONDS / self.control_dt)):
            engine.step(self.frame_skip)
            diverged |= engine.diverged
            if callback is not None:
                callback()
        offset = self._hook_from_bar(engine)
        on_bar = (offset[:, [0, 2]].norm(dim=-1) < 0.03) & (offset[:, 1].abs() < BAR_HALF_LENGTH)
        return EpisodeOutcome(on_bar & ~diverged, distance)

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

    def _hook_from_bar(self, engine: Engine) -> Tensor:
        """`(n, 3)` m: the inside of the hook less the bar's centre; the bar runs along y."""
        sites = engine.field("site_xpos")
        return sites[:, self._hook] - sites[:, self._bar]

    def _hand_targets(self, bar: Tensor, held_position: Tensor, held_quat: Tensor) -> tuple[Tensor, Tensor]:
        """Position `(n, 3)` and quaternion `(n, 4)` of the hand when the hanger hangs upright over the bar's centre.

        Args:
            bar: `(n, 3)` m. held_position, held_quat: the hanger in the hand.
        """
        hook = torch.tensor([0.0, 0.0, BAR_RADIUS + _CLEARANCE - hook_inside_height()], dtype=torch.float64)
        quat = conjugate(held_quat)
        return bar + hook - rotate(quat, held_position), quat

    def _left_arm(self, target: Tensor) -> Tensor:
        """`(7,)` rad: the left arm's angles that put the bar's centre at a target; solved once for each."""
        key = tuple(target.tolist())
        if key not in self._left_angles:
            offset, quat = rack_to_tool()
            self._left_angles[key] = torch.from_numpy(solve_arm(self.model, "l", target.numpy() + offset, quat))
        return self._left_angles[key]


def _training_positions() -> Tensor:
    return torch.tensor([(x, y) for x in (-1.0, 0.0, 1.0) for y in (-1.0, 0.0, 1.0)], dtype=torch.float64)


def _spatial_positions() -> Tensor:
    """Twelve positions between the nine of training."""
    pairs = [(x, y) for x in (-0.75, -0.25, 0.25, 0.75) for y in (-0.5, 0.0, 0.5)]
    return torch.tensor(pairs, dtype=torch.float64)


def _grasp_poses(grasp: Tensor) -> tuple[Tensor, Tensor]:
    """The hanger's position `(n, 3)` and quaternion `(n, 4)` in the hand, of grasps `(n, 2)`: shift m, tilt rad."""
    shift, tilt = grasp.unbind(-1)
    nothing = torch.zeros_like(shift)
    quat = torch.stack([(tilt / 2).cos(), nothing, (tilt / 2).sin(), nothing], dim=-1)
    return torch.stack([nothing, nothing, shift], dim=-1), quat
