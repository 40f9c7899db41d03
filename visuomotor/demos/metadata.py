"""What a file of demonstrations says about itself: checked, and compared with the task of today."""

import json
import shlex
from collections.abc import Mapping
from importlib import metadata as packages
from pathlib import Path
from typing import Any, Final

from visuomotor import __version__, registry
from visuomotor.demos.episode import nominal_params
from visuomotor.demos.model_hash import model_hash
from visuomotor.errors import VisuomotorError
from visuomotor.runs.restore import ListOf, OrNone, check_like
from visuomotor.tasks import Task

FORMAT: Final = 2

SAME_SCENE: Final = ("model_hash", "state_size", "action_limits", "control_dt", "stages", "stage_rewards", "dynamics")
"""Metadata that must agree where states of one file shall mean the same as those of another."""

_PATTERN: Final = {
    "format": 0,
    **dict.fromkeys(("visuomotor", "mujoco", "model_hash", "state"), ""),
    **dict.fromkeys(("state_size", "max_episode_steps"), 0),
    "action_limits": ListOf(int | float, 1000),
    "control_dt": int | float,
    "stages": ListOf("", 100),
    "stage_rewards": ListOf(int | float, 100),
    "dynamics": dict,
}
_BOUNDS: Final = {
    "state_size": (1, 1e6),
    "action_limits": (0, 1e6),
    "control_dt": (1e-4, 10),
    "max_episode_steps": (1, 1e6),
    "stage_rewards": (-1e6, 1e6),
    "success_rate": (0, 1),
}


def describe(task: Task) -> dict[str, Any]:
    """The metadata of every file: the format, the versions that wrote it, and what its numbers depend on.

    `dynamics` has the shape of each row of `Episode.dynamics`.
    """
    return {
        "format": FORMAT,
        "visuomotor": __version__,
        "mujoco": packages.version("mujoco"),
        "model_hash": model_hash(task.model),
        "state": "mujoco.batch.Batch.state, float64",
        "state_size": task.make_engine(1, 1).state().shape[1],
        "action_limits": task.robot.action_limits.tolist(),
        "control_dt": task.control_dt,
        "max_episode_steps": task.max_episode_steps,
        "stages": list(task.stages),
        "stage_rewards": list(task.stage_rewards),
        "dynamics": {name: list(value.shape[1:]) for name, value in nominal_params(task).dynamics.items()},
    }


def check_task(path: Path, name: str, metadata: Mapping[str, Any], task: Task) -> None:
    """Raise an error where the states of a file, with this task's name and metadata, are not states of `task`."""
    if name != task.name:
        raise VisuomotorError(
            f"{path} holds demonstrations of {name!r}, not of {task.name!r}; {how_to_get(task, path)}"
        )
    today = describe(task)
    different = [key for key in SAME_SCENE if metadata[key] != today[key]]
    if different:
        then, now = (
            f"visuomotor {it['visuomotor']}, mujoco {it['mujoco']}, model_hash {it['model_hash']}"
            for it in (metadata, today)
        )
        raise VisuomotorError(
            f"{path} was recorded in another version of the task {name!r}: {then}; today: {now} "
            f"({', '.join(different)} differ). Generate it again: "
            f"{generate_command(str(metadata.get('task', name)), path)}"
        )


def check_metadata(metadata: Mapping[str, Any], where: str) -> None:
    """Raise an error where a file's metadata lack what `describe` writes, or have something else in its place."""
    check_like({name: metadata[name] for name in metadata if name in _PATTERN}, _PATTERN, where)
    check_like(metadata["dynamics"], dict.fromkeys(metadata["dynamics"], ListOf(0, 8)), f"{where}.dynamics")
    check_like(metadata.get("task"), OrNone(""), f"{where}.task")
    check_like(metadata.get("success_rate", 0), int | float, f"{where}.success_rate")
    for name in ("visuomotor", "mujoco", "model_hash", "stages", "task"):  # messages show them
        if not "".join(metadata.get(name) or "").isprintable():
            raise VisuomotorError(f"{where}.{name} is {metadata[name]!a:.100}, expected text that can be printed")
    for name, (low, high) in _BOUNDS.items():
        if name not in metadata:
            continue
        values = metadata[name] if isinstance(metadata[name], list) else [metadata[name]]
        for value in values:
            if not low <= value <= high:
                raise VisuomotorError(f"{where}.{name} is {value}, expected {low:g} to {high:g}")
    for name, value in metadata.items():
        try:
            json.dumps(value, allow_nan=False)
        except ValueError as error:
            raise VisuomotorError(f"{where} has NaN or infinity under {name!a:.50}, which is no JSON") from error


def how_to_get(task: Task, given: Path | None = None) -> str:
    """How a user gets demonstrations of a task: from the file at the usual place, unless that is the one `given`, or by
    a command."""
    usual = Path(f"demos/{task.name}.hdf5")
    if usual.exists() and not (given is not None and usual.samefile(given)):
        return f"give --demos {usual}"
    command = generate_command(registry.name_of("task", type(task)), usual)
    return f"make some with `{command}` and give --demos {usual}"


def generate_command(task: str, path: Path) -> str:
    """The command that generates a task's demonstrations, in place of the file where it exists."""
    words = ["visuomotor", "demos", "generate", task, "--out", str(path)]
    return shlex.join([*words, "--overwrite"] if path.exists() else words)
