"""The Jaco against its published numbers, typed here once more, and its grasp."""

from math import pi

import mujoco
import numpy as np
import pytest
import torch

from visuomotor.engine import CpuEngine
from visuomotor.props.blocks import add_block, block_fields, block_rows
from visuomotor.props.table import add_table
from visuomotor.robots.ik import solve_ik
from visuomotor.robots.jaco import BASE_POS, HOME_QPOS, add_jaco
from visuomotor.robots.mjcf import compile_scene

SLOW, FAST = np.radians(36), np.radians(48)
D1, D2, D3, D4, D5, D6, E2 = 0.2755, 0.4100, 0.2073, 0.0741, 0.0741, 0.1600, 0.0098
K = np.sin(pi / 6) / np.sin(pi / 3)
DH = (  # a, d, alpha, sign, offset
    (0, D1, pi / 2, -1, 0),
    (D2, 0, pi, 1, -pi / 2),
    (0, -E2, pi / 2, 1, pi / 2),
    (0, -(D3 + K * D4), pi / 3, 1, 0),
    (0, -K * (D4 + D5), pi / 3, 1, -pi),
    (0, -(K * D5 + D6), pi, 1, pi / 2),
)
MASSES = {
    "jaco_base": 0.718306,
    "jaco_link_1": 0.643205,
    "jaco_link_2": 1.16915,
    "jaco_link_3": 0.673443,
    "jaco_link_4": 0.221432,
    "jaco_link_5": 0.221432,
    "jaco_hand": 0.54719,
    "jaco_finger_1": 0.0387859,
}
CONTROL_STEP = 0.05  # s
TRIALS = 12


def _build():
    spec = mujoco.MjSpec()
    add_table(spec, BASE_POS)
    robot = add_jaco(spec)
    block = add_block(spec, "block", (0.8, 0.1, 0.1, 1))
    return compile_scene(spec, "the scene"), robot, block


MODEL, ROBOT, BLOCK = _build()
ARM = [MODEL.joint(name).qposadr[0] for name in ROBOT.joints]
FINGERS = [MODEL.joint(name).qposadr[0] for name in ROBOT.gripper]
LIMITS = torch.tensor(ROBOT.action_limits, dtype=torch.float64)


def at(angles, fingers=0.15) -> mujoco.MjData:
    data = mujoco.MjData(MODEL)
    data.qpos[ARM], data.qpos[FINGERS] = angles, fingers
    mujoco.mj_forward(MODEL, data)
    return data


def published_pose(angles) -> np.ndarray:
    pose = np.eye(4)
    for (a, d, alpha, sign, offset), angle in zip(DH, angles, strict=True):
        c, s = np.cos(sign * angle + offset), np.sin(sign * angle + offset)
        ca, sa = np.cos(alpha), np.sin(alpha)
        pose = pose @ [[c, -s * ca, s * sa, a * c], [s, c * ca, -c * sa, a * s], [0, sa, ca, d], [0, 0, 0, 1]]
    return pose


def test_forward_kinematics():
    """The DH table ends in the published tool frame: 16 cm out of the hand, with the pinch site's axes."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        angles = rng.uniform([-pi, 0.83, 0.34, -pi, -pi, -pi], [pi, 5.46, 5.95, pi, pi, pi])
        data, expected = at(angles), published_pose(angles)
        hand, pinch = data.body("jaco_hand"), data.site(ROBOT.end_effector)
        tool = hand.xpos + hand.xmat.reshape(3, 3) @ (0, 0, -0.16)
        np.testing.assert_allclose(tool - BASE_POS, expected[:3, 3], atol=1e-3)
        np.testing.assert_allclose(pinch.xmat.reshape(3, 3), expected[:3, :3], atol=2e-3)


def test_limits_and_motors():
    limits = (None, (0.820305, 5.462881), (0.331613, 5.951573), None, None, None, *[(0.15, 1.35)] * 3)
    speeds, forces = (SLOW,) * 3 + (FAST,) * 3 + (1.0,) * 3, (30.5,) * 3 + (6.8,) * 3 + (2.0, 1.0, 1.0)
    armatures, frictions = (4.0,) * 3 + (2.0,) * 3 + (0.1,) * 3, (2.0,) * 3 + (1.0,) * 3 + (0.1,) * 3
    assert ROBOT.action_limits == pytest.approx(speeds)
    assert ROBOT.actuators == (*ROBOT.joints, *ROBOT.gripper)
    for index, name in enumerate(ROBOT.actuators):
        joint, motor = MODEL.joint(name), MODEL.actuator(name)
        assert bool(MODEL.jnt_limited[joint.id]) == (limits[index] is not None)
        np.testing.assert_allclose(joint.range, limits[index] or (0, 0))
        assert joint.armature[0] == armatures[index]
        assert joint.frictionloss[0] == frictions[index]
        assert joint.damping[0] == (0.01 if index < 6 else 0.75)
        np.testing.assert_allclose(motor.ctrlrange, (-speeds[index], speeds[index]))
        np.testing.assert_allclose(motor.forcerange, (-forces[index], forces[index]))
        assert motor.gainprm[0] == -motor.biasprm[2] == (500 if index < 6 else 10)


def test_masses():
    for name, mass in MASSES.items():
        body = MODEL.body(name)
        assert body.mass[0] == pytest.approx(mass)
        assert (body.inertia > 0).all()
        assert MODEL.body_gravcomp[body.id] == 1


def test_hand_above_the_table():
    data = at(HOME_QPOS)
    pinch, elbow = data.site(ROBOT.end_effector), data.body("jaco_link_3")
    np.testing.assert_allclose(pinch.xpos, (0, 0, 0.25), atol=2e-3)
    np.testing.assert_allclose(pinch.xmat.reshape(3, 3)[:, 2], (0, 0, -1), atol=5e-3)
    assert elbow.xpos[2] > 0.6


def test_motors_at_rest_hold_the_arm():
    data = at(HOME_QPOS)
    mujoco.mj_step(MODEL, data, 200)
    np.testing.assert_allclose(data.qpos[ARM], HOME_QPOS, atol=1e-5)


def test_the_table_stops_the_arm():
    data = at(HOME_QPOS, 1.35)
    data.ctrl[1] = -SLOW  # the shoulder leans over
    for _ in range(10):
        mujoco.mj_step(MODEL, data, 100)
        assert all(data.geom(name).xpos[2] > 0 for name in ROBOT.geoms[1:])
    assert abs(data.joint(ROBOT.joints[1]).qvel[0]) < 0.02


def test_fingers_close_in_1_5_s():
    data = at(HOME_QPOS)
    data.ctrl[6:] = 1.0
    mujoco.mj_step(MODEL, data, 300)
    np.testing.assert_allclose(data.qpos[FINGERS], 1.35, atol=0.01)


def test_fingers_oppose():
    """Opened alike, the tips are as far from the pinch site on both sides; on a block's sides they are flat."""

    def tips(angle):
        data = at(HOME_QPOS, angle)
        frame, origin = data.site(ROBOT.end_effector).xmat.reshape(3, 3), data.site(ROBOT.end_effector).xpos
        found = [data.geom(f"{name}_tip") for name in ROBOT.gripper]
        return [((geom.xpos - origin) @ frame, geom.xmat.reshape(3, 3)[:, 2] @ frame) for geom in found]

    for angle in (0.15, 0.8, 1.35):
        (first, _), (second, _), (third, _) = tips(angle)
        assert first[0] == pytest.approx(-second[0], abs=1e-3)
        np.testing.assert_allclose(second * (1, -1, 1), third, atol=1e-9)
    (first, along), (second, _), _ = tips(0.8)
    assert first[0] - second[0] - 2 * 0.0085 == pytest.approx(0.055, abs=0.008)
    assert np.degrees(np.arccos(abs(along[2]))) < 4


def test_few_primitives():
    kinds = {mujoco.mjtGeom(MODEL.geom(name).type[0]) for name in ROBOT.geoms}
    assert kinds == {mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_CYLINDER}
    assert len(ROBOT.geoms) <= 22


def test_the_fingers_do_not_touch_each_other():
    assert all("block" in {MODEL.geom(i).name for i in contact.geom} for contact in at(HOME_QPOS, 1.35).contact)


def solve_arm(position, yaw, start) -> np.ndarray:
    """Arm joints with the hand pointing down and finger 1 on the side `yaw` (rad, from +x)."""
    quat = np.array([0, np.cos(yaw / 2), np.sin(yaw / 2), 0])  # half a turn about x, then yaw about z
    return solve_ik(MODEL, ROBOT.joints, ROBOT.end_effector, "site", position, quat, starts=[start])


def blocks_on_the_table(engine, rng) -> tuple[np.ndarray, np.ndarray]:
    """Random blocks and an arm above; returns the blocks' places `(world, 3)` and yaws."""
    half, yaw = rng.uniform(0.02, 0.03, TRIALS), rng.uniform(-pi / 4, pi / 4, TRIALS)
    place = np.column_stack([rng.uniform(-0.1, 0.1, (TRIALS, 2)), half])
    rows = block_rows(MODEL, BLOCK)
    mass = torch.as_tensor(rng.uniform(0.05, 0.15, TRIALS))
    for name, value in block_fields(torch.as_tensor(half), mass).items():
        engine.model_field(name)[:, rows[name]] = value
    engine.model_field("geom_friction")[:, rows["geom_size"], 0] = torch.as_tensor(rng.uniform(0.7, 1.2, TRIALS))
    engine.set_const()
    qpos, address = engine.field("qpos"), MODEL.joint(BLOCK.joint).qposadr[0]
    qpos[:, ARM] = torch.tensor(HOME_QPOS, dtype=torch.float64)
    qpos[:, FINGERS] = 0.15
    pose = np.column_stack([place, np.cos(yaw / 2), 0 * yaw, 0 * yaw, np.sin(yaw / 2)])
    qpos[:, address : address + 7] = torch.as_tensor(pose)
    engine.forward()
    return place, yaw


def move(engine, goal, finger_velocity, steps) -> None:
    """Follow the straight line in joint space to `goal` (world, 6)."""
    ctrl, qpos = engine.field("ctrl"), engine.field("qpos")
    start = qpos[:, ARM].clone()
    for step in range(steps):
        wanted = start + min(1.0, (step + 1) / (0.8 * steps)) * (goal - start)
        ctrl[:, :6] = ((wanted - qpos[:, ARM]) / CONTROL_STEP).clamp(-LIMITS[:6], LIMITS[:6])
        ctrl[:, 6:] = finger_velocity
        engine.step(10)


def test_grasps_hold():
    engine = CpuEngine(MODEL, TRIALS)
    place, yaw = blocks_on_the_table(engine, np.random.default_rng(0))
    over = [solve_arm(np.add(p, (0, 0, 0.12)), w, HOME_QPOS) for p, w in zip(place, yaw, strict=True)]
    down = [solve_arm(p, w, near) for p, w, near in zip(place, yaw, over, strict=True)]
    up = [solve_arm(np.add(p, (0, 0, 0.1)), w, near) for p, w, near in zip(place, yaw, over, strict=True)]
    over, down, up = (torch.as_tensor(np.array(poses)) for poses in (over, down, up))
    for goal, finger_velocity, steps in ((over, 0, 30), (down, 0, 30), (down, 1, 25), (up, 1, 30), (up, 1, 20)):
        move(engine, goal, finger_velocity, steps)
    height = engine.field("xpos")[:, MODEL.body(BLOCK.body).id, 2] - torch.as_tensor(place[:, 2])
    assert int((height > 0.09).sum()) >= 11
    fingers = engine.field("qvel")[:, [MODEL.joint(name).dofadr[0] for name in ROBOT.gripper]]
    assert fingers.abs().max() < 0.005  # no finger gives way, which would carry the block off
