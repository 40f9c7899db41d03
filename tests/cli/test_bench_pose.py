"""The comparison of pose networks, small."""

import pytest
import torch

from visuomotor.algorithms.gps.config import PoseConfig
from visuomotor.cli import bench_pose as bench
from visuomotor.cli import main
from visuomotor.policies.pose_architectures import POSE_ARCHITECTURES
from visuomotor.tasks import make_task


def test_each_network_has_its_own_best_learning_rate(monkeypatch):
    """Errors that are known beforehand, in m: 0.01 times seed + 1 in tests, twice that in training; the search prefers
    another rate for each network."""
    best = dict(zip(POSE_ARCHITECTURES, (3e-4, 1e-3, 3e-3, 1e-2), strict=True))
    asked = []

    def errors(name, data, seed, config, rate, device):
        asked.append((name, seed, rate))
        test = 0.1 * abs(rate - best[name]) if seed == 1000 else 0.01 * (seed + 1)
        return torch.tensor([2 * test, 2 * test + 0.001]), torch.tensor([test, test + 0.002])

    monkeypatch.setattr(bench, "_errors", errors)
    measured = bench.bench_pose(make_task("hanger"), (0, 2), 88, images=8, test_images=4)
    for name, found in measured["networks"].items():
        assert found["learning_rate"] == best[name]
        assert found["test_cm_by_seed"] == pytest.approx([1.1, 3.1])
        assert found["training_cm"] == pytest.approx(4.05)
        assert found["test_cm"] == pytest.approx(2.1)
        assert found["test_deviation_cm"] == pytest.approx(100 * torch.tensor([0.01, 0.012, 0.03, 0.032]).std().item())
        assert [rate for of, seed, rate in asked if of == name and seed != 1000] == [best[name]] * 2
    assert list(measured["networks"]) == list(POSE_ARCHITECTURES)


def test_networks_are_trained_and_measured_on_other_images(monkeypatch):
    monkeypatch.setattr(bench, "_LEARNING_RATES", (1e-3,))
    config = PoseConfig(epochs=2, batch=10)
    measured = bench.bench_pose(make_task("hanger"), (0,), 88, ["feature-points"], 20, 10, config)
    (found,) = measured["networks"].values()
    assert 1 < found["test_cm"] < 50
    assert found["training_cm"] != found["test_cm"]
    assert found["parameters"] == 86_336 + 65 * 9


def test_unknown_networks_are_told(capsys):
    assert main(["bench", "pose", "--methods", "transformer"]) == 2
    assert "no pose network 'transformer'; choose one of: feature-points" in capsys.readouterr().err
