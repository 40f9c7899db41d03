"""Insertion in a plane."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from visuomotor.robots.peg_arm import PEG_LENGTH, PLANAR, PegJoint
from visuomotor.tasks.simulated.insertion import SLOT_HALF, Insertion, add_wall

_WIDTH = 0.25  # m, half of each block beside the slot
_DEPTH = 0.15  # m, likewise, across the plane
_FLOOR = 0.05  # m, likewise, of the slot's bottom


class Insertion2d(Insertion):
    """Three joints in the plane of x and z. The slot is between two blocks, anywhere within 20 cm along x.

    State (14): 3 joint angles, 3 velocities, two points less their targets (4), their velocities (4).
    """

    name: ClassVar[str] = "insertion2d"
    description: ClassVar[str] = "push a peg into a slot, in a plane (3 torques at 20 Hz)"
    joints: ClassVar[Sequence[PegJoint]] = PLANAR
    axes: ClassVar[tuple[int, ...]] = (0, 2)
    camera_pose = ((0.8, -4.0, 1.3), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    shifts: ClassVar[tuple[tuple[float, float], ...]] = ((-0.1, 0.0), (0.1, 0.0), (-0.1 / 3, 0.0), (0.1 / 3, 0.0))

    def add_walls(self, slot: Any) -> None:
        middle, height = PEG_LENGTH / 2 - _FLOOR, PEG_LENGTH / 2 + _FLOOR
        for name, side in (("near", -1), ("far", 1)):
            add_wall(slot, name, (side * (SLOT_HALF + _WIDTH), 0.0, middle), (_WIDTH, _DEPTH, height))
        add_wall(slot, "bottom", (0.0, 0.0, -_FLOOR), (SLOT_HALF, _DEPTH, _FLOOR))

    def random_shifts(self, uniform: Tensor) -> Tensor:
        return torch.stack([2 * uniform[:, 0] - 1, torch.zeros_like(uniform[:, 0])], dim=-1)
