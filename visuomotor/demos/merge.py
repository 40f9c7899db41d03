"""Several files of demonstrations as one."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from visuomotor.demos.dataset import default_masks
from visuomotor.demos.episode import Demonstrations
from visuomotor.demos.metadata import SAME_SCENE
from visuomotor.demos.reading import read_demonstrations
from visuomotor.errors import VisuomotorError


def merge(paths: Sequence[Path]) -> Demonstrations:
    """The episodes of all files, named demo_0, demo_1, ... in the order of the files, in the masks that they were in.
    Those of a file with neither `train` nor `valid` get the masks that they would have as new ones.

    The metadata are the entries that are equal in all files, and the versions of the first file. `sources` has an entry
    for each file, with the metadata that may differ (seed, command, versions).

    Raises:
        VisuomotorError: a file cannot be read, is given twice, or differs in its task, its scene, or in what is
            observed; the message names what differs.
    """
    parts = [read_demonstrations(path, observations=True) for path in paths]
    if len({(it.st_dev, it.st_ino) for it in map(os.stat, paths)}) < len(paths):  # links are other names of a file
        raise VisuomotorError("a file is given twice, and its episodes would be too; leave one out")
    for path, part in zip(paths[1:], parts[1:], strict=True):
        _check_alike(paths[0], parts[0], path, part)
    merged = Demonstrations(parts[0].task, [], _metadata(paths, [part.metadata for part in parts]))
    for part in parts:
        names = {it.name: f"demo_{index}" for index, it in enumerate(part.episodes, len(merged.episodes))}
        merged.episodes.extend(replace(episode, name=names[episode.name]) for episode in part.episodes)
        masks = part.masks if {"train", "valid"} & part.masks.keys() else default_masks(part.episodes) | part.masks
        for key, members in masks.items():
            merged.masks.setdefault(key, []).extend(names[member] for member in members)
    # An episode that somebody has renamed is no longer in the masks of its file.
    merged.masks["success"] = [episode.name for episode in merged.episodes if episode.success]
    return merged


def _check_alike(first: Path, one: Demonstrations, path: Path, other: Demonstrations) -> None:
    compared = {key: (one.metadata[key], other.metadata[key]) for key in (*SAME_SCENE, "max_episode_steps", "state")}
    compared["task"] = (one.task, other.task)
    compared["observations"] = (_observed(one), _observed(other))
    different = [f"{key} is {theirs}, not {mine}" for key, (mine, theirs) in compared.items() if mine != theirs]
    if different:
        fix = "merge files of one task in one version; if observations differ, visuomotor demos render makes them alike"
        raise VisuomotorError(f"{path} does not go with {first}: {'; '.join(different)} ({fix})")


def _observed(demonstrations: Demonstrations) -> str:
    """What is observed of a state, in words."""
    found = {
        ", ".join(f"{name} {tuple(value.shape[1:])}" for name, value in episode.observations.items()) or "none"
        for episode in demonstrations.episodes
    }
    return " or ".join(sorted(found))


def _metadata(paths: Sequence[Path], parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    keys = {key for part in parts for key in part} - {"format", "task"}
    different = sorted(key for key in keys if any(part.get(key) != parts[0].get(key) for part in parts))
    common = {key: value for key, value in parts[0].items() if key not in different}
    versions = {key: parts[0][key] for key in ("visuomotor", "mujoco")}
    tasks = [part["task"] for part in parts if "task" in part]  # names what to load, in files of format 2
    sources = [
        {"file": path.name, **{key: part[key] for key in different if key in part}}
        for path, part in zip(paths, parts, strict=True)
    ]
    return {**common, **versions, **({"task": tasks[0]} if tasks else {}), "sources": sources}
