"""The Jaco's hand: a palm and three fingers, of which the first closes against the other two."""

import math
from typing import Any, Final

import mujoco
import numpy as np

from visuomotor.robots import jaco_constants as constants
from visuomotor.robots.collision import AS_ROBOT, STIFF_CONTACT
from visuomotor.robots.geoms import Color, capsule, cylinder

PINCH: Final = "jaco_pinch"

_YAWS = (math.pi / 2, -math.pi / 2, -math.pi / 2)  # rad about z: the way each finger opens
_BEND = 0.15  # rad, of the finger's second link: flat on the sides of a 5 cm block to within 4 degrees
_TIP_LENGTH = 0.045  # m
_RADII = (0.0095, 0.0085)
_PINCH_OFFSET = (
    constants.FINGER_OFFSETS[0][1] + constants.FINGER_OFFSETS[1][1]
) / 2  # m along y: midway between the fingers
# Contacts slide at the larger friction of the two: less than any block's, so that the block decides.
_GRIP = {"friction": (0.6, 0.005, 0.0001), **STIFF_CONTACT}


def add_hand(hand: Any, color: Color, ring: Color) -> list[Any]:
    """Give body `hand` its palm, fingers and pinch site; returns the finger bodies."""
    cylinder(hand, "jaco_wrist_3", (0, 0, 0.028), (0, 0, -0.065), 0.033, ring, AS_ROBOT)
    top, palm = (0, 0.002, -0.065), (0, 0.002, -0.112)
    cylinder(hand, "jaco_palm", top, palm, 0.042, color, AS_ROBOT, mass=constants.ARM_JOINTS[-1].mass, **STIFF_CONTACT)
    pinch = (0, _PINCH_OFFSET, constants.PINCH_HEIGHT)
    hand.add_site(name=PINCH, pos=pinch, quat=constants.TOOL_QUAT, size=[0.004, 0, 0], group=4)
    return [
        _add_finger(hand, f"jaco_finger_{index + 1}", offset, yaw, color, ring)
        for index, (offset, yaw) in enumerate(zip(constants.FINGER_OFFSETS, _YAWS, strict=True))
    ]


def _add_finger(hand: Any, name: str, offset: constants.Vector, yaw: float, color: Color, ring: Color) -> Any:
    body = hand.add_body(name=name, pos=offset, quat=_finger_quat(yaw), gravcomp=1)
    body.add_joint(
        name=name,
        axis=(0, 0, 1),
        limited=True,
        range=constants.FINGER_LIMITS,
        damping=[constants.FINGER_DAMPING, 0, 0],
        armature=constants.FINGER_ARMATURE,
        frictionloss=constants.FINGER_FRICTION,
    )
    knuckle = np.array(constants.KNUCKLE)
    tip = knuckle + _TIP_LENGTH * np.array([math.cos(_BEND), math.sin(_BEND), 0.0])
    base_mass, tip_mass = constants.FINGER_MASSES
    capsule(body, f"{name}_base", (0, 0, 0), knuckle, _RADII[0], color, AS_ROBOT, mass=base_mass, **_GRIP)
    capsule(body, f"{name}_tip", knuckle, tip, _RADII[1], ring, AS_ROBOT, mass=tip_mass, **_GRIP)
    return body


def _finger_quat(yaw: float) -> np.ndarray:
    """Finger frame in the hand's: x along the finger, which leans outwards by the tilt; z so that +q closes."""
    outwards = np.array([math.cos(yaw), math.sin(yaw), 0.0])
    down = np.array([0.0, 0.0, -1.0])
    x = math.sin(constants.FINGER_TILT) * outwards + math.cos(constants.FINGER_TILT) * down
    z = np.cross(down, -outwards)
    quat = np.empty(4)
    mujoco.mju_mat2Quat(quat, np.column_stack([x, np.cross(z, x), z]).ravel())
    return quat
