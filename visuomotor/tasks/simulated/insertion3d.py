"""Insertion in space."""

from collections.abc import Sequence
from math import pi
from typing import Any, ClassVar

import torch
from torch import Tensor

from visuomotor.robots.peg_arm import PEG_LENGTH, SPATIAL, PegJoint
from visuomotor.tasks.simulated.insertion import SLOT_HALF, Insertion, add_wall

_WIDTH = 0.1  # m, half of each wall's thickness
_FLOOR = 0.05  # m, likewise, of the slot's bottom
_MIDDLE, _HEIGHT = PEG_LENGTH / 2 - _FLOOR, PEG_LENGTH / 2 + _FLOOR  # m, of the walls; half


class Insertion3d(Insertion):
    """Six joints. The slot is a square shaft, anywhere within 10 cm of the middle.

    State (24): 6 joint angles, 6 velocities, two points less their targets (6), their velocities (6).
    """

    name: ClassVar[str] = "insertion3d"
    description: ClassVar[str] = "push a peg into a slot, in space (6 torques at 20 Hz)"
    joints: ClassVar[Sequence[PegJoint]] = SPATIAL
    axes: ClassVar[tuple[int, ...]] = (0, 1, 2)
    camera_pose = ((-0.4, -2.2, 2.4), (0.8, -0.6, 0.0), (0.33, 0.44, 0.84))
    shifts: ClassVar[tuple[tuple[float, float], ...]] = ((-0.06, -0.07), (0.05, 0.06), (0.08, -0.03), (-0.02, 0.04))

    def add_walls(self, slot: Any) -> None:
        offset, length = SLOT_HALF + _WIDTH, SLOT_HALF + 2 * _WIDTH
        for name, side in (("near", -1), ("far", 1)):
            add_wall(slot, name, (side * offset, 0.0, _MIDDLE), (_WIDTH, length, _HEIGHT))
        for name, side in (("right", -1), ("left", 1)):
            add_wall(slot, name, (0.0, side * offset, _MIDDLE), (SLOT_HALF, _WIDTH, _HEIGHT))
        add_wall(slot, "bottom", (0.0, 0.0, -_FLOOR), (SLOT_HALF, SLOT_HALF, _FLOOR))

    def random_shifts(self, uniform: Tensor) -> Tensor:
        """Uniform on the disc."""
        radius, angle = uniform[:, 0].sqrt(), 2 * pi * uniform[:, 1]
        return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=-1)
