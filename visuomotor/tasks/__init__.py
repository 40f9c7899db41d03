"""The tasks by name."""

from typing import TypeVar

from visuomotor.errors import VisuomotorError, unknown
from visuomotor.tasks.conditioned_task import ConditionedTask, Conditions, Outcome
from visuomotor.tasks.cost import Cost, Expansion
from visuomotor.tasks.episodes import Episodes
from visuomotor.tasks.jaco.lifting import Lifting
from visuomotor.tasks.jaco.stacking import Stacking
from visuomotor.tasks.pr2.hanger import Hanger
from visuomotor.tasks.rollout import Samples, rollout
from visuomotor.tasks.staged_task import StagedTask, Variation
from visuomotor.tasks.task import Task

_TASKS: dict[str, type[Task]] = {task.name: task for task in (Hanger, Lifting, Stacking)}

Kind = TypeVar("Kind", bound=Task)


def task_names(kind: type[Task] = Task) -> list[str]:
    """The names that `make_task` takes for tasks of that kind."""
    return [name for name, task in _TASKS.items() if issubclass(task, kind)]


def make_task(name: str, kind: type[Kind] = Task) -> Kind:  # pyright: ignore[reportArgumentType]
    """The task of that name.

    Args:
        kind: what it must be: a `ConditionedTask` for gps, a `StagedTask` for ppo-gail, any `Task`.

    Raises:
        VisuomotorError: no such task, or one that this method cannot train.
    """
    if name not in _TASKS:
        raise unknown("task", name, task_names(kind))
    task = _TASKS[name]
    if not issubclass(task, kind):
        wanted = "conditions and a cost (gps)" if kind is ConditionedTask else "stages and rewards (ppo-gail)"
        raise VisuomotorError(f"task {name!r} has no {wanted}; tasks that have: {', '.join(task_names(kind))}")
    return task()


__all__ = [
    "ConditionedTask",
    "Conditions",
    "Cost",
    "Episodes",
    "Expansion",
    "Outcome",
    "Samples",
    "StagedTask",
    "Task",
    "Variation",
    "make_task",
    "rollout",
    "task_names",
]
