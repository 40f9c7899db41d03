"""Reads and checks files of demonstrations. An error is one line, with the place in the file."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from visuomotor import registry
from visuomotor.demos import format1
from visuomotor.demos.episode import Demonstrations, Episode
from visuomotor.demos.hdf5 import CheckedFile, opened
from visuomotor.demos.metadata import FORMAT, check_metadata, check_task, generate_command
from visuomotor.demos.schema import APPEARANCE, MAX_STEPS, Numbers, check_names, episode_schema
from visuomotor.errors import VisuomotorError
from visuomotor.tasks import Task
from visuomotor.tasks.reset_params import Rows

_OF_DATA: Final = ("total", "env_args")
_OF_EPISODE: Final = {
    *("states", "final_state", "actions", "rewards", "dones", "stages", "obs", "next_obs"),
    *(name for names in format1.GROUPS.items() for name in names),
}


def read_demonstrations(path: Path, task: Task | None = None, observations: bool = False) -> Demonstrations:
    """Read a file, see `demos.dataset`.

    Args:
        task: what the states are meant for. With None nothing is compared, which is enough to look at the file.
        observations: whether to read observations too, where the file has some.

    Raises:
        VisuomotorError: there is no such file; it is no HDF5, damaged, or another simulator's; an entry is missing, of
            another type or shape, or out of bounds; it belongs to another task or another version of the scene.
    """
    with opened(path) as file:
        name, metadata = _read_metadata(path, file)
        fix = "copy the file again or generate it again"
        try:
            check_metadata(metadata, "data.env_args.env_kwargs")
            names = sorted(file.names("data"), key=_by_number)
            for key in names:
                if not _is_episode(file, f"data/{key}"):
                    fix = "keep what is no episode outside of data, or delete it"
                    raise VisuomotorError(f"data/{key} is no episode, though all that is in data must be one")
            episodes = [_read_episode(file, key, metadata, observations) for key in names]
            kept = set(names)  # masks may still have an episode that somebody has deleted
            masks = {key: _members(file.texts(f"mask/{key}"), kept) for key in file.names("mask")}
        except VisuomotorError as error:
            raise VisuomotorError(f"{path}: {error}; {fix}") from error
    if not episodes:
        raise VisuomotorError(f"{path} holds no episode; generate it again: {generate_command(name, path)}")
    if "task" in metadata:  # it is relative to the file
        metadata["task"] = registry.absolute_name("task", metadata["task"], path.parent)
    if task is not None:
        check_task(path, name, metadata, task)
        metadata["max_episode_steps"] = task.max_episode_steps  # returns are compared with those of today
    return Demonstrations(name, episodes, metadata, masks)


def _members(names: Sequence[str], kept: Collection[str]) -> list[str]:
    """Of a mask, each once."""
    return [name for name in dict.fromkeys(names) if name in kept]


def not_read(path: Path, observations: Collection[str] | None = None) -> list[str]:
    """In words, what a file holds besides demonstrations: groups, datasets and attributes that somebody has added.

    Args:
        observations: those that count as read; None for all of them.
    """
    with opened(path) as file:
        try:
            found = [name for name in file.names("") if name not in ("data", "mask")]
            found += [f"the attribute {name}" for name in file.attribute_names("")]
            found += [f"the attribute {name} of data" for name in file.attribute_names("data") if name not in _OF_DATA]
            for key in file.names("data"):
                found += [f"{name} of episodes" for name in file.names(f"data/{key}") if name not in _OF_EPISODE]
                added = [name for name in file.attribute_names(f"data/{key}") if name not in ("num_samples", "success")]
                found += [f"the attribute {name} of episodes" for name in added]
                if observations is not None:
                    found += [f"obs/{name}" for name in file.names(f"data/{key}/obs") if name not in observations]
        except VisuomotorError as error:
            raise VisuomotorError(f"{path}: {error}; delete it, or generate the file again") from error
    return list(dict.fromkeys(found))


def _is_episode(file: CheckedFile, where: str) -> bool:
    """Whether this is an episode, perhaps a damaged one, and not something that a user keeps in the file."""
    return file.is_group(where) and bool({"states", "final_state", "stages", "rewards"} & set(file.names(where)))


def _by_number(name: str) -> list[tuple[int, str]]:
    """Sorts demo_2 before demo_10; takes names of any other form too."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _read_metadata(path: Path, file: CheckedFile) -> tuple[str, dict[str, Any]]:
    """The task's name and the metadata, of which only the format is checked."""
    try:
        args = json.loads(file.text("data", "env_args"))
    except (VisuomotorError, ValueError, RecursionError):
        args = None
    name, metadata = _entry(args, "env_name"), _entry(args, "env_kwargs")
    # No other program writes our version.
    if not isinstance(metadata, dict) or "visuomotor" not in metadata or not isinstance(name, str):
        whose = "" if name is None else f" (its environment is {name!a:.100})"
        raise VisuomotorError(
            f"{path} is HDF5, but was not recorded with visuomotor{whose}; another simulator's states cannot be used "
            "here: generate demonstrations with visuomotor demos generate"
        )
    if metadata.get("format") not in (1, FORMAT):
        raise VisuomotorError(
            f"{path} has format {metadata.get('format')!a:.20}, written by visuomotor {metadata['visuomotor']!a:.20}; "
            f"this version reads formats 1 and {FORMAT}: install that one or generate it again: "
            f"{generate_command(name, path)}"
        )
    if not name.isprintable():
        raise VisuomotorError(f"{path}: the task's name is {name!a:.100}; generate it again")
    return name, format1.translate_metadata(metadata) if metadata["format"] == 1 else metadata


def _entry(args: Any, name: str) -> Any:
    return args.get(name) if isinstance(args, dict) else None


def _read_episode(file: CheckedFile, name: str, metadata: Mapping[str, Any], observations: bool) -> Episode:
    where = f"data/{name}"
    schema = episode_schema(file.whole_number(where, "num_samples", 1, MAX_STEPS), metadata)
    places = {entry: entry for entry in schema if "/" not in entry and f"{where}/{entry}" in file}
    for kind in ("dynamics", "appearance"):
        places.update(_rows_of(file, where, kind, metadata["format"]))
    check_names(places, schema, where)
    found = {
        entry: torch.from_numpy(file.array(f"{where}/{place}", schema.get(entry, APPEARANCE)))
        for entry, place in places.items()
    }
    success, stage = file.whole_number(where, "success", 0, 1), int(found["stages"][-1])
    if success != (stage == len(metadata["stages"]) - 1):
        raise VisuomotorError(
            f"{where}.success is {success}, and its last state in stage {metadata['stages'][stage]!r}"
        )
    return Episode(
        states=torch.cat([found["states"], found["final_state"][None]]),
        actions=found.get("actions"),
        stages=found["stages"].long(),
        rewards=found["rewards"],
        dynamics=_group(found, "dynamics"),
        appearance=_group(found, "appearance"),
        success=bool(success),
        name=name,
        observations=_read_observations(file, where, len(found["rewards"])) if observations else {},
    )


def _group(entries: Mapping[str, Tensor], group: str) -> Rows:
    return {name.removeprefix(f"{group}/"): value for name, value in entries.items() if name.startswith(f"{group}/")}


def _rows_of(file: CheckedFile, where: str, kind: str, format_: int) -> dict[str, str]:
    """The places of rows of dynamics or appearance in an episode's group, by their places in the schema."""
    group = format1.GROUPS[kind] if format_ == 1 else kind
    places = {name: f"{group}/{name}" for name in file.names(f"{where}/{group}")}
    places = format1.translate_rows(places) if format_ == 1 else places
    return {f"{kind}/{name}": place for name, place in places.items()}


def _read_observations(file: CheckedFile, where: str, steps: int) -> Rows:
    """Observations `(T + 1, ...)` of all states: those of obs, and the last of next_obs."""
    rows: Rows = {}
    for name in file.names(f"{where}/obs"):
        if f"{where}/next_obs" not in file:
            raise VisuomotorError(f"{where}/next_obs is missing; visuomotor demos render writes it beside obs")
        now = file.array(f"{where}/obs/{name}", Numbers())
        following = file.array(f"{where}/next_obs/{name}", Numbers(now.dtype, now.shape))
        if now.shape[:1] != (steps,) or (now[1:] != following[:-1]).any():
            raise VisuomotorError(f"{where}/next_obs/{name} is not obs/{name} a step later, for {steps} steps")
        rows[name] = torch.from_numpy(np.concatenate([now, following[-1:]]))
    return rows
