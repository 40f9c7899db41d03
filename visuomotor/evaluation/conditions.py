"""Which condition of a split each trial is in."""

import torch
from torch import Tensor

from visuomotor.tasks import Task

Conditions = tuple[tuple[int, ...], tuple[dict[str, tuple[float, ...]], ...]]


def fixed_conditions(task: Task, split: str, trials: int) -> Conditions:
    """The condition of each of a split's first `trials` starts, and what sets these conditions apart.

    A split has a list of conditions if its starts, without what `randomize` adds, do not depend on the generator.
    Starts of equal placement and dynamics are one condition. Both tuples are empty where starts are random, or all
    alike.
    """
    draws = [_starts(task, split, trials, seed) for seed in (0, 1)]
    if any(not torch.equal(value, draws[1][name]) for name, value in draws[0].items()):
        return (), ()
    differing = {name: value for name, value in draws[0].items() if (value != value[0]).any()}
    if not differing:
        return (), ()
    index: dict[tuple[float, ...], int] = {}
    rows = torch.cat(list(differing.values()), 1).tolist()
    condition = tuple(index.setdefault(tuple(row), len(index)) for row in rows)
    first = [condition.index(number) for number in range(len(index))]
    return condition, tuple(
        {name: tuple(round(x, 3) for x in value[trial].tolist()) for name, value in differing.items()}
        for trial in first
    )


def _starts(task: Task, split: str, trials: int, seed: int) -> dict[str, Tensor]:
    """Placement and dynamics of starts, `(trials, numbers)` each."""
    params = task.sample_reset(trials, torch.Generator().manual_seed(seed), split, randomize=False)
    return {name: value.reshape(trials, -1) for name, value in (params.placement | params.dynamics).items()}
