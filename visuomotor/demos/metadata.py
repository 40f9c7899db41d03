"""What a file of demonstrations says about itself, compared with its episodes and with the task of today."""

from collections.abc import Mapping
from importlib import metadata as packages
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from visuomotor.demos.episode import Episode, nominal_params
from visuomotor.demos.model_hash import model_hash
from visuomotor.errors import VisuomotorError
from visuomotor.tasks import Task

FORMAT: Final = 2


def describe(task: Task) -> dict[str, Any]:
    """The metadata of every file: the format, the versions that wrote it, and what its numbers depend on.

    `dynamics` has the shape of each row of `Episode.dynamics`.
    """
    return {
        "format": FORMAT,
        "visuomotor": packages.version("visuomotor"),
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
            f"{path} holds demonstrations of {name!r}, not of {task.name!r}; "
            f"generate some: {generate_command(task.name, Path(f'demos/{task.name}.hdf5'))}"
        )
    today = describe(task)
    compared = ("model_hash", "state_size", "action_limits", "control_dt", "stages", "stage_rewards", "dynamics")
    different = [key for key in compared if metadata[key] != today[key]]
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


def check_episode(name: str, episode: Episode, metadata: Mapping[str, Any]) -> None:
    """Raise an error where an episode contradicts itself or the metadata. `name` is how the message calls it."""
    steps = len(episode)
    expected: dict[str, tuple[Tensor | None, tuple[int, ...]]] = {
        "states with the final one": (episode.states, (steps + 1, metadata["state_size"])),
        "actions": (episode.actions, (steps, len(metadata["action_limits"]))),
        "stages": (episode.stages, (steps + 1,)),
        "rewards": (episode.rewards, (steps,)),
    }
    for row, value in episode.dynamics.items():
        expected[f"dynamics ({row})"] = (value, tuple(metadata["dynamics"].get(row, ())))
    for row, value in episode.appearance.items():
        # Any shape: the task's appearance may have changed since, and other appearances can be given.
        expected[f"appearance ({row})"] = (value, tuple(value.shape))
    if steps < 1:
        raise VisuomotorError(f"{name} has no steps; leave it out")
    if set(episode.dynamics) != set(metadata["dynamics"]):
        raise VisuomotorError(
            f"{name} has the dynamics {sorted(episode.dynamics)}, not {sorted(metadata['dynamics'])}; record it again"
        )
    for what, (value, shape) in expected.items():
        if value is not None and tuple(value.shape) != shape:
            raise VisuomotorError(
                f"{name} is inconsistent: its {what} have the shape {tuple(value.shape)}, not {shape}; record it again"
            )
        if value is not None and not value.isfinite().all():
            raise VisuomotorError(f"{name} is damaged: its {what} hold NaN or infinity; record it again")
    if episode.actions is not None and float(episode.actions.abs().max()) > 1:
        raise VisuomotorError(f"{name} has actions beyond [-1, 1]; they are fractions of the robot's action limits")
    if not 0 <= int(episode.stages.min()) <= int(episode.stages.max()) < len(metadata["stages"]):
        raise VisuomotorError(
            f"{name} has stages that are not among the task's {len(metadata['stages'])}; record it again"
        )


def generate_command(task: str, path: Path) -> str:
    """The command that generates a task's demonstrations, in place of the file where it exists."""
    return f"visuomotor demos generate {task} --out {path}" + (" --overwrite" if path.exists() else "")
