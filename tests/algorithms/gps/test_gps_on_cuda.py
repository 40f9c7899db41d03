"""On CUDA gps fits what it fits on the CPU. On the CPU these tests only compare it with itself."""

import math

import pytest
import torch
from linear_problems import normal

from visuomotor.algorithms.gps.config import EndToEndConfig, PoseConfig
from visuomotor.algorithms.gps.policy_opt import VisuomotorPolicyOptimizer
from visuomotor.algorithms.gps.pose_regression import PoseData, PoseTraining
from visuomotor.algorithms.gps.rollout import Samples
from visuomotor.algorithms.gps.supervised import FitConfig, PolicyTargets
from visuomotor.policies import AugmentationConfig, PoseNetwork, VisuomotorPolicy

NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_CUDA)]
SHAPES = AugmentationConfig(num_shapes=1)


@pytest.fixture(autouse=True)
def _whole_floats(monkeypatch: pytest.MonkeyPatch):
    """Convolutions use TF32 on CUDA by default, of ten bits, and bfloat16 on some processors in training, of seven."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setattr("visuomotor.policies.vision_encoder.multiplies_bfloat16", lambda: False)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def random_images(*count: int) -> torch.Tensor:
    return torch.randint(256, (*count, 32, 32, 3), generator=seeded(), dtype=torch.uint8)


def devices_of(network: torch.nn.Module) -> set[str]:
    return {value.device.type for value in (*network.parameters(), *network.buffers())}


def pose_epoch(device: str) -> tuple[dict[str, float], torch.Tensor]:
    """The losses, and the errors (m) afterwards."""
    torch.manual_seed(0)
    network = PoseNetwork(9).to(device)
    data = PoseData(random_images(12), torch.rand(12, 9, generator=seeded()), held_out=4)
    training = PoseTraining(network, data, PoseConfig(epochs=2, batch=4, learning_rate=1e-4), SHAPES)
    row = training.run_epoch(seeded())
    assert devices_of(network) == {device}
    return row, training.errors(0, 12)


@pytest.mark.parametrize("device", DEVICES)
def test_an_epoch_of_pose_regression_is_that_of_the_cpu(device: str):
    (there, errors), (here, expected) = pose_epoch(device), pose_epoch("cpu")
    assert there == pytest.approx(here, rel=0.02)
    assert all(map(math.isfinite, there.values()))
    torch.testing.assert_close(errors, expected, rtol=0.02, atol=1e-3)


def fitted(device: str, end_to_end: bool) -> tuple[float, torch.Tensor]:
    """The loss of a fit, and the mean actions after it."""
    generator, covariance = seeded(), torch.tensor([[0.3, 0.1], [0.1, 0.2]], dtype=torch.float64)
    readings, actions = normal(generator, 2, 3, 5), normal(generator, 2, 3, 2)
    samples = Samples(readings, readings, actions, random_images(2, 3), torch.zeros(2, dtype=torch.bool))
    targets = PolicyTargets(actions.flatten(0, 1), torch.linalg.inv(covariance).repeat(6, 1, 1))
    torch.manual_seed(0)
    policy = VisuomotorPolicy(5, 2).to(device)
    fits = EndToEndConfig(
        head_fit=FitConfig(steps=3, batch=4, learning_rate=1e-4),
        finetune_fit=FitConfig(steps=3, batch=4, learning_rate=1e-4),
    )
    optimizer = VisuomotorPolicyOptimizer(policy, fits, SHAPES, generator, end_to_end)
    loss = optimizer.fit([samples], targets, covariance)
    assert devices_of(policy) == {device}
    torch.testing.assert_close(policy.covariance.cpu(), covariance)
    return loss, optimizer.mean_actions(samples)


@pytest.mark.parametrize("end_to_end", [True, False])
@pytest.mark.parametrize("device", DEVICES)
def test_a_fit_of_the_policy_is_that_of_the_cpu(device: str, end_to_end: bool):
    (loss, actions), (expected_loss, expected) = fitted(device, end_to_end), fitted("cpu", end_to_end)
    assert loss == pytest.approx(expected_loss, rel=0.02)
    assert actions.device.type == "cpu"
    assert actions.dtype == torch.float64
    torch.testing.assert_close(actions, expected, rtol=0.02, atol=1e-3)
