import json
import os
from pathlib import Path

import pytest

from visuomotor.errors import VisuomotorError
from visuomotor.evaluation.bench_table import bench_table


def _write(folder, name, **values):
    (folder / name).write_text(json.dumps(values))


def test_each_measurement_becomes_a_row(tmp_path):
    _write(
        tmp_path,
        "bench-camera-64.json",
        bench="camera",
        size=64,
        frames_per_second=31234.5,
        ratio_to_mujoco_gl=None,
        ratio_to_mujoco_warp_cpu=41.7,
        command="visuomotor bench camera",
    )
    _write(
        tmp_path,
        "bench-trajectories-hanger-seeds3-4.json",
        bench="trajectories",
        task="hanger",
        seeds=[3, 4],
        conditions=18,
        mean_share_with_noise=0.875,
        mean_share_without_noise=0.9375,
        lowest_share_without_noise=0.5,
        command="visuomotor bench trajectories --seed 3 --seeds 2",
    )
    lines = bench_table(tmp_path).splitlines()
    assert lines[2] == "| camera, 64x64 | 31,234 frames/s, 42 times Warp on CPU | `visuomotor bench camera` |"
    assert "18 conditions of hanger, 2 seeds | success 94% (worst seed 50%), with exploration noise 88% |" in lines[3]


def test_policy_searches_are_told_by_the_episodes_that_they_need(tmp_path):
    needed = {"gps-trajectories": 15, "cem": 122.5, "rwr": None}
    measured = {"task": "insertion2d", "seeds": [0, 1], "episodes": 300, "median_episodes_to_solve": needed}
    _write(tmp_path, "bench-policy-search-insertion2d.json", bench="policy-search", command="x", **measured)
    told = "median of episodes to solve it | gps-trajectories 15, cem 122.5, rwr not in 300 | `x` |"
    assert f"| policy search on insertion2d, 2 seeds: {told}" in bench_table(tmp_path)


def test_more_worlds_come_later_and_the_gpu_is_named(tmp_path):
    rates = {"control_steps_per_second": 7000.0, "peak_memory_gb": 2.54}
    machine = {"device": "cuda", "hardware": "Xeon, 16 cores, 126 GB, NVIDIA H200", "cores": 16}
    for worlds in (1024, 128):
        measured = {"bench": "ppo-gail", "task": "lifting", "num_envs": worlds, "command": "x", **rates, **machine}
        _write(tmp_path, f"bench-ppo-gail-lifting-{worlds}-cuda.json", **measured)
    first, second = bench_table(tmp_path).splitlines()[2:]
    assert "lifting, 128 worlds" in first
    assert "lifting, 1024 worlds" in second
    assert "networks on NVIDIA H200, 16 cores | 7,000 control steps/s, 2.5 GB" in second


def test_the_measurements_of_this_repository_are_read():
    assert len(bench_table(Path(__file__).parents[2] / "results").splitlines()) > 5


def test_a_measurement_of_an_older_version(tmp_path):
    """The last five iterations of 4 conditions: 2 + 3 + 4 + 4 + 3 of 20."""
    measured = {"bench": "trajectories", "seed": 3, "conditions": 4, "successes": [0, 2, 3, 4, 4, 3], "command": "x"}
    _write(tmp_path, "bench-trajectories-seed3.json", **measured)
    assert "seed 3 | success 80% |" in bench_table(tmp_path)


def test_no_measurements_no_table(tmp_path):
    assert bench_table(tmp_path) == ""


@pytest.mark.parametrize(
    "text",
    [
        *('{"bench": "gps"}', "[]", "null", '{"bench": []}', '{"bench": "make-train", "seconds": null}', "{"),
        '{"bench": "make-train", "seconds": 1}',  # without its command
        f'{{"bench": "make-train", "seconds": {10**400}, "command": "x"}}',
    ],
)
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / "bench-gps.json").write_text(text)
    with pytest.raises(VisuomotorError, match=r"bench-gps.json cannot be read .*; delete it"):
        bench_table(tmp_path)


def test_pipes_and_links_are_left_alone(tmp_path):
    os.mkfifo(tmp_path / "bench-a.json")
    (tmp_path / "bench-b.json").symlink_to("/dev/zero")
    assert bench_table(tmp_path) == ""
