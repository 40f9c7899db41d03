"""Make a task, or an environment with many worlds of it, from its name."""

from inspect import signature
from typing import Any

import torch

from visuomotor import registry
from visuomotor.errors import VisuomotorError, brief, describe_error, unknown, whole_number
from visuomotor.tasks.check import check_task
from visuomotor.tasks.check_attributes import missing_members
from visuomotor.tasks.env import VecEnv
from visuomotor.tasks.task import Task


def make_task(name: str) -> Task:
    """The task of that name: a short one, `module:Class`, or `path/to/file.py:Class`.

    A class that is not of this package is checked (`check_task`).

    Raises:
        VisuomotorError: there is none of that name, it cannot be made, or it lacks a member.
    """
    kind: type[Task] = registry.load("task", name, Task)
    missing = missing_members(kind)
    if missing:
        raise VisuomotorError(f"task {name!r} lacks {'; '.join(missing)}")
    try:
        task = kind()  # pyright: ignore[reportCallIssue]
    except VisuomotorError as error:
        raise VisuomotorError(f"task {name!r}: {error}") from error
    except KeyboardInterrupt:
        raise
    except AttributeError as error:
        if error.name in ("model", "robot", "camera") and isinstance(error.obj, Task):
            raise VisuomotorError(
                f"task {name!r} has no {error.name} yet; let __init__ begin with super().__init__(spec, robot, camera)"
            ) from error
        raise VisuomotorError(f"task {name!r} cannot be made: {describe_error(error, kind)}") from error
    except BaseException as error:  # a user's code may raise anything
        raise VisuomotorError(f"task {name!r} cannot be made: {describe_error(error, kind)}") from error
    if name not in registry.BUILT_IN["task"]:
        check_task(task)
    return task


def make_env(task: Task | str, num_envs: int = 1, seed: int = 0, **options: Any) -> VecEnv:
    """Many worlds of a task.

    Args:
        task: or the name of one, see `make_task`.
        num_envs: how many worlds.
        seed: of all randomness.
        options: those of `VecEnv`, such as `image_size`, `split` and `randomize`.

    Raises:
        VisuomotorError: there is no such task or option, or a value is none that it may have.
    """
    seed = whole_number("seed", seed, 0, 2**64 - 1)
    known = [name for name, option in signature(VecEnv).parameters.items() if option.kind is option.KEYWORD_ONLY]
    for name in options:
        if name not in known:
            raise unknown("option of make_env", name, ["num_envs", "seed", *known])
    if isinstance(task, str):
        task = make_task(task)
    elif not isinstance(task, Task):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise VisuomotorError(f"task must be the name of a task, or one that make_task has made, not {brief(task)}")
    return VecEnv(task, num_envs, torch.Generator().manual_seed(seed), **options)
