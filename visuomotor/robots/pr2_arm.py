"""One PR2 arm with its gripper: bodies, joints and geoms; its motors are added by `pr2`."""

from typing import Any

import mujoco

from visuomotor.robots import pr2_constants as constants
from visuomotor.robots.collision import AS_ROBOT, AS_TARGET, NOTHING
from visuomotor.robots.geoms import Color, box, capsule, cylinder

_FINGER_ARMATURE = 0.2  # kg: the gripper's screw drive
_FINGER_DAMPING = 5.0  # N s/m


def add_arm(torso: Any, side: constants.Side, armature: float, min_damping: float, color: Color, dark: Color) -> None:
    """Hang an arm on `torso`. Joint damping is the URDF's or `min_damping` (N m s/rad), whichever is more.

    All bodies are weightless (gravcomp 1), as springs balance the real arm.
    """
    parent = torso
    for joint in constants.ARM_JOINTS:
        x, y, z = joint.offset
        for link in joint.links:
            first = link is joint.links[0]
            parent = parent.add_body(
                name=f"{side}_{link.name}",
                pos=(x, y if side == "r" else -y, z) if first else (0, 0, 0),
                gravcomp=1,
                explicitinertial=True,
                mass=link.mass,
                ipos=_center_of_mass(link, side),
                inertia=link.inertia,
            )
            if first:
                limits = joint.limits_of(side)
                parent.add_joint(
                    name=f"{side}_{joint.name}_joint",
                    axis=joint.axis,
                    limited=limits is not None,
                    range=limits or (0, 0),
                    damping=[max(joint.damping, min_damping), 0, 0],
                    armature=armature,
                )
            _add_geoms(parent, side, link.name, color, dark)
    _add_gripper(parent, side, color, dark)


def _center_of_mass(link: constants.Link, side: constants.Side) -> constants.Vector:
    """The URDF gives one centre of mass for both sides, but for the upper arm, which it mirrors."""
    x, y, z = link.centre_of_mass
    return (x, -y, z) if side == "l" and link.name == "upper_arm_link" else (x, y, z)


def _add_geoms(body: Any, side: constants.Side, link: str, color: Color, dark: Color) -> None:
    # The left hand carries the target and counts as a part of it; see the module `collision`.
    collision = AS_ROBOT if side == "r" else AS_TARGET
    match link:
        case "shoulder_pan_link":
            cylinder(body, f"{side}_shoulder", (0.0, 0, -0.29), (0.0, 0, 0.06), 0.09, color)
        case "shoulder_lift_link":
            cylinder(body, f"{side}_shoulder_lift", (0, -0.075, 0), (0, 0.075, 0), 0.085, color)
        case "upper_arm_link":
            capsule(body, f"{side}_upper_arm", (0.1, 0, 0), (0.33, 0, 0), 0.068, color)
        case "elbow_flex_link":
            cylinder(body, f"{side}_elbow", (0, -0.06, 0), (0, 0.06, 0), 0.052, dark)
        case "forearm_link":
            capsule(body, f"{side}_forearm", (0.08, 0, 0), (0.245, 0, 0), 0.05, color, collision)
        case "wrist_flex_link":
            cylinder(body, f"{side}_wrist", (0, -0.035, 0), (0, 0.035, 0), 0.032, dark)
        case "gripper_palm_link":
            box(body, f"{side}_palm", (0.065, 0, 0), (0.035, 0.055, 0.028), color, collision)
        case _:  # the roll links are only inertia
            pass


def _add_gripper(palm: Any, side: constants.Side, color: Color, dark: Color) -> None:
    x, y, z = constants.FINGER_OFFSET
    collision = AS_ROBOT if side == "r" else NOTHING  # the left fingers hold the target
    for finger, sign in (("l", 1), ("r", -1)):
        name = f"{side}_gripper_{finger}_finger"
        mass = constants.FINGER_MASS[finger]
        body = palm.add_body(
            name=f"{name}_link",
            pos=(x, sign * y, z),
            gravcomp=1,
            explicitinertial=True,
            mass=mass,
            ipos=(0.05, 0, 0),
            inertia=(mass * 8e-5, mass * 1.2e-3, mass * 1.2e-3),  # of a bar of the finger's size
        )
        body.add_joint(
            name=f"{name}_joint",
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=(0, sign, 0),
            limited=True,
            range=(0, constants.GAP / 2),
            armature=_FINGER_ARMATURE,
            damping=[_FINGER_DAMPING, 0, 0],
        )
        # At zero the two pads touch in the palm's middle plane.
        box(body, name, (0.04, -sign * 0.001, 0), (0.045, 0.009, 0.012), color)
        box(body, f"{name}_pad", (0.1, -sign * 0.004, 0), (0.02, 0.006, 0.012), dark, collision)
    palm.add_body(name=f"{side}_gripper_tool_frame", pos=constants.TOOL_OFFSET)
