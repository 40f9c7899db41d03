"""What the camera sees of each task in training, and in tests with distractors (Levine et al. 2015, figures 3, 4)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from visuomotor.camera import Camera
from visuomotor.evaluation.conditions import fixed_conditions
from visuomotor.figures.pictures import draw_pictures
from visuomotor.reproduction.part import Command, Where, picture
from visuomotor.reproduction.success_table import TASKS
from visuomotor.tasks import Task, make_task

_SIZE = 240
_MOST_CONDITIONS = 36  # of a split


@dataclass(frozen=True)
class SceneFigure:
    """Starts of episodes, two of each task: the first condition, and one in the middle of the list."""

    split: str

    def missing(self, where: Where) -> Iterator[Command]:
        yield from ()

    def write(self, where: Where, page: Path) -> str:
        path = where.figures / f"scenes_{self.split}.png"
        starts = {name: _pictures(make_task(name), self.split) for name in TASKS}
        draw_pictures(path, [[(name, starts[name][i]) for name in TASKS] for i in range(2)])
        return picture(f"Starts of the split {self.split}", path, page)


def _pictures(task: Task, split: str) -> Tensor:
    """`(start, height, width, rgb)`."""
    _, conditions = fixed_conditions(task, split, _MOST_CONDITIONS)
    chosen = torch.tensor([0, len(conditions) // 2])
    starts = task.sample_reset(_MOST_CONDITIONS, torch.Generator().manual_seed(0), split, randomize=False)
    engine = task.make_engine(2)
    task.reset(engine, torch.arange(2), starts[chosen])
    return Camera(engine, task.camera, _SIZE, _SIZE, 2).rgb(torch.arange(2))
