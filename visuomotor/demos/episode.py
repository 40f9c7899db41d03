"""What a demonstration is: the states of one episode, and what was done in each of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from visuomotor.errors import VisuomotorError
from visuomotor.tasks import StagedTask, Variation


@dataclass(frozen=True)
class Episode:
    """One demonstration of T control steps. `actions[t]` was applied in `states[t]` and led to `states[t + 1]`.

    Attributes:
        states: `(T + 1, state)` float64, of the engine; the last is the final one, in which nothing was done any more.
        actions: `(T, action)` float32, fractions of the task's action limits in [-1, 1]; None where only states were
            recorded.
        stages: `(T + 1,)` int64, of the states.
        rewards: `(T,)` float32, of the stages that the steps ended in: `rewards[t]` is paid for `stages[t + 1]`.
        physics: this world's row of `Variation.physics`, without the world's axis. States mean little without it.
        looks: this world's row of `Variation.looks`, likewise; empty where they were not recorded.
        success: whether the final state's stage is the task's last.
    """

    states: Tensor
    actions: Tensor | None
    stages: Tensor
    rewards: Tensor
    physics: dict[str, Tensor]
    looks: dict[str, Tensor]
    success: bool

    def __len__(self) -> int:
        """T, the control steps."""
        return len(self.rewards)

    def episode_return(self, steps: int) -> float:
        """The sum of rewards over exactly `steps` steps.

        A longer episode is cut there; a shorter one is taken to stay in its final stage: the last reward is repeated.
        """
        within = self.rewards[:steps].sum()
        return float(within + max(0, steps - len(self)) * self.rewards[-1])

    def variation(self, task: StagedTask) -> Variation:
        """This episode's world as a variation of one row; looks that were not recorded are the model's own.

        Raises:
            VisuomotorError: the looks are not what those of `task` are today.
        """
        plain = task.plain(1).looks
        looks = {name: value[None] for name, value in self.looks.items()} or plain
        then, now = ({name: value.shape for name, value in it.items()} for it in (looks, plain))
        different = sorted(name for name in then | now if then.get(name) != now.get(name))
        if different:
            raise VisuomotorError(
                f"this demonstration's looks ({', '.join(different)}) are not those that {task.name!r} has today; "
                "record it anew, or give others (training draws its own)"
            )
        return Variation({name: value[None] for name, value in self.physics.items()}, looks)


@dataclass(frozen=True)
class Demonstrations:
    """The episodes of one task. facts: what else the file tells of them (`facts.describe` lists it)."""

    task: str
    episodes: list[Episode]
    facts: dict[str, Any]

    @property
    def mean_return(self) -> float:
        """The human line of plots: `Episode.episode_return` over the task's number of steps."""
        return mean_return(self.episodes, int(self.facts["steps"]))


def mean_return(episodes: Sequence[Episode], steps: int) -> float:
    """The mean of `Episode.episode_return`."""
    return sum(episode.episode_return(steps) for episode in episodes) / max(1, len(episodes))
