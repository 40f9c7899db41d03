"""How episodes of the hanger start."""

import mujoco
import numpy as np
import pytest
import torch
from hanger_scenes import seeded, some, started, starts

from visuomotor.tasks import make_task
from visuomotor.tasks.pr2.hanger import Hanger

GRASPS = ((0.0, 0.0), (0.015, 0.2))  # m along the neck, rad about the fingers' axis


@pytest.fixture(scope="module")
def task() -> Hanger:
    return make_task("hanger")


def test_splits(task):
    assert task.splits == ("training", "spatial", "visual", "background", "random")
    for split, positions in (("training", 9), ("spatial", 12), ("visual", 9), ("background", 9)):
        params = starts(task, split, 2 * positions)
        target, grasp = params.placement["target"], params.dynamics["grasp"]
        assert len(torch.unique(torch.cat([target, grasp], 1), dim=0)) == 2 * positions
        assert len(torch.unique(target, dim=0)) == positions
        for given in GRASPS:
            assert (grasp == torch.tensor(given, dtype=torch.float64)).all(1).sum() == positions
        # all in turn, and then again
        more = starts(task, split, 2 * positions + 3)
        assert torch.equal(more.placement["target"], torch.cat([target, target[:3]]))
        assert torch.equal(more.dynamics["grasp"], torch.cat([grasp, grasp[:3]]))
    training = starts(task).placement["target"]
    for split in ("visual", "background"):
        assert torch.equal(starts(task, split).placement["target"], training)
    spatial = starts(task, "spatial", 24).placement["target"]
    assert torch.cdist(spatial, training).min() > 0.02  # none is one of training
    low, high = training.min(0).values, training.max(0).values
    assert ((spatial >= low) & (spatial <= high)).all()
    torch.testing.assert_close(high - low, torch.tensor([0.2, 0.2, 0.0], dtype=torch.float64))


def test_random_starts_lie_where_training_does(task):
    training, drawn = starts(task).placement["target"], starts(task, "random", 500)
    target, grasp = drawn.placement["target"], drawn.dynamics["grasp"]
    assert {tuple(row) for row in grasp.tolist()} == set(GRASPS)
    assert (target >= training.min(0).values).all()
    assert (target <= training.max(0).values).all()
    assert (target.std(0)[:2] > 0.05).all()
    assert torch.equal(starts(task, "random", 500).placement["target"], target)
    assert not torch.equal(starts(task, "random", 500, seed=1).placement["target"], target)


def test_joints_start_at_random_by_a_fiftieth_of_a_radian_if_asked(task):
    assert torch.equal(starts(task).placement["start"], torch.zeros(18, 7, dtype=torch.float64))
    drawn = starts(task, count=500, randomize=True).placement["start"]
    assert drawn.std().item() == pytest.approx(0.02, rel=0.05)
    assert drawn.mean().abs() < 0.002
    params, still = starts(task, count=3, randomize=True), starts(task, count=3, randomize=True)
    still.placement["start"].zero_()
    plain = started(task, still)
    moved = task.robot.joint_positions(started(task, params)) - task.robot.joint_positions(plain)
    torch.testing.assert_close(moved, params.placement["start"])


def test_a_start_is_a_function_of_its_parameters_alone(task):
    params = starts(task, "random", 3, randomize=True, seed=5)
    fresh, used = started(task, params), started(task, starts(task, "background", 6))
    task.step(used, torch.ones(6, 7))
    task.finish_episode(used)
    before, worlds, others = used.state(), torch.tensor([0, 2, 5]), [1, 3, 4]
    color = used.model_field("geom_rgba").clone()
    task.reset(used, worlds, params.clone())
    assert torch.equal(used.state()[worlds], fresh.state())
    for group in ("proprioception", "state", "privileged", "keypoints", "errors", "stage"):
        assert torch.equal(getattr(task, group)(used)[worlds], getattr(task, group)(fresh)), group
    for name in ("geom_rgba", "eq_data"):
        assert torch.equal(used.model_field(name)[worlds], fresh.model_field(name)), name
    assert torch.equal(used.state()[others], before[others])
    assert torch.equal(used.model_field("geom_rgba")[others], color[others])


def test_the_hanger_starts_in_the_hand_and_the_rack_at_its_target(task):
    params = starts(task, randomize=True)
    engine = started(task, params)
    bar = engine.field("site_xpos")[:, task.model.site("rack_bar_center").id]
    torch.testing.assert_close(bar, params.placement["target"], atol=1e-3, rtol=0)
    hand, hanger = (task.model.body(name).id for name in ("r_gripper_tool_frame", "hanger"))
    grip = engine.field("xmat")[:, hand].view(-1, 3, 3).mT
    offset = (grip @ (engine.field("xpos")[:, hanger] - engine.field("xpos")[:, hand])[..., None])[..., 0]
    shift, tilt = params.dynamics["grasp"].unbind(1)
    torch.testing.assert_close(offset, torch.stack([0 * shift, 0 * shift, shift], 1), atol=1e-9, rtol=0)
    turned = grip @ engine.field("xmat")[:, hanger].view(-1, 3, 3)
    torch.testing.assert_close(turned[:, 0, 2], tilt.sin(), atol=1e-9, rtol=0)
    torch.testing.assert_close(turned[:, 1, 1], torch.ones_like(tilt), atol=1e-9, rtol=0)
    for _ in range(10):  # half a second: the weld holds it there
        task.step(engine, torch.zeros(18, 7))
    gap = (engine.field("xpos")[:, hanger] - engine.field("xpos")[:, hand]).norm(dim=-1)
    torch.testing.assert_close(gap, shift, atol=1e-3, rtol=0)


def test_states_for_pose_data_lie_between_the_start_and_the_target(task, monkeypatch):
    engine, again, other = (task.make_engine(48) for _ in range(3))
    for each, seed in ((engine, 0), (again, 0), (other, 1)):
        task.reset_for_pose_data(each, seeded(seed))
    assert torch.equal(engine.state(), again.state())
    assert not torch.equal(engine.state(), other.state())
    target = task.keypoints(engine)[:, :2].mean(1)
    assert (target[:, :2].std(0) > 0.04).all()
    training = starts(task).placement["target"].float()
    assert (target >= training.min(0).values - 0.002).all()
    assert (target <= training.max(0).values + 0.002).all()
    # the start is 20 cm above the bar or more; some hands are near it, some at the target
    distance = task.errors(engine).norm(dim=-1).mean(1)
    assert (distance.min() < 0.12) & (distance.max() > 0.2)
    hand, hanger = (task.model.body(name).id for name in ("r_gripper_tool_frame", "hanger"))
    gap = (engine.field("xpos")[:, hanger] - engine.field("xpos")[:, hand]).norm(dim=-1)
    shift = engine.model_field("eq_data")[:, 0, 5]
    torch.testing.assert_close(gap, shift, atol=1e-9, rtol=0)
    # joints stray from the way by 0.1 rad
    monkeypatch.setattr("visuomotor.tasks.pr2.pr2_task._WANDER", 0.0)
    task.reset_for_pose_data(again, seeded(0))
    strayed = task.robot.joint_positions(engine) - task.robot.joint_positions(again)
    assert strayed.std().item() == pytest.approx(0.1, rel=0.15)


def test_all_that_follows_from_what_is_drawn_follows(task):
    """Every number of a world's model is as MuJoCo computes it from the fields that were written: grasps are data of a
    constraint, which MuJoCo may compute itself."""
    engine = started(task, some(starts(task, "visual", randomize=True), 0, 9))
    for world in range(2):
        model, expected = engine._batch.get_model(world), engine._batch.get_model(world)
        mujoco.mj_setConst(expected, mujoco.MjData(expected))
        for name in dir(expected):
            value = getattr(expected, name)
            if isinstance(value, np.ndarray):
                np.testing.assert_array_equal(getattr(model, name), value, err_msg=name)
