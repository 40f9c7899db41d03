"""A toy brick with two studs, and a hollow one that goes on it."""

from dataclasses import dataclass
from math import pi
from typing import Any, Final

import mujoco
import numpy as np

from visuomotor.props.grasp import add_fixed, add_grasp
from visuomotor.robots.collision import AS_HELD, AS_TARGET, NOTHING
from visuomotor.robots.geoms import Color, about_z, box, capsule, cylinder

STUD_RADIUS: Final = 0.010  # m
STUD_HEIGHT: Final = 0.016  # m, with its round end
STUD_OFFSET: Final = 0.016  # m, of each stud from the brick's middle, along x
CLEARANCE: Final = 0.002  # m, between the studs and the hollow, all round
HOLLOW_HALF: Final = (STUD_OFFSET + STUD_RADIUS + CLEARANCE, STUD_RADIUS + CLEARANCE)  # m, in x and y
HOLLOW_DEPTH: Final = 0.020  # m
WALL: Final = 0.004  # m, thickness
BRICK_HALF: Final = (HOLLOW_HALF[0] + WALL, HOLLOW_HALF[1] + WALL, 0.018)  # m
BRICK_MASS: Final = 0.05  # kg
BASE_HALF: Final = (BRICK_HALF[0], 0.034, 0.024)  # m: each finger opens by its half length in x

_HELD_COLOR = (0.90, 0.25, 0.15, 1.0)
_BASE_COLOR = (0.20, 0.45, 0.85, 1.0)
_STUD_COLOR = (0.95, 0.78, 0.20, 1.0)


@dataclass(frozen=True)
class StuddedBrick:
    """Names in the compiled model."""

    body: str
    """Fixed to the tool body; its origin is in the middle of its top, +z up along the studs, +x along it."""
    top: str
    """Site: at its origin."""


@dataclass(frozen=True)
class HeldBrick:
    """Names in the compiled model."""

    body: str
    """Free body; its origin is in the middle of its lower side, +z up, +x along it."""
    joint: str
    grasp: str
    """See `add_grasp`."""


def add_studded_brick(spec: mujoco.MjSpec, tool: str) -> StuddedBrick:
    """Fix the brick with the studs to body `tool`. It touches held things and the robot."""
    body = add_fixed(spec, tool, "studded_brick", *brick_to_tool())
    box(body, "studded_brick", (0, 0, -BASE_HALF[2]), BASE_HALF, _BASE_COLOR, AS_TARGET, mass=0.1)
    for name, x in (("front", -STUD_OFFSET), ("back", STUD_OFFSET)):
        ends, more = ((x, 0, 0), (x, 0, STUD_HEIGHT - STUD_RADIUS)), {"friction": (0.3, 0.005, 0.0001)}
        capsule(body, f"stud_{name}", *ends, STUD_RADIUS, _STUD_COLOR, AS_TARGET, **more)
    body.add_site(name="studded_brick_top", pos=(0, 0, 0), size=[0.003, 0, 0], group=4)
    return StuddedBrick(body=body.name, top="studded_brick_top")


def brick_to_tool() -> tuple[np.ndarray, np.ndarray]:
    """Position (m) and quaternion (wxyz) of the tool body in the brick's frame: the hand points to the right."""
    return np.array([0.0, 0.0, -BASE_HALF[2]]), np.array(about_z(-pi / 2))


def add_held_brick(spec: mujoco.MjSpec, tool: str) -> HeldBrick:
    """Add the hollow brick, welded to body `tool`: four walls and a lid. It touches targets."""
    body = spec.worldbody.add_body(name="held_brick", pos=(0.6, -0.188, 1.0))
    body.add_freejoint(name="held_brick_joint")
    (x, y, z), middle, lid = BRICK_HALF, HOLLOW_DEPTH / 2, BRICK_HALF[2] - HOLLOW_DEPTH / 2
    along, across = (HOLLOW_HALF[0], WALL / 2, middle), (WALL / 2, y, middle)
    for name, center, half in (
        ("lid", (0, 0, HOLLOW_DEPTH + lid), (x, y, lid)),
        ("back", (x - WALL / 2, 0, middle), across),
        ("front", (WALL / 2 - x, 0, middle), across),
        ("left", (0, y - WALL / 2, middle), along),
        ("right", (0, WALL / 2 - y, middle), along),
    ):
        share = {"mass": BRICK_MASS / 5, "friction": (0.3, 0.005, 0.0001)}
        box(body, f"held_brick_{name}", center, half, _HELD_COLOR, AS_HELD, **share)
    _show_studs(body, "held", (0.0, 0.0, 2 * z), _HELD_COLOR)
    return HeldBrick(body=body.name, joint="held_brick_joint", grasp=add_grasp(spec, tool, body.name))


def _show_studs(body: Any, name: str, top: tuple[float, float, float], color: Color) -> list[str]:
    """Two studs in the middle of a brick's top at `top` (m); nothing touches them."""
    x, y, z = top
    return [
        cylinder(
            body, f"{name}_stud_{side}", (x + offset, y, z), (x + offset, y, z + 0.008), STUD_RADIUS, color, NOTHING
        ).name
        for side, offset in (("front", -STUD_OFFSET), ("back", STUD_OFFSET))
    ]


def add_other_bricks(spec: mujoco.MjSpec, brick: StuddedBrick) -> tuple[str, ...]:
    """Three more bricks beside and behind the studded one; nothing touches them."""
    body, names = spec.body(brick.body), []
    for name, (x, y, z), color in (
        ("green", (0.12, -0.09, -0.05), (0.20, 0.60, 0.25, 1.0)),
        ("yellow", (0.12, 0.10, -0.03), (0.92, 0.80, 0.20, 1.0)),
        ("purple", (-0.09, -0.09, -0.06), (0.45, 0.22, 0.55, 1.0)),
    ):
        names.append(box(body, f"{name}_brick", (x, y, z - BRICK_HALF[2]), BRICK_HALF, color).name)
        names.extend(_show_studs(body, name, (x, y, z), color))
    return tuple(names)
