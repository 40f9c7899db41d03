"""A wire coat hanger, and the weld by which a hand holds it."""

import itertools
import math
from dataclasses import dataclass
from typing import Final

import mujoco
import numpy as np

from visuomotor.props.grasp import add_grasp
from visuomotor.props.rack import BAR_RADIUS
from visuomotor.robots.collision import AS_HELD, NOTHING
from visuomotor.robots.geoms import capsule

WIRE: Final = 0.0035  # m, radius
HOOK_INNER_RADIUS: Final = 0.028  # m: an 8 mm bar has 20 mm of play
MASS: Final = 0.12  # kg

_ARC: Final = HOOK_INNER_RADIUS + WIRE  # radius of the wire's centre line
_ARC_STEP: Final = math.pi / 4
_ARC_ANGLES: Final = tuple(math.pi - index * _ARC_STEP for index in range(4))  # a corner straight above the neck
_NECK_TOP: Final = 0.045
_ARC_HEIGHT: Final = _NECK_TOP + 0.05  # centre of the arc, straight above the neck so that the hanger hangs upright
_SHOULDER_TOP, _SHOULDER_BOTTOM, _SHOULDER_HALF_WIDTH = -0.05, -0.15, 0.15
_TIP: Final = (0.036, _ARC_HEIGHT + 0.018)  # turned out: a latch once hung, a guide before
_WIRE_COLOR = (0.95, 0.33, 0.08, 1.0)


@dataclass(frozen=True)
class Hanger:
    """Names in the compiled model."""

    body: str
    """Free body; its origin is where the hand holds the neck, +z along the neck, the hook's tip towards +x."""
    joint: str
    grasp: str
    """See `add_grasp`."""
    hook_inside: str
    """Site: where the top of the rack's bar is once the hanger hangs."""
    hook_tip: str
    """Site: the hook's open end."""
    geoms: tuple[str, ...]


def add_hanger(spec: mujoco.MjSpec, tool: str) -> Hanger:
    """Add the hanger, welded to body `tool` with both frames aligned.

    To hang it on a bar along y: move it towards +x with the tip above the bar until the bar is over the neck, and lower
    it. Hook and neck touch targets; the triangle only weighs and shows.
    """
    body = spec.worldbody.add_body(name="hanger", pos=(0.6, -0.188, 1.0))
    body.add_freejoint(name="hanger_joint")
    pieces = {**_hook(), **_triangle()}
    total = sum(math.dist(start, end) for start, end in pieces.values())
    for name, (start, end) in pieces.items():
        collision = NOTHING if name.startswith("hanger_triangle") else AS_HELD
        mass = MASS * math.dist(start, end) / total
        capsule(body, name, start, end, WIRE, _WIRE_COLOR, collision, mass=mass, friction=(0.6, 0.005, 0.0001))
    body.add_site(name="hanger_hook_inside", pos=(0, 0, hook_inside_height()), size=[0.003, 0, 0], group=4)
    body.add_site(name="hanger_hook_tip", pos=(_TIP[0], 0, _TIP[1]), size=[0.003, 0, 0], group=4)
    grasp = add_grasp(spec, tool, body.name)
    return Hanger(
        body=body.name,
        joint="hanger_joint",
        grasp=grasp,
        hook_inside="hanger_hook_inside",
        hook_tip="hanger_hook_tip",
        geoms=tuple(pieces),
    )


def hook_inside_height() -> float:
    """Height (m) above the hanger's origin of the top of the rack's bar when the hanger hangs on it at rest."""
    # The arc's top is a corner between two straight wires, under which the bar centres itself; it touches both.
    return _ARC_HEIGHT + _ARC + BAR_RADIUS - (WIRE + BAR_RADIUS) / math.cos(_ARC_STEP / 2)


def _hook() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    arc = [np.array([_ARC * math.cos(a), 0, _ARC_HEIGHT + _ARC * math.sin(a)]) for a in _ARC_ANGLES]
    points = [np.array([0, 0, _NECK_TOP]), *arc, np.array([_TIP[0], 0, _TIP[1]])]
    names = ["hanger_shank", *(f"hanger_hook_{index}" for index in range(len(_ARC_ANGLES) - 1)), "hanger_tip"]
    neck = {"hanger_neck": (np.array([0, 0, _SHOULDER_TOP]), points[0])}
    return neck | dict(zip(names, itertools.pairwise(points), strict=True))


def _triangle() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    apex = np.array([0, 0, _SHOULDER_TOP])
    back = np.array([-_SHOULDER_HALF_WIDTH, 0, _SHOULDER_BOTTOM])
    front = np.array([_SHOULDER_HALF_WIDTH, 0, _SHOULDER_BOTTOM])
    return {
        "hanger_triangle_back": (apex, back),
        "hanger_triangle_front": (apex, front),
        "hanger_triangle_base": (back, front),
    }
