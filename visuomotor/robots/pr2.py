"""Willow Garage's PR2 with both arms, from primitives: the right arm obeys torques, the left holds still."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import mujoco
import numpy as np
from numpy.typing import NDArray

from visuomotor.errors import VisuomotorError
from visuomotor.robots import pr2_constants as constants
from visuomotor.robots.geoms import box, cylinder
from visuomotor.robots.ik import Vector, solve_ik
from visuomotor.robots.pr2_arm import add_arm
from visuomotor.robots.pr2_head import CAMERA, add_head
from visuomotor.robots.robot import Robot

TIMESTEP: Final = 0.005  # s
END_EFFECTOR_POINTS: Final = ((0.02, -0.025, 0.05), (0.02, -0.025, -0.05), (0.02, 0.05, 0.0))  # m, in the tool frame

_LINK_COLOR = (0.87, 0.87, 0.84, 1.0)
_DARK = (0.20, 0.21, 0.23, 1.0)
_BASE = (0.74, 0.75, 0.76, 1.0)
_CLOTH = (0.47, 0.48, 0.50, 1.0)  # the paper covers the left arm with cloth
_CLOTH_DARK = (0.40, 0.41, 0.43, 1.0)

_TOOL_SITE = "r_gripper_tool"
_KP = (30.0, 30.0, 8.0, 8.0, 4.0, 3.0, 3.0)  # N m/rad, of the right arm where it holds a pose
_KD = (5.0, 5.0, 1.0, 1.0, 0.4, 0.3, 0.3)  # N m s/rad
# Relaxed arms (right side) from which inverse kinematics searches, in this order.
_RELAXED: Final = (
    (-0.4, 0.3, -0.8, -1.4, 0.0, -0.8, 0.0),
    (-0.4, 0.3, -1.6, -1.6, 1.5, -1.0, 0.0),
    (0.2, 0.6, -0.2, -1.8, 0.0, -1.2, 1.5),
    (-1.2, 0.0, -1.8, -1.0, -1.5, -0.6, -1.5),
    (-0.6, 0.9, -2.5, -1.2, 3.0, -1.2, 3.0),
    (0.0, 0.0, 0.4, -1.2, 1.0, -1.6, 0.0),
)
_PAN_AND_ROLLS: Final = np.array([-1, 1, -1, 1, -1, 1, -1])  # the joints that turn the other way on the left

_LEFT_STIFFNESS = 8000.0  # N m/rad: 5 N at 0.9 m bend the arm by less than 1 mm a joint
_LEFT_DAMPING = 200.0  # N m s/rad
# The URDF leaves out the gear trains: its bare wrist (2e-4 kg m^2) is unstable under torques held for 50 ms.
_RIGHT_ARMATURE = 0.1  # kg m^2
_MIN_DAMPING = 0.7  # N m s/rad, of every joint; the URDF's values hold where they are larger
_LEFT_ARMATURE = 1.0  # kg m^2: makes the stiff servos steady at our time step
_FINGER_STIFFNESS = 2000.0  # N/m
_FINGER_SERVO_DAMPING = 60.0  # N s/m
_FINGER_FORCE = 50.0  # N


@dataclass(frozen=True)
class Pr2:
    """The names by which a task finds the robot's parts in the compiled model."""

    robot: Robot
    """The right arm, by torques: what the policy moves."""
    left_joints: tuple[str, ...]
    """Each has a position actuator of the same name; its control is the joint angle in rad."""
    right_fingers: tuple[str, ...]
    """Finger joints (m, 0 closed, 0.045 open), each with a position actuator of the same name."""
    left_fingers: tuple[str, ...]
    right_tool: str
    """Body: between the finger pads, +x out of the hand, +y from finger to finger."""
    left_tool: str
    points: tuple[str, ...]
    """Sites: the three end-effector points of the right hand."""
    camera: str


def add_pr2(
    spec: mujoco.MjSpec,
    *,
    torso_height: float = 0.1,
    camera_target: tuple[float, float, float] = (0.70, -0.1, 1.03),
    camera_fovy: float = 45.0,
    points: Sequence[tuple[float, float, float]] = END_EFFECTOR_POINTS,
) -> Pr2:
    """Stand a PR2 at the world's origin, facing +x, and set the options that it needs (radians, 5 ms, implicitfast).

    Args:
        spec: gets the robot.
        torso_height: how far the torso is lifted, m (0 to 0.33); it does not move.
        camera_target: where the head camera looks, m in the world.
        camera_fovy: its vertical field of view, degrees.
        points: the three end-effector points in the right tool frame, m.

    Raises:
        VisuomotorError: a torso height or camera target that the robot cannot take.
    """
    low, high = constants.TORSO_TRAVEL
    if not low <= torso_height <= high:
        raise VisuomotorError(f"the PR2's torso lifts by {low} to {high} m; torso_height is {torso_height}")
    _set_options(spec)
    base = spec.worldbody.add_body(name="base_link")
    torso_position = np.add(constants.TORSO_OFFSET, (0, 0, torso_height))
    torso = base.add_body(name="torso_lift_link", pos=torso_position)
    _add_trunk(base, torso)
    add_head(torso, torso_position, np.array(camera_target), camera_fovy, _LINK_COLOR, _DARK)
    add_arm(torso, "r", _RIGHT_ARMATURE, _MIN_DAMPING, _LINK_COLOR, _DARK)
    add_arm(torso, "l", _LEFT_ARMATURE, _MIN_DAMPING, _CLOTH, _CLOTH_DARK)
    pr2 = _names()
    tool = spec.body(pr2.right_tool)
    for name, position in zip(pr2.points, points, strict=True):
        tool.add_site(name=name, pos=position, size=[0.004, 0, 0], group=4)
    # z out of the hand, x from finger to finger
    tool.add_site(name=_TOOL_SITE, quat=(0.5, 0.5, 0.5, 0.5), size=[0.004, 0, 0], group=4)
    _add_actuators(spec, pr2)
    return pr2


def solve_arm(
    model: mujoco.MjModel,
    side: constants.Side,
    position: Vector,
    quat: Vector | None = None,
    *,
    start: Vector | None = None,
) -> NDArray[np.float64]:
    """The `(7,)` joint angles (rad) at which a hand's tool frame takes a pose; see `solve_ik`.

    Args:
        side: "r" or "l". start: `(7,)` rad, tried first, before a few relaxed poses; near it the answer stays near it.

    Raises:
        VisuomotorError: the hand cannot take that pose.
    """
    mirror = _PAN_AND_ROLLS if side == "l" else 1
    starts = [np.asarray(pose) * mirror for pose in _RELAXED]
    if start is not None:
        starts.insert(0, np.asarray(start, float))
    return solve_ik(
        model,
        _arm_joints(side),
        f"{side}_gripper_tool_frame",
        "body",
        position,
        quat,
        starts=starts,
    )


def _set_options(spec: mujoco.MjSpec) -> None:
    spec.compiler.degree = False  # joint ranges are in rad
    spec.option.timestep = TIMESTEP
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST


def _add_trunk(base: Any, torso: Any) -> None:
    box(base, "base", (0, 0, 0.19), (0.32, 0.32, 0.11), _BASE)
    box(base, "base_skirt", (0, 0, 0.055), (0.27, 0.27, 0.03), _DARK)
    for index, (x, y) in enumerate(((0.23, 0.23), (0.23, -0.23), (-0.23, 0.23), (-0.23, -0.23))):
        cylinder(base, f"caster_{index}", (x, y - 0.05, 0.075), (x, y + 0.05, 0.075), 0.074, _DARK)
    box(base, "spine", (-0.14, 0, 0.55), (0.12, 0.17, 0.25), _BASE)
    box(torso, "chest", (-0.06, 0, -0.10), (0.09, 0.13, 0.22), _LINK_COLOR)
    box(torso, "shoulder_bar", (-0.04, 0, 0.09), (0.085, 0.22, 0.04), _LINK_COLOR)


def _arm_joints(side: constants.Side) -> tuple[str, ...]:
    return tuple(f"{side}_{joint.name}_joint" for joint in constants.ARM_JOINTS)


def _names() -> Pr2:
    def fingers(side: str) -> tuple[str, ...]:
        return tuple(f"{side}_gripper_{finger}_finger_joint" for finger in "lr")

    return Pr2(
        robot=Robot(
            joints=_arm_joints("r"),
            gripper=(),
            actuators=_arm_joints("r"),
            control="torque",
            action_limits=tuple(float(joint.effort) for joint in constants.ARM_JOINTS),
            end_effector=_TOOL_SITE,
            home=_RELAXED[0],
            pd_gains=(_KP, _KD),
        ),
        left_joints=_arm_joints("l"),
        right_fingers=fingers("r"),
        left_fingers=fingers("l"),
        right_tool="r_gripper_tool_frame",
        left_tool="l_gripper_tool_frame",
        points=tuple(f"r_point_{index}" for index in range(len(END_EFFECTOR_POINTS))),
        camera=CAMERA,
    )


def _add_actuators(spec: mujoco.MjSpec, pr2: Pr2) -> None:
    """Every actuator has its joint's name."""
    efforts = pr2.robot.action_limits
    for name, effort in zip(pr2.robot.joints, efforts, strict=True):
        motor = _actuator(spec, name, (-effort, effort))
        motor.set_to_motor()
        motor.ctrllimited, motor.ctrlrange = True, (-effort, effort)
    for name, effort in zip(pr2.left_joints, efforts, strict=True):
        _actuator(spec, name, (-effort, effort)).set_to_position(kp=_LEFT_STIFFNESS, kv=_LEFT_DAMPING)
    for name in (*pr2.right_fingers, *pr2.left_fingers):
        servo = _actuator(spec, name, (-_FINGER_FORCE, _FINGER_FORCE))
        servo.set_to_position(kp=_FINGER_STIFFNESS, kv=_FINGER_SERVO_DAMPING)
        servo.ctrllimited, servo.ctrlrange = True, (0, constants.GAP / 2)


def _actuator(spec: mujoco.MjSpec, joint: str, force: tuple[float, float]):
    return spec.add_actuator(
        name=joint, target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT, forcelimited=True, forcerange=force
    )
