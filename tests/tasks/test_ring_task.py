"""The ring: tolerances of the compiled model, states just in and just out."""

from math import hypot

import pytest
from pr2_scenes import half, offset, place, put, release, started

from visuomotor.props.peg import PEG_HEIGHT, SEGMENTS, TUBE_RADIUS
from visuomotor.tasks import make_task
from visuomotor.tasks.pr2.ring import Ring


@pytest.fixture(scope="module")
def ring() -> Ring:
    return make_task("ring")


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
