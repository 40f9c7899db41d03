"""Episodes that begin in given states: which, with what dynamics, and how long they last."""

import pytest
import torch
from vec_envs import WORLDS, AllGiven, HalfGiven, actions, blow_up, make

from visuomotor.tasks import Task


class _StagesByTime:
    """A task whose stages come and go with the steps, whatever is done."""

    def __init__(self, task: Task, stages: tuple[int, ...]):
        self._task, self._coming, self._now = task, iter(stages), 0

    def __getattr__(self, name: str):
        return getattr(self._task, name)

    def step(self, engine, actions):
        self._now = next(self._coming, 0)
        self._task.step(engine, actions)

    def stage(self, engine):
        return torch.full((engine.worlds,), self._now)


def test_given_states_are_used_as_often_as_asked_with_their_dynamics(lifting):
    source = HalfGiven(make(lifting, seed=3))
    env = make(lifting, initial_states=source)
    random = []
    for _ in range(40):
        env.reset()
        state, dynamics = env.engine.state(), env.params.dynamics
        match = (state[:, None] == source.states).all(-1)
        assert torch.equal(match.any(1), ~env.random_start)
        assert torch.equal(env.initial_state_id, torch.where(match.any(1), match.int().argmax(1), -1))
        for name, value in source.dynamics.items():
            rows = match.int().argmax(1)
            equal = (dynamics[name] == value[rows]).flatten(1).all(1)
            assert torch.equal(equal, ~env.random_start), name
        mass = env.engine.model_field("body_mass")[:, lifting.model.body("block").id]
        assert torch.equal(mass, dynamics["block_mass"][:, 0])  # the engine has them too
        random.append(env.random_start.float().mean())
    assert source.asked == WORLDS * 41
    assert 0.4 < torch.stack(random).mean() < 0.6


def test_given_states_fit_the_world_that_they_come_to(lifting):
    """Derived fields are those of the given state: what is observed right after the reset is right."""
    source = make(lifting, seed=3)
    source.step(actions(1)[0])
    given = AllGiven(source, steps=3, early=3)
    env = make(lifting, initial_states=given)
    expected, found = source.observe(), env.observe()
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
    env.task = _StagesByTime(lifting, (1, 2, 0))
    done = [bool(env.step(action).done.all()) for action in actions(3)]
    assert done == [False, False, True]  # as long as the state says
    env.reset()
    # and who gave it hears of the outcome: the last stage was reached in one of three steps, and left again
    assert given.outcomes == [(state_id, 2, pytest.approx(1 / 3), 3) for state_id in range(WORLDS)]


def test_an_episode_ends_where_it_has_left_its_first_stage_for_long(lifting):
    """Steps in other stages count, wherever they lead; the success fraction is that of the whole time given."""
    given = AllGiven(make(lifting, seed=3), steps=10, early=3)
    env = make(lifting, initial_states=given)
    assert (env.observe()["stage"] == 0).all()
    env.task = _StagesByTime(lifting, (0, 1, 0, 2, 1, 2))
    done = [bool(env.step(action).done.all()) for action in actions(5)]
    assert done == [False, False, False, False, True]
    env.reset()
    assert given.outcomes == [(state_id, 2, pytest.approx(1 / 10), 5) for state_id in range(WORLDS)]
    # the next episode begins in stage 1
    env.task = _StagesByTime(lifting, (1, 1, 2, 0, 2))
    env.task._now = 1
    env.reset()
    assert [bool(env.step(action).done.all()) for action in actions(5)] == [False, False, False, False, True]


def test_without_early_termination_time_alone_ends_an_episode(lifting):
    given = AllGiven(make(lifting, seed=3), steps=4, early=None)
    env = make(lifting, initial_states=given)
    env.task = _StagesByTime(lifting, (1, 1, 2, 2))
    assert [bool(env.step(action).done.any()) for action in actions(4)] == [False, False, False, True]
    env.reset()
    assert given.outcomes == [(state_id, 2, pytest.approx(2 / 4), 4) for state_id in range(WORLDS)]


def test_random_starts_and_blow_ups_have_no_recorded_outcome(lifting):
    """Whether physics diverged in the last step or earlier."""
    given = AllGiven(make(lifting, seed=3), steps=10, early=None)
    env = make(lifting, initial_states=given)
    blow_up(env, 1)
    env.step(actions(1)[0])
    blow_up(env, 4)
    env.step(actions(1)[0])
    env.initial_state_id[0] = -1
    env.reset()
    assert [state_id for state_id, *_ in given.outcomes] == [2, 3, 5]
