"""`visuomotor tasks`: what there is to learn, with a picture of each."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

if TYPE_CHECKING:
    from visuomotor.tasks import Task


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "visuomotor" / "tasks"


@dataclass(frozen=True)
class Tasks:
    """List the tasks: name, what is to be done, and a picture through the task's camera."""

    pictures: Path | None = None
    """Folder for the pictures; by default the user's cache."""
    size: int = 240
    """Side of a picture in pixels."""


def run(arguments: list[str]) -> None:
    options = tyro.cli(Tasks, prog="visuomotor tasks", args=arguments)

    from visuomotor.tasks import make_task, task_names

    folder = options.pictures or _cache_folder()
    width = max(map(len, task_names())) + 2
    for name in task_names():
        task = make_task(name)
        picture = draw_task(folder / f"{name}.png", task, options.size)
        print(f"{name:<{width}}{task.summary}  [{picture}]")


def draw_task(path: Path, task: "Task", size: int) -> Path:
    """A PNG of the task's start of an episode."""
    import matplotlib.image

    from visuomotor.camera import Camera

    engine = task.make_engine(1)
    task.exhibit(engine)
    image = Camera(engine, task.camera, size, size, 2).rgb()[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    matplotlib.image.imsave(path, image.cpu().numpy())
    return path
