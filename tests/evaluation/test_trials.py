"""Trials: success at the end, stages on the way, returns, conditions, and worlds whose physics diverges."""

import pytest
import torch

from visuomotor.errors import VisuomotorError
from visuomotor.evaluation import Outcomes
from visuomotor.evaluation import trials as trials_module
from visuomotor.evaluation.conditions import fixed_conditions
from visuomotor.evaluation.trials import run_trials
from visuomotor.tasks import EpisodeOutcome
from visuomotor.tasks.jaco.lifting import Lifting
from visuomotor.tasks.pr2.hanger import Hanger

# Stages of each trial, after each of five steps.
SCRIPT = torch.tensor([[0, 1, 2, 2, 2], [0, 1, 2, 2, 1], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 2]])


class Scripted(Lifting):
    """Its stages follow the script, whatever happens."""

    max_episode_steps = 5

    def __init__(self, diverging: tuple[int, ...] = ()):
        super().__init__()
        self.begun = self.made = 0  # the first trial of the newest engine, and of the next one
        self.diverging = diverging  # trials whose physics diverges at step 3
        self.actions: list[torch.Tensor] = []

    def make_engine(self, worlds, threads=0):
        self.begun, self.made = self.made, self.made + worlds
        return super().make_engine(worlds, threads)

    def stage(self, engine) -> torch.Tensor:
        steps = self._steps(engine)
        rows = torch.arange(engine.worlds) + self.begun
        return SCRIPT[rows, steps - 1] if steps else torch.zeros(engine.worlds, dtype=torch.int64)

    def step(self, engine, actions) -> None:
        self.actions.append(actions)
        if self._steps(engine) == 2:
            for trial in self.diverging:
                engine.field("qvel")[trial - self.begun] = 1e12
        super().step(engine, actions)

    def _steps(self, engine) -> int:
        return round(float(engine.field("time").max()) / self.control_dt)


class Constant:
    """A policy that gives the same actions always; `in_dead_world` in world 0 from step 4 on."""

    def __init__(self, spec, actions, in_dead_world=None):
        self.spec, self._actions, self._in_dead_world = spec, actions, in_dead_world
        self.worlds: list[int] = []
        self._step = 0

    def reset(self, n):
        self.worlds.append(n)
        self._step = 0

    def act(self, images, proprioception):
        assert images.shape == (self.worlds[-1], 24, 24, 3)
        assert len(proprioception) == self.worlds[-1]
        actions = self._actions.expand(len(images), -1).clone()
        if self._in_dead_world is not None and self._step >= 3:
            actions[0] = self._in_dead_world
        self._step += 1
        return actions


def run(task, spec, trials=5, actions=None, in_dead_world=None):
    policy = Constant(spec(task), torch.zeros(9) if actions is None else actions, in_dead_world)
    task.made = 0  # the spec has measured sizes with an engine of its own
    return run_trials(task, policy, "random", trials, torch.Generator().manual_seed(0)), policy


def test_success_is_the_last_stage_at_the_last_step(spec):
    done, _ = run(Scripted(), spec)
    assert done.outcomes == Outcomes((True, False, False, False, True), furthest_stage=(2, 2, 1, 0, 2))
    # The trials earn, with 1/8 for reached and 1 for lifted:
    returns = [0.125 + 3, 0.125 + 2 + 0.125, 0.125, 0, 4 * 0.125 + 1]
    assert done.mean_return == pytest.approx(sum(returns) / 5)
    assert (done.num_diverged, done.recorder) == (0, None)
    assert done.mean_final_distance_m > 0


def test_trials_run_in_batches_and_the_policy_is_reset_for_each(spec, monkeypatch):
    monkeypatch.setattr(trials_module, "_AT_ONCE", 2)
    done, policy = run(Scripted(), spec)
    assert done.outcomes.success == (True, False, False, False, True)
    assert done.outcomes.furthest_stage == (2, 2, 1, 0, 2)
    assert policy.worlds == [2, 2, 1]


def test_batches_have_the_same_starts_as_all_trials_at_once(spec, monkeypatch):
    distances = []
    for at_once in (128, 2):
        monkeypatch.setattr(trials_module, "_AT_ONCE", at_once)
        distances.append(run(Scripted(), spec)[0].mean_final_distance_m)
    assert distances[0] == pytest.approx(distances[1], rel=1e-12)


def test_a_world_that_diverges_has_failed_and_counts_as_far_as_it_got(spec):
    """Trial 0 diverges at its third step: until then it has earned 1/8. Nothing that the policy does there matters."""
    whole, _ = run(Scripted(), spec)
    done, _ = run(Scripted(diverging=(0,)), spec, in_dead_world=float("nan"))
    assert done.outcomes == Outcomes((False, False, False, False, True), furthest_stage=(1, 2, 1, 0, 2))
    assert done.num_diverged == 1
    assert done.mean_return == pytest.approx(whole.mean_return - 3 / 5)


class Numbered(Scripted):
    """The final distance of trial i is i m."""

    def finish_episode(self, engine, callback=None):
        outcome = super().finish_episode(engine, callback)
        return EpisodeOutcome(outcome.success, self.begun + torch.arange(engine.worlds, dtype=torch.float64))


def test_the_final_distance_is_that_of_worlds_whose_physics_held(spec):
    assert run(Numbered(), spec)[0].mean_final_distance_m == (0 + 1 + 2 + 3 + 4) / 5
    assert run(Numbered(diverging=(3,)), spec)[0].mean_final_distance_m == (0 + 1 + 2 + 4) / 4


def test_no_final_distance_where_all_worlds_diverge(spec):
    done, _ = run(Scripted(diverging=(0, 1)), spec, trials=2)
    assert (done.num_diverged, done.mean_final_distance_m) == (2, None)
    assert done.outcomes.success == (False, False)


def test_an_action_of_a_live_world_that_is_not_finite_is_an_error(spec):
    with pytest.raises(VisuomotorError, match=r"actions of worlds \[0\] are not finite"):
        run(Scripted(), spec, in_dead_world=float("nan"))


def test_actions_are_in_si_units(spec):
    """Half of each joint's limit, in rad/s, is 0.5 to the environment."""
    task = Scripted()
    run(task, spec, actions=0.5 * task.robot.action_limits)
    assert len(task.actions) == 5
    for actions in task.actions:
        torch.testing.assert_close(actions, torch.full((5, 9), 0.5, dtype=torch.float64))


def test_splits_of_other_tasks_are_refused(spec):
    task = Scripted()
    policy = Constant(spec(task), torch.zeros(9))
    with pytest.raises(VisuomotorError, match="task 'lifting' has no split 'spatial'; choose one of: random"):
        run_trials(task, policy, "spatial", 2, torch.Generator())


class NearRacks(Hanger):
    """Succeeds with racks nearer than 0.7 m."""

    max_episode_steps = 1

    def finish_episode(self, engine, callback=None) -> EpisodeOutcome:
        x = self.target_position(engine)[:, 0]
        return EpisodeOutcome(x < 0.7, x)


def test_conditions_of_a_split_in_turn_each_with_its_outcome(spec, monkeypatch):
    """Thirty trials of 24 conditions, in two batches: the second one continues where the first one ended."""
    monkeypatch.setattr(trials_module, "_AT_ONCE", 16)
    task = NearRacks()
    policy = Constant(spec(task), torch.zeros(7))
    done = run_trials(task, policy, "spatial", 30, torch.Generator().manual_seed(0))
    outcomes = done.outcomes
    assert outcomes.condition == (*range(24), *range(6))
    for success, condition in zip(outcomes.success, outcomes.condition, strict=True):
        assert success == (outcomes.conditions[condition]["target"][0] < 0.7)
    assert outcomes.success.count(True) == 6 + 6 + 6


def test_what_sets_conditions_apart_is_told():
    condition, conditions = fixed_conditions(Hanger(), "spatial", 24)
    # x is 0.605, 0.655, 0.705 or 0.755 m, each with three y, in the first grasp and then in the second.
    assert condition == tuple(range(24))
    assert [row["target"] for row in (conditions[0], conditions[12])] == [(0.605, -0.15, 1.0)] * 2
    assert [row["target"] for row in (conditions[11], conditions[23])] == [(0.755, -0.05, 1.0)] * 2
    assert [row["grasp"] for row in conditions] == [(0.0, 0.0)] * 12 + [(0.015, 0.2)] * 12
    assert all(set(row) == {"target", "grasp"} for row in conditions)  # "start" is the same in all


@pytest.mark.parametrize(
    ("task", "split", "trials"), [(Hanger, "random", 5), (Lifting, "random", 5), (Hanger, "training", 1)]
)
def test_random_starts_and_single_ones_are_no_conditions(task, split, trials):
    assert fixed_conditions(task(), split, trials) == ((), ())
