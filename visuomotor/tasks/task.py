"""What a task is: a scene, its conditions, and small functions of the simulation's state."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import mujoco
import torch
from torch import Tensor

from visuomotor.engine import CpuEngine, Engine
from visuomotor.errors import unknown
from visuomotor.tasks.cost import Cost


@dataclass(frozen=True)
class Conditions:
    """What differs between the worlds of a batch.

    target: `(n, 3)` m, where the object of the task is; grasp: `(n,)` int, how the hand holds its tool; distractors:
    `(n,)` bool, whether objects stand about that were never there in training.
    """

    target: Tensor
    grasp: Tensor
    distractors: Tensor

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, index: Tensor) -> "Conditions":
        return Conditions(self.target[index], self.grasp[index], self.distractors[index])


@dataclass(frozen=True)
class Outcome:
    """How episodes ended: success `(n,)` bool; distance `(n,)` m, mean over end-effector points, from targets."""

    success: Tensor
    distance: Tensor


class Task(ABC):
    """One task for many worlds. All tensors have the world first; states and readings are float64, SI units.

    A task holds no state of its own: everything that changes lives in the engine and in the conditions.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    steps: ClassVar[int] = 100
    control_period: ClassVar[float] = 0.05
    """s; actions are held so long."""
    protocols: ClassVar[tuple[str, ...]] = ("training", "spatial", "visual")

    model: mujoco.MjModel
    """The compiled scene, distractors included; which of them show is a matter of conditions."""
    camera: str
    cost: Cost
    state_size: int
    proprioception_size: int
    action_limits: Tensor
    """`(action,)`: the largest magnitude of each action, N m for torques."""

    @property
    def action_size(self) -> int:
        return len(self.action_limits)

    @property
    def substeps(self) -> int:
        return round(self.control_period / self.model.opt.timestep)

    def make_engine(self, worlds: int, threads: int = 0) -> CpuEngine:
        return CpuEngine(self.model, worlds, threads)

    def conditions(self, protocol: str) -> Conditions:
        """The conditions of a protocol: `training`, `spatial` (new positions) or `visual` (distractors)."""
        if protocol not in self.protocols:
            raise unknown("protocol", protocol, self.protocols)
        return self.conditions_of(protocol)

    @abstractmethod
    def conditions_of(self, protocol: str) -> Conditions: ...

    @abstractmethod
    def random_conditions(self, count: int, generator: torch.Generator) -> Conditions:
        """Conditions anywhere in the training range, without distractors."""

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
    def proprioception(self, engine: Engine) -> Tensor:
        """The robot's own readings `(n, proprioception_size)`: nothing in them tells where the target is."""

    @abstractmethod
    def act(self, engine: Engine, actions: Tensor) -> None:
        """Apply actions `(n, action)`, clipped to the limits, and let one control period pass."""

    @abstractmethod
    def holding_gains(self) -> tuple[Tensor, Tensor]:
        """Gains `(action,)` of a PD controller that holds the start pose: N m/rad and N m s/rad."""

    @abstractmethod
    def judge(self, engine: Engine, conditions: Conditions, watch: Callable[[], None] | None = None) -> Outcome:
        """Finish the episodes (release what is held, wait) and see what has become of them.

        watch: called every control period meanwhile.
        """
