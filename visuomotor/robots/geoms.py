"""Primitive geoms in one line each."""

from collections.abc import Sequence
from math import cos, sin
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from visuomotor.robots.collision import NOTHING

_SIDES = 16

Color = tuple[float, float, float, float]
Point = Sequence[float] | NDArray[np.float64]


def box(
    body: Any, name: str, center: Point, half: Point, color: Color, collision: dict[str, int] = NOTHING, **more: Any
):
    """A box with half sizes `half` (m)."""
    return _geom(body, mujoco.mjtGeom.mjGEOM_BOX, name, color, collision, pos=center, size=half, **more)


def ellipsoid(
    body: Any, name: str, center: Point, half: Point, color: Color, collision: dict[str, int] = NOTHING, **more: Any
):
    """An ellipsoid with semi-axes `half` (m)."""
    return _geom(body, mujoco.mjtGeom.mjGEOM_ELLIPSOID, name, color, collision, pos=center, size=half, **more)


def capsule(
    body: Any,
    name: str,
    start: Point,
    end: Point,
    radius: float,
    color: Color,
    collision: dict[str, int] = NOTHING,
    **more: Any,
):
    """A capsule whose axis runs from `start` to `end`."""
    ends, size = [*start, *end], [radius, 0, 0]
    return _geom(body, mujoco.mjtGeom.mjGEOM_CAPSULE, name, color, collision, fromto=ends, size=size, **more)


def cylinder(
    body: Any,
    name: str,
    start: Point,
    end: Point,
    radius: float,
    color: Color,
    collision: dict[str, int] = NOTHING,
    **more: Any,
):
    """A cylinder whose axis runs from `start` to `end`."""
    ends, size = [*start, *end], [radius, 0, 0]
    return _geom(body, mujoco.mjtGeom.mjGEOM_CYLINDER, name, color, collision, fromto=ends, size=size, **more)


def frustum(
    spec: mujoco.MjSpec,
    body: Any,
    name: str,
    heights: tuple[float, float],
    radii: tuple[float, float],
    color: Color,
    collision: dict[str, int] = NOTHING,
    **more: Any,
):
    """A cone without its tip, about the z axis: a mesh of 16 sides with `radii` at `heights` (m)."""
    angles = np.linspace(0, 2 * np.pi, _SIDES, endpoint=False).tolist()
    corners = [on_circle(radius, angle, z) for radius, z in zip(radii, heights, strict=True) for angle in angles]
    spec.add_mesh(name=name, uservert=np.ravel(corners))
    return _geom(body, mujoco.mjtGeom.mjGEOM_MESH, name, color, collision, meshname=name, **more)


def on_circle(radius: float, angle: float, height: float) -> tuple[float, float, float]:
    """A point on a circle about the z axis (m), at `angle` (rad) from +x."""
    return radius * cos(angle), radius * sin(angle), height


def about_z(angle: float) -> tuple[float, float, float, float]:
    """The quaternion of a turn about the z axis, rad."""
    return cos(angle / 2), 0.0, 0.0, sin(angle / 2)


def _geom(body: Any, kind: mujoco.mjtGeom, name: str, color: Color, collision: dict[str, int], **more: Any):
    # Weightless unless said otherwise: robots carry published inertias, not those of their geoms.
    return body.add_geom(type=kind, name=name, rgba=color, **collision, **{"mass": 0.0, **more})
