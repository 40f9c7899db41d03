"""Kinova's Jaco with its three-fingered hand, from primitives; it obeys joint velocities."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import mujoco

from visuomotor.robots import jaco_facts as facts
from visuomotor.robots.collision import AS_ROBOT
from visuomotor.robots.jaco_hand import PINCH, add_hand, finger_geoms
from visuomotor.robots.shapes import capsule, cylinder

MOUNT: Final = (0.0, 0.4, 0.0)
"""Where the arm's base stands, m, for work around the origin of a table whose top is at z = 0."""

ABOVE_TABLE: Final = (1.375, 2.760, 4.866, 2.807, 1.217, -0.531)
"""Joints (rad) of an arm at `MOUNT`: the hand points straight down, its pinch site 0.25 m above the table's centre."""

_SHELL = (0.30, 0.31, 0.33, 1.0)
_RING = (0.62, 0.64, 0.66, 1.0)


@dataclass(frozen=True)
class Jaco:
    """The names by which a task finds the robot's parts in the compiled model."""

    joints: tuple[str, ...]
    """The six arm joints, rad."""
    fingers: tuple[str, ...]
    """The three finger joints, rad: 0.15 open, 1.35 closed."""
    motors: tuple[str, ...]
    """Nine actuators, arm then fingers: ctrl is the joint's velocity in rad/s, clipped to `velocity_limits`. A
    positive one closes a finger."""
    velocity_limits: tuple[float, ...]
    """rad/s, in the order of `motors`."""
    hand: str
    """Body."""
    pinch: str
    """Site: where the fingers hold a block; +z out of the hand, +x from fingers 2 and 3 to finger 1."""
    finger_geoms: tuple[str, ...]
    """What holds a block."""
    shell_geoms: tuple[str, ...]
    """All that is seen of the arm."""


def add_jaco(
    spec: mujoco.MjSpec, position: Sequence[float] = MOUNT, quat: Sequence[float] = (1.0, 0.0, 0.0, 0.0)
) -> Jaco:
    """Stand a Jaco at `position` (m) turned by `quat` (wxyz).

    Gravity is compensated in all its links. From the forearm on they touch tables and blocks, but not each other.
    """
    spec.compiler.degree = False  # joint ranges are in rad
    base = spec.worldbody.add_body(name="jaco_base", pos=position, quat=quat, gravcomp=1)
    cylinder(base, "jaco_base", (0, 0, 0), (0, 0, 0.15), 0.045, _SHELL, mass=facts.BASE_MASS)
    bodies, parent = [base], base
    for joint in facts.ARM_JOINTS:
        parent = _add_link(parent, joint)
        bodies.append(parent)
    bodies += add_hand(parent, _SHELL, _RING)
    robot = _names(tuple(geom.name for body in bodies for geom in body.geoms))
    for motor, joint in zip(robot.joints, facts.ARM_JOINTS, strict=True):
        _add_motor(spec, motor, facts.ARM_GAIN, joint.speed, joint.force)
    for motor, force in zip(robot.fingers, facts.FINGER_FORCES, strict=True):
        _add_motor(spec, motor, facts.FINGER_GAIN, facts.FINGER_SPEED, force)
    return robot


def _add_link(parent: Any, joint: facts.ArmJoint) -> Any:
    name = "jaco_hand" if joint is facts.ARM_JOINTS[-1] else f"jaco_link_{joint.name}"
    body = parent.add_body(name=name, pos=joint.offset, quat=joint.quat, gravcomp=1)
    body.add_joint(
        name=f"jaco_joint_{joint.name}",
        axis=(0, 0, 1),
        limited=joint.limits is not None,
        range=joint.limits or (0, 0),
        damping=[facts.ARM_DAMPING, 0, 0],
        armature=joint.armature,
        frictionloss=joint.friction,
    )
    _add_shell(body, joint)
    return body


def _add_shell(body: Any, joint: facts.ArmJoint) -> None:
    """Links run along -y or +y of their frame from joint to joint. The first shell of a link has its mass."""
    mass = joint.mass
    match joint.name:
        case "1":
            cylinder(body, "jaco_shoulder", (0, 0, 0), (0, 0, -0.10), 0.043, _SHELL, mass=mass)
            cylinder(body, "jaco_shoulder_ring", (0, 0, 0.008), (0, 0, -0.002), 0.046, _RING)
        case "2":
            capsule(body, "jaco_upper_arm", (0, 0, 0), (0, -0.41, 0), 0.041, _SHELL, mass=mass)
            cylinder(body, "jaco_shoulder_cap", (0, 0, -0.046), (0, 0, 0.046), 0.042, _RING)
        case "3":
            capsule(body, "jaco_forearm", (0, 0, 0), (0, 0.17, -0.0095), 0.034, _SHELL, AS_ROBOT, mass=mass)
            cylinder(body, "jaco_elbow_cap", (0, 0, -0.046), (0, 0, 0.046), 0.041, _RING)
        case "4":
            capsule(body, "jaco_wrist_1", (0, 0, 0), facts.ARM_JOINTS[4].offset, 0.031, _SHELL, AS_ROBOT, mass=mass)
            cylinder(body, "jaco_wrist_1_ring", (0, 0, 0.013), (0, 0, 0.003), 0.035, _RING)
        case "5":
            capsule(body, "jaco_wrist_2", (0, 0, 0), facts.ARM_JOINTS[5].offset, 0.031, _SHELL, AS_ROBOT, mass=mass)
            cylinder(body, "jaco_wrist_2_ring", (0, 0, -0.022), (0, 0, -0.032), 0.034, _RING)
        case _:  # the hand brings its own
            pass


def _names(shell_geoms: tuple[str, ...]) -> Jaco:
    joints = tuple(f"jaco_joint_{joint.name}" for joint in facts.ARM_JOINTS)
    fingers = tuple(f"jaco_finger_{index}" for index in (1, 2, 3))
    return Jaco(
        joints=joints,
        fingers=fingers,
        motors=(*joints, *fingers),
        velocity_limits=(*(joint.speed for joint in facts.ARM_JOINTS), *[facts.FINGER_SPEED] * 3),
        hand="jaco_hand",
        pinch=PINCH,
        finger_geoms=finger_geoms(),
        shell_geoms=shell_geoms,
    )


def _add_motor(spec: mujoco.MjSpec, joint: str, gain: float, speed: float, force: float) -> None:
    """A velocity servo with its joint's name."""
    motor = spec.add_actuator(name=joint, target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    motor.set_to_velocity(kv=gain)
    motor.ctrllimited, motor.ctrlrange = True, (-speed, speed)
    motor.forcelimited, motor.forcerange = True, (-force, force)
