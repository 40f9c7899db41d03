"""The brick: tolerances of the compiled model, states just in and just out."""

from math import cos, pi, sin

import pytest
from pr2_scenes import half, offset, place, put, release, started

from visuomotor.props.brick import STUD_HEIGHT
from visuomotor.tasks import make_task
from visuomotor.tasks.pr2.brick import Brick


@pytest.fixture(scope="module")
def brick() -> Brick:
    return make_task("brick")


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
