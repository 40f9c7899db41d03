"""Tasks with blocks on a table: stages, rewards, success."""

import pytest
import torch
from table_worlds import nominal_engine, place, places, put_pinch

from visuomotor.errors import VisuomotorError
from visuomotor.tasks.jaco.lifting import Lifting

HALF = 0.025  # m, of the nominal blocks


def test_at_most_two_blocks():
    class Three(Lifting):
        objects = ("a", "b", "c")

    with pytest.raises(VisuomotorError, match=r"'lifting' has 3 blocks; .* at most 2"):
        Three()


def test_reached_within_5_cm(lifting):
    engine = nominal_engine(lifting, 4)
    put_pinch(lifting, engine, places((0, 0, 0.03)).expand(4, 3))
    place(lifting, engine, "block", places((0.049, 0, 0.03), (0.051, 0, 0.03), (0, -0.049, 0.03), (0.04, 0.04, 0.03)))
    assert lifting.stage(engine).tolist() == [1, 0, 1, 0]


def test_lifted_by_the_lowest_corner(task):
    """A block held upright has its lowest corner 25 mm below the centre, on edge 25 mm * sqrt 2."""
    heights = [0.0745, 0.0755, 0.0848, 0.0859]
    engine, (first, *_) = nominal_engine(task, 4), task.objects
    at = places(*[(0.15, 0.15, height) for height in heights])
    put_pinch(task, engine, at)
    place(task, engine, first, at, torch.tensor([0, 0, torch.pi / 4, torch.pi / 4]))
    assert task.stage(engine).tolist() == [1, 2, 1, 2]


def test_a_block_in_the_air_away_from_the_hand_is_not_lifted(lifting):
    engine = nominal_engine(lifting, 2)
    put_pinch(lifting, engine, places((0, 0, 0.2)).expand(2, 3))
    place(lifting, engine, "block", places((0.059, 0, 0.2), (0.061, 0, 0.2)))
    assert lifting.stage(engine).tolist() == [2, 0]


@pytest.mark.parametrize(
    ("beside", "centre", "tilt", "stacked"),
    [
        (0.0, 0.0749, 0.0, True),
        (0.0199, 0.0749, 0.0, True),
        (0.0201, 0.0749, 0.0, False),
        (0.0, 0.0651, 0.0, True),  # sunk in: 1 cm at most
        (0.0, 0.0649, 0.0, False),
        (0.0, 0.0755, 0.0, False),  # half a millimetre of air
        (0.0, 0.0841, 0.5272, True),  # balancing on an edge at 30 degrees: 25 mm (cos + sin) = 34.2 mm up
        (0.0, 0.0852, 0.7854, False),  # at 45 degrees: 35.4 mm
    ],
)
def test_stacked_within_2_cm_and_1_cm_and_touching(stacking, beside, centre, tilt, stacked):
    engine = nominal_engine(stacking, 1)
    place(stacking, engine, "lower", places((0.05, 0.0, HALF)))
    place(stacking, engine, "upper", places((0.05 + beside, 0.0, centre)), tilt)
    assert stacking.stage(engine).tolist() == [3 if stacked else 0]


def test_stacked_needs_no_hand_and_the_right_order(stacking):
    engine = nominal_engine(stacking, 1)
    place(stacking, engine, "upper", places((0, 0, HALF)))
    place(stacking, engine, "lower", places((0, 0, 0.0749)))
    assert stacking.stage(engine).tolist() == [0]


def test_rewards_belong_to_stages(task, monkeypatch):
    stages = torch.arange(len(task.stages))
    monkeypatch.setattr(task, "stage", lambda engine: stages)
    assert task.reward(task.make_engine(1)).tolist() == list(task.stage_rewards)
    assert task.stage_rewards[-1] == 1
    assert task.success(stages).tolist() == [False] * (len(task.stages) - 1) + [True]
