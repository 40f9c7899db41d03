"""The PR2's head: two turned bodies and the camera on its Kinect mount."""

import math
from typing import Any

import mujoco
import numpy as np

from visuomotor.errors import VisuomotorError
from visuomotor.robots import pr2_constants as constants
from visuomotor.robots.geoms import Color, box, cylinder

CAMERA = "head"
_KINECT_FROM_TILT = np.add(constants.HEAD_PLATE_OFFSET, constants.KINECT_OFFSET)


def add_head(torso: Any, torso_position: np.ndarray, target: np.ndarray, fovy: float, color: Color, dark: Color):
    """Fix the head to `torso` so that its camera's axis passes through `target` (m, world; the base is the origin).

    Raises:
        VisuomotorError: the target lies outside what the neck can look at.
    """
    pan, tilt = look_at(np.asarray(target, float) - torso_position)
    neck = torso.add_body(name="head_pan_link", pos=constants.HEAD_PAN_OFFSET, quat=_turn(constants.Z, pan))
    cylinder(neck, "neck", (0, 0, -0.24), (0, 0, -0.06), 0.065, dark)
    cylinder(neck, "head_turntable", (0, 0, -0.08), (0, 0, -0.015), 0.115, color)
    head = neck.add_body(name="head_tilt_link", pos=constants.HEAD_TILT_OFFSET, quat=_turn(constants.Y, tilt))
    # The housing stays low and short in front: the camera, 9 cm above the plate and 14 cm behind, looks over it.
    box(head, "head_shell", (-0.05, 0, 0.02), (0.085, 0.13, 0.045), color)
    box(head, "head_face", (0.038, 0, 0.022), (0.006, 0.105, 0.027), dark)
    kinect = head.add_body(name="head_kinect_link", pos=_KINECT_FROM_TILT)
    box(kinect, "kinect_foot", (-0.035, 0, -0.06), (0.02, 0.03, 0.04), dark)
    box(kinect, "kinect", (-0.035, 0, 0), (0.03, 0.14, 0.022), dark)
    # The camera looks along -z with +y up; the head looks along +x with +z up.
    kinect.add_camera(name=CAMERA, xyaxes=[0, -1, 0, 0, 0, 1], fovy=fovy)


def look_at(target: np.ndarray) -> tuple[float, float]:
    """Pan and tilt (rad) that put `target` (m, from torso_lift_link) on the camera's axis."""
    x, y, z = np.asarray(target) - constants.HEAD_PAN_OFFSET
    pan = math.atan2(y, x)
    forward, up = math.hypot(x, y) - constants.HEAD_TILT_OFFSET[0], z - constants.HEAD_TILT_OFFSET[2]
    # The view line passes the tilt axis at the camera's height above it.
    distance, height = math.hypot(forward, up), _KINECT_FROM_TILT[2]
    tilt = math.asin(min(1.0, height / max(distance, 1e-9))) - math.atan2(up, forward)
    for angle, (low, high), name in (
        (pan, constants.HEAD_PAN_LIMITS, "pan"),
        (tilt, constants.HEAD_TILT_LIMITS, "tilt"),
    ):
        if not low <= angle <= high or distance <= height:
            raise VisuomotorError(
                f"the PR2's head cannot look at {np.round(target, 3).tolist()} m from its torso: {name} would be "
                f"{angle:.2f} rad and its limits are {low} to {high}; choose a camera_target in front of the robot"
            )
    return pan, tilt


def _turn(axis: constants.Vector, angle: float) -> np.ndarray:
    quat = np.empty(4)
    mujoco.mju_axisAngle2Quat(quat, np.array(axis), angle)
    return quat
