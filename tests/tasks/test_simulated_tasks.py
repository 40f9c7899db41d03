"""Insertion and swimming: starts, tolerances of the compiled models, costs by hand, and what success is."""

from math import acos, atan2, hypot, pi

import mujoco
import numpy as np
import pytest
import torch

from visuomotor.camera import Camera
from visuomotor.robots.peg_arm import LINK, PEG_LENGTH, PEG_RADIUS
from visuomotor.tasks import VecEnv, make_task
from visuomotor.tasks.check import check_task
from visuomotor.tasks.simulated.insertion import SLOT, SLOT_HALF, Insertion
from visuomotor.tasks.simulated.swimmer import Swimmer

NAMES = ("insertion2d", "insertion3d", "swimmer")


@pytest.fixture(scope="module")
def tasks():
    return {name: make_task(name) for name in NAMES}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def started(task, count=4, split="random", randomize=False):
    engine = task.make_engine(count)
    task.reset(engine, torch.arange(count), task.sample_reset(count, seeded(), split, randomize))
    return engine


def planar_angles(x: float, z: float) -> list[float]:
    """Of the arm in a plane whose peg points down with its tip at (x, z), elbow up."""
    down = 1.8 - z - PEG_LENGTH
    elbow = 2 * acos(hypot(x, down) / 2 / LINK)
    shoulder = atan2(down, x) - elbow / 2
    return [shoulder, elbow, pi / 2 - shoulder - elbow]


def put(task: Insertion, x: float, z: float, shift=(0.0, 0.0)):
    """An engine with one world: the tip at (x, 0, z), the slot shifted."""
    engine = task.make_engine(1)
    params = task.sample_reset(1, seeded(), "training", randomize=False)
    params.placement["shift"][:] = torch.tensor(shift)
    task.reset(engine, torch.arange(1), params)
    a, b, c = planar_angles(x, z)
    angles = [a, b, c] if task.robot.arm_size == 3 else [0.0, a, 0.0, b, 0.0, c]
    task.robot.set_joints(engine, torch.arange(1), torch.tensor([angles], dtype=torch.float64))
    engine.forward()
    return engine


@pytest.mark.parametrize("name", NAMES)
def test_they_are_tasks(tasks, name):
    check_task(tasks[name])
    assert not tasks[name].success(tasks[name].stage(started(tasks[name], 50, randomize=True))).any()


@pytest.mark.parametrize("name", NAMES)
def test_the_camera_sees_keypoints_and_robot(tasks, name):
    task = tasks[name]
    engine = started(task, 1)
    model, camera = task.model, task.model.camera(task.camera)
    points = torch.cat([task.keypoints(engine)[0].double(), task.robot.end_effector_position(engine)])
    axes = np.empty(9)
    mujoco.mju_quat2Mat(axes, camera.quat)
    seen = (points.numpy() - camera.pos) @ axes.reshape(3, 3)
    assert (seen[:, 2] < 0).all()
    assert (np.abs(seen[:, :2] / seen[:, 2:]) < np.tan(np.radians(model.cam_fovy[camera.id]) / 2)).all()
    assert np.ptp(Camera(engine, task.camera, 48, 48).rgb()[0].numpy()) > 60


@pytest.mark.parametrize("name", NAMES)
def test_the_first_controllers_hold_the_start(tasks, name):
    task = tasks[name]
    env = VecEnv(task, 3, seeded(), observations=("state",), image_size=16)
    proportional, derivative = task.pd_gains()
    start = task.robot.joint_positions(env.engine).clone()
    for _ in range(task.max_episode_steps):
        away = start - task.robot.joint_positions(env.engine)
        env.step(proportional * (away + 0.05) - derivative * task.robot.joint_velocities(env.engine))
    torch.testing.assert_close(task.robot.joint_positions(env.engine), start + 0.05, atol=0.03, rtol=0)


@pytest.mark.parametrize("name", NAMES[:2])
def test_the_slot_is_where_the_condition_says(tasks, name):
    task = tasks[name]
    params = task.sample_reset(6, seeded(), "training")
    engine = task.make_engine(6)
    task.reset(engine, torch.arange(6), params)
    bottom, mouth = task.keypoints(engine).unbind(1)
    shifts = torch.tensor(task.shifts, dtype=torch.float32)[[0, 1, 2, 3, 0, 1]]
    torch.testing.assert_close(bottom, torch.tensor(SLOT) + torch.nn.functional.pad(shifts, (0, 1)))
    torch.testing.assert_close(mouth - bottom, torch.tensor([0.0, 0.0, PEG_LENGTH]).expand(6, 3))
    assert len(set(task.shifts)) == 4
    assert max(hypot(*shift) for shift in task.shifts) <= 0.1 + 1e-9


def test_the_swimmer_has_four_poses_of_training(tasks):
    task = tasks["swimmer"]
    placement = task.sample_reset(5, seeded(), "training", randomize=False).placement
    pose = torch.cat([placement["joints"], placement["heading"][:, None]], dim=1)
    assert pose[0].tolist() == [0, 0, 0]
    assert len(pose.unique(dim=0)) == 4
    torch.testing.assert_close(pose[4], pose[0])
    torch.testing.assert_close(pose[1], -pose[2])  # as far to one side as to the other
    engine = started(task, split="training")
    home = torch.tensor([*task.robot.home.tolist(), 0.0], dtype=torch.float64)
    torch.testing.assert_close(task.state(engine)[:, [0, 1, 4]], home + pose[:4])
    around = task.sample_reset(4000, seeded(), "training").placement["joints"][1::4] - placement["joints"][1]
    assert around.std().item() == pytest.approx(0.05, abs=0.003)
    assert around.mean().item() == pytest.approx(0, abs=0.005)


@pytest.mark.parametrize(("name", "corner"), [("insertion2d", False), ("insertion3d", True)])
def test_random_slots_fill_the_range(tasks, name, corner):
    shifts = tasks[name].sample_reset(4000, seeded()).placement["shift"]
    assert shifts.norm(dim=1).max() <= 0.1
    assert shifts[:, 0].min() < -0.095
    assert shifts[:, 0].max() > 0.095
    assert (shifts[:, 1].abs().max() > 0.095) == corner
    if corner:  # uniform on the disc: half of its area lies within 1 / sqrt(2) of the radius
        assert (shifts.norm(dim=1) < 0.1 / 2**0.5).double().mean().item() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("name", NAMES[:2])
def test_an_inserted_peg_has_no_error_and_touches_nothing(tasks, name):
    task = tasks[name]
    engine = put(task, SLOT[0], SLOT[2] + 0.005)
    assert task.errors(engine)[0].abs().max() < 0.0051
    assert task.stage(engine).item() == 2
    assert engine.field("nefc")[0].item() == 0
    # 2.5 cm to each side it touches a wall, to the near side too
    play = SLOT_HALF - PEG_RADIUS
    for side in (-1, 1):
        assert put(task, SLOT[0] + side * (play - 0.003), SLOT[2] + 0.005).field("nefc")[0].item() == 0
        assert put(task, SLOT[0] + side * (play + 0.003), SLOT[2] + 0.005).field("nefc")[0].item() > 0
    assert put(task, SLOT[0], SLOT[2] - 0.003).field("nefc")[0].item() > 0  # the bottom


@pytest.mark.parametrize("name", NAMES[:2])
@pytest.mark.parametrize(
    ("height", "shift", "stage"),
    [(0.09, (0.0, 0.0), 2), (0.11, (0.0, 0.0), 1), (0.49, (0.0, 0.0), 1), (0.51, (0.0, 0.0), 0), (0.3, (0.08, 0.0), 0)],
)
def test_stages(tasks, name, height, shift, stage):
    assert tasks[name].stage(put(tasks[name], SLOT[0], SLOT[2] + height, shift)).item() == stage


def test_beside_the_slot_is_not_inside_in_space(tasks):
    assert tasks["insertion3d"].stage(put(tasks["insertion3d"], SLOT[0], SLOT[2] + 0.3, (0.0, 0.08))).item() == 0


@pytest.mark.parametrize("name", NAMES[:2])
def test_the_state_is_joints_points_and_their_velocities(tasks, name):
    """Velocities against a small step of the state itself."""
    task = tasks[name]
    engine, joints, count = started(task), task.robot.arm_size, 2 * len(task.axes)
    generator = seeded(1)
    engine.field("qvel")[:] = torch.randn(4, joints, generator=generator, dtype=torch.float64)
    engine.forward()
    state = task.state(engine)
    assert state.shape == (4, 2 * joints + 2 * count)
    engine.field("qpos")[:] += 1e-6 * engine.field("qvel")
    engine.forward()
    rate = (task.state(engine) - state) / 1e-6
    torch.testing.assert_close(rate[:, :joints], state[:, joints : 2 * joints], atol=1e-6, rtol=0)
    torch.testing.assert_close(
        rate[:, 2 * joints : 2 * joints + count], state[:, 2 * joints + count :], atol=1e-4, rtol=0
    )
    # the plane's arm has no errors or velocities beside its plane that the state would lack
    left_out = [axis for axis in range(3) if axis not in task.axes]
    assert not task.errors(engine)[..., left_out].any()


def test_insertion_s_cost_is_on_both_points(tasks):
    task = tasks["insertion2d"]
    state = torch.full((1, 1, 14), 3.0, dtype=torch.float64)
    state[..., 6:10] = torch.tensor([0.1, 0.0, 0.0, -0.2])
    state[..., 10:14] = torch.tensor([0.0, 0.3, 0.4, 0.0])
    expected = 5 * (0.05 + np.log(0.05 + 1e-5)) + 2.5 * 0.25 + 0.005 * 3 * 0.25
    assert task.cost(state, torch.full((1, 1, 3), 0.5).double()).item() == pytest.approx(expected)


def test_the_swimmer_wants_a_speed_ahead(tasks):
    """Of the centre of mass, whatever the heading."""
    task = tasks["swimmer"]
    engine = started(task)
    engine.field("qvel")[:, :2] = torch.tensor([[0.3, 0.0], [0.4, 0.0], [0.2, 0.2], [-0.3, 0.0]])
    engine.forward()
    actions = torch.zeros(4, 1, 2, dtype=torch.float64)
    actions[0] = 0.5
    cost = task.cost(task.state(engine)[:, None], actions)[:, 0]
    assert cost.tolist() == pytest.approx([0.0025, 0.5, 0.5, 18.0])


def test_the_swimmer_s_stages_follow_its_head(tasks):
    task = tasks["swimmer"]
    assert isinstance(task, Swimmer)
    engine = started(task)
    engine.field("qpos")[:, 0] = torch.tensor([0.24, 0.26, 0.74, 0.76])
    engine.forward()
    assert task.stage(engine).tolist() == [0, 1, 1, 2]
    distance = task.finish_episode(engine).distance
    assert distance.tolist() == pytest.approx([0.51, 0.49, 0.01, 0.0])


@pytest.mark.parametrize(("lead", "passes"), [(0.92, True), (-0.92, False)])
def test_a_wave_that_runs_backwards_along_the_swimmer_takes_it_past_the_buoys(tasks, lead, passes):
    """And one that runs forwards does not."""
    task = tasks["swimmer"]
    env = VecEnv(task, 1, torch.Generator(), observations=("state",), randomize=False)
    env.reset(params=task.sample_reset(1, torch.Generator(), randomize=False))
    for step in range(task.max_episode_steps):
        phase = 2 * np.pi * 1.4 * task.control_dt * step
        env.step(torch.tensor([[np.sin(phase), np.sin(phase - lead)]]))
    assert env.finish_episodes().success.item() == passes


def test_the_medium_resists_more_across_a_link_than_along_it(tasks):
    """Else no stroke would lead anywhere."""
    task = tasks["swimmer"]
    engine = started(task, 2)
    engine.field("qpos")[:] = 0.0
    engine.field("qvel")[:] = torch.tensor([[0.5, 0.0, 0.0, 0.0, 0.0], [0.0, 0.5, 0.0, 0.0, 0.0]])
    engine.step(20)
    kept = engine.field("qvel")[0, 0] / 0.5, engine.field("qvel")[1, 1] / 0.5
    assert kept[1] < 0.8 * kept[0] < 0.8
