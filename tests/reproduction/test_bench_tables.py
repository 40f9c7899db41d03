"""Tables of benches: what is missing, what was measured otherwise, and damaged files."""

import inspect
import json
from dataclasses import replace

import pytest

from visuomotor.algorithms.gps import Gps
from visuomotor.algorithms.trajectory_search.gps_trajectories import GpsTrajectories
from visuomotor.cli.bench_pose import bench_pose
from visuomotor.errors import VisuomotorError
from visuomotor.policies.pose_architectures import POSE_ARCHITECTURES
from visuomotor.reproduction.policy_search_figure import PolicySearchFigure
from visuomotor.reproduction.pose_table import PoseTable
from visuomotor.reproduction.target_shift_table import NOISES, SHIFTS, TargetShiftTable


def test_the_second_table(where, tmp_path):
    page = tmp_path / "docs" / "page.md"
    commands = list(PoseTable().missing(where))
    assert [command[command.index("--methods") + 1] for command in commands] == list(POSE_ARCHITECTURES)
    assert PoseTable().write(where, page).count("missing") == 4 * len(POSE_ARCHITECTURES)
    network = {"parameters": 1234, "learning_rate": 1e-3, "training_cm": 0.5, "training_deviation_cm": 0.25}
    network |= {"test_cm": 0.75, "test_deviation_cm": 0.375}
    where.results.mkdir()
    for count, name in enumerate(POSE_ARCHITECTURES):
        assert len(list(PoseTable().missing(where))) == 4 - count
        content = {"networks": {name: network}, "seeds": [0], "task": "hanger", "size": 96, "images": 1000}
        content["algorithm_version"] = Gps.version
        path = where.results / f"bench-pose-hanger-96-{name}.json"
        path.write_text(json.dumps(content | {"test_images": 500}))
    assert not list(PoseTable().missing(where))
    assert len(list(PoseTable().missing(replace(where, seeds=2)))) == 4
    text = PoseTable().write(where, page)
    first = "| softmax, feature points | 1,234 | 0.001 | 0.50 +- 0.25 | 1.14 +- 1.67 | 0.75 +- 0.38 | 1.30 +- 0.73 |"
    assert first in text
    assert "missing" not in text
    assert text.count("1,000 images to train on") == 1  # once for networks that were measured alike
    for changes, told in (
        ({"images": 100}, "measured with images 100, and 1000 is needed; move it away"),
        ({"algorithm_version": 1}, "measured with algorithm_version 1, and"),
    ):
        path.write_text(json.dumps(content | {"test_images": 500} | changes))
        for use in (lambda: PoseTable().write(where, page), lambda: list(PoseTable().missing(where))):
            with pytest.raises(VisuomotorError, match=told):
                use()
    defaults = inspect.signature(bench_pose).parameters
    assert [defaults[name].default for name in ("images", "test_images")] == [1000, 500]


def test_controllers_with_targets_elsewhere(where, tmp_path):
    page = tmp_path / "docs" / "page.md"
    commands = list(TargetShiftTable().missing(where))
    assert [command[3] for command in commands] == ["cube", "ring", "brick", "bottle", "wheel"]
    assert TargetShiftTable().write(where, page).count("missing") == 5 * 6
    seeds = {"0": {"episodes_to_solve": 20}, "1": {"episodes_to_solve": None}}
    found = {"success": [1.0, 0.875, 0.5, 0.0], "by_seed": seeds}
    where.results.mkdir()
    for task in ("ring", "cube"):
        content = {"task": task, "shifts": list(SHIFTS), "noises": {f"{noise:g}": found for noise in NOISES}}
        content["algorithm_version"] = GpsTrajectories.version
        path = where.results / f"bench-target-shifts-{task}-seeds0-0.json"
        path.write_text(json.dumps(content))
    assert [command[3] for command in TargetShiftTable().missing(where)] == ["brick", "bottle", "wheel"]
    assert len(list(TargetShiftTable().missing(replace(where, seeds=2)))) == 5
    lines = TargetShiftTable().write(where, page).splitlines()
    assert "| ring | 1 cm | 20, - | 100% | 88% | 50% | 0% |" in lines
    for changes, told in (
        (
            {"shifts": [0.0, 0.05, 0.1, 0.2]},
            r"cube-seeds0-0\.json was measured with shifts .m. \[0.0, 0.05, 0.1, 0.2\]",
        ),
        ({"noises": {"0": found}}, r"measured with noises .m. \[0.0\], and \[0.0, 0.01, 0.02\] is needed"),
        ({"task": "ring"}, "measured with task ring, and cube is needed"),
        ({"algorithm_version": 1}, "measured with algorithm_version 1, and"),
    ):
        path.write_text(json.dumps(content | changes))
        for use in (lambda: TargetShiftTable().write(where, page), lambda: list(TargetShiftTable().missing(where))):
            with pytest.raises(VisuomotorError, match=told):
                use()


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"noises": {"0": {}}, "networks": {}, "seeds": 3}'])
def test_damaged_measurements_are_told(where, tmp_path, text):
    page = tmp_path / "docs" / "page.md"
    where.results.mkdir()
    for part, name in (
        (PoseTable(), "bench-pose-hanger-96-feature-points.json"),
        (TargetShiftTable(), "bench-target-shifts-cube-seeds0-0.json"),
        (PolicySearchFigure(), "tuning-policy-search-insertion2d-cem.json"),
    ):
        (where.results / name).write_text(text)
        with pytest.raises(VisuomotorError, match=rf"{name} cannot be read .*; delete it and measure again"):
            part.write(where, page)
