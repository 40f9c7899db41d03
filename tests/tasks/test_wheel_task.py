"""The wheel: tolerances of the compiled model, states just in and just out."""

from math import hypot

import pytest
from pr2_scenes import SIDEWAYS, half, offset, place, put, release, started

from visuomotor.props.axle import AXLE_LENGTH, SIDES, WHEEL_HALF_WIDTH
from visuomotor.tasks import make_task
from visuomotor.tasks.pr2.wheel import Wheel


@pytest.fixture(scope="module")
def wheel() -> Wheel:
    return make_task("wheel")


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
