"""`visuomotor tasks`: what there is to learn, with a picture of each task."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro
from tyro.conf import Positional

if TYPE_CHECKING:
    from visuomotor.tasks import Task


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "visuomotor" / "tasks"


@dataclass(frozen=True)
class Tasks:
    """List tasks: name, what is to be done, and a picture through the task's camera."""

    names: Positional[tuple[str, ...]] = ()
    """Which: short names, module:Class or path/to/file.py:Class; by default all that are known by short names."""
    pictures: Path | None = None
    """Folder for the pictures; by default the user's cache."""
    size: int = 240
    """Side of a picture in pixels."""


def run(arguments: list[str]) -> int:
    options = tyro.cli(Tasks, prog="visuomotor tasks", args=arguments)

    from visuomotor import registry
    from visuomotor.errors import VisuomotorError
    from visuomotor.runs.config import check_range
    from visuomotor.tasks import make_task

    check_range("--size", options.size, 1, 10_000)
    folder = options.pictures or _cache_folder()
    names = options.names or registry.names("task")
    width = max(map(len, names)) + 2
    failed = False
    for name in names:
        try:
            task = make_task(name)
            picture = draw_task(folder / f"{task.name.replace(os.sep, '-')}.png", task, options.size)
        except VisuomotorError as error:  # one broken task must not hide the others
            print(f"{name:<{width}}cannot be used: {error}")
            failed = True
            continue
        print(f"{name:<{width}}{task.description}  [{picture}]")
    return int(failed)


def draw_task(path: Path, task: "Task", size: int) -> Path:
    """A PNG of the start of an episode, nothing randomized."""
    import io

    import matplotlib.image
    import torch

    from visuomotor.camera import Camera
    from visuomotor.runs.atomic import write_atomically

    engine = task.make_engine(1)
    start = task.sample_reset(1, torch.Generator().manual_seed(0), randomize=False)
    task.reset(engine, torch.arange(1), start)
    image = Camera(engine, task.camera, size, size, 2).rgb()[0]
    encoded = io.BytesIO()
    matplotlib.image.imsave(encoded, image.cpu().numpy(), format="png")
    write_atomically(path, encoded.getvalue())
    return path
