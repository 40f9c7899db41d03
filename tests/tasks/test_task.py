"""What a task has without writing it: groups of observations, the default cost, states for pose data."""

from pathlib import Path

import mujoco
import numpy as np
import pytest
import torch

from visuomotor.engine import CpuEngine
from visuomotor.errors import VisuomotorError
from visuomotor.robots.mjcf import load_mjcf
from visuomotor.robots.robot import Robot
from visuomotor.tasks import ResetParams, Task, VecEnv, make_task
from visuomotor.tasks.quaternions import conjugate, from_rotation_vector, multiply, rotate
from visuomotor.tasks.task import site_velocity

SCENE = Path(__file__).parents[2] / "examples" / "own_robot" / "scene.xml"


class Reach(Task):
    """The least that a task can be: the example's arm comes near a block."""

    name, stages, stage_rewards, max_episode_steps = "reach", ("far", "near"), (0.0, 1.0), 20

    def __init__(self, camera: str = "side"):
        spec = load_mjcf(SCENE)
        robot = Robot.from_mjcf(spec, end_effector="gripper", gripper=["gripper"], max_speed=2.0)
        super().__init__(spec, robot, camera)

    def sample_reset(self, count, generator, split="random", randomize=True):
        self.check_split(split)
        drawn = torch.rand(count, 2, generator=generator, dtype=torch.float64)
        return ResetParams({"block": torch.tensor([0.16, -0.08]) + torch.tensor([0.1, 0.16]) * drawn})

    def reset(self, engine, env_ids, params):
        engine.reset(env_ids)
        self.robot.set_joints(engine, env_ids, self.robot.home.expand(len(env_ids), -1))
        engine.field("qpos")[env_ids[:, None], torch.tensor([[6, 7]])] = params.placement["block"]
        engine.forward(env_ids)

    def keypoints(self, engine):
        return engine.field("xpos")[:, [self.model.body("block").id]].float()

    def stage(self, engine):
        return (self.errors(engine)[:, 0].norm(dim=-1) < 0.05).long()


@pytest.fixture(scope="module")
def task() -> Reach:
    return Reach()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def moving_engine(task: Task, worlds: int = 3) -> CpuEngine:
    engine = task.make_engine(worlds, 1)
    task.reset(engine, torch.arange(worlds), task.sample_reset(worlds, seeded(1)))
    for step in range(3):
        task.step(engine, 2 * torch.rand(worlds, task.action_size, generator=seeded(step)) - 1)
    return engine


def test_default_groups_by_hand(task):
    engine = moving_engine(task)
    tip = engine.field("site_xpos")[:, task.model.site("gripper").id]
    block = engine.field("xpos")[:, task.model.body("block").id]
    qpos, qvel = engine.field("qpos"), engine.field("qvel")
    joints = qpos[:, :6]
    lead = engine.field("ctrl")[:, :6] - joints
    assert lead.abs().max() > 0.01
    readings = torch.cat([joints.sin(), joints.cos(), qvel[:, :5], lead], 1)
    data = mujoco.MjData(task.model)
    velocity = np.empty((3, 6))
    for world in range(3):
        data.qpos, data.qvel = qpos[world].numpy(), qvel[world].numpy()
        mujoco.mj_forward(task.model, data)
        site = task.model.site("gripper").id
        mujoco.mj_objectVelocity(task.model, data, mujoco.mjtObj.mjOBJ_SITE, site, velocity[world], 0)
    stage = torch.nn.functional.one_hot(((tip - block).norm(dim=1) < 0.05).long(), 2)
    expected = {
        "proprioception": readings,
        "state": torch.cat([joints, qvel[:, :6], tip - block, torch.from_numpy(velocity[:, 3:]), lead], 1),
        "privileged": torch.cat([readings, qpos, qvel, tip, block, block - tip, stage], 1),
        "object_features": torch.cat([block - tip, block], 1),
    }
    for group, value in expected.items():
        found = getattr(task, group)(engine)
        torch.testing.assert_close(found.double(), value.double(), atol=1e-6, rtol=0)
        assert found.dtype == (torch.float64 if group == "state" else torch.float32)
        assert task.size(group) == value.shape[1]
    assert task.size("keypoints") == task.size("errors") == 1


def test_the_default_cost_is_on_errors_and_the_end_effectors_velocity(task):
    """At the last step 10 (d^2 / 2 + log(d^2 + 1e-5) / 2) + 5 v^2 / 2 + 0.01 u^2 / 2."""
    state = torch.full((1, 1, 24), 7.0, dtype=torch.float64)
    state[..., 12:18] = torch.tensor([0.1, 0.0, -0.2, 0.0, 0.3, 0.4])
    action = torch.full((1, 1, 6), 0.5, dtype=torch.float64)
    expected = 5 * (0.05 + np.log(0.05 + 1e-5)) + 2.5 * 0.25 + 0.005 * 6 * 0.25
    assert task.cost(state, action).item() == pytest.approx(expected)


def test_robots_that_hold_still_need_no_gains(task):
    proportional, derivative = task.pd_gains()
    assert proportional.tolist() == derivative.tolist() == [0.0] * 6


def test_states_for_pose_data_spread_the_joints_about_the_start(task):
    engine, again = task.make_engine(200), task.make_engine(200)
    for each in (engine, again):
        task.reset_for_pose_data(each, seeded())
    assert torch.equal(engine.state(), again.state())
    away = task.robot.joint_positions(engine) - task.robot.home
    assert away.std(0).tolist() == pytest.approx([0.1] * 6, rel=0.2)
    block = task.keypoints(engine)[:, 0]
    assert block.std(0)[:2].min() > 0.02
    # fields are those of the new state, and position targets follow
    torch.testing.assert_close(engine.field("ctrl"), task.robot.joint_positions(engine))
    before = engine.field("site_xpos").clone()
    engine.forward()
    assert torch.equal(engine.field("site_xpos"), before)


def test_a_control_period_is_a_whole_number_of_physics_steps(task):
    engine = task.make_engine(1)
    assert task.frame_skip == round(0.05 / task.model.opt.timestep)
    task.step(engine, torch.zeros(1, 6))
    assert engine.field("time")[0].item() == pytest.approx(0.05)


def test_it_runs_in_an_environment(task):
    env = VecEnv(task, 4, seeded(), image_size=32)
    for _ in range(task.max_episode_steps):
        transition = env.step(torch.zeros(4, 6))
    assert transition.done.all()
    outcome = env.finish_episodes()
    assert torch.equal(outcome.success, transition.observations["stage"] == 1)
    torch.testing.assert_close(outcome.distance, task.errors(env.engine).norm(dim=-1)[:, 0])
    assert env.render().shape == (4, 32, 32, 3)


def test_a_scene_that_lacks_its_camera_or_does_not_compile_is_refused():
    with pytest.raises(
        VisuomotorError, match="no camera in the scene of task 'reach' named 'top'; choose one of: side"
    ):
        Reach("top")
    spec = load_mjcf(SCENE)
    robot = Robot.from_mjcf(spec, end_effector="gripper", gripper=["gripper"], max_speed=2.0)
    spec.worldbody.add_body(name="ghost").add_freejoint()
    with pytest.raises(VisuomotorError, match=r"scene of task 'reach' is no valid MuJoCo model: .*mass") as caught:
        Task.__init__(object.__new__(Reach), spec, robot, "side")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["stacking", "hanger"])
def test_velocities_of_sites_are_mujocos(name):
    """On random states: sites of arms, of free bodies, and of what hangs on them."""
    task = make_task(name)
    model, worlds = task.model, 5
    engine = task.make_engine(worlds)
    noise = torch.randn(worlds, model.nq + model.nv, generator=seeded(), dtype=torch.float64)
    engine.field("qpos")[:] += 0.5 * noise[:, : model.nq]
    engine.field("qvel")[:] = noise[:, model.nq :]
    engine.forward()
    sites = list(range(model.nsite))
    found = site_velocity(engine, sites)
    assert found.shape == (worlds, model.nsite, 3)
    assert found.norm(dim=-1).max() > 0.3
    data, expected = mujoco.MjData(model), np.empty(6)
    for world in range(worlds):
        data.qpos, data.qvel = engine.field("qpos")[world].numpy(), engine.field("qvel")[world].numpy()
        mujoco.mj_forward(model, data)
        for site in sites:
            mujoco.mj_objectVelocity(model, data, mujoco.mjtObj.mjOBJ_SITE, site, expected, 0)
            np.testing.assert_allclose(found[world, site], expected[3:], atol=1e-10)


def test_quaternions_are_mujocos():
    draws = torch.randn(20, 11, generator=seeded(), dtype=torch.float64)
    a, b = (torch.nn.functional.normalize(draws[:, part], dim=1) for part in (slice(0, 4), slice(4, 8)))
    vector, found = draws[:, 8:], np.empty(4)
    rotated, turned = np.empty(3), from_rotation_vector(vector)
    for row in range(20):
        mujoco.mju_mulQuat(found, a[row].numpy(), b[row].numpy())
        np.testing.assert_allclose(multiply(a, b)[row], found, atol=1e-12)
        mujoco.mju_rotVecQuat(rotated, vector[row].numpy(), a[row].numpy())
        np.testing.assert_allclose(rotate(a, vector)[row], rotated, atol=1e-12)
        angle = float(vector[row].norm())
        mujoco.mju_axisAngle2Quat(found, (vector[row] / angle).numpy(), angle)
        np.testing.assert_allclose(turned[row], found, atol=1e-12)
    torch.testing.assert_close(rotate(conjugate(a), rotate(a, vector)), vector)
    assert from_rotation_vector(torch.zeros(3)).tolist() == [1, 0, 0, 0]
