"""Cube, hammer, bottle, ring, brick, wheel: starts, tolerances of the compiled models, states just in and just out."""

from math import cos, hypot, pi, sin

import numpy as np
import pytest
import torch

from visuomotor.camera import Camera
from visuomotor.engine import CpuEngine
from visuomotor.props import bottle as bottle_prop
from visuomotor.props.axle import AXLE_LENGTH, SIDES, WHEEL_HALF_WIDTH
from visuomotor.props.brick import STUD_HEIGHT
from visuomotor.props.nail import HEAD_HEIGHT, PRONG_YAW
from visuomotor.props.peg import PEG_HEIGHT, SEGMENTS, TUBE_RADIUS
from visuomotor.props.shape_cube import BLOCK_HALF, CUBE_HALF
from visuomotor.robots.pr2 import solve_arm
from visuomotor.tasks import VecEnv, make_task
from visuomotor.tasks.pr2.bottle import Bottle
from visuomotor.tasks.pr2.brick import Brick
from visuomotor.tasks.pr2.cube import Cube
from visuomotor.tasks.pr2.hammer import Hammer
from visuomotor.tasks.pr2.pr2_task import Pr2Task
from visuomotor.tasks.pr2.ring import Ring
from visuomotor.tasks.pr2.wheel import Wheel

NAMES = ("cube", "hammer", "bottle", "ring", "brick", "wheel")
TARGETS = {
    "cube": "cube",
    "hammer": "bench",
    "bottle": "bottle",
    "ring": "peg",
    "brick": ("stud_", "studded_brick"),
    "wheel": "plane",
}
"""What the names of the target's geoms start with."""
SIDEWAYS = (cos(pi / 4), sin(pi / 4), 0.0, 0.0)  # +z becomes -y


@pytest.fixture(scope="module")
def cube() -> Cube:
    return make_task("cube")


@pytest.fixture(scope="module")
def hammer() -> Hammer:
    return make_task("hammer")


@pytest.fixture(scope="module")
def bottle() -> Bottle:
    return make_task("bottle")


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


def started(task, split="training", count=9, seed=0) -> CpuEngine:
    engine = task.make_engine(count)
    task.reset(engine, torch.arange(count), task.sample_reset(count, seeded(seed), split, False))
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


def put(task, engine, joint, position, quat=(1.0, 0.0, 0.0, 0.0)) -> None:
    """Put a free body at `position` `(n, 3)` m in the world."""
    address = int(task.model.joint(joint).qposadr[0])
    engine.field("qpos")[:, address : address + 3] = position
    engine.field("qpos")[:, address + 3 : address + 7] = torch.tensor(quat, dtype=torch.float64)
    engine.forward()


def offset(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def release(task, engine) -> None:
    engine.field("eq_active")[:, task.model.equality(task.scene.grasp).id] = 0


def place(task, geom, axis: int) -> float:
    return float(task.model.geom(geom).pos[axis])


def half(task, geom, axis: int) -> float:
    return float(task.model.geom(geom).size[axis])


# -- all six


def test_positions_and_grasps(task):
    positions, grasps = (5, 3) if task.name == "hammer" else (9, 1)
    params = task.sample_reset(positions * grasps, seeded(), "training", False)
    rows = torch.cat([params.placement["target"], params.dynamics["grasp"]], 1)
    assert len(torch.unique(rows, dim=0)) == positions * grasps
    target = params.placement["target"]
    torch.testing.assert_close(target.amax(0) - target.amin(0), offset(0.2, 0.2, 0.0))
    spatial = task.sample_reset(12, seeded(), "spatial", False)
    assert torch.cdist(spatial.placement["target"], target).min() > 0.02
    if task.name == "hammer":
        assert torch.cdist(spatial.dynamics["grasp"], params.dynamics["grasp"]).min() > 0.005


def test_errors_vanish_at_the_goal_and_not_at_the_start(task):
    engine = at_goal(task)
    assert task.errors(engine).norm(dim=-1).max() < 1e-3
    assert (task.errors(started(task)).norm(dim=-1).mean(-1) > 0.1).all()


def test_nothing_touches_at_the_start_and_at_the_goal(task):
    for split in task.splits:
        engine = started(task, split, 12)
        assert engine.field("ncon").sum() == 0
        assert (task.stage(engine) == 0).all()
    if task.name != "bottle":  # whose cap then rests on the neck
        assert at_goal(task).field("ncon").sum() == 0


def test_objects_start_in_the_hands(task):
    for split in ("training", "spatial", "random"):
        engine = started(task, split, 12)
        params = task.sample_reset(12, seeded(), split, False)
        torch.testing.assert_close(task.target_position(engine), params.placement["target"], atol=1e-3, rtol=0)
    hand, held = task.model.body("r_gripper_tool_frame").id, int(task.model.joint(task.scene.held_joint).bodyid[0])
    places = engine.field("xpos")
    grip = (places[:, held] - places[:, hand]).norm(dim=-1)
    for _ in range(10):
        task.step(engine, -task.pd_gains()[1] * task.robot.joint_velocities(engine))
    torch.testing.assert_close((places[:, held] - places[:, hand]).norm(dim=-1), grip, atol=1e-3, rtol=0)
    assert not engine.diverged.any()


def test_a_start_is_a_function_of_its_parameters_alone(task):
    params = task.sample_reset(3, seeded(5), "random", True)
    fresh, used = task.make_engine(3), started(task, "visual", 3)
    task.reset(fresh, torch.arange(3), params)
    task.step(used, torch.ones(3, 7))
    task.finish_episode(used)
    task.reset(used, torch.arange(3), params)
    for group in ("state", "proprioception", "keypoints", "stage"):
        assert torch.equal(getattr(task, group)(used), getattr(task, group)(fresh)), group
    for name in ("geom_rgba", "eq_data", "body_pos"):
        assert torch.equal(used.model_field(name), fresh.model_field(name)), name


def test_pictures_show_the_target_in_every_condition(task):
    """At the start and at the goal; 64x64 pixels."""
    geoms = [geom for geom in range(task.model.ngeom) if task.model.geom(geom).name.startswith(TARGETS[task.name])]
    for engine in (started(task), at_goal(task)):
        shown = torch.isin(Camera(engine, task.camera, 64, 64).render().segmentation, torch.tensor(geoms))
        assert shown.flatten(1).float().mean(1).min() > 0.005


@pytest.mark.parametrize("split", ["visual", "background"])
def test_distractors_are_seen_but_not_felt(task, split):
    count = 9
    plain, cluttered = task.make_engine(count), task.make_engine(count)
    params = task.sample_reset(count, seeded(), "training", False)
    for engine in (plain, cluttered):
        task.reset(engine, torch.arange(count), params)
    appearance = task.sample_reset(count, seeded(), split, False).appearance
    task.apply_appearance(cluttered, torch.arange(count), appearance)
    images = [Camera(engine, task.camera, 64, 64).rgb() for engine in (plain, cluttered)]
    assert (images[0] != images[1]).any(-1).flatten(1).float().mean(1).min() > 0.005
    for step in range(40):
        action = torch.randn(7, generator=seeded(step)).expand(count, -1)
        for engine in (plain, cluttered):
            task.step(engine, action)
    assert torch.equal(plain.state(), cluttered.state())


def test_at_the_goal_it_is_done_and_at_the_start_not(task):
    engine = at_goal(task)
    done = torch.full((9,), task.name != "bottle")  # whose thread has not been turned
    assert torch.equal(task.finish_episode(engine).success, done)
    assert not task.finish_episode(started(task)).success.any()


# -- the cube


def test_the_block_fits_the_hole_with_2_5_mm_all_round(cube):
    for axis, wall in ((0, "cube_top_0"), (1, "cube_top_2")):
        inside = float(cube.model.geom(wall).pos[axis]) - half(cube, wall, axis)
        assert inside - half(cube, "block", axis) == pytest.approx(0.0025, abs=1e-9)
    deep = 2 * CUBE_HALF - 2 * half(cube, "cube_floor", 2)
    assert BLOCK_HALF[2] < deep < 2 * BLOCK_HALF[2] + 0.01  # it stands out or is level, never lost


@pytest.mark.parametrize(
    ("x", "y", "sunk", "stage"),
    [
        (0.0, 0.0, 0.0151, 2),  # how far the lower end is below the cube's top
        (0.0, 0.0, 0.0149, 1),
        (0.0, 0.0, -0.0299, 1),
        (0.0, 0.0, -0.0301, 0),
        (0.0049, 0.0, 0.016, 2),
        (0.0051, 0.0, 0.016, 1),
        (0.0, -0.0051, 0.016, 1),
        (0.0, 0.031, 0.0, 0),
    ],
)
def test_the_block_is_in_15_mm_below_the_top_and_5_mm_off_the_axis(cube, x, y, sunk, stage):
    engine = started(cube)
    put(cube, engine, "block_joint", cube.target_position(engine) + offset(x, y, BLOCK_HALF[2] - sunk))
    assert cube.stage(engine).tolist() == [stage] * 9


def test_a_block_that_lies_across_the_hole_is_not_in_it(cube):
    engine = at_goal(cube)
    engine.field("eq_active")[:] = 0
    across = cube.target_position(engine) + offset(0.0, 0.0, BLOCK_HALF[0] + 0.002)
    put(cube, engine, "block_joint", across, (cos(pi / 4), 0.0, sin(pi / 4), 0.0))
    assert not cube.finish_episode(engine).success.any()


def test_a_block_turned_by_a_quarter_stays_out(cube):
    """A quarter turn about its axis: 34 mm do not go through 29 mm."""
    engine = started(cube)
    engine.field("eq_active")[:] = 0
    above = cube.target_position(engine) + offset(0.0, 0.0, BLOCK_HALF[2] + 0.005)
    put(cube, engine, "block_joint", above, (cos(pi / 4), 0.0, 0.0, sin(pi / 4)))
    assert not cube.finish_episode(engine).success.any()


def test_the_left_hand_holds_the_cube_except_where_it_stands_on_a_table(cube):
    tool, palm = cube.model.body("l_gripper_tool_frame").id, cube.model.geom("l_palm").id
    for split in cube.splits:
        engine = started(cube, split)
        middle = cube.target_position(engine) - offset(0.0, 0.0, CUBE_HALF)
        gap = (engine.field("xpos")[:, tool] - middle).norm(dim=-1)
        if split == "visual":
            assert gap.min() > 0.15
            assert (engine.field("geom_xpos")[:, palm] - middle).norm(dim=-1).min() > 0.15
            table = engine.field("geom_xpos")[:, cube.model.geom("stand_top").id, 2] + half(cube, "stand_top", 2)
            torch.testing.assert_close(middle[:, 2] - CUBE_HALF, table, atol=1e-6, rtol=0)
        else:
            assert gap.max() < 1e-3


# -- the hammer


def test_the_claw_fits_under_the_nail_with_2_5_mm_beside_it(hammer):
    gap = abs(float(hammer.model.geom("claw_left").pos[1])) - half(hammer, "claw_left", 1) / cos(PRONG_YAW)
    assert gap - half(hammer, "nail_shaft", 0) == pytest.approx(0.0025, abs=1e-9)
    assert gap < half(hammer, "nail_head", 0)  # the head does not pass between the prongs
    assert HEAD_HEIGHT - 2 * half(hammer, "claw_left", 2) == pytest.approx(0.022, abs=1e-9)  # above and below


@pytest.mark.parametrize(
    ("along", "up", "stage"),
    [
        (0.0, -0.010, 2),
        (0.0099, -0.010, 2),
        (0.0101, -0.010, 1),
        (-0.0101, -0.010, 1),
        (0.0, -0.0001, 2),
        (0.0, 0.0001, 1),  # the claw is above the head
        (0.0, -0.0299, 2),
        (0.0, -0.0301, 1),  # in the bench
        (0.0, 0.0401, 0),
        (0.0401, 0.0, 0),
    ],
)
def test_the_claw_is_under_the_nail(hammer, along, up, stage):
    engine = started(hammer, count=5)
    turned, claw = (cos(pi / 4), 0.0, 0.0, sin(pi / 4)), hammer.model.site("claw").pos
    hold = offset(-claw[1], claw[0], claw[2])  # of the claw, turned to the left
    put(hammer, engine, "hammer_joint", hammer.target_position(engine) - hold + offset(0.0, along, up), turned)
    assert hammer.stage(engine).tolist() == [stage] * 5
    assert hammer.finish_episode(engine).success.tolist() == [stage == 2] * 5


# -- the bottle


def test_the_cap_fits_the_neck_with_1_5_mm_and_teeth_overlap_by_2_mm(bottle):
    def radius(geom: str, side: int) -> float:
        x, y, _ = bottle.model.geom(geom).pos
        return float(np.hypot(x, y)) + side * half(bottle, geom, 0)

    assert radius("cap_tooth_0", -1) - half(bottle, "bottle_neck", 0) == pytest.approx(0.0015, abs=1e-9)
    assert radius("bottle_tooth_0", 1) - radius("cap_tooth_0", -1) == pytest.approx(0.002, abs=1e-9)
    assert radius("cap_wall_0", -1) - radius("bottle_tooth_0", 1) == pytest.approx(0.002, abs=1e-9)
    assert bottle.model.joint("bottle_thread").frictionloss[0] == bottle_prop.THREAD_FRICTION


@pytest.mark.parametrize(
    ("up", "turn", "stage"),
    [(0.0029, 1.6, 3), (0.0029, 1.5, 2), (0.0031, 1.6, 1), (0.0299, 1.6, 1), (0.0301, 1.6, 0), (0.0, -1.6, 2)],
)
def test_the_cap_is_turned_on_within_3_mm_and_by_a_quarter_turn(bottle, up, turn, stage):
    engine = started(bottle)
    engine.field("qpos")[:, int(bottle.model.joint("bottle_thread").qposadr[0])] = turn
    put(bottle, engine, "cap_joint", bottle.target_position(engine) + offset(0.0, 0.0, up))
    assert bottle.stage(engine).tolist() == [stage] * 9


def turn_wrist(bottle, engine, speed: float, steps: int) -> None:
    """Hold the arm and turn the wrist, rad/s."""
    stiff, damp = bottle.pd_gains()
    wanted = bottle.robot.joint_positions(engine).clone()
    for _ in range(steps):
        wanted[:, 6] += speed * bottle.control_dt
        error = wanted - bottle.robot.joint_positions(engine)
        bottle.step(engine, stiff * error - damp * bottle.robot.joint_velocities(engine))


def test_turning_the_seated_cap_turns_the_thread_and_screws_it_on(bottle):
    engine = at_goal(bottle)
    turn_wrist(bottle, engine, 2.0, 40)
    thread = engine.field("qpos")[:, int(bottle.model.joint("bottle_thread").qposadr[0])]
    assert ((thread > 2.0) & (thread < 4.0)).all()
    assert bottle.stage(engine).eq(3).all()
    assert bottle.finish_episode(engine).success.all()


def test_turning_it_back_or_above_the_bottle_does_not(bottle):
    thread = int(bottle.model.joint("bottle_thread").qposadr[0])
    engine = at_goal(bottle)
    turn_wrist(bottle, engine, -2.0, 40)
    assert (engine.field("qpos")[:, thread] < -2.0).all()
    assert not bottle.finish_episode(engine).success.any()
    engine = started(bottle)
    turn_wrist(bottle, engine, 2.0, 40)
    assert engine.field("qpos")[:, thread].abs().max() < 1e-4


def test_a_free_turn_about_the_caps_axis_is_no_error(bottle):
    engine = at_goal(bottle)
    engine.field("qpos")[:, bottle.robot.qpos[6]] += 1.0
    engine.forward()
    assert bottle.errors(engine).norm(dim=-1).max() < 1e-3


def test_the_bottles_cost_wants_a_spinning_wrist(bottle):
    state = torch.zeros(3, 1, 32, dtype=torch.float64)
    state[:, 0, 13] = torch.tensor([0.0, 2.0, 3.0])
    cost = bottle.cost(state, torch.zeros(3, 1, 7, dtype=torch.float64))[:, 0]
    assert (cost - cost[1]).tolist() == pytest.approx([0.5 * 0.5 * 4.0, 0.0, 0.5 * 0.5 * 1.0])


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
    put(ring, engine, "ring_joint", ring.target_position(engine) + offset(x, 0.0, TUBE_RADIUS + height))
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
    put(ring, engine, "ring_joint", ring.target_position(engine) + offset(x, 0.0, height))
    assert ring.stage(engine).tolist() == [stage] * 9


@pytest.mark.parametrize(("y", "done"), [(0.002, True), (0.030, False)])
def test_a_ring_that_is_dropped_over_the_tip_falls_to_the_stand_and_one_beside_it_does_not(ring, y, done):
    engine = started(ring)
    release(ring, engine)
    put(ring, engine, "ring_joint", ring.target_position(engine) + offset(0.0, y, PEG_HEIGHT + 0.01))
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
    put(
        brick,
        engine,
        "held_brick_joint",
        brick.target_position(engine) + offset(x, 0.0, height),
        (cos(tilt / 2), sin(tilt / 2), 0.0, 0.0),
    )
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
    put(brick, engine, "held_brick_joint", brick.target_position(engine) + offset(x, 0.0, height))
    assert brick.stage(engine).tolist() == [stage] * 9


@pytest.mark.parametrize(("y", "yaw", "done"), [(0.001, 0.0, True), (0.012, 0.0, False), (0.0, pi / 2, False)])
def test_a_brick_that_is_dropped_sits_only_where_its_hollow_is_over_the_studs(brick, y, yaw, done):
    engine = started(brick)
    release(brick, engine)
    put(
        brick,
        engine,
        "held_brick_joint",
        brick.target_position(engine) + offset(0.0, y, STUD_HEIGHT + 0.002),
        (cos(yaw / 2), 0.0, 0.0, sin(yaw / 2)),
    )
    assert brick.finish_episode(engine).success.tolist() == [done] * 9


# -- the wheel


def test_the_hub_fits_the_axle_with_2_5_mm_all_round(wheel):
    for index in range(SIDES):
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
    put(
        wheel, engine, "wheel_joint", wheel.target_position(engine) + offset(x, -WHEEL_HALF_WIDTH - away, 0.0), SIDEWAYS
    )
    assert wheel.in_place(engine).tolist() == [done] * 9


@pytest.mark.parametrize(("away", "stage"), [(-0.0299, 1), (-0.0301, 0), (0.0199, 1), (0.0201, 2)])
def test_stages_of_the_wheel(wheel, away, stage):
    """Of the wheel's middle from the axle's tip, towards the fuselage, m."""
    engine = started(wheel)
    put(wheel, engine, "wheel_joint", wheel.target_position(engine) + offset(0.0, away - AXLE_LENGTH, 0.0), SIDEWAYS)
    assert wheel.stage(engine).tolist() == [stage] * 9


@pytest.mark.parametrize(("away", "done"), [(0.004, True), (AXLE_LENGTH, False)])
def test_a_wheel_on_the_axle_stays_and_one_beyond_its_tip_falls(wheel, away, done):
    engine = started(wheel)
    release(wheel, engine)
    put(
        wheel,
        engine,
        "wheel_joint",
        wheel.target_position(engine) + offset(0.0, -WHEEL_HALF_WIDTH - away, 0.0),
        SIDEWAYS,
    )
    assert wheel.finish_episode(engine).success.tolist() == [done] * 9


# -- all, with the hanger


def test_gravity_pulls_what_is_released(task):
    engine = started(task)
    free = int(task.model.joint(task.scene.held_joint).qposadr[0])
    before = engine.field("qpos")[:, free + 2].clone()
    engine.field("eq_active")[:] = 0
    engine.step(20)
    fallen = before - engine.field("qpos")[:, free + 2]
    torch.testing.assert_close(fallen, torch.full((9,), 0.5 * 9.81 * 0.1**2).double(), rtol=0.15, atol=0)


@pytest.mark.parametrize("name", ["hanger", *NAMES])
def test_images_for_pose_regression_show_the_target_where_it_was_drawn(name):
    """What is learned from them would be a constant otherwise."""
    task = make_task(name)
    engine = task.make_engine(24)
    task.reset_for_pose_data(engine, seeded())
    drawn = task.sample_reset(24, seeded(), randomize=False).placement["target"]
    torch.testing.assert_close(task.target_position(engine), drawn, atol=2e-3, rtol=0)
    assert (task.keypoints(engine)[..., :2].std(0) > 0.03).all()


@pytest.mark.parametrize("name", ["hanger", *NAMES, "lifting", "stacking", "insertion2d", "swimmer"])
def test_worlds_are_saved_with_all_that_is_in_them(name):
    task = make_task(name)
    made = [VecEnv(task, 3, seeded(seed), observations=("state",), image_size=32) for seed in (0, 1)]
    for env in made:
        env.reset()
        env.step(torch.zeros(3, task.action_size))
    made[1].load_state_dict(made[0].state_dict())
    assert torch.equal(task.keypoints(made[0].engine), task.keypoints(made[1].engine))
    assert torch.equal(made[0].observe()["state"], made[1].observe()["state"])
    assert torch.equal(made[0].render(), made[1].render())
