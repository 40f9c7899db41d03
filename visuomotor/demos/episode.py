"""What a demonstration is: the states of one episode, and the actions between them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from visuomotor.errors import VisuomotorError
from visuomotor.tasks import ResetParams, Task
from visuomotor.tasks.reset_params import Rows


@dataclass(frozen=True)
class Episode:
    """One demonstration of T control steps. `actions[t]` was applied in `states[t]` and led to `states[t + 1]`.

    Attributes:
        states: `(T + 1, state)` float64, of the engine; the last is the final one, in which no action was applied.
        actions: `(T, A)` float32 in [-1, 1], see `Task.step`; None where only states were recorded.
        stages: `(T + 1,)` int64, of the states.
        rewards: `(T,)` float32: `rewards[t]` is that of `states[t + 1]`.
        dynamics: a row of `ResetParams.dynamics`, without the world's axis. States mean little without it.
        appearance: a row of `ResetParams.appearance`, likewise; empty where it was not recorded.
        success: whether the final state's stage is the task's last.
        name: its name in the file that it was read from, such as "demo_3"; empty for a new episode.
        observations: `(T + 1, ...)` of the states, by name, for learners that cannot compute them; mostly empty, see
            `demos.observations`.
    """

    states: Tensor
    actions: Tensor | None
    stages: Tensor
    rewards: Tensor
    dynamics: Rows
    appearance: Rows
    success: bool
    name: str = ""
    observations: Rows = field(default_factory=dict[str, Tensor])

    def __len__(self) -> int:
        """T, the control steps."""
        return len(self.rewards)

    def episode_return(self, steps: int) -> float:
        """The sum of rewards over exactly `steps` steps.

        A longer episode is cut there. A shorter one is taken to stay in its final state: the last reward is repeated.
        """
        recorded = self.rewards[:steps].sum()
        return float(recorded + max(0, steps - len(self)) * self.rewards[-1])

    def reset_params(self, task: Task) -> ResetParams:
        """Dynamics and appearance of this episode, one row. An appearance that was not recorded is the nominal one.

        Raises:
            VisuomotorError: the names or shapes of the appearance are not those that `task` has today.
        """
        nominal = nominal_params(task).appearance
        appearance = {name: value[None] for name, value in self.appearance.items()} or nominal
        recorded, today = ({name: value.shape for name, value in rows.items()} for rows in (appearance, nominal))
        different = sorted(name for name in recorded | today if recorded.get(name) != today.get(name))
        if different:
            raise VisuomotorError(
                f"the appearance recorded in this demonstration ({', '.join(different)}) does not fit {task.name!r} "
                "today; record it again, or give another appearance (training draws its own)"
            )
        return ResetParams(dynamics={name: value[None] for name, value in self.dynamics.items()}, appearance=appearance)


@dataclass(frozen=True)
class Demonstrations:
    """The episodes of one task.

    Attributes:
        task: its name. metadata: what else the file says about them, see `metadata.describe`.
        masks: names of some of the episodes, by what they are for, such as train and valid.
    """

    task: str
    episodes: list[Episode]
    metadata: dict[str, Any]
    masks: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    @property
    def mean_return(self) -> float:
        """The mean of `Episode.episode_return` over the task's `max_episode_steps`: a line to compare learners with."""
        return mean_return(self.episodes, int(self.metadata["max_episode_steps"]))


def mean_return(episodes: Sequence[Episode], steps: int) -> float:
    """The mean of `Episode.episode_return`."""
    return sum(episode.episode_return(steps) for episode in episodes) / max(1, len(episodes))


def nominal_params(task: Task, count: int = 1) -> ResetParams:
    """Starts in which nothing is randomized; their dynamics and appearance show what varies, and in which shapes."""
    return task.sample_reset(count, torch.Generator().manual_seed(0), randomize=False)
