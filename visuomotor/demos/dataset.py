"""Demonstrations as a file: robomimic's HDF5 layout, and all that is needed to use it years later.

    data                 attrs: total (steps of all episodes), env_args (JSON: env_name, type, env_kwargs: metadata)
      demo_0             attrs: num_samples (T), success
        states           (T, state) float64      the state in which actions[t] was applied
        final_state      (state,) float64        the state after the last action
        actions          (T, A) float32          in [-1, 1]; missing where only states were recorded
        rewards, dones   (T,) float32, uint8     of the state that the step led to; done at the last step
        stages           (T + 1,) uint8          the final state's included
        dynamics/NAME    a row of ResetParams.dynamics
        appearance/NAME  a row of ResetParams.appearance; optional
        obs/NAME         (T, ...) observations of states[t]; optional
        next_obs/NAME    (T, ...) observations of the state after actions[t]; beside obs
      demo_1 ...
    mask                 names of episodes: train, valid (every tenth; the last of fewer than ten), success

robomimic trains on such a file where it has `actions` and `obs` (`visuomotor demos render`). `schema` has the bounds of
every number, `reading` reads the file. Files of format 1 are read too (`format1`).
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from visuomotor import registry
from visuomotor.demos.episode import Demonstrations, Episode
from visuomotor.demos.metadata import FORMAT, describe
from visuomotor.demos.schema import APPEARANCE, check_names, episode_schema
from visuomotor.errors import VisuomotorError
from visuomotor.runs.atomic import write_atomically
from visuomotor.tasks import Task

_GYM_TYPE: Final = 2  # robomimic's number for environments of gymnasium; its tools take nothing but numbers
_VALID_EVERY: Final = 10
_PACKED: Final = {"compression": "gzip", "compression_opts": 9, "shuffle": True}


def write_demonstrations(
    path: Path,
    task: Task,
    episodes: Sequence[Episode],
    metadata: Mapping[str, Any] | None = None,
    overwrite: bool = True,
    keep_names: bool = False,
) -> Demonstrations:
    """Write new episodes, whole or not at all.

    Args:
        metadata: what to store besides `metadata.describe` (seed, expert, command); JSON-able.
        overwrite: whether to replace a file that is there already.
        keep_names: episodes have names, all different; else they get demo_0, demo_1, ... in the order given.

    Returns:
        What the file holds.

    Raises:
        VisuomotorError: no episodes, an episode that contradicts itself, a full disk, or a file that may not be
            replaced.
    """
    named = [
        episode if keep_names else replace(episode, name=f"demo_{index}") for index, episode in enumerate(episodes)
    ]
    demonstrations = Demonstrations(task.name, named, {**dict(metadata or {}), **describe(task)}, default_masks(named))
    write_file(path, demonstrations, overwrite)
    return demonstrations


def write_file(path: Path, demonstrations: Demonstrations, overwrite: bool = True) -> None:
    """Write demonstrations under the names that they have, whole or not at all.

    Raises:
        VisuomotorError: no episodes, an episode that contradicts itself, a full disk, or a file that may not be
            replaced.
    """
    if not demonstrations.episodes:
        raise VisuomotorError("a file of demonstrations needs at least one episode; there is none to write")
    metadata: dict[str, Any] = {**demonstrations.metadata, "format": FORMAT}
    if "task" in metadata:
        metadata["task"] = registry.relative_name("task", metadata["task"], path.parent)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver="v110") as file:
        data = file.create_group("data")
        data.attrs["total"] = sum(map(len, demonstrations.episodes))
        args = {"env_name": demonstrations.task, "type": _GYM_TYPE, "env_kwargs": metadata}
        data.attrs["env_args"] = json.dumps(args)
        for episode in demonstrations.episodes:
            arrays = _arrays(episode)
            _check(episode.name, arrays, len(episode), metadata)
            _write_episode(data.create_group(episode.name), episode, arrays)
        for key, members in demonstrations.masks.items():
            file.create_dataset(f"mask/{key}", data=np.array([it.encode() for it in members], dtype="S"))
    write_atomically(path, buffer.getvalue(), new=not overwrite)


def default_masks(episodes: Sequence[Episode]) -> dict[str, list[str]]:
    """The masks of new episodes, by their names: every tenth is for validation, or the last of fewer than ten."""
    names = [episode.name for episode in episodes]
    valid = names[_VALID_EVERY - 1 :: _VALID_EVERY] or names[1:][-1:]  # a single episode is for training
    return {
        "train": [name for name in names if name not in valid],
        "valid": valid,
        "success": [episode.name for episode in episodes if episode.success],
    }


def _arrays(episode: Episode) -> dict[str, np.ndarray]:
    """What is written of an episode, by its place in its group; all but observations."""
    steps = len(episode)
    return {
        "states": episode.states[:-1].numpy(),
        "rewards": episode.rewards.numpy(),
        "dones": (np.arange(steps) == steps - 1).astype(np.uint8),
        "stages": episode.stages.numpy(),
        **({} if episode.actions is None else {"actions": episode.actions.numpy()}),
        "final_state": episode.states[-1].numpy(),
        **{f"dynamics/{name}": value.numpy() for name, value in episode.dynamics.items()},
        **{f"appearance/{name}": value.numpy() for name, value in episode.appearance.items()},
    }


def _check(name: str, arrays: Mapping[str, np.ndarray], steps: int, metadata: Mapping[str, Any]) -> None:
    if steps < 1:
        raise VisuomotorError(f"{name} has no steps; leave it out")
    schema = episode_schema(steps, metadata)
    try:
        check_names(arrays, schema, name)
        for entry, array in arrays.items():
            numbers = schema.get(entry, APPEARANCE)
            numbers.check_form(array.dtype, array.shape, f"{name}/{entry}")
            numbers.check_values(array, f"{name}/{entry}")
    except VisuomotorError as error:
        raise VisuomotorError(f"{error}; record this episode again, or leave it out") from error


def _write_episode(group: h5py.Group, episode: Episode, arrays: Mapping[str, np.ndarray]) -> None:
    group.attrs["num_samples"] = len(episode)
    group.attrs["success"] = episode.success
    for name, array in arrays.items():
        if name == "final_state" or "/" in name:  # too small to gain by it
            group.create_dataset(name, data=array)
            continue
        # Few columns a chunk: neighbours in time are alike, neighbours in a state are not.
        chunks = (len(array), min(8, array.shape[-1])) if array.ndim == 2 else None
        kind = np.uint8 if name == "stages" else array.dtype
        group.create_dataset(name, data=array.astype(kind), chunks=chunks, **_PACKED)
    for name, value in episode.observations.items():
        # A step a chunk: learners read images in any order.
        chunks = (1, *value.shape[1:]) if value.ndim > 2 else None
        group.create_dataset(f"obs/{name}", data=value[:-1].numpy(), chunks=chunks, **_PACKED)
        group.create_dataset(f"next_obs/{name}", data=value[1:].numpy(), chunks=chunks, **_PACKED)
