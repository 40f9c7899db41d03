"""Within seconds a bead is pushed to the right, for the task's reward alone and for the imitation reward alone."""

from pathlib import Path

import pytest
from bead_task import Bead, push

from visuomotor.algorithms.ppo_gail import PpoGail
from visuomotor.algorithms.ppo_gail.config import (
    AuxiliaryConfig,
    CurriculumConfig,
    ExplorationConfig,
    ImitationConfig,
    PolicyConfig,
    PpoConfig,
    PpoGailConfig,
)
from visuomotor.demos import write_demonstrations


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_a_bead_is_pushed_to_the_right(tmp_path: Path, weight: float):
    """A sign that is wrong anywhere between reward and policy pushes it to the left, or nowhere."""
    demos = tmp_path / "bead.hdf5"
    write_demonstrations(demos, Bead(), [push(start, [1.0] * 7 + [0.0] * 3) for start in (-0.5, -0.2, 0.1)])
    config = PpoGailConfig(
        demos=demos,
        device="cpu",
        num_envs=32,
        total_steps=12 * 32 * 12,
        policy=PolicyConfig(image_size=20, recurrent=False),
        ppo=PpoConfig(num_steps=12, num_minibatches=2, learning_rate=5e-3, gamma=0.9),
        exploration=ExplorationConfig(noise="white", initial_log_std=-0.5),
        imitation=ImitationConfig(weight=weight, batch_size=128),
        curriculum=CurriculumConfig(random_start_fraction=1.0),
        auxiliary=AuxiliaryConfig(updates_per_iteration=0),
    )
    rewards = [row["task_reward"] for row in PpoGail(Bead(), config, 0).steps()]
    assert rewards[0] < 0.1  # it could not do it at first
    assert rewards[-1] > 0.35  # of 1 for a step to the far right, where it takes three steps to come to
