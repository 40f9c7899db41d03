"""A scripted expert: leads a gripper as a person with a 3-D mouse would, late, unevenly and never quite straight."""

import math
from collections.abc import Generator

import mink
import numpy as np
import torch
from numpy.typing import NDArray

from visuomotor.demos.noise import ExpertNoise, Range, Tremor
from visuomotor.demos.tracking import Array, EndEffectorTracker
from visuomotor.engine import Engine
from visuomotor.errors import VisuomotorError
from visuomotor.tasks import Task

MotionPlan = Generator[None]
"""What an expert does in one world: each `yield` is a control step, in which the end effector follows its target."""

OPEN, STILL, CLOSE = -1.0, 0.0, 1.0
_SERVO_LAG = 0.1  # s, by which closing takes longer than the gripper's top speed says


class ScriptedExpert:
    """The expert of one world: where the end effector and the objects are, and where the end effector is to go.

    A motion plan sets `grip` and moves the target; `action` follows both. A plan may set the other attributes too.

    Args:
        engine: the world is row `world` of it; its fields are read at each use.
        generator: of all that is random in this expert.

    Attributes:
        grip: OPEN, STILL or CLOSE. noise: how it moves.
        gain: part of the way to its target that the end effector goes in a control step; more overshoots, as arms lag.
        turn_radius: m; a turn takes as long as an arc of that radius.
        finger_room: m, between the centres of two objects, at which an open finger fits between them.
    """

    def __init__(
        self, task: Task, engine: Engine, world: int, generator: torch.Generator, noise: ExpertNoise | None = None
    ):
        self.noise, self.generator = noise or ExpertNoise(), generator
        self.grip, self.gain, self.turn_radius, self.finger_room = STILL, 0.5, 0.15, 0.13
        self._task, self._engine, self._world, self._dt = task, engine, world, task.control_dt
        self._objects = [int(task.model.body(name).id) for name in task.objects]
        self._tracker = EndEffectorTracker(task, engine, world)
        self._tremor = Tremor(self._dt)
        self._position, self._rotation = self.position, self.rotation

    # -- what it sees

    @property
    def position(self) -> Array:
        """Where the end effector is, m."""
        return self._tracker.position

    @property
    def rotation(self) -> mink.SO3:
        """The end effector's orientation in the world."""
        return self._tracker.rotation

    @property
    def yaw(self) -> float:
        """The angle (rad, about the vertical) of the target's x axis, along which the fingers close."""
        axis = self._rotation.as_matrix()[:, 0]
        return math.atan2(axis[1], axis[0])

    def site(self, name: str) -> Array:
        """Where a site is, m."""
        return self._tracker.field("site_xpos")[self._task.model.site(name).id].copy()

    def body_rotation(self, name: str) -> mink.SO3:
        """A body's orientation in the world."""
        return mink.SO3.from_matrix(self._tracker.field("xmat")[self._task.model.body(name).id].reshape(3, 3))

    def keypoint(self, index: int) -> Array:
        """One of the task's keypoints, m."""
        return self._task.keypoints(self._engine)[self._world, index].double().numpy()

    def object(self, index: int) -> Array:
        """Where the centre of an object is, m: of a body that `task.objects` names."""
        return self._tracker.field("xpos")[self._body(index)].copy()

    def half_size(self, index: int) -> float:
        """Half an object's edge, m, by the first geom of its body."""
        geom = self._task.model.body_geomadr[self._body(index)]
        return float(self._engine.model_field("geom_size")[self._world, geom, 0])

    def yaw_to_grasp(self, index: int) -> float:
        """The angle (rad, about the vertical) at which the fingers close on two faces of an object.

        It is that of the four with the least turn, unless a finger would come down on another object.
        """
        axes = self._tracker.field("xmat")[self._body(index)].reshape(3, 3)
        axis = axes[:, np.argmin(np.abs(axes[2]))]  # one that lies flat
        face, own = math.atan2(axis[1], axis[0]), self.yaw
        quarter = math.pi / 2
        nearest = own + (face - own + quarter / 2) % quarter - quarter / 2
        return min(
            (nearest + quarter * count for count in (0, 1, -1, 2)),
            key=lambda yaw: abs(yaw - own) + 2 * math.pi * self._obstruction(index, yaw),
        )

    def _obstruction(self, index: int, yaw: float) -> float:
        """How much the other objects are in the way of the fingers at that angle, from 0 to 1 for each."""
        total = 0.0
        for other in range(len(self._objects)):
            gap = (self.object(other) - self.object(index))[:2]
            distance = float(np.linalg.norm(gap))
            if 0 < distance < self.finger_room:
                total += abs(float(gap[0] * math.cos(yaw) + gap[1] * math.sin(yaw))) / distance
        return total

    def _body(self, index: int) -> int:
        if index >= len(self._objects):
            raise VisuomotorError(
                f"the expert of task {self._task.name!r} handles object {index}, and the task names "
                f'{len(self._objects)}; name their bodies in its class, such as objects = ("block",)'
            )
        return self._objects[index]

    @property
    def grip_time(self) -> float:
        """s in which the gripper closes from wide open."""
        robot = self._task.robot
        if robot.arm_size == self._task.action_size:
            raise VisuomotorError(f"the robot of task {self._task.name!r} has no gripper to close; give it one")
        return abs(robot.gripper_travel) / float(robot.action_limits[robot.arm_size :].min()) + _SERVO_LAG

    # -- what is random

    def uniform(self, limits: Range) -> float:
        """A number between two limits."""
        return limits[0] + (limits[1] - limits[0]) * float(torch.rand((), generator=self.generator))

    def normal(self, size: float, count: int = 3) -> Array:
        """`(count,)` normal numbers of that standard deviation."""
        return size * torch.randn(count, generator=self.generator, dtype=torch.float64).numpy()

    def happens(self, chance: float) -> bool:
        return self.uniform((0, 1)) < chance

    # -- what it does

    def wait(self, seconds: float) -> MotionPlan:
        """Stay at the target, but for the tremor."""
        for _ in range(max(1, round(seconds / self._dt))):
            yield

    def pause(self) -> MotionPlan:
        """Stop for a moment, or not."""
        if self.happens(self.noise.pause_chance):
            yield from self.wait(self.uniform(self.noise.pause))

    def move(
        self,
        position: Array,
        rotation: mink.SO3 | None = None,
        via_point: bool = True,
        speed_scale: float = 1.0,
        tolerance: float = 0.01,
    ) -> MotionPlan:
        """Go to a pose, and wait up to a second until the end effector is there.

        Args:
            position: of the end effector, m.
            rotation: its orientation in the world, see `downwards`; None keeps the target's.
            via_point: whether it may go through another point.
            speed_scale: factor on the speed.
            tolerance: m, how near is there.
        """
        rotation = self._rotation if rotation is None else rotation
        if via_point and self.happens(self.noise.via_point_chance):
            middle = (self._position + position) / 2 + self.normal(self.noise.via_point) * (1, 1, 0.5)
            half_turn = self._rotation @ mink.SO3.exp((self._rotation.inverse() @ rotation).log() / 2)
            yield from self._interpolate(middle, half_turn, speed_scale)
        yield from self._interpolate(position, rotation, speed_scale)
        for _ in range(round(1.0 / self._dt)):
            if np.linalg.norm(self.position - position) < tolerance:
                return
            yield

    def _interpolate(self, position: Array, rotation: mink.SO3, speed_scale: float) -> MotionPlan:
        """Move the target on a straight line; after the part s of the time, 3 s^2 - 2 s^3 of the way is done."""
        start, turned = self._position.copy(), self._rotation
        turn = (turned.inverse() @ rotation).log()
        way = max(float(np.linalg.norm(position - start)), self.turn_radius * float(np.linalg.norm(turn)))
        steps = max(2, math.ceil(way / (speed_scale * self.uniform(self.noise.speed)) / self._dt))
        for step in range(1, steps + 1):
            part = step / steps
            done = part * part * (3 - 2 * part)
            self._position = start + done * (position - start)
            self._rotation = turned @ mink.SO3.exp(done * turn)
            yield

    def action(self) -> NDArray[np.float32]:
        """`(A,)` float32 in [-1, 1]: brings the end effector nearer to its target; the fingers move by `grip`."""
        robot = self._task.robot
        tremor = self._tremor.sample(self.noise, self.generator)
        arm = self._tracker.action(self._position, self._rotation, tremor, self.gain)
        fingers = np.full(self._task.action_size - robot.arm_size, self.grip * math.copysign(1.0, robot.gripper_travel))
        if self.grip == OPEN and robot.robot.control == "position":  # no wider than at home
            of_gripper = slice(robot.arm_size, None)
            way = robot.home[of_gripper].numpy() - self._tracker.field("ctrl")[robot.actuator_ids[of_gripper]]
            fingers = way / (robot.action_limits[of_gripper].numpy() * self._dt)
        return np.clip(np.concatenate([arm, fingers]), -1, 1).astype(np.float32)


def downwards(yaw: float) -> mink.SO3:
    """The orientation of an end effector that points straight down, its x axis at an angle (rad) about the vertical."""
    return mink.SO3.from_z_radians(yaw) @ mink.SO3.from_x_radians(math.pi)
