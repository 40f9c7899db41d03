"""A hand led through space as a person with a 3-D mouse would lead it: late, uneven and never quite straight."""

import math
from collections.abc import Generator
from dataclasses import dataclass

import mink
import numpy as np
import torch
from numpy.typing import NDArray

from visuomotor.engine import Engine
from visuomotor.robots.jaco_hand import PINCH
from visuomotor.tasks import StagedTask

Array = NDArray[np.float64]
Range = tuple[float, float]
MotionPlan = Generator[None]
"""What a demonstrator does in one world: each `yield` is a control step, in which the hand pursues its aim."""

OPEN, STILL, CLOSE = -1.0, 0.0, 1.0
_ARM = 6  # joints; the other actions are the fingers'
_LEVER = 0.15  # m: a turn takes as long as a way of that radius
_FINGER_ROOM = 0.13  # m, between the centres of two blocks, so that an open finger fits between them
_GAIN = 0.5  # of the way to the aim that a control step goes; more overshoots, since the arm obeys with a lag


@dataclass(frozen=True)
class ExpertNoise:
    """How a person moves. Each range is drawn from anew whenever it is needed."""

    reaction: Range = (0.2, 0.5)
    """s, before anything happens."""
    speed: Range = (0.10, 0.20)
    """m/s, the mean over one movement."""
    pause_chance: float = 0.3
    """Of stopping to look, between movements."""
    pause: Range = (0.2, 0.7)
    """s."""
    via_point_chance: float = 0.3
    """Of a movement that does not go straight."""
    via_point: float = 0.04
    """m, standard deviation of the point that it goes by, along each axis, from the straight way's middle."""
    tremor: float = 0.003
    """m, standard deviation of the aim about where it is meant to be, along each axis."""
    tremor_time: float = 0.4
    """s, in which the tremor forgets."""
    grasp_miss: float = 0.004
    """m, standard deviation of a grasp's place, along each axis."""
    grasp_turn: float = 0.12
    """rad, standard deviation of a grasp's angle about the vertical."""
    first_miss_chance: float = 0.15
    """Of closing the fingers above the block at the first attempt."""


class ScriptedExpert:
    """The hand of one world: where it is, what it sees, and where it shall be.

    Args:
        engine: the world is row `world` of it; the fields are read anew at each use.
        generator: of all that is random in this person.
    """

    def __init__(
        self, task: StagedTask, engine: Engine, world: int, generator: torch.Generator, habits: ExpertNoise | None = None
    ):
        self.habits = habits or ExpertNoise()
        self.generator = generator
        self._period = task.control_dt
        self._model, self._engine, self._world = task.model, engine, world
        self._blocks = [int(task.model.body(name).id) for name in task.objects]
        self._limits = task.action_limits.numpy()
        joints = [int(joint) for joint in task.model.actuator_trnid[:_ARM, 0]]
        self._dofs = task.model.jnt_dofadr[joints]
        self._configuration = mink.Configuration(task.model, self._field("qpos"))
        self._frame = mink.FrameTask(
            PINCH, "site", position_cost=1.0, orientation_cost=0.2, gain=_GAIN, lm_damping=1e-3
        )
        names = [str(task.model.joint(joint).name) for joint in joints]
        speeds = {name: float(limit) for name, limit in zip(names, self._limits, strict=False)}
        self._bounds = [mink.ConfigurationLimit(task.model), mink.VelocityLimit(task.model, speeds)]
        pose = self._configuration.get_transform_frame_to_world(PINCH, "site")
        self._position, self._rotation = pose.translation().copy(), pose.rotation()
        self._wobble = np.zeros((2, 3))
        self.grip = STILL

    @property
    def position(self) -> Array:
        """Where the pinch point is, m."""
        return self._field("site_xpos")[self._model.site(PINCH).id]

    def block(self, index: int) -> Array:
        """A block's centre, m."""
        return self._field("xpos")[self._blocks[index]].copy()

    def half(self, index: int) -> float:
        """Half a block's edge, m."""
        geom = self._model.body_geomadr[self._blocks[index]]
        return float(self._engine.model_field("geom_size")[self._world, geom, 0])

    def yaw_to_grasp(self, index: int) -> float:
        """The angle (rad, about the vertical) at which the fingers close on two faces of a block.

        Of the four the one with the least turn, unless a finger would come down on another block.
        """
        block = self._field("xmat")[self._blocks[index]].reshape(3, 3)
        axis = block[:, np.argmin(np.abs(block[2]))]  # one that lies flat
        face, own = math.atan2(axis[1], axis[0]), self._yaw()
        quarter = math.pi / 2
        nearest = own + (face - own + quarter / 2) % quarter - quarter / 2
        return min(
            (nearest + quarter * count for count in (0, 1, -1, 2)),
            key=lambda yaw: abs(yaw - own) + 2 * math.pi * self._obstruction(index, yaw),
        )

    def _obstruction(self, index: int, yaw: float) -> float:
        """How much the other blocks are in the way of the fingers at that angle, from 0 to 1 for each."""
        total = 0.0
        for other in range(len(self._blocks)):
            gap = (self.block(other) - self.block(index))[:2]
            distance = float(np.linalg.norm(gap))
            if 0 < distance < _FINGER_ROOM:
                total += abs(float(gap[0] * math.cos(yaw) + gap[1] * math.sin(yaw))) / distance
        return total

    def uniform(self, limits: Range) -> float:
        return limits[0] + (limits[1] - limits[0]) * float(torch.rand((), generator=self.generator))

    def normal(self, size: float, count: int = 3) -> Array:
        """`(count,)` normal numbers of that standard deviation."""
        return size * torch.randn(count, generator=self.generator, dtype=torch.float64).numpy()

    def happens(self, chance: float) -> bool:
        return self.uniform((0, 1)) < chance

    def wait(self, seconds: float) -> MotionPlan:
        """Stay where it is, but for the tremor."""
        for _ in range(max(1, round(seconds / self._period))):
            yield

    def pause(self) -> MotionPlan:
        """Stop to look, or not."""
        if self.happens(self.habits.pause_chance):
            yield from self.wait(self.uniform(self.habits.pause))

    def move(self, position: Array, yaw: float | None = None, via_point: bool = True, speed_scale: float = 1.0) -> MotionPlan:
        """Go there, fingers down, and arrive.

        Args:
            position: of the pinch point, m.
            yaw: about the vertical, rad; None keeps it.
            via_point: whether it may go by another point.
            speed_scale: factor on the speed.
        """
        rotation = _downwards(self._yaw() if yaw is None else yaw)
        if via_point and self.happens(self.habits.via_point_chance):
            middle = (self._position + position) / 2 + self.normal(self.habits.via_point) * (1, 1, 0.5)
            half_turn = self._rotation @ mink.SO3.exp((self._rotation.inverse() @ rotation).log() / 2)
            yield from self._glide(middle, half_turn, speed_scale)
        yield from self._glide(position, rotation, speed_scale)
        for _ in range(round(1.0 / self._period)):
            if np.linalg.norm(self.position - position) < 0.01:
                return
            yield

    def _glide(self, position: Array, rotation: mink.SO3, speed_scale: float) -> MotionPlan:
        """Straight, starting and ending slowly."""
        start, turned = self._position.copy(), self._rotation
        turn = (turned.inverse() @ rotation).log()
        way = max(float(np.linalg.norm(position - start)), _LEVER * float(np.linalg.norm(turn)))
        steps = max(2, math.ceil(way / (speed_scale * self.uniform(self.habits.speed)) / self._period))
        for step in range(1, steps + 1):
            part = step / steps
            done = part * part * (3 - 2 * part)
            self._position = start + done * (position - start)
            self._rotation = turned @ mink.SO3.exp(done * turn)
            yield

    def action(self) -> NDArray[np.float32]:
        """`(9,)` float32 in [-1, 1]: the joint velocities that bring the hand nearer to its aim."""
        self._shake()
        self._configuration.update(self._field("qpos"))
        aim = mink.SE3.from_rotation_and_translation(self._rotation, self._position + self._wobble[1])
        self._frame.set_target(aim)
        velocity = mink.solve_ik(
            self._configuration, [self._frame], self._period, "daqp", damping=1e-4, limits=self._bounds
        )
        fingers = np.full(len(self._limits) - _ARM, self.grip)
        action = np.concatenate([velocity[self._dofs] / self._limits[:_ARM], fingers])
        return np.clip(action, -1, 1).astype(np.float32)

    def _shake(self) -> None:
        """Noise through two low passes: smooth in its speed as well."""
        habits = self.habits
        keep = math.exp(-2 * self._period / habits.tremor_time)
        # Two equal low passes of white noise keep this part of its variance.
        passed = (1 - keep) ** 4 * (1 + keep**2) / (1 - keep**2) ** 3
        fresh = self.normal(habits.tremor / math.sqrt(passed))
        self._wobble[0] = keep * self._wobble[0] + (1 - keep) * fresh
        self._wobble[1] = keep * self._wobble[1] + (1 - keep) * self._wobble[0]

    def _yaw(self) -> float:
        axis = self._rotation.as_matrix()[:, 0]
        return math.atan2(axis[1], axis[0])

    def _field(self, name: str) -> Array:
        return self._engine.field(name)[self._world].numpy()


def _downwards(yaw: float) -> mink.SO3:
    """The pinch frame with z straight down and x at that angle about the vertical."""
    return mink.SO3.from_z_radians(yaw) @ mink.SO3.from_x_radians(math.pi)
