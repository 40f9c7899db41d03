"""The comparison of policy searches and their tuning: what counts as solved, and what is written."""

import json

import pytest

from visuomotor.algorithms.trajectory_search.cem import Cem
from visuomotor.algorithms.trajectory_search.grids import GRIDS, SEEDS, points
from visuomotor.algorithms.trajectory_search.parametrization import LinearParametrization, NetworkParametrization
from visuomotor.cli import bench, bench_policy_search, main, tune_policy_search
from visuomotor.cli.bench_policy_search import changed, episodes_to_solve, read_tuned
from visuomotor.errors import VisuomotorError
from visuomotor.figures.policy_search import draw_policy_search
from visuomotor.tasks import make_task
from visuomotor.tasks.simulated.insertion2d import Insertion2d


class Short(Insertion2d):
    max_episode_steps = 5


@pytest.mark.parametrize(
    ("success", "solved"),
    [
        ([0, 1, 1, 1, 0], 20),
        ([1, 1, 0, 1, 1], None),
        ([1, 1, 0.75, 1, 1, 1], 40),  # of four starts
        ([1, 1], None),
        ([], None),
    ],
)
def test_three_solutions_in_a_row_solve_a_task(success, solved):
    assert (
        episodes_to_solve({"episodes": [10 * (i + 1) for i in range(len(success))], "policy_success": success})
        == solved
    )


def test_settings_have_the_names_of_the_command_line():
    assert changed({"a": 1, "b": {"c": 2, "d": 3}}, {"b.c": 5}) == {"a": 1, "b": {"c": 5, "d": 3}}
    for name in ("c", "b.e", "a.b"):
        with pytest.raises(VisuomotorError, match=f"no setting '{name}'"):
            changed({"a": 1, "b": {"c": 2, "d": 3}}, {name: 5})


def test_the_points_of_a_grid_are_all_combinations(monkeypatch):
    monkeypatch.setitem(GRIDS, "cem", {"samples": (5, 6), "initial_std": (0.1, 0.2)})
    assert points("cem") == [{"samples": n, "initial_std": std} for n in (5, 6) for std in (0.1, 0.2)]
    assert len(points("ilqg")) == 12


def test_costs_of_solutions_that_blew_up_do_not_count():
    assert tune_policy_search._last_cost([3.0, 2.0, None]) == 2
    assert tune_policy_search._last_cost([None]) == float("inf")


@pytest.mark.parametrize("method", GRIDS)
def test_every_point_of_the_grids_is_a_setting(method):
    task = make_task("insertion2d")
    first = points(method)[0]
    search = bench_policy_search._make(task, method, 0, first)
    for name, value in first.items():
        place = search.config
        for part in name.split("."):
            place = getattr(place, part)
        assert place == value
    assert not set(SEEDS) & set(range(100))


def test_networks_are_searched_by_methods_of_that_name():
    for method, kind in (("reps", LinearParametrization), ("reps-network", NetworkParametrization)):
        search = bench_policy_search._make(make_task("insertion2d"), method, 0, {"samples": 7})
        assert type(search).__name__ == "Reps"
        assert search.config.samples == 7
        assert isinstance(search.parametrization, kind)


def test_searches_end_with_their_episodes_and_are_written(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("visuomotor.tasks.make_task", lambda name: Short())
    arguments = ["--methods", "cem", "gps-trajectories", "--seed", "3", "--seeds", "2", "--episodes", "30"]
    assert main(["bench", "policy-search", *arguments, "--results", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "cem: episodes to solve insertion2d by seed: -, -" in printed
    measured = json.loads((tmp_path / "bench-policy-search-insertion2d-cem-gps-trajectories-seeds3-4.json").read_text())
    assert measured["median_episodes_to_solve"] == {"cem": None, "gps-trajectories": None}
    for method, episodes in (("cem", [24, 44]), ("gps-trajectories", [5, 10, 15, 20, 25, 30])):
        curves = [measured["methods"][method]["by_seed"][seed] for seed in ("3", "4")]
        assert curves[0]["episodes"] == curves[1]["episodes"] == episodes
        assert curves[0]["policy_cost"] != curves[1]["policy_cost"]
        assert len(curves[0]["policy_distance_m"]) == len(curves[0]["policy_success"]) == len(episodes)
    assert draw_policy_search(tmp_path / "a.png", [measured, measured]).stat().st_size > 10_000


def test_half_of_the_seeds_decide_the_median(monkeypatch):
    needed = iter([10, None, 30, None, 50, None, 20, None])
    monkeypatch.setattr(bench_policy_search, "run_search", lambda *a: {"episodes_to_solve": next(needed)})
    measured = bench_policy_search.bench_policy_search(Short(), range(4), 100, ["cem", "reps"])
    assert measured["median_episodes_to_solve"] == {"cem": None, "reps": None}
    needed = iter([10, None, 30])
    measured = bench_policy_search.bench_policy_search(Short(), range(3), 100, ["cem"], {"cem": {"samples": 7}})
    assert measured["median_episodes_to_solve"] == {"cem": 30}
    assert measured["methods"]["cem"]["settings"] == {"samples": 7}


def test_tuning_takes_the_fewest_episodes_then_the_lowest_cost(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("visuomotor.tasks.make_task", lambda name: Short())
    monkeypatch.setitem(GRIDS, "cem", {"samples": (5, 6, 7, 8)})
    needed = {5: [60, None], 6: [40, 80], 7: [80, 40], 8: [100, 100]}
    tried = []

    def run_search(task, method, seed, episodes, settings, until_solved):
        tried.append((method, settings["samples"], seed, until_solved))
        found = needed[settings["samples"]][SEEDS.index(seed)]
        return {"episodes_to_solve": found, "policy_cost": [9.0, 20.0 - settings["samples"]]}

    monkeypatch.setattr(tune_policy_search, "run_search", run_search)
    arguments = ["bench", "policy-search", "--tune", "--methods", "cem", "--episodes", "100"]
    assert main([*arguments, "--results", str(tmp_path)]) == 0
    assert tried == [("cem", samples, seed, True) for samples in (5, 6, 7, 8) for seed in SEEDS]
    file = tmp_path / "tuning-policy-search-insertion2d-cem.json"
    points = json.loads(file.read_text())["points"]["cem"]
    assert [point["mean_episodes"] for point in points] == [130, 60, 60, 100]
    assert [point["last_cost"] for point in points] == [15, 14, 13, 12]
    assert read_tuned(file, make_task("insertion2d")) == {"cem": {"samples": 7}}
    with pytest.raises(VisuomotorError, match="was tuned on insertion2d; give the file of swimmer"):
        read_tuned(file, make_task("swimmer"))


def test_the_tuned_settings_are_used(monkeypatch, tmp_path):
    (file := tmp_path / "tuning.json").write_text(json.dumps({"task": "insertion2d", "best": {"cem": {"samples": 7}}}))
    monkeypatch.setattr("visuomotor.tasks.make_task", lambda name: Short())
    samples = []
    start = Cem.__init__
    monkeypatch.setattr(
        Cem,
        "__init__",
        lambda self, task, config, seed: samples.append(config.samples) or start(self, task, config, seed),
    )
    arguments = ["bench", "policy-search", "--methods", "cem", "--episodes", "5"]
    assert main([*arguments, "--tuned", str(file)]) == 0
    assert samples == [7]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--methods", "sgd"], "no policy search 'sgd'; choose one of: cem, cem-network, gps-network"),
        (["--tune", "--methods", "sgd"], "no policy search 'sgd'; choose one of: cem"),
        (["--tuned", "nowhere.json"], "nowhere.json holds no tuned settings"),
        (["--episodes", "0"], "--episodes must be between"),
    ],
)
def test_mistakes(arguments, message, capsys):
    assert main(["bench", "policy-search", *arguments]) != 0
    assert message in capsys.readouterr().err


def test_it_is_a_part_of_the_bench():
    assert bench.Bench("policy-search").episodes == 500
