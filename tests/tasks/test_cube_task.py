"""The shape-sorting cube: tolerances of the compiled model, states just in and just out."""

from math import cos, pi, sin

import pytest
import torch
from pr2_scenes import at_goal, half, offset, put, started

from visuomotor.props.shape_cube import BLOCK_HALF, CUBE_HALF
from visuomotor.tasks import make_task
from visuomotor.tasks.pr2.cube import Cube


@pytest.fixture(scope="module")
def cube() -> Cube:
    return make_task("cube")


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


@pytest.mark.parametrize(
    ("x", "y", "sunk", "inside"),
    [
        (0.0, 0.0, 0.0151, True),  # how far the middle is below the cube's top
        (0.0, 0.0, 0.0149, False),
        (0.0049, 0.0, 0.016, True),
        (0.0051, 0.0, 0.016, False),
        (0.0, -0.0051, 0.016, False),
    ],
)
def test_the_released_block_is_through_with_its_middle_15_mm_below_the_top(cube, x, y, sunk, inside):
    engine = started(cube)
    put(cube, engine, "block_joint", cube.target_position(engine) + offset(x, y, -sunk))
    assert cube.in_place(engine).tolist() == [inside] * 9


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
