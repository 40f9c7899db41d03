"""Willow Garage's PR2 with both arms, from primitives: the right arm obeys torques, the left holds still."""

from dataclasses import dataclass
from typing import Any, Final

import mujoco
import numpy as np

from visuomotor.errors import VisuomotorError
from visuomotor.robots import pr2_facts as facts
from visuomotor.robots.pr2_arm import add_arm
from visuomotor.robots.pr2_head import CAMERA, add_head
from visuomotor.robots.shapes import box, cylinder

TIMESTEP: Final = 0.005  # s
END_EFFECTOR_POINTS: Final = ((0.02, -0.025, 0.05), (0.02, -0.025, -0.05), (0.02, 0.05, 0.0))  # m, in the tool frame

_WHITE = (0.87, 0.87, 0.84, 1.0)
_DARK = (0.20, 0.21, 0.23, 1.0)
_BASE = (0.74, 0.75, 0.76, 1.0)
_CLOTH = (0.47, 0.48, 0.50, 1.0)  # the paper covers the left arm with cloth
_CLOTH_DARK = (0.40, 0.41, 0.43, 1.0)

_LEFT_STIFFNESS = 8000.0  # N m/rad: 5 N at 0.9 m bend the arm by less than 1 mm a joint
_LEFT_DAMPING = 200.0  # N m s/rad
_LEFT_ARMATURE = 1.0  # kg m^2: makes the stiff servos steady at our time step
_FINGER_STIFFNESS = 2000.0  # N/m
_FINGER_SERVO_DAMPING = 60.0  # N s/m
_FINGER_FORCE = 50.0  # N


@dataclass(frozen=True)
class Pr2:
    """The names by which a task finds the robot's parts in the compiled model."""

    right_joints: tuple[str, ...]
    left_joints: tuple[str, ...]
    right_motors: tuple[str, ...]
    """Actuators: ctrl is the joint torque in N m, clipped to `effort_limits`."""
    left_servos: tuple[str, ...]
    """Actuators: ctrl is the joint angle in rad."""
    right_fingers: tuple[str, ...]
    """Finger joints (m, 0 closed, 0.045 open), each with a position actuator of the same name."""
    left_fingers: tuple[str, ...]
    right_palm: str
    left_palm: str
    right_tool: str
    """Body: between the finger pads, +x out of the hand, +y from finger to finger."""
    left_tool: str
    points: tuple[str, ...]
    """Sites: the three end-effector points of the right hand."""
    camera: str
    effort_limits: tuple[float, ...]
    """N m, in the order of `right_motors`."""


def add_pr2(
    spec: mujoco.MjSpec,
    *,
    torso_height: float = 0.1,
    camera_target: tuple[float, float, float] = (0.70, -0.1, 1.03),
    camera_fovy: float = 45.0,
    armature: float = 0.1,
    least_damping: float = 0.7,
) -> Pr2:
    """Stand a PR2 at the world's origin, facing +x, and set the options that it needs (radians, 5 ms, implicitfast).

    Args:
        spec: gets the robot.
        torso_height: how far the torso is lifted, m (0 to 0.33); it does not move.
        camera_target: where the head camera looks, m in the world.
        camera_fovy: its vertical field of view, degrees.
        armature: inertia of each right-arm motor seen from the joint, kg m^2. The URDF leaves out the gear trains, and
            its bare wrist (2e-4 kg m^2) is unstable under torques held for 50 ms; 0.1 makes it tame.
        least_damping: N m s/rad that every right-arm joint has at least, for the same reason; the URDF's values hold
            where they are larger.

    Raises:
        VisuomotorError: a torso height or camera target that the robot cannot take.
    """
    low, high = facts.TORSO_TRAVEL
    if not low <= torso_height <= high:
        raise VisuomotorError(f"the PR2's torso lifts by {low} to {high} m; torso_height is {torso_height}")
    _set_options(spec)
    base = spec.worldbody.add_body(name="base_link")
    torso_position = np.add(facts.TORSO_OFFSET, (0, 0, torso_height))
    torso = base.add_body(name="torso_lift_link", pos=torso_position)
    _add_trunk(base, torso)
    add_head(torso, torso_position, np.array(camera_target), camera_fovy, _WHITE, _DARK)
    add_arm(torso, "r", armature, least_damping, _WHITE, _DARK)
    add_arm(torso, "l", _LEFT_ARMATURE, least_damping, _CLOTH, _CLOTH_DARK)
    robot = _names()
    for name, position in zip(robot.points, END_EFFECTOR_POINTS, strict=True):
        spec.body(robot.right_tool).add_site(name=name, pos=position, size=[0.004, 0, 0], group=4)
    _add_actuators(spec, robot)
    return robot


def _set_options(spec: mujoco.MjSpec) -> None:
    spec.compiler.degree = False  # joint ranges are in rad
    spec.option.timestep = TIMESTEP
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.jacobian = mujoco.mjtJacobian.mjJAC_DENSE  # the engine insists: MuJoCo 4.0.0 errs with the sparse one


def _add_trunk(base: Any, torso: Any) -> None:
    box(base, "base", (0, 0, 0.19), (0.32, 0.32, 0.11), _BASE)
    box(base, "base_skirt", (0, 0, 0.055), (0.27, 0.27, 0.03), _DARK)
    for index, (x, y) in enumerate(((0.23, 0.23), (0.23, -0.23), (-0.23, 0.23), (-0.23, -0.23))):
        cylinder(base, f"caster_{index}", (x, y - 0.05, 0.075), (x, y + 0.05, 0.075), 0.074, _DARK)
    box(base, "spine", (-0.14, 0, 0.55), (0.12, 0.17, 0.25), _BASE)
    box(torso, "chest", (-0.06, 0, -0.10), (0.09, 0.13, 0.22), _WHITE)
    box(torso, "shoulder_bar", (-0.04, 0, 0.09), (0.085, 0.22, 0.04), _WHITE)


def _names() -> Pr2:
    def joints(side: str) -> tuple[str, ...]:
        return tuple(f"{side}_{joint.name}_joint" for joint in facts.ARM_JOINTS)

    def fingers(side: str) -> tuple[str, ...]:
        return tuple(f"{side}_gripper_{finger}_finger_joint" for finger in "lr")

    return Pr2(
        right_joints=joints("r"),
        left_joints=joints("l"),
        right_motors=joints("r"),
        left_servos=joints("l"),
        right_fingers=fingers("r"),
        left_fingers=fingers("l"),
        right_palm="r_gripper_palm_link",
        left_palm="l_gripper_palm_link",
        right_tool="r_gripper_tool_frame",
        left_tool="l_gripper_tool_frame",
        points=tuple(f"r_point_{index}" for index in range(len(END_EFFECTOR_POINTS))),
        camera=CAMERA,
        effort_limits=tuple(float(joint.effort) for joint in facts.ARM_JOINTS),
    )


def _add_actuators(spec: mujoco.MjSpec, robot: Pr2) -> None:
    """Every actuator has its joint's name."""
    for name, effort in zip(robot.right_joints, robot.effort_limits, strict=True):
        motor = _actuator(spec, name, (-effort, effort))
        motor.set_to_motor()
        motor.ctrllimited, motor.ctrlrange = True, (-effort, effort)
    for name, effort in zip(robot.left_joints, robot.effort_limits, strict=True):
        _actuator(spec, name, (-effort, effort)).set_to_position(kp=_LEFT_STIFFNESS, kv=_LEFT_DAMPING)
    for name in (*robot.right_fingers, *robot.left_fingers):
        servo = _actuator(spec, name, (-_FINGER_FORCE, _FINGER_FORCE))
        servo.set_to_position(kp=_FINGER_STIFFNESS, kv=_FINGER_SERVO_DAMPING)
        servo.ctrllimited, servo.ctrlrange = True, (0, facts.GAP / 2)


def _actuator(spec: mujoco.MjSpec, joint: str, force: tuple[float, float]):
    return spec.add_actuator(
        name=joint, target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT, forcelimited=True, forcerange=force
    )
