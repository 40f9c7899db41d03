"""Tasks as guided policy search sees them: named conditions, a differentiable cost, a judgement at the end."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.errors import unknown
from visuomotor.tasks.cost import Cost
from visuomotor.tasks.task import Task


@dataclass(frozen=True)
class Conditions:
    """What differs between the worlds of a batch.

    target: `(n, 3)` m, where the object of the task is; grasp: `(n,)` int, how the hand holds its tool; distractors,
    background: `(n,)` bool, whether objects that were never there in training are on the target object or behind it.
    """

    target: Tensor
    grasp: Tensor
    distractors: Tensor
    background: Tensor

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, index: Tensor) -> "Conditions":
        return Conditions(self.target[index], self.grasp[index], self.distractors[index], self.background[index])


@dataclass(frozen=True)
class Outcome:
    """How episodes ended: success `(n,)` bool; distance `(n,)` m, mean over end-effector points, from targets."""

    success: Tensor
    distance: Tensor


class ConditionedTask(Task):
    """A task whose episodes start from conditions that can be chosen, and return to. States are float64."""

    protocols: ClassVar[tuple[str, ...]] = ("training", "spatial", "visual", "background")

    cost: Cost
    state_size: int

    def conditions(self, protocol: str) -> Conditions:
        """The conditions of a protocol.

        `training`, `spatial` (new positions), `visual` (objects on the target object) or `background` (behind it).
        """
        if protocol not in self.protocols:
            raise unknown("protocol", protocol, self.protocols)
        return self.conditions_of(protocol)

    @abstractmethod
    def conditions_of(self, protocol: str) -> Conditions: ...

    @abstractmethod
    def random_conditions(self, count: int, generator: torch.Generator) -> Conditions:
        """Conditions anywhere in the training range, without distractors."""

    def exhibit(self, engine: Engine) -> None:
        first = self.conditions("training")[torch.zeros(engine.worlds, dtype=torch.int64)]
        self.start(engine, first, None, 0.0)

    @abstractmethod
    def target_points(self, conditions: Conditions) -> Tensor:
        """`(n, 9)` m: three points fixed to the target object, which pose regression learns to see."""

    @abstractmethod
    def start(self, engine: Engine, conditions: Conditions, generator: torch.Generator | None, spread: float) -> None:
        """Put every world at the start of an episode; the arm's joints deviate by `spread` rad (normal)."""

    @abstractmethod
    def scatter(self, engine: Engine, conditions: Conditions, generator: torch.Generator) -> None:
        """Put every world's arm somewhere on the way from its start to the target: views for pose regression."""

    @abstractmethod
    def state(self, engine: Engine, conditions: Conditions) -> Tensor:
        """The full state `(n, state_size)` that trajectories are optimised on."""

    @abstractmethod
    def holding_gains(self) -> tuple[Tensor, Tensor]:
        """Gains `(action,)` of a PD controller that holds the start pose: N m/rad and N m s/rad."""

    @abstractmethod
    def judge(self, engine: Engine, conditions: Conditions, watch: Callable[[], None] | None = None) -> Outcome:
        """Finish the episodes (release what is held, wait) and see what has become of them.

        watch: called every control period meanwhile.
        """
