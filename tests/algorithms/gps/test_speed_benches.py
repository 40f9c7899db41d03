"""The benches measure what they say, in the form that the command prints. (How fast is for `visuomotor bench`.)"""

import json

import torch

from visuomotor.cli.bench_gps import bench_gps
from visuomotor.cli.bench_policy import bench_policy
from visuomotor.algorithms.gps.linalg import single_threaded


def test_bench_gps():
    measured = bench_gps(repeats=1)
    json.dumps(measured)
    assert (measured["conditions"], measured["steps"], measured["states"], measured["actions"]) == (18, 100, 32, 7)
    parts = measured["seconds_prior"] + measured["seconds_dynamics"] + measured["seconds_update"]
    assert measured["seconds_fit_and_update"] == parts
    assert measured["search_passes"] >= 1
    assert {"cores", "versions"} <= measured.keys()


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
