"""What is told of episodes, against hand-computed cases."""

from dataclasses import dataclass

import pytest
import torch

from visuomotor.algorithms.ppo_gail.episode_statistics import EpisodeStatistics, running_sums
from visuomotor.runs.distributed import Distributed
from visuomotor.tasks import StagedTask, make_task


@dataclass
class Told:
    """What a episode_statistics reads of a rollout."""

    task_reward: torch.Tensor
    ended: torch.Tensor
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


@pytest.fixture
def task() -> StagedTask:
    return make_task("lifting", StagedTask)


def test_only_whole_episodes_from_random_starts_count(task: StagedTask):
    """Worlds: an episode that was under way, one from a demonstrated start, one that blew up, two that count."""
    episode_statistics = EpisodeStatistics(task, torch.tensor([False, True, True, True, True]), Distributed())
    rows = torch.ones(2, 5)
    told = Told(
        task_reward=rows * torch.arange(5.0),
        ended=torch.tensor([[False] * 5, [True] * 5]),
        diverged=torch.tensor([[False] * 5, [False, False, True, False, False]]),
        random_starts=torch.tensor([[True, False, True, True, True]] * 2),
        stage=torch.tensor([[0, 0, 0, 1, 0], [0, 0, 0, 2, 0]]),
        next_stage=torch.tensor([[0, 0, 0, 2, 0], [2, 2, 2, 2, 1]]),
    )
    numbers = episode_statistics.take(told, 10 * rows)  # pyright: ignore[reportArgumentType]
    assert numbers["success_random"] == 0.5
    assert numbers["task_return"] == (3 + 3 + 4 + 4) / 2
    assert numbers["imitation_return"] == 20
    assert numbers["task_reward"] == 2
    shares = [numbers[f"stage_{name}"] for name in ("start", "reached", "lifted")]
    assert shares == pytest.approx([0.8, 0.1, 0.1])
    # The next ones are whole in all worlds. A copy of the episode_statistics goes on alike.
    twin = EpisodeStatistics(task, torch.zeros(5, dtype=torch.bool), Distributed())
    twin.restore(episode_statistics.content())
    told.random_starts[:] = True
    after = episode_statistics.take(told, None)  # pyright: ignore[reportArgumentType]
    assert after == twin.take(told, None)  # pyright: ignore[reportArgumentType]
    assert len(episode_statistics.recent) == 6
    assert after["success_random"] == pytest.approx((1 + 0 + 1 + 1 + 1 + 0) / 6)
    assert "imitation_return" not in after
