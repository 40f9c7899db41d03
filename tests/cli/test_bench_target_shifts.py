"""Controllers that do not see their target move: what they see, what moves, and what is written."""

import json
from math import hypot

import pytest
import torch

from visuomotor.algorithms.trajectory_search.gps_trajectories import GpsTrajectoriesConfig
from visuomotor.cli import bench_target_shifts as module
from visuomotor.cli import main
from visuomotor.cli.bench_target_shifts import BlindTrajectories, bench_target_shifts, shifts_of
from visuomotor.errors import VisuomotorError
from visuomotor.evaluation.bench_table import bench_table
from visuomotor.tasks import make_task
from visuomotor.tasks.pr2.hammer import Hammer


class Short(Hammer):
    max_episode_steps = 6


@pytest.fixture(scope="module")
def task() -> Short:
    return Short()


def make(task: Short, noise: float, samples: int = 4) -> BlindTrajectories:
    return BlindTrajectories(task, GpsTrajectoriesConfig(samples=samples, iterations=1), 0, noise)


def test_the_target_moves_and_the_state_does_not_tell(task: Short):
    """At the first step all arms are alike: so are their states, although their targets are not."""
    search = make(task, 0.0)
    env, shift = search.make_env(4), torch.tensor([[0.0, 0.0], [0.03, 0.0], [0.0, -0.02], [0.01, 0.01]]).double()
    seen, policy = [], search.solution(env)

    def watch(step, observations, images):
        if step == 0:
            seen.append((observations["state"].clone(), task.target_position(env.engine).clone()))
        return policy(step, observations, images)

    samples, _, costs = search.run_shifted(env, watch, shift)
    states, targets = seen[0]
    torch.testing.assert_close(targets[:, :2] - targets[:1, :2], shift, rtol=0, atol=2e-4)  # by the left arm's reach
    torch.testing.assert_close(states, states[:1].expand(4, -1), rtol=0, atol=3e-4)
    torch.testing.assert_close(samples.states[:, 0], states, rtol=0, atol=1e-6)
    torch.testing.assert_close(costs, task.cost(samples.states, samples.actions).sum(-1))


def test_in_training_targets_move_by_the_noise_and_solutions_are_tried_without(task: Short, monkeypatch):
    search, shifts = make(task, 0.02, samples=6), []
    run = search.run_shifted

    def watch(env, policy, shift):
        shifts.append(shift)
        return run(env, policy, shift)

    monkeypatch.setattr(search, "run_shifted", watch)
    list(search.steps())
    training, trial = shifts
    torch.testing.assert_close(training.norm(dim=-1), torch.full((6,), 0.02).double())
    assert len(training.unique(dim=0)) == 6
    assert not trial.any()
    torch.testing.assert_close(search.starts.placement["target"], torch.tensor([task.center]).double())


def test_shifts_go_all_round():
    shifts = shifts_of(0.03, 8)
    torch.testing.assert_close(shifts.norm(dim=-1), torch.full((8,), 0.03).double())
    torch.testing.assert_close(shifts.sum(0), torch.zeros(2).double())
    assert hypot(*(shifts[0] - shifts[1]).tolist()) > 0.02


def test_how_many_episodes_solve_it(task: Short, monkeypatch):
    """Three solutions in a row; 5 episodes an iteration."""
    wanted = iter([1.0, 0.0, 1.0, 1.0, 1.0, 1.0])

    def steps(self):
        for iteration in range(6):
            yield {"policy_success": next(wanted), "episodes": 5 * (iteration + 1)}

    monkeypatch.setattr(BlindTrajectories, "steps", steps)
    monkeypatch.setattr(module, "_share_of_successes", lambda search, shift: 1 - 10 * shift)
    found = bench_target_shifts(task, [0], noises=[0.01])["noises"]["0.01"]
    assert found["by_seed"]["0"]["episodes_to_solve"] == 15
    assert found["success"] == pytest.approx([1.0, 0.9, 0.8, 0.7])


def test_only_targets_in_a_hand_can_be_shifted():
    with pytest.raises(VisuomotorError, match="targets of 'lifting' cannot be shifted; choose a task of the PR2"):
        bench_target_shifts(make_task("lifting"), [0])


def test_it_is_written_and_becomes_a_row(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("visuomotor.tasks.make_task", lambda name: Short())
    monkeypatch.setattr(module, "SHIFTS", (0.0, 0.03))
    monkeypatch.setattr(bench_target_shifts, "__defaults__", ((0.0,), GpsTrajectoriesConfig(samples=3, iterations=1)))
    main(["bench", "target-shifts", "--task", "hammer", "--results", str(tmp_path), "--json"])
    file = tmp_path / "bench-target-shifts-hammer-seeds0-0.json"
    measured = json.loads(file.read_text())
    assert measured["noises"]["0"]["by_seed"]["0"]["episodes_to_solve"] is None
    assert measured["noises"]["0"]["success"] == [0.0, 0.0]
    row = bench_table(tmp_path)
    assert "controllers of hammer, 1 seed: success with targets 0, 3 cm away | trained with 0 cm: 0%, 0% |" in row
    assert "hammer, trained with 0 cm of noise: 0 cm 0%, 3 cm 0%" in capsys.readouterr().out
