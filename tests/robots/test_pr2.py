"""The PR2 against its published numbers, typed here once more."""

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visuomotor.errors import VisuomotorError
from visuomotor.robots.mjcf import compile_scene
from visuomotor.robots.pr2 import END_EFFECTOR_POINTS, add_pr2, solve_arm
from visuomotor.robots.pr2_head import look_at

LIFT = 0.1
CAMERA_TARGET = (0.65, -0.15, 0.95)
JOINTS = ("shoulder_pan", "shoulder_lift", "upper_arm_roll", "elbow_flex", "forearm_roll", "wrist_flex", "wrist_roll")
OFFSETS = ((0, 0.188, 0), (0.1, 0, 0), (0, 0, 0), (0.4, 0, 0), (0, 0, 0), (0.321, 0, 0), (0, 0, 0))  # left
AXES = "zyxyxyx"
EFFORTS = (30, 30, 30, 30, 30, 10, 10)
DAMPING = (10, 10, 0.7, 1, 0.7, 0.7, 0.7)  # the URDF's, or 0.7
RIGHT_LIMITS = ((-2.2854, 0.7146), (-0.5236, 1.3963), (-3.9, 0.8), (-2.3213, 0), None, (-2.18, 0), None)
LEFT_LIMITS = ((-0.7146, 2.2854), (-0.5236, 1.3963), (-0.8, 3.9), (-2.3213, 0), None, (-2.18, 0), None)
LINK_MASSES = {
    "shoulder_pan_link": 25.799322,
    "shoulder_lift_link": 2.74988,
    "upper_arm_roll_link": 0.1,
    "upper_arm_link": 6.01769,
    "elbow_flex_link": 1.90327,
    "forearm_roll_link": 0.1,
    "forearm_link": 2.57968,
    "wrist_flex_link": 0.61402,
    "wrist_roll_link": 0.1,
    "gripper_palm_link": 0.58007,
    "gripper_l_finger_link": 0.17126 + 0.04419,
    "gripper_r_finger_link": 0.17389 + 0.04419,
}
UPPER_ARM_CENTRE = {"r": (0.21398, -0.01621, -0.00020), "l": (0.21398, 0.01621, -0.00020)}
FOREARM_INERTIA = (0.0036486, 0.0150774, 0.0165931)

angle = st.floats(-1, 1)


def _build():
    spec = mujoco.MjSpec()
    robot = add_pr2(spec, torso_height=LIFT, camera_target=CAMERA_TARGET)
    return compile_scene(spec, "the scene"), robot


MODEL, PR2 = _build()
ROBOT = PR2.robot


def turn(axis: str, angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return {
        "x": np.array([[1, 0, 0], [0, c, -s], [0, s, c]]),
        "y": np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
        "z": np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
    }[axis]


def tool_pose(side: str, angles) -> tuple[np.ndarray, np.ndarray]:
    position, rotation = np.array([-0.05, 0, 0.739675 + LIFT]), np.eye(3)
    for (x, y, z), axis, theta in zip(OFFSETS, AXES, angles, strict=True):
        position = position + rotation @ (x, y if side == "l" else -y, z)
        rotation = rotation @ turn(axis, theta)
    return position + rotation @ (0.18, 0, 0), rotation


def at(side: str, angles) -> mujoco.MjData:
    data = mujoco.MjData(MODEL)
    for name, theta in zip(JOINTS, angles, strict=True):
        data.joint(f"{side}_{name}_joint").qpos = theta
    mujoco.mj_forward(MODEL, data)
    return data


def hand_angles(rng: np.random.Generator, side: str) -> np.ndarray:
    limits = np.array([pair or (-np.pi, np.pi) for pair in (RIGHT_LIMITS if side == "r" else LEFT_LIMITS)])
    return rng.uniform(limits[:, 0], limits[:, 1])


@pytest.mark.parametrize("side", ["r", "l"])
def test_forward_kinematics(side):
    rng = np.random.default_rng(0)
    for _ in range(20):
        angles = hand_angles(rng, side)
        body = at(side, angles).body(f"{side}_gripper_tool_frame")
        position, rotation = tool_pose(side, angles)
        np.testing.assert_allclose(body.xpos, position, atol=1e-9)
        np.testing.assert_allclose(body.xmat.reshape(3, 3), rotation, atol=1e-9)


def test_end_effector_points():
    angles = hand_angles(np.random.default_rng(1), "r")
    data, (position, rotation) = at("r", angles), tool_pose("r", angles)
    points = np.array([[0.02, -0.025, 0.05], [0.02, -0.025, -0.05], [0.02, 0.05, 0.0]])
    got = [data.site(name).xpos for name in PR2.points]
    np.testing.assert_allclose(got, position + points @ rotation.T, atol=1e-9)
    np.testing.assert_array_equal(END_EFFECTOR_POINTS, points)


def test_the_end_effector_site_points_out_of_the_hand_and_from_finger_to_finger():
    angles = hand_angles(np.random.default_rng(2), "r")
    data, (position, rotation) = at("r", angles), tool_pose("r", angles)
    site = data.site(ROBOT.end_effector)
    np.testing.assert_allclose(site.xpos, position, atol=1e-9)
    axes = site.xmat.reshape(3, 3)
    np.testing.assert_allclose(axes[:, 2], rotation[:, 0], atol=1e-9)
    left, right = (data.geom(f"r_gripper_{finger}_finger_pad").xpos for finger in "lr")
    assert abs((left - right) @ axes[:, 0]) == pytest.approx(np.linalg.norm(left - right))


@pytest.mark.parametrize(("side", "limits"), [("r", RIGHT_LIMITS), ("l", LEFT_LIMITS)])
def test_limits(side, limits):
    for name, pair in zip(JOINTS, limits, strict=True):
        joint = MODEL.joint(f"{side}_{name}_joint")
        assert bool(MODEL.jnt_limited[joint.id]) == (pair is not None)
        if pair is not None:
            np.testing.assert_allclose(joint.range, pair, atol=1e-4)


def test_efforts_damping_and_armature():
    for name, effort, damping in zip(ROBOT.actuators, EFFORTS, DAMPING, strict=True):
        motor, joint = MODEL.actuator(name), MODEL.joint(name)
        np.testing.assert_allclose(motor.ctrlrange, (-effort, effort))
        np.testing.assert_allclose(motor.forcerange, (-effort, effort))
        assert joint.damping[0] == pytest.approx(damping)
        assert joint.armature[0] == pytest.approx(0.1)
    assert ROBOT.action_limits == EFFORTS
    assert ROBOT.control == "torque"
    assert ROBOT.joints == tuple(f"r_{name}_joint" for name in JOINTS)
    assert ROBOT.gripper == ()


@pytest.mark.parametrize("side", ["r", "l"])
def test_masses(side):
    for name, mass in LINK_MASSES.items():
        body = MODEL.body(f"{side}_{name}")
        assert body.mass[0] == pytest.approx(mass)
        assert MODEL.body_gravcomp[body.id] == 1
    np.testing.assert_allclose(MODEL.body(f"{side}_upper_arm_link").ipos, UPPER_ARM_CENTRE[side])
    np.testing.assert_allclose(sorted(MODEL.body(f"{side}_forearm_link").inertia), FOREARM_INERTIA, rtol=1e-6)


def test_without_torque_the_right_arm_stays():
    pose = np.array([-0.7, -0.2, -0.7, -1.8, -2.4, -1.6, -2.1])
    data = at("r", pose)
    mujoco.mj_step(MODEL, data, 400)
    moved = [data.joint(name).qpos[0] for name in ROBOT.joints] - pose
    assert np.abs(moved).max() < 1e-6


def test_left_arm_holds_against_a_push():
    pose = np.array([0.6, 0.0, 1.7, -1.4, -1.8, -0.5, 0.0])
    data = at("l", pose)
    for name, theta in zip(PR2.left_joints, pose, strict=True):
        data.actuator(name).ctrl = theta
    start = data.body(PR2.left_tool).xpos.copy()
    data.xfrc_applied[MODEL.body("l_gripper_palm_link").id, :3] = (3, -3, -3)
    mujoco.mj_step(MODEL, data, 400)
    assert np.linalg.norm(data.body(PR2.left_tool).xpos - start) < 2e-3


def test_fingers_follow_their_command():
    data = mujoco.MjData(MODEL)
    for name in PR2.right_fingers:
        data.actuator(name).ctrl = 0.045
    mujoco.mj_step(MODEL, data, 300)
    pads = [data.geom(f"r_gripper_{finger}_finger_pad").xpos for finger in "lr"]
    gap = np.linalg.norm(pads[0] - pads[1]) - 0.012  # two half thicknesses of 6 mm
    assert gap == pytest.approx(0.09, abs=5e-4)


def test_head_camera_looks_at_its_target():
    data = mujoco.MjData(MODEL)
    mujoco.mj_forward(MODEL, data)
    to_target = CAMERA_TARGET - data.cam(PR2.camera).xpos
    forward = -data.cam(PR2.camera).xmat.reshape(3, 3)[:, 2]
    np.testing.assert_allclose(forward, to_target / np.linalg.norm(to_target), atol=1e-9)
    # Straight ahead and level with the camera, nothing turns: the chain's offsets add up.
    assert look_at(np.array([5.0, 0, 0.38145 + 0.0645 + 0.091746])) == pytest.approx((0, 0))


def test_what_the_robot_cannot_do_is_an_error():
    with pytest.raises(VisuomotorError, match="torso"):
        add_pr2(mujoco.MjSpec(), torso_height=0.5)
    with pytest.raises(VisuomotorError, match="camera_target"):
        add_pr2(mujoco.MjSpec(), camera_target=(0.0, 0.0, 3.0))


def test_only_primitives_and_few():
    allowed = {mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_CYLINDER}
    assert {mujoco.mjtGeom(kind) for kind in MODEL.geom_type} <= allowed
    assert MODEL.ngeom <= 45
    assert MODEL.nmesh == 0


def test_the_robot_does_not_touch_itself():
    assert at("r", (0.7, 0.5, 0.0, -2.3, 0, -2, 0)).ncon == 0


@pytest.mark.parametrize("side", ["r", "l"])
@given(pan=angle, lift=angle, roll=angle, elbow=angle, forearm=angle, wrist=angle, spin=angle)
@settings(max_examples=15, deadline=None, derandomize=True)
def test_inverse_kinematics_round_trip(side, pan, lift, roll, elbow, forearm, wrist, spin):
    mirror = np.array([-1, 1, -1, 1, -1, 1, -1]) if side == "l" else np.ones(7)
    middle = np.array([-0.5, 0.35, -1.2, -1.3, 0.0, -1.0, 0.0]) * mirror
    angles = middle + np.array([0.8, 0.5, 0.8, 0.7, 1, 0.8, 1]) * (pan, lift, roll, elbow, forearm, wrist, spin)
    position, rotation = tool_pose(side, angles)
    quat = np.empty(4)
    mujoco.mju_mat2Quat(quat, rotation.ravel())
    found = solve_arm(MODEL, side, position, quat, start=middle)
    reached, orientation = tool_pose(side, found)
    assert np.linalg.norm(reached - position) < 1e-3
    assert np.arccos(np.clip((np.trace(orientation.T @ rotation) - 1) / 2, -1, 1)) < 1e-2
    for theta, pair in zip(found, RIGHT_LIMITS if side == "r" else LEFT_LIMITS, strict=True):
        assert pair is None or pair[0] - 1e-3 <= theta <= pair[1] + 1e-3
    np.testing.assert_array_equal(found, solve_arm(MODEL, side, position, quat, start=middle))


def test_inverse_kinematics_with_a_free_orientation():
    found = solve_arm(MODEL, "l", (0.6, 0.1, 0.9))
    np.testing.assert_allclose(tool_pose("l", found)[0], (0.6, 0.1, 0.9), atol=1e-3)


def test_out_of_reach_is_an_error_that_says_how_far():
    """The outstretched arm reaches 0.4 + 0.321 + 0.18 m ahead of the axis that lifts it."""
    lift_axis = np.array([-0.05 + 0.1, -0.188, 0.739675 + LIFT])
    with pytest.raises(VisuomotorError, match=r"'r_gripper_tool_frame' cannot take .* misses by") as caught:
        solve_arm(MODEL, "r", np.add(lift_axis, (1.3, 0, 0)))
    miss = float(str(caught.value).split("misses by ")[1].split(" mm")[0])
    assert miss == pytest.approx(1300 - 901, abs=3)
