"""On CUDA training does what it does on the CPU. On the CPU these tests only compare it with itself."""

import dataclasses
import math
from pathlib import Path

import pytest
import torch
from bead_task import Bead, push
from made_up_rollout import ACTIONS, READINGS, WORLDS, made_up_rollout

from visuomotor.algorithms.ppo_gail import PpoGail
from visuomotor.algorithms.ppo_gail.adaptive_kl import AdaptiveKl
from visuomotor.algorithms.ppo_gail.config import (
    AuxiliaryConfig,
    BehaviorCloningConfig,
    CurriculumConfig,
    ExplorationConfig,
    ImitationConfig,
    PolicyConfig,
    PpoConfig,
    PpoGailConfig,
)
from visuomotor.algorithms.ppo_gail.exploration import exploration_noise
from visuomotor.algorithms.ppo_gail.ppo import policy_loss
from visuomotor.demos import write_demonstrations
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.runs.distributed import Distributed

NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_CUDA)]


@pytest.fixture(autouse=True)
def _whole_floats(monkeypatch: pytest.MonkeyPatch):
    """Convolutions on CUDA use TF32 by default, of ten bits."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def gradient(device: str) -> torch.Tensor:
    """Of the policy's loss, vision layers included, on the CPU."""
    torch.manual_seed(0)
    policy = RecurrentPolicy(READINGS, ACTIONS, 1, image_size=20).to(device)
    noise = exploration_noise(ACTIONS, ExplorationConfig()).to(device)
    rollout, advantages = made_up_rollout(torch.arange(WORLDS))
    loss, _ = policy_loss(
        policy,
        noise,
        rollout,
        advantages,
        torch.arange(WORLDS),
        PpoConfig(entropy_coef=0.1),
        AdaptiveKl(0.05),
        Distributed(),
    )
    loss.backward()
    assert loss.device.type == device
    return torch.cat(
        [parameter.grad.flatten() for parameter in policy.parameters() if parameter.grad is not None]
    ).cpu()


@pytest.mark.parametrize("device", DEVICES)
def test_the_gradient_is_that_of_the_cpu(device: str):
    torch.testing.assert_close(gradient(device), gradient("cpu"), rtol=1e-3, atol=1e-5)


def trained(device: str, demos: Path) -> tuple[PpoGail, list[dict[str, float]]]:
    """Vision pretraining, cloning and two iterations, on a task in which small differences stay small."""
    config = PpoGailConfig(
        demos=demos,
        device=device,  # pyright: ignore[reportArgumentType]
        num_envs=8,
        total_steps=2 * 8 * 6,
        policy=PolicyConfig(image_size=20),
        ppo=PpoConfig(num_steps=6, num_epochs=2, num_minibatches=2, learning_rate=1e-4),
        imitation=ImitationConfig(batch_size=32, num_updates=2, actions=True),
        curriculum=CurriculumConfig(max_episode_steps=6),
        auxiliary=AuxiliaryConfig(pretraining_updates=2, batch_size=8, updates_per_iteration=2, learning_rate=1e-4),
        behavior_cloning=BehaviorCloningConfig(num_updates=2, batch_size=2, renders_per_demo=1, learning_rate=1e-4),
    )
    algorithm = PpoGail(Bead(), config, 0)
    return algorithm, list(algorithm.steps())


@pytest.mark.parametrize("device", DEVICES)
def test_training_is_that_of_the_cpu(device: str, tmp_path: Path):
    demos = tmp_path / "bead.hdf5"
    write_demonstrations(demos, Bead(), [push(start, [1.0] * 7) for start in (-0.2, 0.1)])
    (there, rows), (here, expected) = trained(device, demos), trained("cpu", demos)
    assert {parameter.device.type for parameter in there.recurrent_policy.parameters()} == {device}
    for row, other in zip(rows, expected, strict=True):
        for name, value in other.items():
            if name == "phase":
                assert row[name] == value
            elif not name.startswith(("time/", "elapsed", "sps")):
                assert row[name] == pytest.approx(value, rel=0.02, abs=1e-3), name
                assert math.isfinite(row[name])
    # A checkpoint of the one goes on on the other.
    resumed = PpoGail(Bead(), here.config, 0)
    resumed.load_state_dict(there.state_dict())
    for name, value in resumed.recurrent_policy.state_dict().items():
        assert torch.equal(value, there.recurrent_policy.state_dict()[name].cpu()), name
    resumed.config = dataclasses.replace(resumed.config, total_steps=3 * 8 * 6)
    assert len(list(resumed.steps())) == 1
