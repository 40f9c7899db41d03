"""The tasks by name."""

from visuomotor.errors import unknown
from visuomotor.tasks.cost import Cost, Expansion
from visuomotor.tasks.pr2.hanger import Hanger
from visuomotor.tasks.rollout import Samples, rollout
from visuomotor.tasks.task import Conditions, Outcome, Task

_TASKS: dict[str, type[Task]] = {task.name: task for task in (Hanger,)}


def task_names() -> list[str]:
    """All names that `make_task` takes."""
    return list(_TASKS)


def make_task(name: str) -> Task:
    """The task of that name."""
    if name not in _TASKS:
        raise unknown("task", name, _TASKS)
    return _TASKS[name]()


__all__ = ["Conditions", "Cost", "Expansion", "Outcome", "Samples", "Task", "make_task", "rollout", "task_names"]
