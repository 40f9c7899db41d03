"""A bottle with a thread, and its cap."""

from dataclasses import dataclass
from math import pi, tan
from typing import Final

import mujoco
import numpy as np

from visuomotor.props.grasp import add_fixed, add_grasp
from visuomotor.robots.collision import AS_HELD, AS_TARGET, NOTHING
from visuomotor.robots.geoms import about_z, box, cylinder, frustum, on_circle

NECK_RADIUS: Final = 0.012  # m
CLEARANCE: Final = 0.0015  # m, between the neck and the cap's teeth
NECK_HEIGHT: Final = 0.022  # m
LIP_RADIUS: Final = 0.008  # m, of the neck at its top; it reaches the neck's own 4 mm below, as rounded lips do
_LIP_HEIGHT = 0.004  # m
CAP_DEPTH: Final = 0.020  # m, inside
CAP_HEIGHT: Final = 0.024  # m
CAP_RADIUS: Final = 0.021  # m, outside
BODY_RADIUS: Final = 0.030  # m: each finger opens by that much
BODY_HEIGHT: Final = 0.16  # m
CAP_MASS: Final = 0.03  # kg
THREAD_FRICTION: Final = 0.15  # N m
TEETH: Final = 4

_RING_RADIUS = 0.0155  # m, of the thread's teeth; they overlap those of the cap by 2 mm
_INSIDE = 0.0175  # m, from the cap's axis to its walls: 2 mm more than the thread's teeth need
_TOOTH_HALF_WIDTH = 0.001  # m
_RING = (-0.0215, -0.0175)  # m, heights of the thread: teeth meet where the cap is 2.5 mm above its seat, or lower
_SIDES = 8

# The hand in the bottle's frame (origin at the top of the neck, +z up).
_TOOL_IN_BOTTLE: Final = (0.0, 0.0, -NECK_HEIGHT - 0.08)
_TOOL_YAW: Final = -pi / 2

_GLASS = (0.15, 0.50, 0.30, 1.0)
_NECK_COLOR = (0.80, 0.85, 0.80, 1.0)
_CAP_COLOR = (0.90, 0.20, 0.15, 1.0)
_LABEL_COLOR = (0.92, 0.88, 0.70, 1.0)


@dataclass(frozen=True)
class Bottle:
    """Names in the compiled model."""

    body: str
    """Fixed to the tool body; its origin is in the middle of the neck's upper side, +z up."""
    mouth: str
    """Site: at its origin."""
    thread: str
    """Hinge joint: how far the thread has been turned, rad, clockwise seen from above."""


@dataclass(frozen=True)
class Cap:
    """Names in the compiled model."""

    body: str
    """Free body; its origin is in the middle of its ceiling's lower side, +z up."""
    joint: str
    grasp: str
    """See `add_grasp`."""


def add_bottle(spec: mujoco.MjSpec, tool: str) -> Bottle:
    """Fix the bottle to body `tool`.

    The thread is a ring of teeth at the foot of the neck that turns with friction. The cap has teeth inside: where it
    is seated to 2.5 mm, and only there, turning the cap turns the ring.
    """
    body = add_fixed(spec, tool, "bottle", *bottle_to_tool())
    shoulder, bottom = -NECK_HEIGHT, -NECK_HEIGHT - BODY_HEIGHT
    cylinder(body, "bottle_body", (0, 0, bottom), (0, 0, shoulder), BODY_RADIUS, _GLASS, AS_TARGET, mass=0.2)
    label = (0, 0, bottom + 0.02), (0, 0, bottom + 0.07)
    cylinder(body, "bottle_label", *label, BODY_RADIUS + 0.0005, _LABEL_COLOR, NOTHING, mass=0.01)
    smooth = {"friction": (0.2, 0.005, 0.0001)}
    below = (0, 0, -_LIP_HEIGHT)
    cylinder(body, "bottle_neck", (0, 0, shoulder), below, NECK_RADIUS, _NECK_COLOR, AS_TARGET, mass=0.02, **smooth)
    lip = (-_LIP_HEIGHT, 0.0), (NECK_RADIUS, LIP_RADIUS)
    frustum(spec, body, "bottle_lip", *lip, _NECK_COLOR, AS_TARGET, **smooth)
    ring = body.add_body(name="bottle_thread", gravcomp=1)
    ring.add_joint(
        name="bottle_thread",
        type=mujoco.mjtJoint.mjJNT_HINGE,
        axis=(0, 0, -1),
        frictionloss=THREAD_FRICTION,
        armature=1e-4,
        damping=[0.002, 0, 0],
    )
    low, high = _RING
    for index in range(TEETH):
        angle = 2 * pi * index / TEETH
        center, half = (_RING_RADIUS + NECK_RADIUS - 0.002) / 2, (_RING_RADIUS - NECK_RADIUS + 0.002) / 2
        tooth = (half, _TOOTH_HALF_WIDTH, (high - low) / 2)
        name, place = f"bottle_tooth_{index}", on_circle(center, angle, (low + high) / 2)
        box(ring, name, place, tooth, _NECK_COLOR, AS_TARGET, quat=about_z(angle), mass=0.002, **smooth)
    body.add_site(name="bottle_mouth", pos=(0, 0, 0), size=[0.003, 0, 0], group=4)
    return Bottle(body=body.name, mouth="bottle_mouth", thread="bottle_thread")


def bottle_to_tool() -> tuple[np.ndarray, np.ndarray]:
    """Position (m) and quaternion (wxyz) of the tool body in the bottle's frame."""
    return np.array(_TOOL_IN_BOTTLE), np.array(about_z(_TOOL_YAW))


def add_cap(spec: mujoco.MjSpec, tool: str) -> Cap:
    """Add the cap, welded to body `tool`: an octagon of walls with teeth inside, and a ceiling. It touches targets."""
    body = spec.worldbody.add_body(name="cap", pos=(0.6, -0.188, 1.0))
    body.add_freejoint(name="cap_joint")
    smooth = {"friction": (0.2, 0.005, 0.0001)}
    top = (0, 0, CAP_HEIGHT - CAP_DEPTH)
    cylinder(body, "cap_ceiling", (0, 0, 0), top, CAP_RADIUS, _CAP_COLOR, AS_HELD, mass=CAP_MASS / 2, **smooth)
    thickness = (CAP_RADIUS - _INSIDE) / 2
    wall = (thickness, CAP_RADIUS * tan(pi / _SIDES), CAP_DEPTH / 2)
    for index in range(_SIDES):
        angle = 2 * pi * index / _SIDES
        place, mass = on_circle(_INSIDE + thickness, angle, -CAP_DEPTH / 2), CAP_MASS / 2 / _SIDES
        box(body, f"cap_wall_{index}", place, wall, _CAP_COLOR, AS_HELD, quat=about_z(angle), mass=mass, **smooth)
    inner = NECK_RADIUS + CLEARANCE
    tooth = ((_INSIDE - inner) / 2, _TOOTH_HALF_WIDTH, CAP_DEPTH / 2)
    for index in range(TEETH):
        angle = 2 * pi * (index + 0.5) / TEETH
        place = on_circle((_INSIDE + inner) / 2, angle, -CAP_DEPTH / 2)
        box(body, f"cap_tooth_{index}", place, tooth, _CAP_COLOR, AS_HELD, quat=about_z(angle), **smooth)
    return Cap(body=body.name, joint="cap_joint", grasp=add_grasp(spec, tool, body.name))


def add_bottles(spec: mujoco.MjSpec) -> tuple[str, ...]:
    """A second bottle, a mug and a jar on a stool below the bottle's positions; nothing touches them."""
    world, top = spec.worldbody, 0.70
    brown, blue, yellow = (0.55, 0.25, 0.12, 1.0), (0.25, 0.40, 0.80, 1.0), (0.85, 0.75, 0.30, 1.0)
    wood = (0.55, 0.45, 0.36, 1.0)
    things = [
        cylinder(world, "stool", (0.64, -0.10, top - 0.03), (0.64, -0.10, top), 0.26, wood),
        cylinder(world, "stool_leg", (0.64, -0.10, 0.0), (0.64, -0.10, top - 0.03), 0.04, wood),
        cylinder(world, "other_bottle", (0.76, -0.26, top), (0.76, -0.26, top + 0.16), BODY_RADIUS, brown),
        cylinder(world, "other_neck", (0.76, -0.26, top + 0.16), (0.76, -0.26, top + 0.182), NECK_RADIUS, _NECK_COLOR),
        cylinder(world, "mug", (0.80, -0.06, top), (0.80, -0.06, top + 0.09), 0.04, blue),
        cylinder(world, "jar", (0.52, -0.28, top), (0.52, -0.28, top + 0.06), 0.035, yellow),
    ]
    return tuple(geom.name for geom in things)
