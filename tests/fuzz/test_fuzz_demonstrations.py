"""Files of demonstrations with anything in them: read as they were meant, or refused in one line."""

import contextlib
import copy
import io
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from damage import Damaged, damaged, is_told, tries
from hypothesis import given
from hypothesis import strategies as st
from test_fuzz_checkpoints import changed_bytes
from torch import Tensor

from visuomotor.cli import main
from visuomotor.demos import Demonstrations, read_demonstrations, write_demonstrations
from visuomotor.demos.generate import demonstrate
from visuomotor.demos.observations import with_observations
from visuomotor.demos.schema import APPEARANCE, episode_schema
from visuomotor.errors import VisuomotorError
from visuomotor.tasks import make_task


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    """Two episodes of a few steps."""
    task = make_task("lifting")
    path = tmp_path_factory.mktemp("demos") / "whole.hdf5"
    (episode,) = demonstrate(task, 1, torch.Generator())
    short = [cut(episode, steps) for steps in (2, 3)]
    write_demonstrations(path, task, with_observations(task, short, image_size=2), {"task": "lifting"})
    return path


def cut(episode: Any, steps: int) -> Any:
    fields = {"states": steps + 1, "stages": steps + 1, "actions": steps, "rewards": steps}
    changes = {name: getattr(episode, name)[:count] for name, count in fields.items()}
    return type(episode)(**{**vars(episode), **changes, "success": False})


def unpacked(group: h5py.Group) -> dict[str, Any]:
    """A file as nested dicts; attributes have names that begin with @."""
    found: dict[str, Any] = {f"@{name}": value for name, value in group.attrs.items()}
    for name, entry in group.items():
        texts = isinstance(entry, h5py.Dataset) and entry.dtype.kind == "S"
        found[name] = (
            unpacked(entry)
            if isinstance(entry, h5py.Group)
            else [text.decode() for text in entry[()]]
            if texts
            else torch.from_numpy(np.asarray(entry[()]))
        )
    if "@env_args" in found:
        found["@env_args"] = json.loads(found["@env_args"])
    return found


def pack(group: h5py.Group, content: dict[str, Any]) -> None:
    """The inverse of `unpacked`; raises any error where HDF5 cannot hold what is there."""
    for key, value in content.items():
        stored = value.numpy() if isinstance(value, Tensor) else value
        if isinstance(value, list) and all(isinstance(text, str) for text in value):
            stored = np.array([text.encode() for text in value], dtype="S")
        if key == "@env_args" and isinstance(value, dict):
            stored = json.dumps(value)
        if str(key).startswith("@"):
            group.attrs[key[1:]] = stored
        elif isinstance(value, dict):
            pack(group.create_group(key), value)
        else:
            group[key] = stored


def is_right(demonstrations: Demonstrations) -> None:
    for episode in demonstrations.episodes:
        schema = episode_schema(len(episode), demonstrations.metadata)
        found = {"states": episode.states[:-1], "final_state": episode.states[-1], "rewards": episode.rewards}
        found |= {"stages": episode.stages} | ({} if episode.actions is None else {"actions": episode.actions})
        found |= {f"dynamics/{name}": value for name, value in episode.dynamics.items()}
        assert schema.keys() - found.keys() <= {"actions", "dones"}
        for name, value in found.items():
            assert tuple(value.shape) == schema[name].shape
            assert ((value >= schema[name].low) & (value <= schema[name].high)).all(), name
        for value in episode.appearance.values():
            assert (value.abs() <= APPEARANCE.high).all()
        for value in episode.observations.values():
            assert len(value) == len(episode) + 1
    names = {episode.name for episode in demonstrations.episodes}
    assert all(member in names for members in demonstrations.masks.values() for member in members)


def read(path: Path) -> None:
    """As a program reads it, and as `demos info` shows it."""
    try:
        is_right(read_demonstrations(path, observations=True))
    except VisuomotorError as error:
        is_told(error)
    told = io.StringIO()
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()):
        assert main(["demos", "info", str(path)]) in (0, 2), told.getvalue()
    assert told.getvalue().count("\n") <= 1


def test_other_content(path):
    with h5py.File(path) as file:
        whole = unpacked(file)

    @tries(250)
    @given(damaged(lambda: whole))
    def check(found: Damaged):
        odd = path.with_name("odd.hdf5")
        odd.unlink(missing_ok=True)
        try:
            with h5py.File(odd, "w") as file:
                pack(file, found.content)
        except (TypeError, ValueError, OverflowError, AttributeError):  # nothing that HDF5 or JSON can hold
            return
        read(odd)

    check()


def test_whole_content_is_read(path):
    """What the other test damages is right before."""
    with h5py.File(path) as file:
        whole = unpacked(file)
    with h5py.File(path.with_name("same.hdf5"), "w") as file:
        pack(file, copy.deepcopy(whole))
    same, original = (read_demonstrations(it, observations=True) for it in (path.with_name("same.hdf5"), path))
    is_right(same)
    assert same.metadata == original.metadata
    assert same.masks == original.masks
    for one, other in zip(same.episodes, original.episodes, strict=True):
        assert torch.equal(one.states, other.states)
        assert torch.equal(one.observations["image"], other.observations["image"])


def test_other_bytes(path):
    whole = path.read_bytes()

    @tries(200)
    @given(st.data())
    def check(data: st.DataObject):
        odd = path.with_name("bytes.hdf5")
        odd.write_bytes(changed_bytes(data, whole))
        read(odd)

    check()
