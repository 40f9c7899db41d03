"""Demonstrations from files in which other programs have recorded our gymnasium environments: seeds and actions.

The groups of episodes are those of robomimic (`data/demo_0`, ...) or of Minari (`episode_0`, ...). Each has `actions`
`(T, A)` in [-1, 1] and the attribute `seed`, which the world was reset with. The episode is simulated again: what
starts were drawn, states, stages and rewards follow from these. Where `proprioception` was recorded (in `obs` or
`observations`), it is compared with what is measured now.
"""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from visuomotor.demos.episode import Episode
from visuomotor.demos.generate import run_episodes
from visuomotor.demos.hdf5 import CheckedFile, opened
from visuomotor.demos.replay import StateReplay
from visuomotor.demos.schema import MAX_STEPS, Numbers
from visuomotor.errors import VisuomotorError
from visuomotor.tasks import ResetParams, Task

_TOLERANCE = 0.05  # of a reading's spread: contacts amplify the rounding of stored states


class _Recording(NamedTuple):
    """actions: `(T, A)`. proprioception: `(T or T + 1, P)`, None where there is none."""

    place: str
    seed: int
    actions: Tensor
    proprioception: Tensor | None

    @property
    def name(self) -> str:
        """demo_3 for data/demo_3 and episode_3, as robomimic has it; of another form, what it is."""
        word, _, number = self.place.rpartition("/")[2].partition("_")
        return f"demo_{number}" if word in ("demo", "episode") else self.place.rpartition("/")[2]


def simulate_recordings(
    path: Path, task: Task, randomize: bool = True, max_episode_steps: int | None = None
) -> list[Episode]:
    """The episodes of a file, in its order and by its numbers: data/demo_3 and episode_3 become demo_3. Those whose
    physics diverges are left out, with a warning.

    Args:
        randomize: as the environment had it. max_episode_steps: likewise; None for the task's.

    Raises:
        VisuomotorError: the file holds no such episodes, or longer ones, or two of one number; actions do not fit the
            task; readings differ from those that were recorded, so that task, seed or `randomize` were others.
    """
    with opened(path) as file:
        try:
            found = [_read(file, where, task, max_episode_steps or task.max_episode_steps) for where in _places(file)]
        except VisuomotorError as error:
            raise VisuomotorError(f"{path}: {error}") from error
    if twice := [it for it, count in Counter(it.name for it in found).items() if count > 1]:
        raise VisuomotorError(f"{path} holds two recordings of the number of {twice[0]}; rename one")
    engine = task.make_engine(len(found))
    starts = [task.sample_reset(1, torch.Generator().manual_seed(it.seed), randomize=randomize) for it in found]
    params = ResetParams.cat(starts)
    task.reset(engine, torch.arange(len(found)), params)
    lengths = torch.tensor([len(it.actions) for it in found])
    actions = torch.nn.utils.rnn.pad_sequence([it.actions for it in found])
    steps = iter(range(len(actions) + 1))

    def act(_: Tensor) -> tuple[Tensor, Tensor]:
        step = next(steps)
        return actions[min(step, len(actions) - 1)], step >= lengths

    numbered = zip(found, run_episodes(task, engine, params, act, len(actions) + 1), strict=True)
    kept = [(recorded, episode) for recorded, episode in numbered if episode is not None]
    if diverged := [it.place for it in found if all(it is not recorded for recorded, _ in kept)]:
        warnings.warn(f"left out of {path}, since the physics diverges: {', '.join(diverged)}", stacklevel=2)
    _compare(path, task, kept)
    return [replace(episode, name=recorded.name) for recorded, episode in kept]


def _places(file: CheckedFile) -> list[str]:
    places = [f"data/{name}" for name in file.names("data")]
    places += [name for name in file.names("") if name.startswith("episode_")]
    places = [place for place in places if file.is_group(place) and "actions" in file.names(place)]
    if not places:
        raise VisuomotorError("there is no recording: no group data/NAME or episode_N with actions")
    return sorted(places, key=lambda place: [int(part) for part in place.split("_")[1:] if part.isdecimal()])


def _read(file: CheckedFile, where: str, task: Task, max_episode_steps: int) -> _Recording:
    if "seed" not in file.attribute_names(where):
        raise VisuomotorError(f"{where} has no attribute seed: record with which seed the environment was reset")
    shape = file.shape(f"{where}/actions")
    if len(shape) != 2 or shape[1] != task.action_size or not 0 < shape[0] <= MAX_STEPS:
        raise VisuomotorError(f"{where}/actions has the shape {shape}, expected (T, {task.action_size})")
    if shape[0] > max_episode_steps:
        raise VisuomotorError(
            f"{where} has {shape[0]} actions, and an episode ends after {max_episode_steps}: cut off what is of the "
            "next one, or give --max-episode-steps if the environment had another limit"
        )
    readings = None
    for group in {"obs", "observations"} & set(file.names(where)):
        place = f"{where}/{group}"
        if file.is_group(place) and "proprioception" in file.names(place):
            readings = torch.from_numpy(file.array(f"{place}/proprioception", Numbers())).double()
    actions = torch.from_numpy(file.array(f"{where}/actions", Numbers(None, shape)).astype(np.float32))
    return _Recording(where, file.whole_number(where, "seed", 0, 2**64 - 1), actions.clamp(-1, 1), readings)


def _compare(path: Path, task: Task, kept: Sequence[tuple[_Recording, Episode]]) -> None:
    replay = StateReplay(task)
    for recorded, episode in kept:
        if recorded.proprioception is None:
            continue
        now = replay.observations(episode, ("proprioception",))["proprioception"].double()
        then = recorded.proprioception
        if then.shape[1:] != now.shape[1:] or len(then) not in (len(now) - 1, len(now)):
            raise VisuomotorError(
                f"{path}: {recorded.place} has proprioception {tuple(then.shape)}, and {task.name!r} {tuple(now.shape)}"
            )
        apart = (now[: len(then)] - then).abs() > _TOLERANCE * now.std(0).clamp(min=1e-3)
        if apart.any():
            raise VisuomotorError(
                f"{path}: {recorded.place} goes another way here from step {int(apart.any(1).nonzero()[0])} on; was it "
                "recorded with another task, another version, or the other of --randomize and --no-randomize?"
            )
