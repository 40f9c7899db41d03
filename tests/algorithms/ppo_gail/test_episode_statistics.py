"""Statistics of episodes, against hand-computed cases."""

from dataclasses import dataclass

import pytest
import torch

from visuomotor.algorithms.ppo_gail.episode_statistics import EpisodeStatistics, running_sums
from visuomotor.runs.distributed import Distributed
from visuomotor.tasks import Task
from visuomotor.tasks.jaco.lifting import Lifting


@dataclass
class FakeRollout:
    """What statistics read of a rollout."""

    task_reward: torch.Tensor
    dones: torch.Tensor
    diverged: torch.Tensor
    random_starts: torch.Tensor
    stage: torch.Tensor
    next_stage: torch.Tensor


def test_sums_begin_anew_with_every_episode():
    rewards = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    ends = torch.tensor([[False, True], [True, False], [False, False]])
    sums, carried = running_sums(rewards, ends, torch.tensor([10.0, 20.0]))
    assert sums.tolist() == [[11.0, 22.0], [14.0, 4.0], [5.0, 10.0]]
    assert carried.tolist() == [5.0, 10.0]


class StrictLifting(Lifting):
    """Takes stages `(n,)` only."""

    def success(self, stage):
        (_,) = stage.shape
        return super().success(stage)


@pytest.fixture
def task() -> Task:
    return StrictLifting()


def test_only_complete_episodes_from_random_starts_count(task: Task):
    """Worlds: an episode that was under way, one from a demonstrated start, one that diverged, two that count."""
    statistics = EpisodeStatistics(task, torch.tensor([False, True, True, True, True]), Distributed())
    rows = torch.ones(2, 5)
    rollout = FakeRollout(
        task_reward=rows * torch.arange(5.0),
        dones=torch.tensor([[False] * 5, [True] * 5]),
        diverged=torch.tensor([[False] * 5, [False, False, True, False, False]]),
        random_starts=torch.tensor([[True, False, True, True, True]] * 2),
        stage=torch.tensor([[0, 0, 0, 1, 0], [0, 0, 0, 2, 0]]),
        next_stage=torch.tensor([[0, 0, 0, 2, 0], [2, 2, 2, 2, 1]]),
    )
    numbers = statistics.update(rollout, 10 * rows)  # pyright: ignore[reportArgumentType]
    assert numbers["success_rate"] == 0.5
    assert numbers["task_return"] == (3 + 3 + 4 + 4) / 2
    assert numbers["imitation_return"] == 20
    assert numbers["task_reward"] == 2
    fractions = [numbers[f"stage_fraction/{name}"] for name in ("start", "reached", "lifted")]
    assert fractions == pytest.approx([0.8, 0.1, 0.1])
    # The next ones are complete in all worlds. A copy goes on alike.
    twin = EpisodeStatistics(task, torch.zeros(5, dtype=torch.bool), Distributed())
    twin.load_state_dict(statistics.state_dict())
    rollout.random_starts[:] = True
    after = statistics.update(rollout, None)  # pyright: ignore[reportArgumentType]
    assert after == twin.update(rollout, None)  # pyright: ignore[reportArgumentType]
    assert len(statistics.recent) == 6
    assert after["success_rate"] == pytest.approx((1 + 0 + 1 + 1 + 1 + 0) / 6)
    assert "imitation_return" not in after
