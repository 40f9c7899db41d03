"""The benches measure what they say, in the form that the command prints. (How fast is for `visuomotor bench`.)"""

import itertools
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from visuomotor.algorithms.gps.config import PRESETS
from visuomotor.algorithms.gps.gps import Gps
from visuomotor.algorithms.gps.linalg import single_threaded
from visuomotor.algorithms.gps.supervised import FitConfig
from visuomotor.cli.bench_gps import bench_gps
from visuomotor.cli.bench_policy import bench_policy
from visuomotor.cli.bench_trajectories import bench_trajectories
from visuomotor.tasks import EpisodeOutcome
from visuomotor.tasks.pr2.hanger import Hanger


def test_bench_gps(monkeypatch):
    """By a clock of our own: the medians are of the repeats, without the iterations before them and the warm-up, and
    that of the whole is not the sum of those of its parts."""
    repeats = [(1.0, 2.0, 30.0), (3.0, 20.0, 1.0), (100.0, 5.0, 2.0)]  # seconds of prior, dynamics and update
    before = PRESETS["laptop"].dynamics.prior_iterations + 1
    parts = [(7000.0, 8000.0, 9000.0)] * before + repeats
    readings = itertools.accumulate(seconds for three in parts for seconds in (0.0, *three))
    monkeypatch.setattr("visuomotor.cli.bench_gps.time", SimpleNamespace(perf_counter=lambda: next(readings)))
    measured = bench_gps(repeats=3)
    json.dumps(measured)
    assert (measured["conditions"], measured["steps"], measured["states"], measured["actions"]) == (18, 100, 32, 7)
    assert [measured[f"seconds_{part}"] for part in ("prior", "dynamics", "update")] == [3.0, 5.0, 2.0]
    assert measured["seconds_fit_and_update"] == 33.0
    assert next(readings, None) is None
    assert measured["search_passes"] >= 1


class Counting(Hanger):
    """Short episodes; in the n-th, as many conditions succeed as `successes` says."""

    max_episode_steps = 10

    def __init__(self, successes):
        super().__init__()
        self.successes = iter(successes)

    def finish_episode(self, engine, callback=None):
        count = next(self.successes)
        return EpisodeOutcome(torch.arange(engine.worlds) < count, torch.full((engine.worlds,), 0.25))


_SMALL = replace(
    PRESETS["laptop"],
    num_conditions=4,
    trajectory=replace(PRESETS["laptop"].trajectory, iterations=6),
    badmm=replace(PRESETS["laptop"].badmm, inner_iterations=1),
    state_policy=FitConfig(steps=2),
)


def test_bench_trajectories():
    """Episodes take turns: with noise, then without. The shares are means over the last five of six iterations."""
    with_noise, without_noise = [0, 1, 2, 3, 3, 3], [1, 2, 4, 4, 4, 4]
    turns = [count for pair in zip(with_noise, without_noise, strict=True) for count in pair]
    measured = bench_trajectories(Counting([*turns, *[0, 4] * 6]), [3, 7], _SMALL)
    json.dumps(measured)
    first, second = measured["by_seed"]["3"], measured["by_seed"]["7"]
    assert first["with_noise"] == ["0000", "1000", "1100", "1110", "1110", "1110"]
    assert first["without_noise"] == ["1000", "1100", "1111", "1111", "1111", "1111"]
    assert first["share_with_noise"] == (1 + 2 + 3 + 3 + 3) / 20
    assert first["share_without_noise"] == (2 + 4 + 4 + 4 + 4) / 20
    assert (second["share_with_noise"], second["share_without_noise"]) == (0, 1)
    assert measured["seeds"] == [3, 7]
    assert measured["mean_share_with_noise"] == 0.3
    assert (measured["mean_share_without_noise"], measured["lowest_share_without_noise"]) == (0.95, 0.9)
    assert first["final_distance_m"] == 0.25
    for part in (first, second):
        predicted, actual = part["predicted_improvement"], part["actual_improvement"]
        assert predicted[0] is actual[0] is None  # there is no update before the first episodes
        assert len(predicted) == len(actual) == 6
        assert part["actual_to_predicted"] == pytest.approx(sum(actual[1:]) / sum(predicted[1:]))
    assert first["predicted_improvement"] != first["actual_improvement"] != second["actual_improvement"]
    mean = (first["actual_to_predicted"] + second["actual_to_predicted"]) / 2
    assert measured["mean_actual_to_predicted"] == pytest.approx(mean)


def test_improvements_of_a_bench_are_those_of_training():
    config = replace(_SMALL, pose=replace(_SMALL.pose, epochs=0), end_to_end=replace(_SMALL.end_to_end, iterations=0))
    config = replace(config, trajectory=replace(config.trajectory, iterations=3))
    rows = list(Gps(Counting([0] * 9), config, 0).steps())
    part = bench_trajectories(Counting([0] * 9), [0], config)["by_seed"]["0"]
    for name in ("predicted_improvement", "actual_improvement"):
        assert part[name] == [None, rows[1][name], rows[2][name]]


def test_measuring_leaves_no_trace_in_training(monkeypatch):
    """Training ends with the same controllers as without the bench."""
    config = replace(_SMALL, pose=replace(_SMALL.pose, epochs=0), end_to_end=replace(_SMALL.end_to_end, iterations=0))
    config = replace(config, trajectory=replace(config.trajectory, iterations=2))
    found = []

    class Remembered(Gps):
        def steps(self):
            found.append(self)
            yield from super().steps()

    plain = Gps(Counting([0] * 9), config, 0)
    list(plain.steps())
    monkeypatch.setattr("visuomotor.cli.bench_trajectories.Gps", Remembered)
    bench_trajectories(Counting([0] * 9), [0], config)
    assert torch.equal(found[0].badmm.controller.gain, plain.badmm.controller.gain)
    assert not torch.equal(plain.badmm.controller.gain, plain.badmm.last_update.controller.gain)


def test_bench_policy():
    threads = torch.get_num_threads()
    measured = bench_policy(repeats=2)
    json.dumps(measured)
    assert 0 < measured["milliseconds_per_step"] < measured["milliseconds_per_step_paper"]
    assert measured["size_paper"] == 240
    assert torch.get_num_threads() == threads


def test_one_thread_inside_and_as_before_outside():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert single_threaded(torch.get_num_threads)() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
