"""Environments to test, and what they begin with."""

import torch

from visuomotor.tasks import ResetParams, Task, VecEnv
from visuomotor.tasks.env import InitialStates

WORLDS = 6
EVERYONE = torch.arange(WORLDS)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make(task: Task, seed: int = 0, worlds: int = WORLDS, **arguments) -> VecEnv:
    return VecEnv(task, worlds, seeded(seed), image_size=32, **arguments)


def actions(steps: int, seed: int = 1, size: int = 9) -> torch.Tensor:
    return 2 * torch.rand(steps, WORLDS, size, generator=seeded(seed)) - 1


def blow_up(env: VecEnv, world: int) -> None:
    env.engine.field("qvel")[world, -1] = 1e12


def same(first: ResetParams, second: ResetParams) -> None:
    for group, rows in vars(first).items():
        assert rows.keys() == getattr(second, group).keys()
        for name, value in rows.items():
            assert torch.equal(value, getattr(second, group)[name]), name


class HalfGiven:
    """Half of all episodes start from one of the stored states, the others at random."""

    def __init__(self, source: VecEnv):
        self.states, self.dynamics = source.engine.state(), source.params.clone().dynamics
        self.asked, self.outcomes = 0, []

    def _initial_states(self, rows: torch.Tensor, steps: int, early: int | None) -> InitialStates:
        dynamics = {name: value[rows] for name, value in self.dynamics.items()}
        return InitialStates(self.states[rows], dynamics, steps, early, rows)

    def sample(self, count: int, generator: torch.Generator) -> tuple[torch.Tensor, InitialStates]:
        given = torch.rand(count, generator=generator) < 0.5
        rows = torch.randint(len(self.states), (int(given.sum()),), generator=generator)
        self.asked += count
        return given, self._initial_states(rows, 3, 10)

    def record_outcomes(self, *what: torch.Tensor) -> None:
        self.outcomes += list(zip(*(values.tolist() for values in what), strict=True))


class AllGiven(HalfGiven):
    """All episodes start from the stored states, in order."""

    def __init__(self, source: VecEnv, steps: int, early: int | None):
        super().__init__(source)
        self._limits = steps, early

    def sample(self, count: int, generator: torch.Generator) -> tuple[torch.Tensor, InitialStates]:
        return torch.ones(count, dtype=torch.bool), self._initial_states(torch.arange(count), *self._limits)
