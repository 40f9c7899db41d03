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
      demo_1 ...
    mask                 names of episodes: train, valid (every tenth, at least one), success

robomimic's `SequenceDataset` reads such a file where it has `actions` and `obs` (set `hdf5_load_next_obs` to false).
Files of format 1 are read too (`format1`).
"""

import io
import json
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import torch
from torch import Tensor

from visuomotor import registry
from visuomotor.demos import format1
from visuomotor.demos.episode import Demonstrations, Episode
from visuomotor.demos.metadata import FORMAT, check_episode, check_task, describe, generate_command
from visuomotor.errors import VisuomotorError
from visuomotor.runs.atomic import write_atomically
from visuomotor.tasks import Task

_TYPE: Final = "visuomotor"  # robomimic has numbers here, so that neither takes the other's file for its own
_VALID_EVERY: Final = 10
_PACKED: Final = {"compression": "gzip", "compression_opts": 9, "shuffle": True}


def write_demonstrations(
    path: Path,
    task: Task,
    episodes: Sequence[Episode],
    metadata: Mapping[str, Any] | None = None,
    observations: Sequence[Mapping[str, Tensor]] | None = None,
) -> Demonstrations:
    """Write a file, whole or not at all. Its episodes are named demo_0, demo_1, ... in the order given.

    Args:
        metadata: what to store besides `metadata.describe` (seed, expert, command); JSON-able.
        observations: for each episode `(T, ...)` tensors by name.

    Returns:
        What the file holds.

    Raises:
        VisuomotorError: no episodes, an episode that contradicts itself, or a full disk.
    """
    if not episodes:
        raise VisuomotorError("a file of demonstrations needs at least one episode; there is none to write")
    whole = {**dict(metadata or {}), **describe(task)}
    named = [replace(episode, name=f"demo_{index}") for index, episode in enumerate(episodes)]
    for episode in named:
        check_episode(episode.name, episode, whole)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver="v110") as file:
        data = file.create_group("data")
        data.attrs["total"] = sum(map(len, named))
        data.attrs["env_args"] = json.dumps({"env_name": task.name, "type": _TYPE, "env_kwargs": whole})
        for index, episode in enumerate(named):
            group = data.create_group(episode.name)
            _write_episode(group, episode)
            for name, value in (observations[index] if observations else {}).items():
                group.create_dataset(f"obs/{name}", data=value.numpy(), **_PACKED)
        _write_masks(file, named)
    write_atomically(path, buffer.getvalue())
    return Demonstrations(task.name, named, whole)


def read_demonstrations(path: Path, task: Task | None = None) -> Demonstrations:
    """Read a file.

    Args:
        task: what the states are meant for. With None nothing is compared, which is enough to look at the file.

    Raises:
        VisuomotorError: there is no such file; it is no HDF5, damaged, or another simulator's; its episodes contradict
            themselves; it belongs to another task or another version of the scene.
    """
    with _opened(path) as file:
        name, metadata = _read_metadata(path, file)
        if task is not None:
            check_task(path, name, metadata, task)
            metadata["max_episode_steps"] = task.max_episode_steps  # returns are compared with those of today
        demos = file["data"]
        episodes = [_read_episode(path, demos[key], key, metadata) for key in sorted(demos, key=_by_number)]
    if not episodes:
        raise VisuomotorError(f"{path} holds no episode; generate it again: {generate_command(name, path)}")
    return Demonstrations(name, episodes, metadata)


def _by_number(name: str) -> list[tuple[int, str]]:
    """Sorts demo_2 before demo_10, and names that people have given anywhere."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


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
    for kind, rows in (("dynamics", episode.dynamics), ("appearance", episode.appearance)):
        for name, value in rows.items():
            group.create_dataset(f"{kind}/{name}", data=value.numpy())


def _write_masks(file: h5py.File, episodes: Sequence[Episode]) -> None:
    names = [episode.name for episode in episodes]
    valid = names[_VALID_EVERY - 1 :: _VALID_EVERY] or names[1:][-1:]
    masks = {
        "train": [name for name in names if name not in valid],
        "valid": valid,
        "success": [episode.name for episode in episodes if episode.success],
    }
    for key, members in masks.items():
        if members:
            file.create_dataset(f"mask/{key}", data=np.array(members, dtype="S"))


@contextmanager
def _opened(path: Path) -> Generator[Any]:
    if not path.is_file():
        raise VisuomotorError(
            f"there is no file {path}; generate demonstrations: visuomotor demos generate TASK --out {path}"
        )
    if not h5py.is_hdf5(path):
        raise VisuomotorError(f"{path} is not an HDF5 file; demonstrations are written by visuomotor demos generate")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except BlockingIOError as error:
        raise VisuomotorError(f"{path} is open for writing in another program; close it there") from error
    except (OSError, LookupError, ValueError, RuntimeError, TypeError, AttributeError) as error:  # h5py has them all
        raise VisuomotorError(
            f"{path} is damaged or cut short ({error}); copy it again or generate it again"
        ) from error


def _read_metadata(path: Path, file: Any) -> tuple[str, dict[str, Any]]:
    """The task's name and the metadata."""
    try:
        args = json.loads(file["data"].attrs["env_args"])
    except (KeyError, ValueError, TypeError):
        args = {}
    if not isinstance(args, dict) or args.get("type") != _TYPE:
        whose = f" (its environment is {args['env_name']!r})" if isinstance(args, dict) and "env_name" in args else ""
        raise VisuomotorError(
            f"{path} is HDF5, but was not recorded with visuomotor{whose}; another simulator's states cannot be used "
            "here: generate demonstrations with visuomotor demos generate"
        )
    name, metadata = str(args["env_name"]), dict(args["env_kwargs"])
    if metadata["format"] not in (1, FORMAT):
        raise VisuomotorError(
            f"{path} has format {metadata['format']}, written by visuomotor {metadata['visuomotor']}; this version "
            f"reads formats 1 and {FORMAT}: install that one or generate it again: {generate_command(name, path)}"
        )
    if "task" in metadata:  # it is relative to the file
        metadata["task"] = registry.absolute_name("task", metadata["task"], path.parent)
    return name, format1.translate_metadata(metadata) if metadata["format"] == 1 else metadata


def _read_episode(path: Path, group: Any, name: str, metadata: Mapping[str, Any]) -> Episode:
    states = np.concatenate([group["states"][()], group["final_state"][()][None]])
    dynamics, appearance = (_read_rows(group, kind, metadata["format"]) for kind in ("dynamics", "appearance"))
    episode = Episode(
        states=torch.from_numpy(states),
        actions=torch.from_numpy(group["actions"][()]) if "actions" in group else None,
        stages=torch.from_numpy(group["stages"][()].astype(np.int64)),
        rewards=torch.from_numpy(group["rewards"][()]),
        dynamics=dynamics,
        appearance=appearance,
        success=bool(group.attrs["success"]),
        name=name,
    )
    check_episode(f"{path}: {name}", episode, metadata)
    if group.attrs["num_samples"] != len(episode):
        raise VisuomotorError(
            f"{path}: {name} has num_samples {group.attrs['num_samples']} but {len(episode)} rewards; record it again"
        )
    return episode


def _read_rows(group: Any, kind: str, format_: int) -> dict[str, Tensor]:
    stored = format1.GROUPS[kind] if format_ == 1 else kind
    rows = {name: torch.tensor(value[()]) for name, value in group[stored].items()} if stored in group else {}
    return format1.translate_rows(rows) if format_ == 1 else rows
