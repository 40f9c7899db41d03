"""A small clothes rack, held by a handle at one pole."""

from dataclasses import dataclass
from typing import Any, Final

import mujoco
import numpy as np

from visuomotor.props.grasp import add_fixed
from visuomotor.robots.collision import AS_TARGET, NOTHING
from visuomotor.robots.geoms import about_z, box, capsule, cylinder

BAR_RADIUS: Final = 0.008  # m
BAR_HALF_LENGTH: Final = 0.12  # m, from the centre to each pole
HEIGHT: Final = 0.36  # m, from the bar's axis to the base rail's
HANDLE_RADIUS: Final = 0.012  # m
MASS: Final = 0.4  # kg, weightless in the hand: the servos' feed-forward knows it

# The hand in the rack's frame (origin at the bar's centre, bar along y, poles along z): where the pads close, and the
# way the fingers point, turned about z from +x.
TOOL_IN_RACK: Final = (0.0, 0.20, -0.16)
TOOL_YAW: Final = -np.pi / 4

_BAR_COLOR = (0.15, 0.35, 0.85, 1.0)
_LEFT_POLE_COLOR = (0.08, 0.12, 0.40, 1.0)
_RIGHT_POLE_COLOR = (0.25, 0.60, 0.90, 1.0)
_RAIL_COLOR = (0.12, 0.16, 0.24, 1.0)


@dataclass(frozen=True)
class Rack:
    """Names in the compiled model."""

    body: str
    """Fixed to the tool body; origin at the bar's centre, +y along the bar, +z up along the poles."""
    bar: str
    """Geom."""
    bar_center: str
    """Site."""
    geoms: tuple[str, ...]
    finger_opening: float
    """m, at which each finger closes on the handle."""


def add_rack(spec: mujoco.MjSpec, tool: str) -> Rack:
    """Fix the rack to body `tool` by its handle. Bar and poles touch held things and the robot."""
    body = add_fixed(spec, tool, "rack", *rack_to_tool())
    half, low = BAR_HALF_LENGTH, -HEIGHT
    grip = {"friction": (0.6, 0.005, 0.0001)}
    made = [
        capsule(body, "rack_bar", (0, -half, 0), (0, half, 0), BAR_RADIUS, _BAR_COLOR, AS_TARGET, mass=0.05, **grip),
        capsule(body, "rack_left_pole", (0, half, low), (0, half, 0.0), 0.009, _LEFT_POLE_COLOR, AS_TARGET, mass=0.09),
        capsule(
            body, "rack_right_pole", (0, -half, low), (0, -half, 0.0), 0.009, _RIGHT_POLE_COLOR, AS_TARGET, mass=0.09
        ),
        cylinder(body, "rack_rail", (0, -half, low), (0, half, low), 0.008, _RAIL_COLOR, NOTHING, mass=0.04),
        box(body, "rack_left_foot", (0, half, low), (0.11, 0.012, 0.01), _RAIL_COLOR, NOTHING, mass=0.05),
        box(body, "rack_right_foot", (0, -half, low), (0.11, 0.012, 0.01), _RAIL_COLOR, NOTHING, mass=0.05),
        _add_handle(body),
    ]
    body.add_site(name="rack_bar_center", pos=(0, 0, 0), size=[0.003, 0, 0], group=4)
    return Rack(
        body=body.name,
        bar="rack_bar",
        bar_center="rack_bar_center",
        geoms=tuple(geom.name for geom in made),
        finger_opening=HANDLE_RADIUS,
    )


def _add_handle(body: Any) -> Any:
    """From the left pole through the fingers and a little further."""
    x, y, z = TOOL_IN_RACK
    end = (x, y + 0.03, z)
    return cylinder(body, "rack_handle", (0, BAR_HALF_LENGTH, z), end, HANDLE_RADIUS, _RAIL_COLOR, NOTHING, mass=0.03)


def rack_to_tool() -> tuple[np.ndarray, np.ndarray]:
    """Position (m) and quaternion (wxyz) of the tool body in the rack's frame."""
    return np.array(TOOL_IN_RACK), np.array(about_z(TOOL_YAW))
