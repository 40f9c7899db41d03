"""The comparison of policy searches and their tuning: what counts as solved, and what is written."""

import json

import pytest

from visuomotor.algorithms.trajectory_search.cem import Cem
from visuomotor.algorithms.trajectory_search.parametrization import LinearParametrization, NetworkParametrization
from visuomotor.algorithms.trajectory_search.search_spaces import POINTS, SEEDS, SPACES, points
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


@pytest.mark.parametrize("method", SPACES)
def test_points_fill_their_space(method):
    """All within; of each setting, half below the middle of its logarithm, and some in each third."""
    found = points(method)
    assert len(found) == POINTS
    assert points(method) == found
    for name, (low, high) in SPACES[method].items():
        values = sorted(point[name] for point in found)
        assert all(type(value) is type(low) for value in values)
        assert 0.95 * low <= values[0] < low * (high / low) ** 0.34
        assert 1.05 * high >= values[-1] > low * (high / low) ** 0.66
        assert abs(sum(value < (low * high) ** 0.5 for value in values) - POINTS / 2) <= 4


def test_costs_of_solutions_that_blew_up_do_not_count():
    assert tune_policy_search._last_cost([3.0, 2.0, None]) == 2
    assert tune_policy_search._last_cost([None]) == float("inf")


@pytest.mark.parametrize("method", SPACES)
@pytest.mark.parametrize("point", [0, -1])
def test_every_point_of_the_spaces_is_a_setting(method, point):
    task = make_task("insertion2d")
    chosen = points(method)[point]
    search = bench_policy_search._make(task, method, 0, chosen)
    for name, value in chosen.items():
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
    assert measured["methods"]["cem"]["version"] == Cem.version


def test_tuning_takes_the_fewest_episodes_then_the_lowest_cost(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("visuomotor.tasks.make_task", lambda name: Short())
    monkeypatch.setattr(tune_policy_search, "points", lambda method: [{"samples": n} for n in range(5, 13)])
    needed = {5: [60], 6: [40, 80, 60], 7: [30, 90, None], 8: [100]}
    tried = []

    def run_search(task, method, seed, episodes, settings, until_solved):
        tried.append((method, settings["samples"], seed, until_solved))
        found = needed.get(settings["samples"], [None])[SEEDS.index(seed)]
        return {"episodes_to_solve": found, "policy_cost": [9.0, 20.0 - settings["samples"]]}

    monkeypatch.setattr(tune_policy_search, "run_search", run_search)
    arguments = ["bench", "policy-search", "--tune", "--methods", "cem", "--episodes", "100"]
    assert main([*arguments, "--results", str(tmp_path)]) == 0
    first = [("cem", samples, SEEDS[0], True) for samples in range(5, 13)]
    assert tried == first + [("cem", samples, seed, True) for samples in (7, 6) for seed in SEEDS[1:]]
    printed = capsys.readouterr().out
    assert f"[{', '.join(map(str, SEEDS))}]" in printed
    assert "mean_episodes" not in printed  # the points are in the file
    file = tmp_path / "tuning-policy-search-insertion2d-cem.json"
    tuned = json.loads(file.read_text())
    assert tuned["method_versions"] == {"cem": Cem.version}
    found = tuned["points"]["cem"]
    assert [point["settings"]["samples"] for point in found] == [6, 7, 5, 8, 12, 11, 10, 9]
    assert [point["mean_episodes"] for point in found] == pytest.approx([60, 320 / 3, 60, 100, *[200] * 4])
    assert [point["last_cost"] for point in found] == [14, 13, 15, 12, 8, 9, 10, 11]
    assert read_tuned(file, make_task("insertion2d")) == {"cem": {"samples": 6}}
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
