import json

import pytest

from visuomotor.cli import main
from visuomotor.evaluation.bench_table import bench_table


def test_every_part_has_its_share(tmp_path, capsys):
    words = ["bench", "env", "--json", "--num-envs", "8", "--seconds", "0.01", "--results", str(tmp_path)]
    assert main(words) == 0
    measured = json.loads(capsys.readouterr().out.splitlines()[-1])
    shares = measured["shares"]
    assert set(shares) == {"step", "observe", "render", "reset", "other"}
    assert sum(shares.values()) == pytest.approx(1)
    assert all(0 < share < 1 for share in shares.values())
    assert measured["slowest_round"] <= measured["control_steps_per_second"] <= measured["fastest_round"]
    # Three rounds of 25 steps are three quarters of an episode.
    assert (measured["rounds"], measured["num_envs"], measured["episodes"]) == (3, 8, pytest.approx(6, abs=2))
    assert (measured["control_hz"], measured["physics_milliseconds"]) == (20, 5)
    assert {"hardware", "commit", "versions", "command"} <= measured.keys()
    assert json.loads((tmp_path / "bench-env-lifting.json").read_text()) == measured
    assert "lifting, 8 worlds" in bench_table(tmp_path)


def test_a_training_loop_has_its_shares_too(tmp_path, capsys):
    words = ["bench", "ppo-gail", "--json", "--num-envs", "8", "--seconds", "0.01", "--results", str(tmp_path)]
    assert main(words) == 0
    measured = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(measured["shares"]) == {"env_step", "render", "inference", "learn", "other"}
    assert sum(measured["shares"].values()) == pytest.approx(1)
    assert measured["slowest_iteration"] <= measured["control_steps_per_second"] <= measured["fastest_iteration"]
    assert measured["control_steps"] == 3 * 8 * 25
    assert 0.1 < measured["peak_memory_gb"] < 6
    assert "ppo-gail on lifting, 8 worlds" in bench_table(tmp_path)
    assert main(["bench", "ppo-gail", "--num-envs", "0"]) == 2


def test_any_task_is_measured(capsys):
    assert main(["bench", "env", "--task", "hanger", "--num-envs", "2", "--seconds", "0.01", "--json"]) == 0
    measured = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (measured["task"], measured["num_diverged"]) == ("hanger", 0)
    assert main(["bench", "env", "--task", "hangar"]) == 2
    assert "there is no task 'hangar'" in capsys.readouterr().err
