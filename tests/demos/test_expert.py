import dataclasses
import math
from collections.abc import Callable

import mink
import mujoco
import numpy as np
import pytest
import torch

from visuomotor.demos import CLOSE, OPEN
from visuomotor.demos.expert import ScriptedExpert, downwards
from visuomotor.demos.generate import demonstrate
from visuomotor.demos.grasp import grasp
from visuomotor.demos.noise import ExpertNoise, Tremor
from visuomotor.errors import VisuomotorError
from visuomotor.robots.jaco import BASE_POS, HOME_QPOS, add_jaco
from visuomotor.robots.robot import Robot
from visuomotor.tasks import Task
from visuomotor.tasks.jaco.lifting import Lifting
from visuomotor.tasks.jaco.stacking import Stacking
from visuomotor.tasks.pr2.hanger import Hanger
from visuomotor.tasks.table_task import TableTask

STEADY = ExpertNoise(tremor=0.0, speed=(0.15, 0.15), via_point_chance=0.0)
FROZEN = 3


def with_positions(spec: mujoco.MjSpec, kv: float = 200.0) -> Robot:
    """A Jaco with position actuators in place of velocity servos; they lag by kv / 2000 s."""
    robot = add_jaco(spec)
    for name in robot.actuators:
        actuator, finger = spec.actuator(name), name in robot.gripper
        actuator.set_to_position(kp=20.0 if finger else 2000.0, kv=2.0 if finger else kv)
        actuator.ctrllimited, actuator.ctrlrange = finger, (0.0, 1.6)
    return dataclasses.replace(robot, control="position")


def with_five_joints(spec: mujoco.MjSpec) -> Robot:
    """A Jaco of which one joint is not the robot's: its servo keeps it still, and not every pose can be reached."""
    robot = add_jaco(spec)

    def kept(values: tuple) -> tuple:
        return values[:FROZEN] + values[FROZEN + 1 :]

    return dataclasses.replace(
        robot,
        joints=kept(robot.joints),
        actuators=kept(robot.actuators),
        action_limits=kept(robot.action_limits),
        home=kept(robot.home),
    )


class OtherLifting(Lifting):
    """Lifting with another robot."""

    def __init__(self, add_robot: Callable[[mujoco.MjSpec], Robot]):
        TableTask.__init__(self, add_robot, BASE_POS)

    def reset(self, engine, env_ids, params):
        super().reset(engine, env_ids, params)
        if self.robot.arm_size == 5:
            engine.field("qpos")[env_ids, FROZEN] = HOME_QPOS[FROZEN]
            engine.forward(env_ids)


def at_start(task: Task, noise: ExpertNoise = STEADY) -> ScriptedExpert:
    """The expert of the one world of a task, at its start."""
    engine = task.make_engine(1)
    params = task.sample_reset(1, torch.Generator().manual_seed(0), randomize=False)
    task.reset(engine, torch.arange(1), params)
    return ScriptedExpert(task, engine, 0, torch.Generator().manual_seed(0), noise)


def follow(task: Task, expert: ScriptedExpert, plan) -> list[np.ndarray]:
    """Carry out a plan; returns the end effector's positions."""
    positions = []
    for _ in plan:
        task.step(expert._engine, torch.from_numpy(expert.action())[None])
        positions.append(expert.position)
    return positions


@pytest.mark.parametrize("task", [Lifting, lambda: OtherLifting(with_positions), Hanger])
def test_it_goes_where_it_is_sent_by_velocities_positions_and_torques(task):
    """25 cm in 1.7 s. Torques lag by 8 cm without feed-forward, and let the hanger sag by 4 cm without an integral."""
    task = task()
    expert = at_start(task)
    start, turned = expert.position, expert.rotation
    way = np.array([0.10, -0.15, -0.175])
    rotation = mink.SO3.from_z_radians(0.3) @ turned
    positions = np.array(follow(task, expert, expert.move(start + way, rotation)))
    positions = np.concatenate([positions, follow(task, expert, expert.wait(1.0))])
    np.testing.assert_allclose(positions[-1], start + way, atol=0.01)
    assert np.linalg.norm((rotation.inverse() @ expert.rotation).log()) < 0.03
    steps = math.ceil(0.25 / 0.15 / 0.05)
    middle = positions[steps // 2 - 1]  # half of the time, half of the way
    assert np.linalg.norm(middle - (start + way / 2)) < 0.03


def test_slow_servos_do_not_overshoot():
    """0.4 s of lag. Driven by the error of the joints, their targets would run ahead by half of the way."""
    task = OtherLifting(lambda spec: with_positions(spec, kv=800.0))
    expert = at_start(task)
    start = expert.position
    heights = [position[2] for position in follow(task, expert, expert.move(start + np.array([0, 0, 0.1])))]
    heights += [position[2] for position in follow(task, expert, expert.wait(2.0))]
    assert max(heights) < start[2] + 0.102
    assert heights[-1] > start[2] + 0.098


def test_other_robots_lift_too():
    for add_robot in (with_positions, with_five_joints):
        episodes = demonstrate(OtherLifting(add_robot), 4, torch.Generator().manual_seed(0))
        assert sum(episode.success for episode in episodes) >= 3, add_robot.__name__


def test_joints_that_are_not_the_robots_are_not_counted_on():
    """By the arm's Jacobian, the first action brings the end effector 1 cm upwards."""
    task = OtherLifting(with_five_joints)
    expert = at_start(task)
    expert.gain, way = 1.0, np.array([0.0, 0.0, 0.01])
    next(expert.move(expert.position + way, speed_scale=100))  # the target's first step of two: half of the way
    velocity = expert.action()[:5] * task.robot.action_limits[:5].numpy()
    data, jacobian = mujoco.MjData(task.model), np.zeros((3, task.model.nv))
    data.qpos[:] = expert._engine.field("qpos")[0].numpy()
    mujoco.mj_forward(task.model, data)
    mujoco.mj_jacSite(task.model, data, jacobian, None, task.robot.end_effector_id)
    moved = jacobian[:, task.robot.dofs[:5].numpy()] @ velocity * task.control_dt
    np.testing.assert_allclose(moved, way / 2, atol=5e-4)


def test_the_gripper_closes_whichever_way_its_joints_turn(lifting):
    assert at_start(lifting).grip_time == pytest.approx(1.2 / 1.0 + 0.1)  # 1.2 rad at 1 rad/s, and the servo's lag
    for travel in (1.2, -0.3):

        def add(spec: mujoco.MjSpec, travel: float = travel) -> Robot:
            return dataclasses.replace(add_jaco(spec), gripper_travel=travel)

        expert = at_start(OtherLifting(add))
        assert expert.grip_time == pytest.approx(abs(travel) + 0.1)
        for grip in (OPEN, CLOSE):
            expert.grip = grip
            assert expert.action()[6:].tolist() == [grip * math.copysign(1, travel)] * 3


def test_it_keeps_still_while_a_joint_is_out_of_its_range(lifting):
    expert = at_start(lifting)
    expert._engine.field("qpos")[0, lifting.robot.qpos[1]] = 0.5  # the range begins at 0.82 rad
    assert not expert.action()[:6].any()


def test_a_gripper_with_position_actuators_opens_as_wide_as_at_home():
    task = OtherLifting(with_positions)
    expert, fingers = at_start(task), task.robot.actuator_ids[6:]
    opened = task.robot.home[6:] + 0.3  # closed by 0.3 rad; at 1 rad/s and 20 Hz that is 6 steps
    expert._engine.field("ctrl")[0, fingers] = opened
    expert.grip = OPEN
    assert expert.action()[6:].tolist() == [-1.0] * 3
    expert._engine.field("ctrl")[0, fingers] = task.robot.home[6:] + 0.02
    np.testing.assert_allclose(expert.action()[6:], -0.02 / 0.05, rtol=1e-5)
    expert._engine.field("ctrl")[0, fingers] = task.robot.home[6:]
    np.testing.assert_allclose(expert.action()[6:], 0.0, atol=1e-6)


def test_a_gripper_of_which_one_jaw_stands_still_goes_down_beside_the_objects_centre(lifting):
    """4 mm along its own x axis from the centre, at the height of the centre."""
    expert = at_start(lifting, ExpertNoise(tremor=0, grasp_miss=0, grasp_turn=0, first_miss_chance=0, pause_chance=0))
    block = expert.object(0)
    for _ in grasp(expert, 0, 0.1, clearance=0.05, aside=0.004):
        if expert.grip == CLOSE:
            break
        lifting.step(expert._engine, torch.from_numpy(expert.action())[None])
    x_axis = expert._rotation.as_matrix()[:, 0]
    np.testing.assert_allclose(expert._position, block + 0.004 * x_axis, atol=1e-4)
    assert abs(x_axis[2]) < 1e-9


@pytest.mark.parametrize("yaw", [0.0, 0.4, -0.7, 1.2])
def test_fingers_close_on_faces_and_keep_clear_of_the_other_block(yaw):
    task = Stacking()
    expert = at_start(task)
    qpos = expert._engine.field("qpos")[0]
    upper, lower = (int(task.model.joint(name).qposadr[0]) for name in task.objects)
    qpos[upper + 3 : upper + 7] = torch.tensor([math.cos(yaw / 2), 0, 0, math.sin(yaw / 2)])

    def angle_to_face() -> float:
        """rad, of the fingers' axis from the nearest face's normal."""
        return (expert.yaw_to_grasp(0) - yaw + math.pi / 4) % (math.pi / 2) - math.pi / 4

    for direction in (yaw, yaw + math.pi / 2):  # beside one face or the other, 6 cm away
        qpos[lower : lower + 2] = qpos[upper : upper + 2] + 0.06 * torch.tensor(
            [math.cos(direction), math.sin(direction)]
        )
        expert._engine.forward()
        assert abs(angle_to_face()) < 1e-6
        assert abs(math.cos(expert.yaw_to_grasp(0) - direction)) < 1e-6
    qpos[lower : lower + 2] = qpos[upper : upper + 2] + 0.2  # far away: the least turn
    expert._engine.forward()
    assert abs(angle_to_face()) < 1e-6
    assert abs((expert.yaw_to_grasp(0) - expert.yaw + math.pi) % (2 * math.pi) - math.pi) <= math.pi / 4 + 1e-9


def test_downwards():
    axes = downwards(0.3).as_matrix()
    np.testing.assert_allclose(axes[:, 2], [0, 0, -1], atol=1e-12)
    np.testing.assert_allclose(axes[:, 0], [math.cos(0.3), math.sin(0.3), 0], atol=1e-12)


def test_sizes_are_those_of_the_world():
    task = Stacking()
    engine = task.make_engine(2)
    params = task.sample_reset(2, torch.Generator().manual_seed(0))
    task.reset(engine, torch.arange(2), params)
    for world in (0, 1):
        expert = ScriptedExpert(task, engine, world, torch.Generator())
        for index in (0, 1):
            assert expert.half_size(index) == params.dynamics["block_half"][world, index]
            np.testing.assert_allclose(expert.object(index), expert.keypoint(index), atol=1e-6)


def test_the_tremor_is_smooth_and_of_the_size_asked_for():
    noise, tremor, generator = ExpertNoise(tremor=0.01), Tremor(0.05), torch.Generator().manual_seed(0)
    values = np.array([tremor.sample(noise, generator) for _ in range(20_000)])
    assert np.std(values) == pytest.approx(0.01, rel=0.05)
    assert np.std(np.diff(values, axis=0)) < 0.003


def test_what_a_task_lacks_is_named(lifting, monkeypatch):
    with pytest.raises(VisuomotorError, match=r"'lifting' handles object 1, and the task names 1"):
        at_start(lifting).object(1)
    with pytest.raises(VisuomotorError, match="robot of task 'hanger' has no gripper"):
        _ = at_start(Hanger()).grip_time
    without = Hanger()
    monkeypatch.setattr(without, "pd_gains", lambda: (torch.zeros(7), torch.zeros(7)))
    with pytest.raises(VisuomotorError, match="pd_gains"):
        at_start(without)
