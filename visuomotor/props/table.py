"""A table with a camera, lights and a background: where robots handle blocks."""

from dataclasses import dataclass
from typing import Final

import mujoco
import numpy as np

from visuomotor.robots.collision import AS_TARGET, NOTHING, STIFF_CONTACT
from visuomotor.robots.geoms import box, cylinder

TIMESTEP: Final = 0.005  # s
HALF: Final = 0.3  # m, half edge of the table top, whose surface is z = 0

# The camera looks down by 55 degrees. From less than 45 a block behind another one can look as if it were on top. The
# table's edges are in view: the camera's pose can be read from them.
CAMERA_POSITION: Final = (0.0, -0.59, 0.91)  # m
CAMERA_TARGET: Final = (0.0, 0.0, 0.07)
CAMERA_FOVY: Final = 30.0  # degrees

_TOP = (0.62, 0.52, 0.40, 1.0)
_FLOOR = (0.46, 0.44, 0.41, 1.0)
_WALL = (0.62, 0.64, 0.60, 1.0)
_STAND = (0.40, 0.41, 0.43, 1.0)
_FLOOR_HEIGHT = -0.7  # m
_FRICTION = (0.6, 0.005, 0.0001)  # less than any block's, so that the block decides


@dataclass(frozen=True)
class Table:
    """Names in the compiled model."""

    top: str
    """Geom: the table top."""
    background: tuple[str, ...]
    """Geoms: floor, wall and stands, which nothing touches."""
    camera: str


def _set_options(spec: mujoco.MjSpec) -> None:
    """5 ms steps, and friction that holds: elliptic cones, ten times as stiff along a contact as across (impratio)."""
    option = spec.option
    option.timestep = TIMESTEP
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.impratio = 10


def add_table(spec: mujoco.MjSpec, stand: tuple[float, float, float]) -> Table:
    """Add a table 60 x 60 cm around the origin, a room, lights "lamp" and "window" and the camera "front".

    Sets the options that contacts need.

    Args:
        stand: m, where the robot's base is: a column stands under it.
    """
    _set_options(spec)
    world = spec.worldbody
    box(world, "table", (0, 0, -0.02), (HALF, HALF, 0.02), _TOP, AS_TARGET, friction=_FRICTION, **STIFF_CONTACT)
    cylinder(world, "arm_stand", (*stand[:2], _FLOOR_HEIGHT), stand, 0.07, _STAND)
    world.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        pos=(0, 0, _FLOOR_HEIGHT),
        size=[0, 0, 1],
        rgba=_FLOOR,
        **NOTHING,
    )
    box(world, "wall", (0, 1.25, 0.8), (4, 0.05, 1.5), _WALL)
    world.add_light(
        name="lamp",
        type=mujoco.mjtLightType.mjLIGHT_SPOT,
        pos=(0.5, -0.3, 1.6),
        dir=(-0.3, 0.2, -1.0),
        cutoff=70,
        exponent=1,
        diffuse=(0.6, 0.6, 0.6),
    )
    world.add_light(
        name="window",
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        pos=(-1.5, -1.0, 1.5),
        dir=(0.8, 0.5, -0.7),
        diffuse=(0.3, 0.3, 0.3),
    )
    _add_camera(spec)
    return Table(top="table", background=("floor", "wall", "arm_stand"), camera="front")


def _add_camera(spec: mujoco.MjSpec) -> None:
    back = np.subtract(CAMERA_POSITION, CAMERA_TARGET)
    right = np.cross((0.0, 0.0, 1.0), back)
    axes = np.column_stack([right, np.cross(back, right), back])  # of the camera: it looks along -z
    quat = np.empty(4)
    mujoco.mju_mat2Quat(quat, (axes / np.linalg.norm(axes, axis=0)).ravel())
    spec.worldbody.add_camera(name="front", pos=CAMERA_POSITION, quat=quat, fovy=CAMERA_FOVY)
