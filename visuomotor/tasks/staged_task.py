"""Tasks as reinforcement and imitation see them: stages with rewards, random starts, worlds that differ."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.tasks.task import Task


@dataclass(frozen=True)
class Variation:
    """What differs between worlds beyond their state: one row a world, drawn anew for every episode.

    physics: what motion depends on (sizes, masses, friction, the arm's drives), by name, `(n, ...)` float64. A state
    means little without it: demonstrations store it. looks: colours, lights, the camera's pose; any will do.
    """

    physics: dict[str, Tensor]
    looks: dict[str, Tensor]

    def __len__(self) -> int:
        return len(next(iter(self.physics.values())))

    def __getitem__(self, index: Tensor) -> "Variation":
        return Variation(
            {name: value[index] for name, value in self.physics.items()},
            {name: value[index] for name, value in self.looks.items()},
        )

    def clone(self) -> "Variation":
        """A copy that shares no memory."""
        return Variation(
            {name: value.clone() for name, value in self.physics.items()},
            {name: value.clone() for name, value in self.looks.items()},
        )

    def put(self, worlds: Tensor, other: "Variation") -> None:
        """Overwrite the rows `worlds` (int) with those of `other`."""
        for mine, theirs in ((self.physics, other.physics), (self.looks, other.looks)):
            for name, value in theirs.items():
                mine[name][worlds] = value


class StagedTask(Task):
    """A task that is done stage by stage. What is read of a state is float32, `(n, ...)` for the engine's n worlds."""

    protocols: ClassVar[tuple[str, ...]] = ("random",)
    """Random starts in random worlds, as training draws them."""
    stages: ClassVar[tuple[str, ...]]
    """Names; the first is where every random start begins, the last is success."""
    stage_rewards: ClassVar[tuple[float, ...]]
    """Paid at every step, by the stage that the step ends in (sparse: it changes only where the stage does)."""
    objects: ClassVar[tuple[str, ...]]
    """What the policy must learn to see."""

    privileged_size: int
    feature_size: int

    def reward(self, stage: Tensor) -> Tensor:
        """`(n,)` float32 for stages `(n,)` int."""
        return torch.tensor(self.stage_rewards)[stage]

    def success(self, stage: Tensor) -> Tensor:
        """`(n,)` bool: whether that stage is the last."""
        return stage == len(self.stages) - 1

    @abstractmethod
    def draw(self, count: int, generator: torch.Generator) -> Variation:
        """Random worlds."""

    @abstractmethod
    def plain(self, count: int) -> Variation:
        """Worlds that are all alike: the model's own physics, light and camera, plain colours."""

    @abstractmethod
    def vary(self, engine: Engine, worlds: Tensor, variation: Variation) -> None:
        """Make worlds `(n,)` int those of the n rows of `variation`. The engine's model itself stays as it is. Cameras
        and lamps move with the engine's next `forward` (or anything that does one)."""

    @abstractmethod
    def vary_looks(self, engine: Engine, worlds: Tensor, looks: dict[str, Tensor]) -> None:
        """The part of `vary` that concerns looks."""

    @abstractmethod
    def start(self, engine: Engine, worlds: Tensor, generator: torch.Generator) -> None:
        """Put worlds `(n,)` int, ascending, at random initial states that fit their variation."""

    def exhibit(self, engine: Engine) -> None:
        worlds = torch.arange(engine.worlds)
        self.vary(engine, worlds, self.plain(engine.worlds))
        self.start(engine, worlds, torch.Generator().manual_seed(0))

    @abstractmethod
    def stage(self, engine: Engine) -> Tensor:
        """`(n,)` int64: the index into `stages` of every world's state."""

    @abstractmethod
    def privileged(self, engine: Engine) -> Tensor:
        """`(n, privileged_size)`: the simulator's state and the blocks' sizes, for a critic."""

    @abstractmethod
    def features(self, engine: Engine) -> Tensor:
        """`(n, feature_size)`: object-centric features for a discriminator. They tell nothing of the arm but where its
        gripper is (Zhu et al. 2018, III-B2)."""

    @abstractmethod
    def object_positions(self, engine: Engine) -> Tensor:
        """`(n, objects, 3)` m, world: the target of the auxiliary task."""
