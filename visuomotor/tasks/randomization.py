"""Domain randomization of a robot at a table with blocks: how far worlds differ, and where that goes in a model."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import inf, nan, radians
from typing import Any

import mujoco
import numpy as np
import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.errors import VisuomotorError
from visuomotor.props.blocks import Block, block_fields, block_rows
from visuomotor.props.table import Table
from visuomotor.robots.robot import BoundRobot
from visuomotor.tasks.appearance import Lights
from visuomotor.tasks.quaternions import from_rotation_vector, multiply
from visuomotor.tasks.reset_params import ResetParams, Rows

Range = tuple[float, float]

_ABOVE_ZERO = ("block_half", "block_mass", "actuator_gain", "camera_zoom")
_PARTS_OF_ONE = ("robot_grey", "table_saturation", "table_value", "wall_value")


@dataclass(frozen=True)
class DomainRandomization:
    """Each value is drawn uniformly from its range, for each world and episode.

    The published description names what is varied (Zhu et al. 2018, IV-A and IV-B); the ranges are ours.

    Raises:
        VisuomotorError: a range is not (low, high), or holds what cannot be, such as a mass below 0.
    """

    block_half: Range = (0.02, 0.03)
    """m, half the edge of a cube."""
    block_mass: Range = (0.05, 0.15)
    """kg."""
    block_friction: Range = (0.7, 1.2)
    """Sliding friction against table and other blocks."""
    joint_friction: Range = (0.5, 2.0)
    """Factor on each joint's friction loss."""
    joint_armature: Range = (0.5, 2.0)
    """Factor on each joint's armature."""
    joint_damping: Range = (0.5, 2.0)
    """Factor on each joint's damping."""
    actuator_gain: Range = (0.8, 1.2)
    """Factor on each servo's gain."""
    block_color_jitter: float = 0.04
    """How far each block's colour may be from its own, each of rgb, in parts of 1."""
    robot_grey: Range = (0.2, 0.8)
    table_saturation: Range = (0.0, 0.35)
    """The hue is any."""
    table_value: Range = (0.35, 0.9)
    wall_value: Range = (0.2, 0.9)
    light_brightness: Range = (0.6, 1.2)
    """Factor on each light's colour."""
    light_tilt: float = radians(20)
    """rad, each light's direction about x and y, plus and minus."""
    camera_shift: float = 0.02
    """m along each axis, plus and minus."""
    camera_turn: float = radians(3)
    """rad about each axis, plus and minus."""
    camera_zoom: Range = (0.98, 1.02)
    """Factor on the field of view."""

    def __post_init__(self) -> None:
        for entry in fields(self):
            name, value, single = entry.name, getattr(self, entry.name), isinstance(entry.default, float)
            low, high = (0.0, value) if single else value if _is_pair(value) else (nan, nan)
            positive, most = name in _ABOVE_ZERO, 1.0 if name in _PARTS_OF_ONE else inf
            if not (is_number(low) and is_number(high) and 0 <= low <= high <= most) or (positive and low == 0):
                kind = "one number" if single else "(low, high)"
                bound = "above 0" if positive else "from 0 to 1" if most == 1 else "not below 0"
                raise VisuomotorError(f"DomainRandomization: {name} must be {kind}, {bound}, not {value!r}")


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2


def is_number(value: Any) -> bool:
    """Whether it is an int or float that a finite float32 can hold, as rewards and observations are."""
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and abs(value) <= torch.finfo(torch.float32).max


class SceneRandomizer:
    """Draws what differs between the worlds of a scene, and writes it into an engine's fields.

    Args:
        model: the compiled scene. robot: in it; its joints, actuators and geoms vary.
        blocks: cubes on free joints, of any number.
        table: names of its top, the background and the camera.
        ranges: how far worlds differ.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        robot: BoundRobot,
        blocks: Sequence[Block],
        table: Table,
        ranges: DomainRandomization | None = None,
    ):
        self.ranges = ranges or DomainRandomization()
        self._blocks = [block_rows(model, block) for block in blocks]
        self._joints, self._actuators, self._lights = len(robot.qpos), len(robot.actuator_ids), Lights(model)
        self._dofs, self._actuator_ids = robot.dofs, robot.actuator_ids
        self._robot_geoms = robot.geom_ids
        self._table = model.geom(table.top).id
        self._background = torch.tensor([model.geom(name).id for name in table.background], dtype=torch.int64)
        self._camera = model.camera(table.camera).id
        self._tracks = bool(model.cam_mode.any() or model.light_mode.any())  # 0 is fixed
        names = ["dof_frictionloss", "dof_armature", "dof_damping", "actuator_gainprm", "actuator_biasprm"]
        names += ["geom_rgba", "cam_pos", "cam_quat", "cam_fovy"]
        geoms, bodies = ([rows[field] for rows in self._blocks] for field in ("geom_size", "body_mass"))
        self._own_blocks = {
            "block_half": torch.from_numpy(model.geom_size[geoms, 0]),
            "block_mass": torch.from_numpy(model.body_mass[bodies]),
            "block_friction": torch.from_numpy(model.geom_friction[geoms, 0]),
        }
        self._own = {name: torch.from_numpy(np.array(getattr(model, name))) for name in names}

    def sample(self, count: int, generator: torch.Generator) -> ResetParams:
        """Random worlds: dynamics and appearance."""
        ranges, blocks, joints, lights = self.ranges, len(self._blocks), self._joints, self._lights.count

        def uniform(limits: Range, *shape: int) -> Tensor:
            drawn = torch.rand(count, *shape, generator=generator, dtype=torch.float64)
            return limits[0] + (limits[1] - limits[0]) * drawn

        def around_zero(size: float, *shape: int) -> Tensor:
            return uniform((-size, size), *shape)

        return ResetParams(
            dynamics={
                "block_half": uniform(ranges.block_half, blocks),
                "block_mass": uniform(ranges.block_mass, blocks),
                "block_friction": uniform(ranges.block_friction, blocks),
                "joint_friction": uniform(ranges.joint_friction, joints),
                "joint_armature": uniform(ranges.joint_armature, joints),
                "joint_damping": uniform(ranges.joint_damping, joints),
                "actuator_gain": uniform(ranges.actuator_gain, self._actuators),
            },
            appearance={
                "block_color": around_zero(ranges.block_color_jitter, blocks, 3),
                "robot_grey": uniform(ranges.robot_grey),
                "table_color": _rgb(uniform((0.0, 1.0)), uniform(ranges.table_saturation), uniform(ranges.table_value)),
                "wall_color": _rgb(uniform((0.0, 1.0)), uniform(ranges.table_saturation), uniform(ranges.wall_value)),
                "light_brightness": uniform(ranges.light_brightness, lights),
                "light_tilt": around_zero(ranges.light_tilt, lights, 2),
                "camera_shift": around_zero(ranges.camera_shift, 3),
                "camera_turn": around_zero(ranges.camera_turn, 3),
                "camera_zoom": uniform(ranges.camera_zoom),
            },
        )

    def nominal(self, count: int) -> ResetParams:
        """Worlds in which nothing is random: the model's own blocks, drives, light and camera, plain colours."""
        blocks, lights = len(self._blocks), self._lights.count

        def same(value: float, *shape: int) -> Tensor:
            return torch.full((count, *shape), value, dtype=torch.float64)

        return ResetParams(
            dynamics={
                **{name: own.expand(count, -1).clone() for name, own in self._own_blocks.items()},
                "joint_friction": same(1.0, self._joints),
                "joint_armature": same(1.0, self._joints),
                "joint_damping": same(1.0, self._joints),
                "actuator_gain": same(1.0, self._actuators),
            },
            appearance={
                "block_color": same(0.0, blocks, 3),
                "robot_grey": same(0.35),
                "table_color": same(0.62, 3),
                "wall_color": same(0.8, 3),
                "light_brightness": same(1.0, lights),
                "light_tilt": same(0.0, lights, 2),
                "camera_shift": same(0.0, 3),
                "camera_turn": same(0.0, 3),
                "camera_zoom": same(1.0),
            },
        )

    def apply_dynamics(self, engine: Engine, env_ids: Tensor, dynamics: Rows) -> None:
        """Sizes, masses, friction and drives of worlds `(n,)` int, and all constants of the model that follow."""
        for index in range(len(self._blocks)):
            self._set_block(engine, env_ids, index, dynamics)
        rows = env_ids[:, None]
        for field, factor in (
            ("dof_frictionloss", "joint_friction"),
            ("dof_armature", "joint_armature"),
            ("dof_damping", "joint_damping"),
        ):
            engine.model_field(field)[rows, self._dofs] = self._own[field][self._dofs] * dynamics[factor]
        # force = gain ctrl + bias_1 position + bias_2 velocity: one factor on all keeps what the servo's control means
        gain, bias = engine.model_field("actuator_gainprm"), engine.model_field("actuator_biasprm")
        factor = dynamics["actuator_gain"]
        gain[rows, self._actuator_ids, 0] = self._own["actuator_gainprm"][self._actuator_ids, 0] * factor
        for column in (1, 2):
            own = self._own["actuator_biasprm"][self._actuator_ids, column]
            bias[rows, self._actuator_ids, column] = own * factor
        engine.set_const(env_ids)

    def apply_appearance(self, engine: Engine, env_ids: Tensor, appearance: Rows) -> None:
        """Colours, light and camera of worlds `(n,)` int, and the constants that cameras and lights track bodies by."""
        self._set_colors(engine, env_ids, appearance)
        self._lights.set(engine, env_ids, appearance["light_brightness"], appearance["light_tilt"])
        self._set_camera(engine, env_ids, appearance)
        if self._tracks:  # else nobody reads these constants, and images are rendered much more often than worlds reset
            engine.set_const(env_ids)

    def _set_block(self, engine: Engine, env_ids: Tensor, index: int, dynamics: Rows) -> None:
        rows = self._blocks[index]
        for field, value in block_fields(dynamics["block_half"][:, index], dynamics["block_mass"][:, index]).items():
            target = engine.model_field(field)
            target[env_ids, rows[field]] = value.to(target.dtype)
        engine.model_field("geom_friction")[env_ids, rows["geom_size"], 0] = dynamics["block_friction"][:, index]

    def _set_colors(self, engine: Engine, env_ids: Tensor, appearance: Rows) -> None:
        color, own = engine.model_field("geom_rgba"), self._own["geom_rgba"]
        if len(self._robot_geoms):
            shades = own[self._robot_geoms, :3] - own[self._robot_geoms, :3].mean()  # lighter parts stay lighter
            robot = (appearance["robot_grey"].float()[:, None, None] + shades).clamp(0, 1)
            color[env_ids[:, None, None], self._robot_geoms[:, None], torch.arange(3)] = robot
        color[env_ids, self._table, :3] = appearance["table_color"].float()
        wall = appearance["wall_color"].float()[:, None]
        color[env_ids[:, None, None], self._background[:, None], torch.arange(3)] = wall
        for index, rows in enumerate(self._blocks):
            geom = rows["geom_size"]
            color[env_ids, geom, :3] = (own[geom, :3] + appearance["block_color"][:, index].float()).clamp(0, 1)

    def _set_camera(self, engine: Engine, env_ids: Tensor, appearance: Rows) -> None:
        position, camera = self._own["cam_pos"][self._camera], self._camera
        engine.model_field("cam_pos")[env_ids, camera] = position + appearance["camera_shift"]
        own = self._own["cam_quat"][camera].expand(len(env_ids), 4)
        turned = multiply(own, from_rotation_vector(appearance["camera_turn"]))
        engine.model_field("cam_quat")[env_ids, camera] = turned
        engine.model_field("cam_fovy")[env_ids, camera] = self._own["cam_fovy"][camera] * appearance["camera_zoom"]


def _rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Colours `(n, 3)` from hue, saturation and value `(n,)`, all in [0, 1] (Smith 1978)."""
    sector = (hue[:, None] * 6 + torch.tensor([5.0, 3.0, 1.0], dtype=hue.dtype)) % 6
    dip = torch.minimum(sector, 4 - sector).clamp(0, 1)
    return value[:, None] * (1 - saturation[:, None] * dip)
