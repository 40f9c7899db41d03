"""What a dataset says of itself, and whether it holds: against its own episodes, and against a task of today."""

from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from visuomotor.demos.episode import Episode
from visuomotor.demos.model_hash import model_hash
from visuomotor.errors import VisuomotorError
from visuomotor.tasks import StagedTask

FORMAT: Final = 1


def describe(task: StagedTask) -> dict[str, Any]:
    """The facts of every file: the format, who wrote it, and what of the task the numbers depend on."""
    return {
        "format": FORMAT,
        "visuomotor": metadata.version("visuomotor"),
        "mujoco": metadata.version("mujoco"),
        "scene": model_hash(task.model),
        "state": "mujoco.batch.Batch.state, float64",
        "state_size": task.make_engine(1, 1).state().shape[1],
        "action_limits": task.action_limits.tolist(),
        "control_dt": task.control_dt,
        "steps": task.steps,
        "stages": list(task.stages),
        "stage_rewards": list(task.stage_rewards),
        "physics": {name: list(value.shape[1:]) for name, value in task.plain(1).physics.items()},
    }


def check_task(path: Path, name: str, facts: Mapping[str, Any], task: StagedTask) -> None:
    """Raise an error where the states of a file, by its task's name and facts, are not states of `task`."""
    if name != task.name:
        raise VisuomotorError(
            f"{path} holds demonstrations of {name!r}, not of {task.name!r}; "
            f"record some: {script_command(task.name, Path(f'demos/{task.name}.hdf5'))}"
        )
    now = describe(task)
    same = ("scene", "state_size", "action_limits", "control_dt", "stages", "stage_rewards")
    different = [key for key in same if facts[key] != now[key]]
    if facts["physics"] != now["physics"]:
        different.append("what varies between worlds")
    if different:
        then, today = (
            f"visuomotor {it['visuomotor']}, mujoco {it['mujoco']}, scene {it['scene']}" for it in (facts, now)
        )
        raise VisuomotorError(
            f"{path} was recorded in another version of the task {name!r}: {then}; this one is {today} "
            f"({', '.join(different)} differ). Record it anew: {script_command(name, path)}"
        )


def verify(name: str, episode: Episode, facts: Mapping[str, Any]) -> None:
    """Raise an error where an episode contradicts itself or the facts."""
    steps = len(episode)
    expected: dict[str, tuple[Tensor | None, tuple[int, ...]]] = {
        "states with the final one": (episode.states, (steps + 1, facts["state_size"])),
        "actions": (episode.actions, (steps, len(facts["action_limits"]))),
        "stages": (episode.stages, (steps + 1,)),
        "rewards": (episode.rewards, (steps,)),
    }
    for row, value in episode.physics.items():
        expected[f"physics ({row})"] = (value, tuple(facts["physics"].get(row, ())))
    for row, value in episode.looks.items():
        expected[f"looks ({row})"] = (value, tuple(value.shape))  # whatever shape: the task may have got others since
    if steps < 1:
        raise VisuomotorError(f"{name} has no steps; leave it out")
    if set(episode.physics) != set(facts["physics"]):
        raise VisuomotorError(
            f"{name} tells of its world's {sorted(episode.physics)}, not of {sorted(facts['physics'])}; record it anew"
        )
    for what, (value, shape) in expected.items():
        if value is not None and tuple(value.shape) != shape:
            raise VisuomotorError(
                f"{name} is inconsistent: its {what} have the shape {tuple(value.shape)}, not {shape}; record it anew"
            )
        if value is not None and not value.isfinite().all():
            raise VisuomotorError(f"{name} is spoilt: its {what} hold NaN or infinity; record it anew")
    if episode.actions is not None and float(episode.actions.abs().max()) > 1:
        raise VisuomotorError(f"{name} has actions beyond [-1, 1]; they are fractions of the task's action limits")
    if not 0 <= int(episode.stages.min()) <= int(episode.stages.max()) < len(facts["stages"]):
        raise VisuomotorError(f"{name} has stages that are not among the task's {len(facts['stages'])}; record it anew")


def script_command(task: str, path: Path) -> str:
    """How to record a task's demonstrations (anew, where the file is there)."""
    return f"visuomotor demos script {task} --out {path}" + (" --overwrite" if path.exists() else "")
