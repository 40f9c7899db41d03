"""A small true run: the whole method learns something from pixels within minutes."""

import dataclasses
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from visuomotor.algorithms.ppo_gail import PpoGail
from visuomotor.algorithms.ppo_gail.config import (
    CurriculumConfig,
    ImitationConfig,
    PolicyConfig,
    PpoConfig,
    PpoGailConfig,
)
from visuomotor.demos import write_demonstrations
from visuomotor.demos.generate import demonstrate
from visuomotor.demos.replay import StateReplay
from visuomotor.tasks import make_task
from visuomotor.tasks.jaco.lifting import Lifting

ENOUGH = 0.8
MANY = 100  # episodes that it is a mean of
MOST_CONTROL_STEPS = 200_000  # it takes about 90,000


class Reaching(Lifting):
    """Bring the gripper to within 9 cm of the block, and stay there."""

    name: ClassVar[str] = "reaching"
    max_episode_steps: ClassVar[int] = 60
    stages: ClassVar[tuple[str, ...]] = ("start", "reached")
    stage_rewards: ClassVar[tuple[float, ...]] = (0.0, 1.0)

    def stage(self, engine):
        return (self._distance(engine, 0) < 0.09).long()


@pytest.fixture
def demos(tmp_path: Path) -> Path:
    """The first seconds of lifting."""
    task = Reaching()
    shown = demonstrate(make_task("lifting"), 8, torch.Generator().manual_seed(1))
    replay, cut = StateReplay(task), []
    for episode in shown:
        short = dataclasses.replace(episode, states=episode.states[:71], actions=episode.actions[:70])
        observations = replay.observations(dataclasses.replace(short, stages=episode.stages[:71]), ("stage", "reward"))
        stages, rewards = observations["stage"], observations["reward"][1:]
        cut.append(dataclasses.replace(short, stages=stages, rewards=rewards, success=bool(stages[-1] == 1)))
    path = tmp_path / "reaching.hdf5"
    write_demonstrations(path, task, cut)
    return path


def test_it_learns_to_reach_from_pixels(demos: Path):
    config = PpoGailConfig(
        demos=demos,
        num_envs=64,
        total_steps=MOST_CONTROL_STEPS,
        randomize=False,
        policy=PolicyConfig(recurrent=False),
        ppo=PpoConfig(num_steps=25, num_epochs=4, num_minibatches=4, learning_rate=1e-3, gamma=0.95, target_kl=0.05),
        imitation=ImitationConfig(learning_rate=1e-3, num_updates=5, batch_size=256, gradient_penalty=0.2),
        curriculum=CurriculumConfig(random_start_fraction=0.5, max_episode_steps=25),
    )
    algorithm = PpoGail(Reaching(), config, 0)
    successes = []
    for row in algorithm.steps():
        if len(algorithm.episode_statistics.recent) >= MANY:
            successes.append(row["success_rate"])
            if successes[-1] >= ENOUGH:
                break
    assert successes[0] < 0.5  # it could not do it at first
    assert successes[-1] >= ENOUGH, f"{successes[-1]:.0%} after {algorithm.control_steps} control steps"
