"""Success, returns and stages of the episodes in training."""

from collections import deque
from typing import Any

import torch
from torch import Tensor

from visuomotor.algorithms.ppo_gail.rollout import Rollout
from visuomotor.runs.distributed import Distributed
from visuomotor.tasks import Task

_RECENT = 256  # episodes from random starts that the numbers are means of


class EpisodeStatistics:
    """Adds up each world's episode over the rollouts; the statistics are over all processes.

    Args:
        complete: `(W,)` bool, whether the current episode has been recorded from its first step on.
    """

    def __init__(self, task: Task, complete: Tensor, distributed: Distributed):
        self._task, self._distributed, self._complete = task, distributed, complete.clone()
        self._returns = {name: torch.zeros(len(complete)) for name in ("task", "imitation")}
        self.recent: deque[list[float]] = deque(maxlen=_RECENT)
        """Row for each of the last complete episodes from random starts: success (0 or 1), and the sums of the task's
        and the imitation reward."""

    def update(self, rollout: Rollout, imitation: Tensor | None) -> dict[str, float]:
        """Count a rollout.

        Args:
            imitation: its imitation reward `(K, W)`, None where there is none.

        Returns:
            `success_rate`, `task_return` and `imitation_return`, means over recent episodes from random starts;
            `stage_fraction/NAME` of the rollout's steps; `task_reward`, the mean of its steps.
        """
        dones = rollout.dones
        began_before = (dones.int().cumsum(0) - dones.int()) == 0
        complete = self._complete | ~began_before
        counted = dones & complete & rollout.random_starts & ~rollout.diverged
        success = self._task.success(rollout.next_stage.flatten()).view_as(rollout.next_stage)
        columns = [success.float()]
        for name, reward in (("task", rollout.task_reward), ("imitation", imitation)):
            sums, self._returns[name] = running_sums(
                torch.zeros_like(rollout.task_reward) if reward is None else reward, dones, self._returns[name]
            )
            columns.append(sums)
        self._complete |= dones.any(0)
        for finished in self._distributed.all_gather(torch.stack(columns, -1)[counted].tolist()):
            self.recent.extend(finished)
        stages = len(self._task.stages)
        steps = rollout.stage.flatten().bincount(minlength=stages).double()
        sums = self._distributed.sum(torch.cat([steps, rollout.task_reward.sum()[None].double()]))
        total = float(sums[:stages].sum())
        numbers: dict[str, float] = {}
        if self.recent:
            success, task_return, imitation_return = torch.tensor(list(self.recent)).mean(0).tolist()
            numbers = {"success_rate": success, "task_return": task_return}
            numbers |= {} if imitation is None else {"imitation_return": imitation_return}
        fractions = {f"stage_fraction/{name}": float(sums[i]) / total for i, name in enumerate(self._task.stages)}
        return numbers | fractions | {"task_reward": float(sums[-1]) / total}

    def state_dict(self) -> dict[str, Any]:
        """In plain containers."""
        returns = {name: value.clone() for name, value in self._returns.items()}
        return {"complete": self._complete.clone(), "returns": returns, "recent": list(self.recent)}

    def load_state_dict(self, content: dict[str, Any]) -> None:
        """Go back to where `state_dict` was taken."""
        self._complete = content["complete"].clone()
        self._returns = {name: value.clone() for name, value in content["returns"].items()}
        self.recent = deque(content["recent"], maxlen=_RECENT)


def running_sums(rewards: Tensor, ends: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
    """The sum of rewards since each episode's start, each step's own included.

    Args:
        rewards: `(T, W)`. ends: `(T, W)` bool, the episode is done with that step. before: `(W,)`, the sum so far.

    Returns:
        `(T, W)`, and `(W,)` for the next rollout.
    """
    sums = torch.empty_like(rewards)
    for t, reward in enumerate(rewards):
        sums[t] = before + reward
        before = torch.where(ends[t], 0.0, sums[t])
    return sums, before
