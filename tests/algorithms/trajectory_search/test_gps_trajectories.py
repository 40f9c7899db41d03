"""The trajectory phase alone: what an update is made of, and what becomes of episodes that diverge."""

from dataclasses import replace

import pytest
import torch

from visuomotor.algorithms.gps.dynamics import transitions
from visuomotor.algorithms.gps.lqr import QuadraticCost
from visuomotor.algorithms.trajectory_search import gps_trajectories
from visuomotor.algorithms.trajectory_search.gps_trajectories import GpsTrajectories, GpsTrajectoriesConfig, LastUpdate
from visuomotor.errors import VisuomotorError
from visuomotor.tasks.simulated.insertion2d import Insertion2d


def test_settings_that_contradict_each_other_are_refused():
    config = GpsTrajectoriesConfig()
    crossed = replace(config.trajectory, min_kl_step_mult=2.0, max_kl_step_mult=1.0)
    with pytest.raises(VisuomotorError, match=r"trajectory\.min_kl_step_mult must be between 1e-06 and 1\.0, not 2\.0"):
        replace(config, trajectory=crossed)
    with pytest.raises(VisuomotorError, match=r"length of dynamics\.window must be between 1"):
        replace(config, dynamics=replace(config.dynamics, window=()))


class Short(Insertion2d):
    max_episode_steps = 8


@pytest.fixture(scope="module")
def task():
    return Short()


def make(task) -> GpsTrajectories:
    return GpsTrajectories(task, GpsTrajectoriesConfig(num_conditions=2, samples=4, iterations=3), 0)


@pytest.fixture
def seen(monkeypatch):
    """What the update got: quadratic, dynamics, previous controllers, bound."""
    calls, update = [], gps_trajectories.update_controllers

    def spy(quadratic, dynamics, previous, bound, eta):
        calls.append((quadratic, dynamics, previous, bound))
        return update(quadratic, dynamics, previous, bound, eta=eta)

    monkeypatch.setattr(gps_trajectories, "update_controllers", spy)
    return calls


def losing(search: GpsTrajectories, lost: list[int]):
    """From now on the physics diverges in these worlds; returns the samples that it drew."""
    run, drawn = search.run_episodes, []

    def run_episodes(env, policy):
        samples, outcome, costs = run(env, policy)
        if env.num_envs == 8:
            samples.diverged[lost] = True
            samples.states[lost] = 1e6
            costs[lost] = torch.inf
            drawn.append(samples)
        return samples, outcome, costs

    search.run_episodes = run_episodes
    return drawn


def test_cost_expansions_are_averaged_over_the_samples_of_a_condition_that_held(task, seen):
    search = make(task)
    drawn = losing(search, [3])  # worlds are condition 0, 1, 0, 1, ...
    search.search()
    quadratic, dynamics, previous, _ = seen[0]
    for condition, rows in enumerate(([0, 2, 4, 6], [1, 5, 7])):
        held = drawn[0].rows(torch.tensor(rows))
        expected = QuadraticCost(*(part.mean(0) for part in task.cost.expand(held.states, held.actions)))
        for found, wanted in zip(vars(quadratic).values(), vars(expected).values(), strict=True):
            torch.testing.assert_close(found[condition], wanted)
        assert torch.equal(dynamics.initial_mean[condition], search.start_states[condition].float().double())
    assert torch.equal(previous.offset, search.first_controller(search.config.trajectory.initial_noise_std).offset)
    assert search.history[0].shape[0] == 7
    assert search.history[0].abs().max() < 1e5


def test_the_step_grows_where_the_cost_fell_as_predicted_and_shrinks_where_it_rose(task, seen):
    search = make(task)
    limits = search.config.trajectory
    for costs, expected in ((20.0, limits.max_kl_step_mult), (-20.0, limits.min_kl_step_mult)):
        search.kl_step_mult = torch.ones((), dtype=torch.float64)
        search.last_update = LastUpdate(
            search.controller, torch.full((2,), 30.0 + costs).double(), torch.tensor(20.0).double()
        )
        numbers = search._assess_last_update(torch.full((2,), 30.0).double())
        assert numbers["actual_improvement"] == costs
        assert search.kl_step_mult.item() == pytest.approx(expected)
    search.search()
    bound = limits.kl_step * search.kl_step_mult * task.max_episode_steps
    torch.testing.assert_close(seen[0][3], bound.expand(2))


def test_a_condition_that_blows_up_takes_the_update_back(task):
    search = make(task)
    first = search.controller
    search.search()
    assert not torch.equal(search.controller.offset, first.offset)
    losing(search, [1, 3, 5, 7])
    row = search.search()
    assert torch.equal(search.controller.offset, first.offset)
    assert row["kl_step_mult"] == search.config.trajectory.min_kl_step_mult
    assert search.episodes == 16
    with pytest.raises(VisuomotorError, match=r"conditions \[1\] with controllers that held.*trajectory.kl_step"):
        search.search()
    losing(first := make(task), [1, 3, 5, 7])
    with pytest.raises(VisuomotorError, match=r"conditions \[1\] with the first controllers; .*initial_noise_std"):
        first.search()


def test_the_first_step_keeps_to_the_limit(task, seen):
    config = make(task).config
    search = GpsTrajectories(task, replace(config, trajectory=replace(config.trajectory, max_kl_step_mult=0.6)), 0)
    search.search()
    torch.testing.assert_close(seen[0][3], torch.full((2,), 0.6 * config.trajectory.kl_step * 8).double())


def test_a_checkpoint_of_other_conditions_is_refused(task):
    search = make(task)
    search.search()
    other = GpsTrajectories(task, replace(search.config, num_conditions=3), 0)
    with pytest.raises(VisuomotorError, match=r"state\.solution\.controller\.gain has the shape"):
        other.load_state_dict(search.state_dict())


def test_the_first_update_predicts_a_gain_and_the_prior_takes_the_newest_samples(task):
    search = make(task)
    search.config = replace(search.config, dynamics=replace(search.config.dynamics, prior_iterations=1))
    drawn = losing(search, [])
    for _ in range(2):
        search.search()
        newest = transitions(drawn[-1].states, drawn[-1].actions)
        assert len(search.history) == 1
        assert torch.equal(search.history[0], newest)
        assert search.last_update.predicted > 0
