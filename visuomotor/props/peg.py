"""A peg on a stand, and the ring that goes on it."""

from dataclasses import dataclass
from math import cos, pi
from typing import Final

import mujoco
import numpy as np

from visuomotor.props.grasp import add_fixed, add_grasp
from visuomotor.robots.collision import AS_HELD, AS_TARGET, NOTHING
from visuomotor.robots.geoms import about_z, box, capsule, cylinder, on_circle

PEG_RADIUS: Final = 0.010  # m
PEG_HEIGHT: Final = 0.04  # m, from the stand to its round tip
CLEARANCE: Final = 0.0025  # m, between peg and ring, all round
TUBE_RADIUS: Final = 0.006  # m, of the ring's tube
RING_RADIUS: Final = PEG_RADIUS + CLEARANCE + TUBE_RADIUS  # m, from its axis to the middle of its tube
RING_MASS: Final = 0.04  # kg
STAND_HALF: Final = 0.03  # m: each finger opens by that much
SEGMENTS: Final = 12  # of the ring's tube

_WOOD = (0.80, 0.62, 0.38, 1.0)
_PEG_COLOR = (0.15, 0.35, 0.85, 1.0)
_RING_COLOR = (0.90, 0.20, 0.15, 1.0)


@dataclass(frozen=True)
class PegStand:
    """Names in the compiled model."""

    body: str
    """Fixed to the tool body; its origin is where the peg enters the stand, +z up along the peg."""
    foot: str
    """Site: at its origin."""


@dataclass(frozen=True)
class HeldRing:
    """Names in the compiled model."""

    body: str
    """Free body; its origin is in its middle, +z along its axis."""
    joint: str
    grasp: str
    """See `add_grasp`."""


def add_peg(spec: mujoco.MjSpec, tool: str) -> PegStand:
    """Fix the stand with the peg to body `tool`. They touch held things and the robot."""
    body = add_fixed(spec, tool, "peg_stand", *stand_to_tool())
    half = (STAND_HALF, STAND_HALF, STAND_HALF)
    box(body, "peg_stand", (0, 0, -STAND_HALF), half, _WOOD, AS_TARGET, mass=0.15)
    tip = (0, 0, PEG_HEIGHT - PEG_RADIUS)
    capsule(body, "peg", (0, 0, 0), tip, PEG_RADIUS, _PEG_COLOR, AS_TARGET, mass=0.03, friction=(0.3, 0.005, 0.0001))
    body.add_site(name="peg_foot", pos=(0, 0, 0), size=[0.003, 0, 0], group=4)
    return PegStand(body=body.name, foot="peg_foot")


def stand_to_tool() -> tuple[np.ndarray, np.ndarray]:
    """Position (m) and quaternion (wxyz) of the tool body in the stand's frame: the hand points to the right."""
    return np.array([0.0, 0.0, -STAND_HALF]), np.array(about_z(-pi / 2))


def add_ring(spec: mujoco.MjSpec, tool: str) -> HeldRing:
    """Add the ring, welded to body `tool`: a polygon of capsules. It touches targets."""
    body = spec.worldbody.add_body(name="ring", pos=(0.6, -0.188, 1.0))
    body.add_freejoint(name="ring_joint")
    corners = [on_circle(RING_RADIUS / cos(pi / SEGMENTS), pi * (2 * i + 1) / SEGMENTS, 0.0) for i in range(SEGMENTS)]
    share = {"mass": RING_MASS / SEGMENTS, "friction": (0.3, 0.005, 0.0001)}
    for index, end in enumerate(corners):
        capsule(body, f"ring_{index}", corners[index - 1], end, TUBE_RADIUS, _RING_COLOR, AS_HELD, **share)
    return HeldRing(body=body.name, joint="ring_joint", grasp=add_grasp(spec, tool, body.name))


def add_other_pegs(spec: mujoco.MjSpec, stand: PegStand) -> tuple[str, ...]:
    """A second stand with a peg, a tower of discs and a ball beside and behind the stand; nothing touches them."""
    body = spec.body(stand.body)
    green, purple = (0.20, 0.60, 0.25, 1.0), (0.45, 0.22, 0.55, 1.0)
    things = [
        box(body, "other_stand", (0.12, -0.09, -0.05), (0.03, 0.03, 0.03), _WOOD, NOTHING),
        capsule(body, "other_peg", (0.12, -0.09, -0.02), (0.12, -0.09, 0.03), 0.01, green),
        cylinder(body, "lower_disc", (0.10, 0.11, -0.06), (0.10, 0.11, -0.04), 0.035, purple),
        cylinder(body, "upper_disc", (0.10, 0.11, -0.04), (0.10, 0.11, -0.02), 0.025, (0.92, 0.80, 0.20, 1.0)),
        capsule(body, "marble", (-0.08, -0.10, -0.05), (-0.08, -0.10, -0.049), 0.02, (0.85, 0.45, 0.15, 1.0)),
    ]
    return tuple(geom.name for geom in things)
