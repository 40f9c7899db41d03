"""Ring, brick and wheel: starts, clearances of the compiled models, and states just in and just out of success."""

from math import cos, hypot, pi, sin

import pytest
import torch

from visuomotor.camera import Camera
from visuomotor.engine import CpuEngine
from visuomotor.props.axle import AXLE_LENGTH, WHEEL_HALF_WIDTH
from visuomotor.props.brick import STUD_HEIGHT
from visuomotor.props.peg import PEG_HEIGHT, SEGMENTS, TUBE_RADIUS
from visuomotor.robots.pr2 import solve_arm
from visuomotor.tasks import make_task
from visuomotor.tasks.pr2.brick import Brick
from visuomotor.tasks.pr2.pr2_task import Pr2Task
from visuomotor.tasks.pr2.ring import Ring
from visuomotor.tasks.pr2.wheel import Wheel

NAMES = ("ring", "brick", "wheel")
TARGETS = {"ring": "peg", "brick": ("stud_", "studded_brick"), "wheel": "plane"}
UPRIGHT = (1.0, 0.0, 0.0, 0.0)
SIDEWAYS = (cos(pi / 4), sin(pi / 4), 0.0, 0.0)  # +z becomes -y


@pytest.fixture(scope="module")
def ring() -> Ring:
    return make_task("ring")


@pytest.fixture(scope="module")
def brick() -> Brick:
    return make_task("brick")


@pytest.fixture(scope="module")
def wheel() -> Wheel:
    return make_task("wheel")


@pytest.fixture(params=NAMES)
def task(request) -> Pr2Task:
    return request.getfixturevalue(request.param)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def started(task, split="training", count=9, randomize=False) -> CpuEngine:
    engine = task.make_engine(count)
    task.reset(engine, torch.arange(count), task.sample_reset(count, seeded(), split, randomize))
    return engine


def at_goal(task, count=9) -> CpuEngine:
    """The arm where the object is at its goal, in all training conditions."""
    engine, params = task.make_engine(count), task.sample_reset(count, seeded(), "training", False)
    everyone = torch.arange(count)
    task.reset(engine, everyone, params)
    held = task.grasp_poses(params.dynamics["grasp"])
    position, quat = task._hand_targets(task.target_position(engine), *held)
    start = task.robot.joint_positions(engine)[0].numpy()
    angles = [
        torch.from_numpy(solve_arm(task.model, "r", p.numpy(), q.numpy(), start=start))
        for p, q in zip(position, quat, strict=True)
    ]
    task._place(engine, everyone, params, torch.stack(angles))
    return engine


def put(task, engine, offset, quat=UPRIGHT) -> None:
    """Let go of the held body and put it at `offset` (m) from the target."""
    address = int(task.model.joint(task.scene.held_joint).qposadr[0])
    engine.field("eq_active")[:, task.model.equality(task.scene.grasp).id] = 0
    engine.field("qpos")[:, address : address + 3] = task.target_position(engine) + torch.tensor(offset).double()
    engine.field("qpos")[:, address + 3 : address + 7] = torch.tensor(quat, dtype=torch.float64)
    engine.forward()


def contacts(engine) -> int:
    return int(engine.field("ncon").sum())


def half(task, geom, axis: int) -> float:
    return float(task.model.geom(geom).size[axis])


def place(task, geom, axis: int) -> float:
    return float(task.model.geom(geom).pos[axis])


# -- all three


@pytest.mark.parametrize("split", ["training", "spatial", "random"])
def test_starts_touch_nothing_and_objects_are_in_the_hands(task, split):
    engine = started(task, split, 12, randomize=True)
    params = task.sample_reset(12, seeded(), split, True)
    torch.testing.assert_close(task.target_position(engine), params.placement["target"], atol=1e-3, rtol=0)
    assert contacts(engine) == 0
    assert task.stage(engine).tolist() == [0] * 12


def test_the_goal_is_reached_without_contact_from_all_training_positions(task):
    engine = at_goal(task)
    assert task.errors(engine).norm(dim=-1).max() < 1e-3
    assert contacts(engine) == 0
    assert (task.errors(started(task)).norm(dim=-1).mean(-1) > 0.1).all()


def test_at_the_goal_it_is_done_and_at_the_start_not(task):
    engine = at_goal(task)
    assert task.stage(engine).tolist() == [2] * 9
    assert task.finish_episode(engine).success.all()
    assert not task.finish_episode(started(task)).success.any()


def test_pictures_show_the_target_in_every_condition(task):
    """At the start and at the goal; 64x64 pixels."""
    target = [geom for geom in range(task.model.ngeom) if task.model.geom(geom).name.startswith(TARGETS[task.name])]
    for engine in (started(task), at_goal(task)):
        shown = torch.isin(Camera(engine, task.camera, 64, 64).render().segmentation, torch.tensor(target))
        assert shown.flatten(1).float().mean(1).min() > 0.005


@pytest.mark.parametrize("split", ["visual", "background"])
def test_distractors_are_seen_but_not_felt(task, split):
    plain, cluttered = started(task), started(task)
    everyone, appearance = torch.arange(9), task.sample_reset(9, seeded(), split, False).appearance
    task.apply_appearance(cluttered, everyone, appearance)
    images = [Camera(engine, task.camera, 64, 64).rgb() for engine in (plain, cluttered)]
    assert (images[0] != images[1]).any(-1).flatten(1).float().mean(1).min() > 0.005
    for name in task.scene.clutter[split]:
        assert task.model.geom(name).contype[0] == task.model.geom(name).conaffinity[0] == 0


def test_images_for_pose_regression_show_the_target_where_it_was_drawn(task):
    engine = task.make_engine(24)
    task.reset_for_pose_data(engine, seeded())
    drawn = task.sample_reset(24, seeded(), randomize=False).placement["target"]
    torch.testing.assert_close(task.target_position(engine), drawn, atol=2e-3, rtol=0)
    assert (task.keypoints(engine)[..., :2].std(0) > 0.03).all()


# -- the ring


def test_the_ring_fits_the_peg_with_2_5_mm_all_round(ring):
    for index in range(SEGMENTS):
        name = f"ring_{index}"
        inside = hypot(place(ring, name, 0), place(ring, name, 1)) - half(ring, name, 0)
        assert inside - half(ring, "peg", 0) == pytest.approx(0.0025, abs=1e-9)


@pytest.mark.parametrize(
    ("x", "height", "done"),
    [  # m: off the peg's axis, of the ring's lower side above the stand
        (0.0, 0.0029, True),
        (0.0, 0.0031, False),
        (0.0049, 0.0, True),
        (0.0051, 0.0, False),
    ],
)
def test_the_ring_is_on_within_3_mm_of_the_stand_and_5_mm_of_the_axis(ring, x, height, done):
    engine = started(ring)
    put(ring, engine, (x, 0.0, TUBE_RADIUS + height))
    assert ring.in_place(engine).tolist() == [done] * 9


@pytest.mark.parametrize(
    ("x", "height", "stage"),
    [
        (0.0, PEG_HEIGHT / 2 - 0.0001, 2),
        (0.0, PEG_HEIGHT / 2 + 0.0001, 1),
        (0.0051, 0.022, 1),
        (0.0, PEG_HEIGHT + 0.0299, 1),
        (0.0, PEG_HEIGHT + 0.0301, 0),
    ],
)
def test_stages_of_the_ring(ring, x, height, stage):
    engine = started(ring)
    put(ring, engine, (x, 0.0, height))
    assert ring.stage(engine).tolist() == [stage] * 9


@pytest.mark.parametrize(("y", "done"), [(0.002, True), (0.030, False)])
def test_a_ring_that_is_dropped_over_the_tip_falls_to_the_stand_and_one_beside_it_does_not(ring, y, done):
    engine = started(ring)
    put(ring, engine, (0.0, y, PEG_HEIGHT + 0.01))
    assert ring.finish_episode(engine).success.tolist() == [done] * 9


# -- the brick


def test_the_hollow_fits_the_studs_with_2_mm_all_round(brick):
    for axis, wall in ((0, "held_brick_back"), (1, "held_brick_left")):
        inside = place(brick, wall, axis) - half(brick, wall, axis)
        outside = (place(brick, "stud_back", 0) if axis == 0 else 0.0) + half(brick, "stud_back", 0)
        assert inside - outside == pytest.approx(0.002, abs=1e-9)
    ceiling = place(brick, "held_brick_lid", 2) - half(brick, "held_brick_lid", 2)
    stud = place(brick, "stud_back", 2) + half(brick, "stud_back", 1) + half(brick, "stud_back", 0)
    assert ceiling - stud == pytest.approx(0.004, abs=1e-9)  # it sits on the other brick, not on the studs


@pytest.mark.parametrize(
    ("x", "height", "tilt", "done"),
    [
        (0.0, 0.0029, 0.0, True),
        (0.0, 0.0031, 0.0, False),
        (0.0049, 0.0, 0.0, True),
        (0.0051, 0.0, 0.0, False),
        (0.0, 0.0, 0.099, True),
        (0.0, 0.0, 0.101, False),
    ],
)
def test_the_brick_sits_within_3_mm_and_a_tenth_of_a_radian(brick, x, height, tilt, done):
    engine = started(brick)
    put(brick, engine, (x, 0.0, height), (cos(tilt / 2), sin(tilt / 2), 0.0, 0.0))
    assert brick.in_place(engine).tolist() == [done] * 9


@pytest.mark.parametrize(
    ("x", "height", "stage"),
    [
        (0.0, STUD_HEIGHT / 2 - 0.0001, 2),
        (0.0, STUD_HEIGHT / 2 + 0.0001, 1),
        (0.0051, 0.005, 1),
        (0.0, STUD_HEIGHT + 0.0299, 1),
        (0.0, STUD_HEIGHT + 0.0301, 0),
    ],
)
def test_stages_of_the_brick(brick, x, height, stage):
    engine = started(brick)
    put(brick, engine, (x, 0.0, height))
    assert brick.stage(engine).tolist() == [stage] * 9


@pytest.mark.parametrize(("y", "yaw", "done"), [(0.001, 0.0, True), (0.012, 0.0, False), (0.0, pi / 2, False)])
def test_a_brick_that_is_dropped_sits_only_where_its_hollow_is_over_the_studs(brick, y, yaw, done):
    engine = started(brick)
    put(brick, engine, (0.0, y, STUD_HEIGHT + 0.002), (cos(yaw / 2), 0.0, 0.0, sin(yaw / 2)))
    assert brick.finish_episode(engine).success.tolist() == [done] * 9


# -- the wheel


def test_the_hub_fits_the_axle_with_2_5_mm_all_round(wheel):
    for index in range(8):
        name = f"wheel_{index}"
        inside = hypot(place(wheel, name, 0), place(wheel, name, 1)) - half(wheel, name, 0)
        assert inside - half(wheel, "plane_axle", 0) == pytest.approx(0.0025, abs=1e-9)


@pytest.mark.parametrize(
    ("x", "away", "done"),
    [  # m: off the axle's line, of the wheel from the fuselage
        (0.0, 0.0099, True),
        (0.0, 0.0101, False),
        (0.0049, 0.0, True),
        (-0.0051, 0.0, False),
    ],
)
def test_the_wheel_is_on_within_10_mm_of_the_fuselage_and_5_mm_of_the_axle(wheel, x, away, done):
    engine = started(wheel)
    put(wheel, engine, (x, -WHEEL_HALF_WIDTH - away, 0.0), SIDEWAYS)
    assert wheel.in_place(engine).tolist() == [done] * 9


@pytest.mark.parametrize(("away", "stage"), [(-0.0299, 1), (-0.0301, 0), (0.0299, 1)])
def test_stages_of_the_wheel(wheel, away, stage):
    """Of the wheel's middle from the axle's tip, towards the fuselage, m."""
    engine = started(wheel)
    put(wheel, engine, (0.0, away - AXLE_LENGTH, 0.0), SIDEWAYS)
    assert wheel.stage(engine).tolist() == [stage] * 9


@pytest.mark.parametrize(("away", "done"), [(0.004, True), (AXLE_LENGTH, False)])
def test_a_wheel_on_the_axle_stays_and_one_beyond_its_tip_falls(wheel, away, done):
    engine = started(wheel)
    put(wheel, engine, (0.0, -WHEEL_HALF_WIDTH - away, 0.0), SIDEWAYS)
    assert wheel.finish_episode(engine).success.tolist() == [done] * 9
