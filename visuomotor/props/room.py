"""A plain room: what is behind and around the work, and the light on it."""

import mujoco

from visuomotor.robots.collision import NOTHING

_FLOOR = (0.46, 0.44, 0.41, 1.0)
_WALL = (0.62, 0.64, 0.60, 1.0)


def add_room(spec: mujoco.MjSpec) -> None:
    """Add a floor, a wall 2 m ahead of the robot and two lights; nothing touches them."""
    world = spec.worldbody
    world.add_geom(name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1], rgba=_FLOOR, **NOTHING)
    world.add_geom(
        name="wall", type=mujoco.mjtGeom.mjGEOM_BOX, pos=(2.05, 0, 1.5), size=[0.05, 4, 1.5], rgba=_WALL, **NOTHING
    )
    directional = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL
    world.add_light(name="lamp", type=directional, pos=(0.5, 0.8, 3), dir=(0.1, -0.35, -1), diffuse=(0.55, 0.55, 0.55))
    world.add_light(name="window", type=directional, pos=(-1, -1.5, 2), dir=(0.8, 0.4, -0.6), diffuse=(0.3, 0.3, 0.3))
