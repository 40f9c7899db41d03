"""Tasks with blocks on a table: how episodes start."""

import pytest
import torch
from table_worlds import fields, seeded, started_engine

from visuomotor.errors import VisuomotorError
from visuomotor.tasks import ResetParams
from visuomotor.tasks.table_task import SPAWN


def test_starting_one_world_leaves_the_others_alone(task):
    engine, _ = started_engine(task, 4)
    before, state = fields(engine), engine.state()
    task.reset(engine, torch.tensor([2]), task.sample_reset(1, seeded(7)))
    others = torch.tensor([0, 1, 3])
    for name, value in fields(engine).items():
        assert torch.equal(value[others], before[name][others]), name
        assert torch.equal(value[2], before[name][2]) == (name == "light_pos0"), name
    assert torch.equal(engine.state()[others], state[others])
    assert not torch.equal(engine.state()[2], state[2])


def test_a_start_is_a_function_of_its_parameters_alone(task):
    """In any world, whatever was there before, and however the parameters were drawn."""
    params = task.sample_reset(3, seeded(5))
    fresh, used = task.make_engine(3), started_engine(task, 5, seed=2)[0]
    task.step(used, torch.ones(5, task.action_size))
    task.reset(fresh, torch.arange(3), params)
    worlds = torch.tensor([0, 2, 4])
    task.reset(used, worlds, params.clone())
    assert torch.equal(used.state()[worlds], fresh.state())
    for group in ("proprioception", "privileged", "keypoints", "object_features", "stage"):
        assert torch.equal(getattr(task, group)(used)[worlds], getattr(task, group)(fresh)), group
    for name, value in fields(used).items():
        assert torch.equal(value[worlds], fresh.model_field(name)), name


def test_stored_dynamics_bring_a_demonstrations_world_back(task):
    """State and dynamics, in whatever appearance: the same actions then lead to the same states."""
    engine, params = started_engine(task, 3)
    actions = 2 * torch.rand(20, 3, task.action_size, generator=seeded(1)) - 1
    task.step(engine, actions[0])
    stored = engine.state()
    other = task.make_engine(3)
    elsewhere = task.sample_reset(3, seeded(9))
    other_params = ResetParams(elsewhere.placement, params.dynamics, elsewhere.appearance)
    task.apply_randomization(other, torch.arange(3), other_params)
    other.set_state(stored)
    for action in actions:
        for each in (engine, other):
            task.step(each, action)
    assert torch.equal(engine.state(), other.state())


def test_random_starts_are_apart_on_the_table_at_stage_0_and_calm(task):
    engine, params = started_engine(task, 256)
    before = task.keypoints(engine)
    assert task.stage(engine).eq(0).all()
    assert before[..., :2].abs().max() <= SPAWN + 1e-6
    torch.testing.assert_close(before[..., 2], params.dynamics["block_half"].float())
    if before.shape[1] == 2:  # not even the corners of the largest can touch
        assert (before[:, 0] - before[:, 1])[:, :2].norm(dim=-1).min() > 2 * 2**0.5 * 0.03
    for _ in range(20):  # 1 s
        task.step(engine, torch.zeros(256, task.action_size))
    assert not engine.num_diverged
    assert (task.keypoints(engine) - before).norm(dim=-1).max() < 1e-4
    assert engine.field("qvel").abs().max() < 1e-2


def test_starts_differ_and_follow_from_the_generator(task):
    first, again, other = (started_engine(task, 8, seed)[0].state() for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len(torch.unique(first, dim=0)) == 8


def test_the_placement_is_where_things_are(task):
    engine, params = started_engine(task, 6)
    robot, placement = task.robot, params.placement
    positions, home = robot.joint_positions(engine), robot.home
    torch.testing.assert_close(positions[:, :6] - home[:6], placement["arm"])
    assert placement["arm"].abs().max() <= 0.15
    # fingers from open (0.15 rad) to half closed (1.35 rad is closed)
    torch.testing.assert_close(positions[:, 6:], (0.15 + 1.2 * placement["grip"]).expand(6, 3))
    assert (positions[:, 6:] >= 0.15).all()
    assert (positions[:, 6:] <= 0.75).all()
    torch.testing.assert_close(task.keypoints(engine)[..., :2], placement["block_position"].float())
    for index, name in enumerate(task.objects):
        turned = engine.field("xmat")[:, task.model.body(name).id]
        torch.testing.assert_close(turned[:, 0], placement["block_yaw"][:, index].cos())
        torch.testing.assert_close(turned[:, 3], placement["block_yaw"][:, index].sin())


def test_what_is_randomized_is_asked_for(task):
    drawn, nominal = task.sample_reset(4, seeded()), task.sample_reset(4, seeded(), randomize=False)
    for group in ("dynamics", "appearance"):
        for name, value in getattr(nominal, group).items():
            assert torch.equal(value, value[:1].expand_as(value)), name
            assert not torch.equal(value, getattr(drawn, group)[name]), name
    assert len(torch.unique(nominal.placement["arm"], dim=0)) == 4  # starts are random all the same
    with pytest.raises(VisuomotorError, match=r"task '.*' has no split 'training'; choose one of: random"):
        task.sample_reset(4, seeded(), "training")
