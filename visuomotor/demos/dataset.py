"""Demonstrations as a file: robomimic's HDF5 layout, and all that is needed to use it years later.

    data                attrs: total (steps of all episodes), env_args (JSON: env_name, type, env_kwargs = the facts)
      demo_0            attrs: num_samples (T), success
        states          (T, state) float64      the state in which actions[t] was applied
        final_state     (state,) float64        the state after the last action
        actions         (T, action) float32     in [-1, 1]; missing where only states were recorded
        rewards, dones  (T,) float32, uint8     of the state that the step led to; done at the last step
        stages          (T + 1,) uint8          the final state's included
        physics/NAME    this world's row of Variation.physics
        looks/NAME      this world's row of Variation.looks; optional
        obs/NAME        (T, ...) observations of states[t]; optional
      demo_1 ...
    mask                names of episodes: train, valid (every tenth), success

robomimic's `SequenceDataset` reads such a file where it has `actions` and `obs` (set `hdf5_load_next_obs` to false).
"""

import io
import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import torch
from torch import Tensor

from visuomotor.demos.episode import Demonstrations, Episode
from visuomotor.demos.metadata import FORMAT, check_task, describe, script_command, verify
from visuomotor.errors import VisuomotorError
from visuomotor.runs.atomic import write_atomically
from visuomotor.tasks import StagedTask

_TYPE: Final = "visuomotor"  # robomimic has numbers here, so neither takes the other's file for its own
_VALID_EVERY: Final = 10
_PACKED: Final = {"compression": "gzip", "compression_opts": 9, "shuffle": True}


def write_demonstrations(
    path: Path,
    task: StagedTask,
    episodes: Sequence[Episode],
    facts: Mapping[str, Any] | None = None,
    observations: Sequence[Mapping[str, Tensor]] | None = None,
) -> Demonstrations:
    """Write a dataset, whole or not at all.

    Args:
        facts: what else there is to tell (seed, who demonstrated, the command); JSON-able.
        observations: for each episode `(T, ...)` tensors by name.

    Raises:
        VisuomotorError: no episodes, an episode that contradicts itself, or a disk that is full.
    """
    if not episodes:
        raise VisuomotorError("a dataset needs at least one episode; there is none to write")
    told = {**dict(facts or {}), **describe(task)}
    for index, episode in enumerate(episodes):
        verify(f"demo_{index}", episode, told)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver="v110") as file:
        data = file.create_group("data")
        data.attrs["total"] = sum(map(len, episodes))
        data.attrs["env_args"] = json.dumps({"env_name": task.name, "type": _TYPE, "env_kwargs": told})
        for index, episode in enumerate(episodes):
            group = data.create_group(f"demo_{index}")
            _write_episode(group, episode)
            for name, value in (observations[index] if observations else {}).items():
                group.create_dataset(f"obs/{name}", data=value.numpy(), **_PACKED)
        _write_masks(file, episodes)
    write_atomically(path, buffer.getvalue())
    return Demonstrations(task.name, list(episodes), told)


def read_demonstrations(path: Path, task: StagedTask | None = None) -> Demonstrations:
    """Read a dataset.

    Args:
        task: what the states are meant for. With None nothing is compared, which is enough to look at the file.

    Raises:
        VisuomotorError: there is no such file; it is no HDF5, damaged, or another simulator's; its episodes contradict
            themselves; it belongs to another task or another version of the scene.
    """
    with _opened(path) as file:
        name, facts = _read_facts(path, file)
        if task is not None:
            check_task(path, name, facts, task)
            facts["steps"] = task.steps  # returns are compared with those of today's episodes
        demos = file["data"]
        keys = sorted(demos, key=lambda key: int(key.removeprefix("demo_")))
        episodes = [_read_episode(path, demos[key], key, facts) for key in keys]
    if not episodes:
        raise VisuomotorError(f"{path} holds no episode; record it anew: {script_command(name, path)}")
    return Demonstrations(name, episodes, facts)


def _write_episode(group: h5py.Group, episode: Episode) -> None:
    steps = len(episode)
    group.attrs["num_samples"] = steps
    group.attrs["success"] = episode.success
    dones = np.zeros(steps, np.uint8)
    dones[-1] = 1
    arrays: dict[str, np.ndarray] = {
        "states": episode.states[:-1].numpy(),
        "rewards": episode.rewards.numpy(),
        "dones": dones,
        "stages": episode.stages.numpy().astype(np.uint8),
    }
    if episode.actions is not None:
        arrays["actions"] = episode.actions.numpy()
    for name, array in arrays.items():
        # Few columns a chunk: neighbours in time are alike, neighbours in a state are not.
        chunks = (steps, min(8, array.shape[-1])) if array.ndim == 2 else None
        group.create_dataset(name, data=array, chunks=chunks, **_PACKED)
    group.create_dataset("final_state", data=episode.states[-1].numpy())
    for kind, row in (("physics", episode.physics), ("looks", episode.looks)):
        for name, value in row.items():
            group.create_dataset(f"{kind}/{name}", data=value.numpy())


def _write_masks(file: h5py.File, episodes: Sequence[Episode]) -> None:
    names = [f"demo_{index}" for index in range(len(episodes))]
    valid = names[_VALID_EVERY - 1 :: _VALID_EVERY]
    masks = {
        "train": [name for name in names if name not in valid],
        "valid": valid,
        "success": [name for name, episode in zip(names, episodes, strict=True) if episode.success],
    }
    for key, members in masks.items():
        if members:
            file.create_dataset(f"mask/{key}", data=np.array(members, dtype="S"))


@contextmanager
def _opened(path: Path) -> Generator[Any]:
    if not path.is_file():
        raise VisuomotorError(
            f"there is no file {path}; record demonstrations: visuomotor demos script TASK --out {path}"
        )
    if not h5py.is_hdf5(path):
        raise VisuomotorError(f"{path} is not an HDF5 file; demonstrations are recorded with visuomotor demos script")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, LookupError, ValueError, RuntimeError, TypeError, AttributeError) as error:  # h5py has them all
        raise VisuomotorError(f"{path} is damaged or cut short ({error}); copy it again or record it anew") from error


def _read_facts(path: Path, file: Any) -> tuple[str, dict[str, Any]]:
    try:
        args = json.loads(file["data"].attrs["env_args"])
    except (KeyError, ValueError, TypeError):
        args = {}
    if not isinstance(args, dict) or args.get("type") != _TYPE:
        whose = f" (its environment is {args['env_name']!r})" if isinstance(args, dict) and "env_name" in args else ""
        raise VisuomotorError(
            f"{path} is HDF5, but not recorded with visuomotor{whose}; another simulator's states are of no use "
            "here: record demonstrations with visuomotor demos script"
        )
    name, facts = str(args["env_name"]), dict(args["env_kwargs"])
    if facts["format"] != FORMAT:
        raise VisuomotorError(
            f"{path} has format {facts['format']}, written by visuomotor {facts['visuomotor']}; this one reads format "
            f"{FORMAT}: install that version or record it anew: {script_command(name, path)}"
        )
    return name, facts


def _read_episode(path: Path, group: Any, name: str, facts: Mapping[str, Any]) -> Episode:
    states = np.concatenate([group["states"][()], group["final_state"][()][None]])
    episode = Episode(
        states=torch.from_numpy(states),
        actions=torch.from_numpy(group["actions"][()]) if "actions" in group else None,
        stages=torch.from_numpy(group["stages"][()].astype(np.int64)),
        rewards=torch.from_numpy(group["rewards"][()]),
        physics=_read_row(group, "physics"),
        looks=_read_row(group, "looks"),
        success=bool(group.attrs["success"]),
    )
    verify(f"{path}: {name}", episode, facts)
    if group.attrs["num_samples"] != len(episode):
        raise VisuomotorError(
            f"{path}: {name} has num_samples {group.attrs['num_samples']} but {len(episode)} rewards; record it anew"
        )
    return episode


def _read_row(group: Any, kind: str) -> dict[str, Tensor]:
    return {name: torch.tensor(value[()]) for name, value in group[kind].items()} if kind in group else {}
