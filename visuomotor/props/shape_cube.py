"""A cube with a hole in its top, and the block that goes through it."""

from dataclasses import dataclass
from typing import Any, Final

import mujoco

from visuomotor.props.grasp import add_grasp
from visuomotor.robots.collision import AS_HELD, AS_TARGET, NOTHING
from visuomotor.robots.geoms import box

BLOCK_HALF: Final = (0.017, 0.012, 0.035)  # m: no square, so that it goes in at two of the four quarter turns only
BLOCK_MASS: Final = 0.05  # kg
CLEARANCE: Final = 0.0025  # m, between block and hole, all round
CUBE_HALF: Final = 0.042  # m: the gripper opens by twice that
_FLOOR = 0.012  # m, thickness of the cube's bottom

_BLOCK_COLOR = (0.90, 0.25, 0.15, 1.0)
_TOP_COLOR = (0.20, 0.45, 0.85, 1.0)
_SIDE_COLOR = (0.95, 0.78, 0.20, 1.0)
_INSIDE_COLOR = (0.06, 0.06, 0.08, 1.0)


@dataclass(frozen=True)
class ShapeCube:
    """Names in the compiled model."""

    body: str
    """A mocap body, whose axes are those of the world; its origin is the middle of the cube."""
    hole: str
    """Site: the middle of the hole, level with the cube's top."""


@dataclass(frozen=True)
class HeldBlock:
    """Names in the compiled model."""

    body: str
    """Free body; origin in its middle, +z along its length."""
    joint: str
    grasp: str
    """See `add_grasp`."""


def add_shape_cube(spec: mujoco.MjSpec) -> ShapeCube:
    """Put the cube into the world. Its walls and its bottom touch held things and the robot."""
    body = spec.worldbody.add_body(name="cube", mocap=True)
    half, top = CUBE_HALF, 0.004  # m, half thickness of the coloured top plate
    hole = [size + CLEARANCE for size in BLOCK_HALF[:2]]
    walls = ((1, 0), (-1, 0), (0, 1), (0, -1))
    for index, (x, y) in enumerate(walls):
        _wall(body, f"cube_top_{index}", (x, y), hole, half - top, top, _TOP_COLOR)
        _wall(body, f"cube_side_{index}", (x, y), hole, -top, half - top, _SIDE_COLOR)
    floor = (hole[0], hole[1], _FLOOR / 2)
    box(body, "cube_floor", (0, 0, -half + _FLOOR / 2), floor, _INSIDE_COLOR, AS_TARGET)
    body.add_site(name="cube_hole", pos=(0, 0, half), size=[0.003, 0, 0], group=4)
    return ShapeCube(body=body.name, hole="cube_hole")


def _wall(
    body: Any, name: str, side: tuple[int, int], hole: list[float], z: float, half_height: float, color: Any
) -> None:
    """From the hole to the cube's outside; those along x are as wide as the hole, those along y as wide as the cube."""
    axis = 0 if side[0] else 1
    half, center = [hole[0], CUBE_HALF, half_height], [0.0, 0.0, z]
    if axis == 0:
        half[1] = hole[1]
    else:
        half[0] = CUBE_HALF
    half[axis] = (CUBE_HALF - hole[axis]) / 2
    center[axis] = (side[0] + side[1]) * (CUBE_HALF + hole[axis]) / 2
    box(body, name, center, half, color, AS_TARGET)


def add_held_block(spec: mujoco.MjSpec, tool: str) -> HeldBlock:
    """Add the block, welded to body `tool`. It touches targets."""
    body = spec.worldbody.add_body(name="block", pos=(0.6, -0.188, 1.0))
    body.add_freejoint(name="block_joint")
    box(body, "block", (0, 0, 0), BLOCK_HALF, _BLOCK_COLOR, AS_HELD, mass=BLOCK_MASS, friction=(0.4, 0.005, 0.0001))
    grasp = add_grasp(spec, tool, body.name)
    return HeldBlock(body=body.name, joint="block_joint", grasp=grasp)


def add_stand(spec: mujoco.MjSpec, center: tuple[float, float, float]) -> tuple[str, ...]:
    """A table under cubes whose hole is at `center` (m) or beside it; nothing touches it."""
    x, y, z = center
    height = z - 2 * CUBE_HALF
    wood, steel = (0.62, 0.44, 0.28, 1.0), (0.30, 0.31, 0.33, 1.0)
    parts = [
        box(spec.worldbody, "stand_top", (x, y, height - 0.012), (0.24, 0.30, 0.012), wood, NOTHING),
        box(spec.worldbody, "stand_leg", (x, y, height / 2 - 0.012), (0.04, 0.04, height / 2 - 0.012), steel, NOTHING),
    ]
    return tuple(part.name for part in parts)
