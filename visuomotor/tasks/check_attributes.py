"""Check the class attributes of a task that a user wrote: their types and values."""

import importlib
import re
from collections.abc import Callable
from typing import Any, Final

from visuomotor import registry
from visuomotor.errors import VisuomotorError, one_line
from visuomotor.robots.mjcf import named
from visuomotor.tasks.randomization import is_number
from visuomotor.tasks.task import Task

_PLAIN: Final = re.compile(r"\w[\w.-]{0,63}")
"""Names of tasks and splits: they become names of files."""

_EXPECTED: Final = {
    "sample_reset": 'sample_reset(self, count, generator, split="random", randomize=True) -> ResetParams of count rows',
    "reset": "reset(self, engine, env_ids, params)",
    "apply_randomization": "apply_randomization(self, engine, env_ids, params)",
    "apply_appearance": "apply_appearance(self, engine, env_ids, appearance)",
    "randomize_appearance": 'randomize_appearance(self, engine, generator, split="random")',
    "reset_for_pose_data": "reset_for_pose_data(self, engine, generator)",
    "make_engine": "make_engine(self, worlds, threads=0) -> an engine of that many worlds",
    "step": "step(self, engine, actions), actions (n, A) in [-1, 1]",
    "finish_episode": "finish_episode(self, engine, callback=None) -> EpisodeOutcome of tensors: success (n,) bool, "
    "distance (n,) finite, m",
    "keypoints": "keypoints(self, engine) -> (n, K, 3) float32, m",
    "stage": "stage(self, engine) -> (n,) int64",
    "proprioception": "proprioception(self, engine) -> (n, P) float32; rad, rad/s, m, ...",
    "proprioception_names": "a property: a name and a unit, both str, for each number of proprioception; or ()",
    "privileged": "privileged(self, engine) -> (n, S) float32",
    "object_features": "object_features(self, engine) -> (n, F) float32",
    "errors": "errors(self, engine) -> (n, E, 3), m",
    "state": "state(self, engine) -> (n, X) float64",
    "reward": "reward(self, engine) -> (n,) float32",
    "success": "success(self, stage) -> (n,) bool, of stage (n,) int64",
    "cost": "a visuomotor.tasks.Cost, such as keypoint_cost makes, of state (n, T, X) and actions (n, T, A)",
    "pd_gains": "pd_gains(self) -> two tensors (A,), per rad and per rad/s",
}
"""What each other member must be, with shapes and units."""


def missing_members(kind: type[Task]) -> list[str]:
    """What a task class must have and this one has not, each with what is expected."""
    attributes = [
        member for member in ("name", "max_episode_steps", "stages", "stage_rewards") if not hasattr(kind, member)
    ]
    missing = attributes + sorted(getattr(kind, "__abstractmethods__", ()))
    return [f"{member} ({_expected(member)})" for member in missing]


def check_attributes(task: Task) -> None:
    """Check all class attributes of a task, and those that `Task.__init__` sets.

    Raises:
        VisuomotorError: one has another type or value than it should; the message names it.
    """
    for member, (fits, _) in _ATTRIBUTES.items():
        value = getattr(type(task) if member == "expert" else task, member)  # of a task a function is its method
        if not fits(value):
            raise wrong(task, member, f"is {one_line(repr(value))}")
    kind = f"{type(task).__module__}:{type(task).__qualname__}"
    if registry.BUILT_IN["task"].get(task.name, kind) != kind:
        raise wrong(task, "name", "is that of another task")
    if len(task.stage_rewards) != len(task.stages):
        raise VisuomotorError(
            f"task {task.name!r} has stages {task.stages} and stage_rewards {task.stage_rewards}; "
            "give at least two stages, and one reward for each"
        )
    if not hasattr(task, "model"):
        raise VisuomotorError(f"task {task.name!r}: __init__ must call super().__init__(spec, robot, camera)")
    if task.camera not in named(task.model, "camera"):
        raise wrong(task, "camera", f"is {task.camera!r}", f"one of: {', '.join(named(task.model, 'camera'))}")
    timestep = float(task.model.opt.timestep)
    frame_skip = task.control_dt / timestep
    if abs(frame_skip - round(frame_skip)) > 1e-6 or frame_skip < 1:
        raise VisuomotorError(
            f"task {task.name!r}: control_dt {task.control_dt} s is no multiple of the model's time step {timestep} s; "
            "change one of them"
        )


def find_expert(task: Task) -> Any:
    """The function that the task's class has as `expert`, imported where that is text; None where it has none.

    Raises:
        VisuomotorError: it cannot be imported, or is no function.
    """
    found = type(task).expert  # of the class: a function of an instance would be its method
    if isinstance(found, str):
        module, _, function = found.partition(":")
        try:
            found = getattr(importlib.import_module(module), function)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a user's module may raise anything
            raise VisuomotorError(
                f"the expert {found!r} of task {task.name!r} cannot be imported ({type(error).__name__}: "
                f"{one_line(error)}); write module:function"
            ) from error
    if found is not None and not callable(found):
        raise VisuomotorError(f"the expert of task {task.name!r} must be a function, not {found!r}")
    return found


def wrong(task: Task, member: str, found: str, expected: str | None = None) -> VisuomotorError:
    """The error for a member of a task that is or does `found`; `expected` is by default what `_EXPECTED` says."""
    return VisuomotorError(f"task {task.name!r}: {member} {found}; expected {expected or _expected(member)}")


def _expected(member: str) -> str:
    return _ATTRIBUTES[member][1] if member in _ATTRIBUTES else _EXPECTED[member]


def _is_plain(value: Any) -> bool:
    return isinstance(value, str) and _PLAIN.fullmatch(value) is not None


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _are_names(value: Any, least: int = 0) -> bool:
    """Whether they are printable, none is given twice, and there are at least so many."""
    if not isinstance(value, tuple | list) or not all(isinstance(name, str) and name.isprintable() for name in value):
        return False
    return all(value) and len(set(value)) == len(value) >= least


_ATTRIBUTES: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "name": (_is_plain, 'a short word that no other task has (letters, digits, ".", "_", "-"), such as name = "lift"'),
    "description": (lambda value: isinstance(value, str), "a line of text"),
    "max_episode_steps": (
        lambda value: _is_count(value, 2),
        "control steps of an episode, an int from 2, such as max_episode_steps = 100",
    ),
    "control_dt": (lambda value: is_number(value) and value > 0, "s, a positive number, such as control_dt = 0.05"),
    "num_conditions": (lambda value: _is_count(value, 2), "an int from 2, such as num_conditions = 18"),
    "num_policy_iterations": (lambda value: _is_count(value, 1), "an int from 1, such as num_policy_iterations = 3"),
    "stages": (
        lambda value: _are_names(value, least=2),
        'names that differ, such as stages = ("start", "reached", "lifted"); give at least two',
    ),
    "stage_rewards": (
        lambda value: isinstance(value, tuple | list) and all(map(is_number, value)),
        "one number for each stage, such as stage_rewards = (0.0, 0.125, 1.0)",
    ),
    "splits": (
        lambda value: _are_names(value) and all(map(_is_plain, value)) and "random" in value,
        'words that differ, with "random" among them, such as splits = ("random",)',
    ),
    "objects": (_are_names, 'bodies for the expert, such as objects = ("block",)'),
    "expert": (
        lambda value: value is None or callable(value) or isinstance(value, str),
        'a generator function of one ScriptedExpert, or its "module:function"',
    ),
}
"""What each class attribute must be: a test of its value, and what the message says of it."""
