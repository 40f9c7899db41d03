"""Kinova's Jaco with its three-fingered hand, from primitives; it obeys joint velocities."""

from collections.abc import Sequence
from typing import Any, Final

import mujoco

from visuomotor.robots import jaco_constants as constants
from visuomotor.robots.collision import AS_ROBOT
from visuomotor.robots.geoms import capsule, cylinder
from visuomotor.robots.jaco_hand import PINCH, add_hand
from visuomotor.robots.robot import Robot

BASE_POS: Final = (0.0, 0.4, 0.0)
"""Where the arm's base stands, m, for work around the origin of a table whose top is at z = 0."""

HOME_QPOS: Final = (1.375, 2.760, 4.866, 2.807, 1.217, -0.531)
"""Joints (rad) of an arm at `BASE_POS`: the hand points straight down, its pinch site is 0.25 m above the table."""

_LINK_COLOR = (0.30, 0.31, 0.33, 1.0)
_RING_COLOR = (0.62, 0.64, 0.66, 1.0)


def add_jaco(
    spec: mujoco.MjSpec, position: Sequence[float] = BASE_POS, quat: Sequence[float] = (1.0, 0.0, 0.0, 0.0)
) -> Robot:
    """Stand a Jaco at `position` (m) turned by `quat` (wxyz).

    Gravity is compensated in all its links. From the forearm on they touch tables and blocks, but not each other.
    """
    spec.compiler.degree = False  # joint ranges are in rad
    base = spec.worldbody.add_body(name="jaco_base", pos=position, quat=quat, gravcomp=1)
    cylinder(base, "jaco_base", (0, 0, 0), (0, 0, 0.15), 0.045, _LINK_COLOR, mass=constants.BASE_MASS)
    bodies, parent = [base], base
    for joint in constants.ARM_JOINTS:
        parent = _add_link(parent, joint)
        bodies.append(parent)
    bodies += add_hand(parent, _LINK_COLOR, _RING_COLOR)
    robot = _robot(tuple(geom.name for body in bodies for geom in body.geoms))
    for name, joint in zip(robot.joints, constants.ARM_JOINTS, strict=True):
        _add_actuator(spec, name, constants.ARM_GAIN, joint.speed, joint.force)
    for name, force in zip(robot.gripper, constants.FINGER_FORCES, strict=True):
        _add_actuator(spec, name, constants.FINGER_GAIN, constants.FINGER_SPEED, force)
    return robot


def _add_link(parent: Any, joint: constants.ArmJoint) -> Any:
    name = "jaco_hand" if joint is constants.ARM_JOINTS[-1] else f"jaco_link_{joint.name}"
    body = parent.add_body(name=name, pos=joint.offset, quat=joint.quat, gravcomp=1)
    body.add_joint(
        name=f"jaco_joint_{joint.name}",
        axis=(0, 0, 1),
        limited=joint.limits is not None,
        range=joint.limits or (0, 0),
        damping=[constants.ARM_DAMPING, 0, 0],
        armature=joint.armature,
        frictionloss=joint.friction,
    )
    _add_geoms(body, joint)
    return body


def _add_geoms(body: Any, joint: constants.ArmJoint) -> None:
    """Links run along -y or +y of their frame from joint to joint. The first geom of a link has its mass."""
    mass = joint.mass
    match joint.name:
        case "1":
            cylinder(body, "jaco_shoulder", (0, 0, 0), (0, 0, -0.10), 0.043, _LINK_COLOR, mass=mass)
            cylinder(body, "jaco_shoulder_ring", (0, 0, 0.008), (0, 0, -0.002), 0.046, _RING_COLOR)
        case "2":
            capsule(body, "jaco_upper_arm", (0, 0, 0), (0, -0.41, 0), 0.041, _LINK_COLOR, mass=mass)
            cylinder(body, "jaco_shoulder_cap", (0, 0, -0.046), (0, 0, 0.046), 0.042, _RING_COLOR)
        case "3":
            capsule(body, "jaco_forearm", (0, 0, 0), (0, 0.17, -0.0095), 0.034, _LINK_COLOR, AS_ROBOT, mass=mass)
            cylinder(body, "jaco_elbow_cap", (0, 0, -0.046), (0, 0, 0.046), 0.041, _RING_COLOR)
        case "4":
            capsule(
                body, "jaco_wrist_1", (0, 0, 0), constants.ARM_JOINTS[4].offset, 0.031, _LINK_COLOR, AS_ROBOT, mass=mass
            )
            cylinder(body, "jaco_wrist_1_ring", (0, 0, 0.013), (0, 0, 0.003), 0.035, _RING_COLOR)
        case "5":
            capsule(
                body, "jaco_wrist_2", (0, 0, 0), constants.ARM_JOINTS[5].offset, 0.031, _LINK_COLOR, AS_ROBOT, mass=mass
            )
            cylinder(body, "jaco_wrist_2_ring", (0, 0, -0.022), (0, 0, -0.032), 0.034, _RING_COLOR)
        case _:  # the hand brings its own
            pass


def _robot(geoms: tuple[str, ...]) -> Robot:
    joints = tuple(f"jaco_joint_{joint.name}" for joint in constants.ARM_JOINTS)
    fingers = tuple(f"jaco_finger_{index}" for index in (1, 2, 3))
    opened, _ = constants.FINGER_LIMITS
    return Robot(
        joints=joints,
        gripper=fingers,
        actuators=(*joints, *fingers),  # each has its joint's name
        control="velocity",
        action_limits=(*(joint.speed for joint in constants.ARM_JOINTS), *[constants.FINGER_SPEED] * 3),
        end_effector=PINCH,
        home=(*HOME_QPOS, *[opened] * 3),
        gripper_travel=constants.FINGER_LIMITS[1] - opened,
        geoms=geoms,
    )


def _add_actuator(spec: mujoco.MjSpec, joint: str, gain: float, speed: float, force: float) -> None:
    """A velocity servo with its joint's name."""
    motor = spec.add_actuator(name=joint, target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    motor.set_to_velocity(kv=gain)
    motor.ctrllimited, motor.ctrlrange = True, (-speed, speed)
    motor.forcelimited, motor.forcerange = True, (-force, force)
