"""Blocks whose size, mass and friction may differ from world to world without compiling again."""

from dataclasses import dataclass
from typing import Final

import mujoco
import numpy as np
from torch import Tensor

from visuomotor.errors import VisuomotorError
from visuomotor.robots.collision import HELD, ROBOT, STIFF_CONTACT
from visuomotor.robots.geoms import Color, box

HALF: Final = 0.025  # m, half edge
MASS: Final = 0.08  # kg
FRICTION: Final = 1.0  # sliding; vary it in `geom_friction[..., 0]`, 0.6 or more (less and table and fingers decide)

_ROUNDING = 1e-9  # m
_AS_BLOCK = {"contype": HELD, "conaffinity": ROBOT | HELD}  # touches the hand, the table and other blocks


@dataclass(frozen=True)
class Block:
    """Names in the compiled model."""

    body: str
    joint: str
    """Free joint: x, y, z (m) of the centre, then a quaternion wxyz."""
    geom: str

    @classmethod
    def named(cls, name: str) -> "Block":
        """A block whose body, free joint and geom have one name."""
        return cls(body=name, joint=name, geom=name)


def add_block(spec: mujoco.MjSpec, name: str, color: Color) -> Block:
    """Add a cube of 5 cm and 80 g on the table's centre; change it per world with `block_fields`."""
    body = spec.worldbody.add_body(name=name, pos=(0, 0, HALF))
    body.add_freejoint(name=name)
    half, friction = (HALF, HALF, HALF), (FRICTION, 0.005, 0.0001)
    box(body, name, (0, 0, 0), half, color, _AS_BLOCK, mass=MASS, friction=friction, **STIFF_CONTACT)
    return Block.named(name)


def block_fields(half: Tensor, mass: Tensor) -> dict[str, Tensor]:
    """The MjModel fields of cubes; `engine.set_const` brings up to date what follows from them.

    Args:
        half: `(n,)` half edges, m.
        mass: `(n,)` kg.

    Returns:
        By field name, first axis n; `block_rows` says where they go.
    """
    inertia = 2 / 3 * mass * half**2
    return {"geom_size": half[:, None].expand(-1, 3), "body_mass": mass, "body_inertia": inertia[:, None].expand(-1, 3)}


def block_rows(model: mujoco.MjModel, block: Block) -> dict[str, int]:
    """Where each field of `block_fields` has this block's values: `engine.model_field(name)[:, rows[name]]`."""
    body, geom = int(model.body(block.body).id), int(model.geom(block.geom).id)
    if model.geom_type[geom] != mujoco.mjtGeom.mjGEOM_BOX or np.ptp(model.geom_size[geom]) > _ROUNDING:
        raise VisuomotorError(
            f"geom {block.geom!r} is no cube, and only the sizes and masses of cubes can be varied; leave it out of "
            "the randomizer's blocks"
        )
    return {"geom_size": geom, "body_mass": body, "body_inertia": body}
