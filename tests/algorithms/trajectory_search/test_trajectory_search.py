"""Every search on a short insertion: what its rows tell, resuming, and bad input."""

from dataclasses import replace

import pytest
import torch

from visuomotor import registry
from visuomotor.algorithms.algorithm import Algorithm
from visuomotor.algorithms.gps.rollout import rollout
from visuomotor.algorithms.gps.supervised import FitConfig
from visuomotor.algorithms.training import train
from visuomotor.algorithms.trajectory_search.search import TrajectorySearch
from visuomotor.errors import VisuomotorError
from visuomotor.runs import Run, load_checkpoint, save_checkpoint
from visuomotor.tasks.simulated.insertion2d import Insertion2d

METHODS = ("gps-trajectories", "gps-network", "ilqg", "cem", "reps", "rwr")
EPISODES = {"gps-trajectories": [10, 20, 30], "gps-network": [10, 20, 30], "ilqg": [4, 6, 8], "cem": [20, 32, 44]}
"""After each iteration of two conditions: 5 samples each; one, then one where the first step is better; 4, then 6."""


class Short(Insertion2d):
    max_episode_steps = 8


@pytest.fixture(scope="module")
def task():
    return Short()


def make(task, method: str, seed: int = 0, **changes) -> TrajectorySearch:
    kind: type[Algorithm] = registry.load("algorithm", method, Algorithm)
    small = {"ilqg": {"step_sizes": 4}, "gps-trajectories": {}, "gps-network": {"network": FitConfig(steps=40)}}
    small = small.get(method, {"samples": 6})
    return kind(
        task, replace(kind.presets["laptop"], **{"iterations": 3, "num_conditions": 2, **small, **changes}), seed
    )


def written(search: TrajectorySearch, tmp_path, name: str) -> Run:
    return Run.create(
        tmp_path, algorithm=search.name, task="insertion2d", preset="laptop", seed=0, config=search.config, name=name
    )


@pytest.mark.parametrize("method", METHODS)
def test_rows_tell_of_samples_and_of_the_solution(task, method):
    search = make(task, method)
    rows = list(search.steps())
    assert [row["episodes"] for row in rows] == EPISODES.get(method, EPISODES["cem"])
    assert search.done
    assert search.policy() is None
    for row in rows:
        assert {"cost", "success", "final_distance_m", "policy_success", "policy_distance_m"} <= row.keys()
    # the solution's cost is that of an episode without noise from each start
    env = search.make_env(1)
    samples, _, costs = search.run_episodes(env, search.solution(env))
    assert rows[-1]["policy_cost"] == pytest.approx(costs.mean().item())
    assert costs.mean() == pytest.approx(task.cost(samples.states, samples.actions).sum(-1).mean().item())


@pytest.mark.parametrize("method", METHODS)
def test_the_cost_falls(task, method):
    """Below that of holding the start pose."""
    many = {"samples": 40, "initial_std": 0.2} if method in ("cem", "reps", "rwr") else {}
    search = make(task, method, iterations=8, **many)
    hold = search.first_controller(1.0)
    _, _, before = search.run_episodes(
        search.make_env(1),
        lambda step, seen, _: (hold.gain[:, step] @ seen["state"][..., None])[..., 0] + hold.offset[:, step],
    )
    assert list(search.steps())[-1]["policy_cost"] < before.mean() - 0.05


@pytest.mark.parametrize("method", METHODS)
def test_a_stopped_and_resumed_search_ends_in_the_same_bits(task, method, tmp_path):
    whole = make(task, method)
    train(whole, run := written(whole, tmp_path, "whole"))
    train(make(task, method), stopped := written(whole, tmp_path, "stopped"), time_limit=0.0)
    assert load_checkpoint(stopped.latest_checkpoint)["logged"] == 1
    train(make(task, method), stopped, resume=True)
    a, b = (load_checkpoint(each.latest_checkpoint)["state"] for each in (run, stopped))
    a["elapsed_seconds"] = b["elapsed_seconds"] = 0.0
    assert_same(a, b)
    done = whole.config.iterations
    with pytest.raises(VisuomotorError, match=f"has {done} iterations already, more than iterations {done - 1}"):
        train(make(task, method, iterations=done - 1), run, resume=True)


def assert_same(a, b):
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    elif isinstance(a, dict | list):
        assert len(a) == len(b)
        for key in a if isinstance(a, dict) else range(len(a)):
            assert_same(a[key], b[key])
    else:
        assert a == b


@pytest.mark.parametrize("method", METHODS)
def test_seeds_differ_and_repeat(task, method):
    costs = [list(make(task, method, seed).steps())[-1]["policy_cost"] for seed in (0, 0, 1)]
    assert costs[0] == costs[1]
    assert (costs[0] != costs[2]) == (method != "ilqg")  # which draws nothing


@pytest.mark.parametrize("method", METHODS)
def test_a_checkpoint_of_other_sizes_is_refused(task, method):
    search = make(task, method)
    next(search.steps())
    with pytest.raises(VisuomotorError, match=r"state\.solution\..* has"):
        make(task, method, num_conditions=3).load_state_dict(other_sizes(search))


def other_sizes(search: TrajectorySearch):
    state = search.state_dict()
    if "mean" in state["solution"]:
        state["solution"]["mean"] = state["solution"]["mean"][:-1]
    return state


def test_settings_are_checked(task):
    for method, changes in (
        ("cem", {"elite_fraction": 0.0}),
        ("reps", {"kl_bound": -1.0}),
        ("ilqg", {"step_sizes": 0}),
    ):
        with pytest.raises(VisuomotorError, match=f"{next(iter(changes))} must be between"):
            make(task, method, **changes)
    with pytest.raises(VisuomotorError, match=r"policy\.hidden must be between"):
        make(task, "cem", policy=replace(make(task, "cem").config.policy, hidden=0))


def test_a_parameter_vector_s_return_is_its_mean_over_conditions(task, monkeypatch):
    search = make(task, "cem")
    seen = []
    monkeypatch.setattr(
        type(search), "weights", lambda self, returns: (seen.append(returns), (returns * 0 + 1 / 6, {}))[1]
    )
    costs = torch.arange(12, dtype=torch.float64)  # two conditions of the first vector, two of the second, ...
    run = search.run_episodes
    monkeypatch.setattr(search, "run_episodes", lambda env, policy: (*run(env, policy)[:2], costs))
    search.iteration = 1
    search.search()
    assert seen[0].tolist() == [-0.5, -2.5, -4.5, -6.5, -8.5, -10.5]


def test_vectors_whose_physics_blows_up_do_not_count(task, monkeypatch):
    search = make(task, "cem", elite_fraction=1.0, min_std=0.0, smoothing=1.0)
    costs = torch.zeros(12, dtype=torch.float64)
    costs[3:5] = torch.inf  # of the second and the third vector
    run, drawn = search.run_episodes, []
    sample = type(search.distribution).sample
    monkeypatch.setattr(
        type(search.distribution), "sample", lambda self, *a: drawn.append(sample(self, *a)) or drawn[-1]
    )
    monkeypatch.setattr(search, "run_episodes", lambda env, policy: (*run(env, policy)[:2], costs))
    search.iteration = 1
    row = search.search()
    torch.testing.assert_close(search.distribution.mean, drawn[0][[0, 3, 4, 5]].mean(0))
    assert row["cost"] == 0
    costs[:] = torch.inf
    with pytest.raises(VisuomotorError, match="lower initial_std"):
        search.search()


def test_the_solution_of_guided_policy_search_is_its_network(task):
    search = make(task, "gps-network")
    list(search.steps())
    env = search.make_env(1)
    env.reset(params=search.starts)
    act = search.solution(env)
    state = env.observe()["state"]
    assert torch.equal(act(0, {"state": state}, None), act(5, {"state": state}, None))  # whatever the time
    with torch.no_grad():
        expected = search.network(state).double()
    torch.testing.assert_close(act(0, {"state": state}, None), expected)
    apart = state[:1] + torch.linspace(0, 0.1, 3)[:, None].double()
    assert len(act(0, {"state": apart}, None).unique(dim=0)) == 3


def test_an_episode_whose_physics_blows_up_costs_infinitely_much(task, monkeypatch):
    search = make(task, "cem")

    def run(env, starts, policy):
        samples, outcome = rollout(env, starts, policy)
        samples.diverged[1] = True
        return samples, outcome

    monkeypatch.setattr("visuomotor.algorithms.trajectory_search.search.rollout", run)
    env = search.make_env(1)
    costs = search.run_episodes(env, search.solution(env))[2]
    assert costs.isinf().tolist() == [False, True]


def test_parameters_of_zero_hold_the_start_pose_of_their_condition(task):
    search = make(task, "cem")
    search._hold.offset[1] += 1.0  # conditions differ
    states = search.start_states[torch.tensor([0, 1, 0, 1])]
    act = search._policy(torch.zeros(2, search.distribution.mean.shape[-1], dtype=torch.float64))
    actions = act(3, {"state": states}, None)
    hold = search._hold
    expected = [hold.gain[i] @ states[i] + hold.offset[i] for i in (0, 1)]
    torch.testing.assert_close(actions, torch.stack(expected * 2))


def test_states_are_scaled_by_the_spread_of_the_first_episodes(task):
    search = make(task, "cem")
    run, seen = search.run_episodes, []
    search.run_episodes = lambda env, policy: seen.append(run(env, policy)) or seen[-1]
    search.search()
    states = seen[0][0].states.flatten(0, 1)
    torch.testing.assert_close(search.state_mean, states.mean(0))
    wide = states.std(0) > 0.1
    assert wide.any()
    torch.testing.assert_close(search.state_scale[wide], states.std(0)[wide])


def test_a_checkpoint_with_numbers_that_no_search_has_is_refused(task):
    search = make(task, "cem")
    next(search.steps())
    state = search.state_dict()
    solution = state["solution"]
    for change, told in (
        ({"covariance": solution["covariance"] * float("nan")}, r"state\.solution\.covariance holds NaN"),
        ({"covariance": -solution["covariance"]}, r"state\.solution\.covariance is no covariance"),
        ({"mean": solution["mean"] / 0}, r"state\.solution\.mean holds NaN"),
    ):
        with pytest.raises(VisuomotorError, match=told):
            make(task, "cem").load_state_dict({**state, "solution": {**solution, **change}})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": torch.zeros(2)}, "was written for seed tensor.*, expected seed 0"),
        ({"seed": torch.tensor(0)}, "was written for seed tensor.*, expected seed 0"),
        ({"seed": False}, "was written for seed False, expected seed 0"),
        ({"algorithm_version": 2.0}, "was written for algorithm_version 2.0, expected algorithm_version 2"),
        ({"logged": -1}, "logged of .*latest.pt must be a whole number from 0"),
        ({"logged": 1}, "latest.pt is of row 1 of the metrics, which have 3 rows"),
        ({"logged": 10**30}, "logged of .*latest.pt must be a whole number from 0"),
        ({"config": {5: 3}}, "latest.pt: config has no field 5"),
        ({"config": {"iterations": torch.zeros(2)}}, r"latest.pt: config\.iterations is \[0\.0, 0\.0\], expected int"),
        ({"config": {"iterations": -1}}, "latest.pt: config: iterations must be between 1"),
    ],
)
def test_a_checkpoint_that_says_odd_things_of_itself_is_refused_and_nothing_is_lost(task, tmp_path, change, told):
    search = make(task, "cem")
    train(search, run := written(search, tmp_path, "run"))
    content = load_checkpoint(run.latest_checkpoint)
    content["config"] = content["config"] | change.pop("config", {})
    save_checkpoint(run.latest_checkpoint, content | change)
    with pytest.raises(VisuomotorError, match=told):
        train(make(task, "cem"), Run.open(run.path), resume=True)
    assert len(Run.open(run.path).metrics()) == 3


@pytest.mark.parametrize("method", ["cem", "reps", "rwr"])
def test_a_search_with_fewer_samples_than_parameters_goes_on(task, method, tmp_path):
    """Whose covariance is semi-definite only."""
    search = make(task, method, covariance="full", min_std=0.0)
    train(search, run := written(search, tmp_path, "run"), time_limit=0.0)
    assert train(make(task, method, covariance="full", min_std=0.0), run, resume=True)
