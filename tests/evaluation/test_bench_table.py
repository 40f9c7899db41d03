import json

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
        "bench-trajectories-seed3.json",
        bench="trajectories",
        seed=3,
        conditions=18,
        solved=[2, 17],
        iterations_to_solve_all=None,
        command="visuomotor bench trajectories --seed 3",
    )
    lines = bench_table(tmp_path).splitlines()
    assert lines[2] == "| camera, 64x64 | 31,234 frames/s, 42 times Warp on CPU | `visuomotor bench camera` |"
    assert "17 of 18 conditions solved" in lines[3]


def test_no_measurements_no_table(tmp_path):
    assert bench_table(tmp_path) == ""


def test_a_damaged_file_is_named(tmp_path):
    _write(tmp_path, "bench-gps.json", bench="gps")
    with pytest.raises(VisuomotorError, match="bench-gps"):
        bench_table(tmp_path)
