"""A toy hammer with a claw, and a nail on a bench for it."""

from dataclasses import dataclass
from typing import Any, Final

import mujoco
import numpy as np

from visuomotor.props.grasp import add_fixed, add_grasp
from visuomotor.robots.collision import AS_HELD, AS_TARGET, NOTHING
from visuomotor.robots.geoms import about_z, box, capsule, cylinder

SHAFT_RADIUS: Final = 0.003  # m, of the nail
HEAD_RADIUS: Final = 0.010  # m
HEAD_HEIGHT: Final = 0.030  # m, from the bench to the lower side of the nail's head
PRONG_HALF: Final = (0.022, 0.005, 0.004)  # m
PRONG_GAP: Final = 0.0055  # m, from the claw's middle to each prong: 2.5 mm of play beside the nail
PRONG_YAW: Final = 0.35  # rad, of each prong: the claw is wider at its tips
CLAW: Final = (0.045, 0.0, -0.13)  # m, the middle of the claw's gap in the hammer's frame
HAMMER_MASS: Final = 0.15  # kg
HANDLE_RADIUS: Final = 0.010  # m

# The hand in the bench's frame (origin where the nail enters it, +z up), and the way its fingers point.
_TOOL_IN_BENCH: Final = (0.0, 0.13, -0.012)
_TOOL_YAW: Final = -np.pi / 4

_WOOD = (0.80, 0.62, 0.38, 1.0)
_HANDLE_COLOR = (0.90, 0.30, 0.10, 1.0)
_METAL = (0.22, 0.24, 0.28, 1.0)
_NAIL_COLOR = (0.15, 0.35, 0.85, 1.0)


@dataclass(frozen=True)
class Bench:
    """Names in the compiled model."""

    body: str
    """Fixed to the tool body; its origin is where the nail enters it, +z up along the nail."""
    nail: str
    """Site: the middle of the lower side of the nail's head."""
    finger_opening: float
    """m, at which each finger closes on its edge."""


@dataclass(frozen=True)
class Hammer:
    """Names in the compiled model."""

    body: str
    """Free body; its origin is where the hand holds the handle, +z up along it, the claw points towards +x."""
    joint: str
    grasp: str
    """See `add_grasp`."""
    claw: str
    """Site: between the prongs."""


def add_bench(spec: mujoco.MjSpec, tool: str) -> Bench:
    """Fix the bench with the nail to body `tool`. It touches held things and the robot."""
    body = add_fixed(spec, tool, "bench", *bench_to_tool())
    head = HEAD_HEIGHT + 0.003
    box(body, "bench_top", (0.0, 0.02, -0.012), (0.07, 0.085, 0.012), _WOOD, AS_TARGET, mass=0.2)
    box(body, "bench_edge", (0.0, 0.12, -0.012), (0.02, 0.02, 0.010), _METAL, NOTHING, mass=0.05)
    nail = (0.0, 0.0, HEAD_HEIGHT)
    capsule(body, "nail_shaft", (0, 0, 0), nail, SHAFT_RADIUS, _NAIL_COLOR, AS_TARGET, mass=0.01)
    cylinder(body, "nail_head", nail, (0, 0, head + 0.003), HEAD_RADIUS, _NAIL_COLOR, AS_TARGET, mass=0.01)
    body.add_site(name="nail", pos=nail, size=[0.003, 0, 0], group=4)
    return Bench(body=body.name, nail="nail", finger_opening=0.012)


def bench_to_tool() -> tuple[np.ndarray, np.ndarray]:
    """Position (m) and quaternion (wxyz) of the tool body in the bench's frame."""
    return np.array(_TOOL_IN_BENCH), np.array(about_z(_TOOL_YAW))


def add_hammer(spec: mujoco.MjSpec, tool: str) -> Hammer:
    """Add the hammer, welded to body `tool`. Head and claw touch targets; the handle only weighs and shows."""
    body = spec.worldbody.add_body(name="hammer", pos=(0.6, -0.188, 1.0))
    body.add_freejoint(name="hammer_joint")
    x, _, z = CLAW
    part = _part(body, HAMMER_MASS)
    part(capsule, "hammer_handle", (0, 0, 0.05), (0, 0, z), HANDLE_RADIUS, _HANDLE_COLOR, NOTHING, share=0.4)
    part(box, "hammer_head", (-0.005, 0, z), (0.025, 0.014, 0.012), _METAL, AS_HELD, share=0.3)
    part(box, "hammer_face", (-0.037, 0, z), (0.010, 0.017, 0.015), _HANDLE_COLOR, AS_HELD, share=0.1)
    for name, side in (("left", 1), ("right", -1)):
        center, turn = (x, side * (PRONG_GAP + PRONG_HALF[1] / np.cos(PRONG_YAW)), z), side * PRONG_YAW / 2
        quat = (np.cos(turn), 0, 0, np.sin(turn))
        part(box, f"claw_{name}", center, PRONG_HALF, _METAL, AS_HELD, share=0.1, quat=quat)
    body.add_site(name="claw", pos=CLAW, size=[0.003, 0, 0], group=4)
    grasp = add_grasp(spec, tool, body.name)
    return Hammer(body=body.name, joint="hammer_joint", grasp=grasp, claw="claw")


def _part(body: Any, mass: float) -> Any:
    """Adds geoms that weigh a share of a mass, with the friction of smooth metal."""

    def add(shape: Any, name: str, *arguments: Any, share: float, **more: Any) -> None:
        shape(body, name, *arguments, mass=share * mass, friction=(0.4, 0.005, 0.0001), **more)

    return add


def add_toys(spec: mujoco.MjSpec, bench: Bench) -> tuple[str, ...]:
    """Toy blocks, a ball and a screw on the bench and beside it; nothing touches them."""
    body = spec.body(bench.body)
    toys = [
        box(body, "toy_green", (0.045, 0.06, 0.015), (0.015, 0.015, 0.015), (0.20, 0.60, 0.25, 1.0)),
        cylinder(body, "toy_red_screw", (-0.045, 0.07, 0.0), (-0.045, 0.07, 0.03), 0.009, (0.75, 0.12, 0.15, 1.0)),
        box(body, "toy_yellow", (0.03, -0.045, 0.012), (0.012, 0.018, 0.012), (0.92, 0.80, 0.20, 1.0)),
        cylinder(body, "toy_purple_wheel", (-0.01, 0.09, 0.0), (-0.01, 0.09, 0.012), 0.02, (0.45, 0.22, 0.55, 1.0)),
    ]
    return tuple(geom.name for geom in toys)
