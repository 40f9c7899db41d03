"""How far worlds differ: ranges for the looks and the physics of a Jaco arm and blocks on a table."""

from dataclasses import dataclass
from math import radians

import torch
from torch import Tensor

from visuomotor.props.blocks import FRICTION, HALF, MASS
from visuomotor.tasks.staged_task import Variation

Range = tuple[float, float]


@dataclass(frozen=True)
class Randomisation:
    """Each value is drawn uniformly from its range, for each world and episode.

    The published description names what is varied (Zhu et al. 2018, IV-A and IV-B); the ranges are ours.
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
    motor_gain: Range = (0.8, 1.2)
    """Factor on each velocity servo's gain."""
    block_hue_jitter: float = 0.04
    """How far each block's colour may be from its own, each of rgb, in parts of 1."""
    arm_grey: Range = (0.2, 0.8)
    table_saturation: Range = (0.0, 0.35)
    """The hue is any."""
    table_value: Range = (0.35, 0.9)
    wall_value: Range = (0.2, 0.9)
    lamp_brightness: Range = (0.6, 1.2)
    """Factor on each lamp's light."""
    lamp_tilt: float = radians(20)
    """rad, each lamp's direction about x and y, plus and minus."""
    camera_shift: float = 0.02
    """m along each axis, plus and minus."""
    camera_turn: float = radians(3)
    """rad about each axis, plus and minus."""
    camera_zoom: Range = (0.98, 1.02)
    """Factor on the field of view."""

    def draw(self, count: int, blocks: int, joints: int, lamps: int, generator: torch.Generator) -> Variation:
        """Random worlds."""

        def uniform(limits: Range, *shape: int) -> Tensor:
            drawn = torch.rand(count, *shape, generator=generator, dtype=torch.float64)
            return limits[0] + (limits[1] - limits[0]) * drawn

        def around_zero(size: float, *shape: int) -> Tensor:
            return uniform((-size, size), *shape)

        return Variation(
            physics={
                "block_half": uniform(self.block_half, blocks),
                "block_mass": uniform(self.block_mass, blocks),
                "block_friction": uniform(self.block_friction, blocks),
                "joint_friction": uniform(self.joint_friction, joints),
                "joint_armature": uniform(self.joint_armature, joints),
                "joint_damping": uniform(self.joint_damping, joints),
                "motor_gain": uniform(self.motor_gain, joints),
            },
            looks={
                "block_color": around_zero(self.block_hue_jitter, blocks, 3),
                "arm_grey": uniform(self.arm_grey),
                "table_color": _rgb(uniform((0.0, 1.0)), uniform(self.table_saturation), uniform(self.table_value)),
                "wall_color": _rgb(uniform((0.0, 1.0)), uniform(self.table_saturation), uniform(self.wall_value)),
                "lamp_brightness": uniform(self.lamp_brightness, lamps),
                "lamp_tilt": around_zero(self.lamp_tilt, lamps, 2),
                "camera_shift": around_zero(self.camera_shift, 3),
                "camera_turn": around_zero(self.camera_turn, 3),
                "camera_zoom": uniform(self.camera_zoom),
            },
        )

    def middle(self, count: int, blocks: int, joints: int, lamps: int) -> Variation:
        """Worlds in which nothing is random: the model's own physics, light and camera, plain colours."""

        def same(value: float, *shape: int) -> Tensor:
            return torch.full((count, *shape), value, dtype=torch.float64)

        return Variation(
            physics={
                "block_half": same(HALF, blocks),
                "block_mass": same(MASS, blocks),
                "block_friction": same(FRICTION, blocks),
                "joint_friction": same(1.0, joints),
                "joint_armature": same(1.0, joints),
                "joint_damping": same(1.0, joints),
                "motor_gain": same(1.0, joints),
            },
            looks={
                "block_color": same(0.0, blocks, 3),
                "arm_grey": same(0.35),
                "table_color": same(0.62, 3),
                "wall_color": same(0.8, 3),
                "lamp_brightness": same(1.0, lamps),
                "lamp_tilt": same(0.0, lamps, 2),
                "camera_shift": same(0.0, 3),
                "camera_turn": same(0.0, 3),
                "camera_zoom": same(1.0),
            },
        )


def _rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Colours `(n, 3)` from hue, saturation and value `(n,)`, all in [0, 1] (Smith 1978)."""
    sector = (hue[:, None] * 6 + torch.tensor([5.0, 3.0, 1.0], dtype=hue.dtype)) % 6
    dip = torch.minimum(sector, 4 - sector).clamp(0, 1)
    return value[:, None] * (1 - saturation[:, None] * dip)
