"""A toy plane's axle that points sideways, and the wheel that goes on it."""

from dataclasses import dataclass
from math import pi, tan
from typing import Final

import mujoco
import numpy as np

from visuomotor.props.grasp import add_fixed, add_grasp
from visuomotor.robots.collision import AS_HELD, AS_TARGET, NOTHING
from visuomotor.robots.geoms import about_z, box, capsule, cylinder, ellipsoid, on_circle

AXLE_RADIUS: Final = 0.008  # m
AXLE_LENGTH: Final = 0.04  # m, from the plane to its round tip
CLEARANCE: Final = 0.0025  # m, between axle and hub, all round
WHEEL_RADIUS: Final = 0.034  # m
WHEEL_HALF_WIDTH: Final = 0.010  # m
WHEEL_MASS: Final = 0.05  # kg
SIDES: Final = 8  # of the hub and of the wheel's outline
FUSELAGE_HALF: Final = (0.07, 0.02, 0.022)  # m

# The hand in the axle's frame (origin where the axle leaves the fuselage), and the way its fingers point.
_TOOL_IN_AXLE: Final = (0.0, 0.075, 0.0)
_TOOL_YAW: Final = -pi / 4

_PLANE_COLOR = (0.95, 0.78, 0.20, 1.0)
_WING_COLOR = (0.90, 0.30, 0.10, 1.0)
_AXLE_COLOR = (0.15, 0.35, 0.85, 1.0)
_WHEEL_COLOR = (0.16, 0.17, 0.20, 1.0)
_METAL = (0.22, 0.24, 0.28, 1.0)


@dataclass(frozen=True)
class Axle:
    """Names in the compiled model."""

    body: str
    """Fixed to the tool body; its origin is where the axle leaves the fuselage, -y along the axle, +z up."""
    root: str
    """Site: at its origin."""
    finger_opening: float
    """m, at which each finger closes on the plane's handle."""


@dataclass(frozen=True)
class Wheel:
    """Names in the compiled model."""

    body: str
    """Free body; its origin is in its middle, +z along its axis."""
    joint: str
    grasp: str
    """See `add_grasp`."""


def add_axle(spec: mujoco.MjSpec, tool: str) -> Axle:
    """Fix the plane with the axle to body `tool`. Fuselage and axle touch held things and the robot."""
    body = add_fixed(spec, tool, "plane", *axle_to_tool())
    y = FUSELAGE_HALF[1]
    box(body, "plane_fuselage", (0, y, 0), FUSELAGE_HALF, _PLANE_COLOR, AS_TARGET, mass=0.15)
    box(body, "plane_wing", (0, 2 * y + 0.025, 0), (0.02, 0.025, 0.004), _WING_COLOR, NOTHING, mass=0.02)
    box(body, "plane_handle", (0, 2 * y + 0.035, 0), (0.012, 0.018, 0.010), _METAL, NOTHING, mass=0.02)
    tip, rough = (0, AXLE_RADIUS - AXLE_LENGTH, 0), {"friction": (0.6, 0.005, 0.0001)}
    capsule(body, "plane_axle", (0, 0, 0), tip, AXLE_RADIUS, _AXLE_COLOR, AS_TARGET, mass=0.02, **rough)
    body.add_site(name="axle_root", pos=(0, 0, 0), size=[0.003, 0, 0], group=4)
    return Axle(body=body.name, root="axle_root", finger_opening=0.012)


def axle_to_tool() -> tuple[np.ndarray, np.ndarray]:
    """Position (m) and quaternion (wxyz) of the tool body in the axle's frame."""
    return np.array(_TOOL_IN_AXLE), np.array(about_z(_TOOL_YAW))


def add_wheel(spec: mujoco.MjSpec, tool: str) -> Wheel:
    """Add the wheel, welded to body `tool`: boxes around the hole of its hub. It touches targets."""
    body = spec.worldbody.add_body(name="wheel", pos=(0.6, -0.188, 1.0))
    body.add_freejoint(name="wheel_joint")
    inside = AXLE_RADIUS + CLEARANCE
    half = ((WHEEL_RADIUS - inside) / 2, WHEEL_RADIUS * tan(pi / SIDES), WHEEL_HALF_WIDTH)
    share = {"mass": WHEEL_MASS / SIDES, "friction": (0.6, 0.005, 0.0001)}
    for index in range(SIDES):
        angle = 2 * pi * index / SIDES
        place, turn = on_circle(inside + half[0], angle, 0.0), about_z(angle)
        box(body, f"wheel_{index}", place, half, _WHEEL_COLOR, AS_HELD, quat=turn, **share)
    return Wheel(body=body.name, joint="wheel_joint", grasp=add_grasp(spec, tool, body.name))


def add_plane_parts(spec: mujoco.MjSpec, axle: Axle) -> tuple[str, ...]:
    """A cabin, a tail and a pilot on the plane, and a spare wheel beside it; nothing touches them."""
    body, green = spec.body(axle.body), (0.20, 0.60, 0.25, 1.0)
    parts = [
        box(body, "plane_cabin", (0.03, 0.02, 0.040), (0.025, 0.018, 0.018), (0.20, 0.45, 0.85, 1.0)),
        box(body, "plane_tail", (-0.06, 0.02, 0.045), (0.008, 0.004, 0.025), green),
        ellipsoid(body, "plane_pilot", (-0.02, 0.02, 0.035), (0.014, 0.014, 0.016), (0.45, 0.22, 0.55, 1.0)),
        cylinder(body, "spare_wheel", (0.14, -0.08, -0.06), (0.14, -0.08, -0.04), WHEEL_RADIUS, _WHEEL_COLOR),
    ]
    return tuple(geom.name for geom in parts)
