"""`visuomotor demos generate|import|merge|render`: write files of demonstrations."""

import os
import shlex
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro
from tyro.conf import Positional

from visuomotor.cli.demos import print_summary, read_with_task
from visuomotor.errors import VisuomotorError, whole_number


@dataclass(frozen=True)
class Generate:
    """Generate demonstrations with the task's scripted expert, whose motion is noisy on purpose; or with --policy, with
    a trained policy."""

    task: Positional[str]
    """Name of the task, or path/to/file.py:Class."""
    episodes: int = 30
    """How many to keep."""
    policy: Path | None = None
    """A run folder or policy file: its policy demonstrates, from pixels, in place of the expert."""
    seed: int = 0
    """Seed of all random draws."""
    out: Path | None = None
    """The file; by default demos/NAME.hdf5."""
    observations: bool = False
    """Store images (64 x 64) and proprioception too, as `demos render` does; otherwise they are computed from the
    states when needed."""
    actions: bool = True
    """Store the actions; states are enough for curriculum and imitation reward."""
    overwrite: bool = False
    """Replace the file if it exists."""
    keep_failures: bool = False
    """Keep episodes that do not end in success as well; otherwise they are replaced."""


@dataclass(frozen=True)
class Import:
    """Write demonstrations of what another program recorded of our gymnasium environments, in robomimic's layout or
    Minari's: each episode's actions, and the attribute `seed`, which the environment was reset with. All is simulated
    again, and readings are compared where they were recorded."""

    file: Positional[Path]
    """HDF5."""
    task: Positional[str]
    """Name of the task, or path/to/file.py:Class."""
    out: Path
    """The file."""
    randomize: bool = True
    """As the environment had it: whether worlds differ in dynamics and appearance."""
    max_episode_steps: int | None = None
    """As the environment had it, if not the task's: control steps of an episode at most."""
    overwrite: bool = False
    """Replace the file if it exists."""


@dataclass(frozen=True)
class Merge:
    """Merge files of one task. Episodes are renumbered, in the order of the files, and stay in their masks; those of
    a file without masks get the usual ones."""

    files: Positional[tuple[Path, ...]]
    """Two or more."""
    out: Path
    """The file."""
    overwrite: bool = False
    """Replace the file if it exists."""


@dataclass(frozen=True)
class Render:
    """Write a copy of a file with observations of every state (obs, next_obs): what the task's camera sees in the
    recorded appearance, and proprioception."""

    file: Positional[Path]
    """HDF5, as `visuomotor demos generate` writes it."""
    out: Path | None = None
    """The copy; by default NAME_rendered.hdf5 beside the file."""
    size: int = 64
    """Side of the images in pixels."""
    overwrite: bool = False
    """Replace the copy if it exists."""
    task: str | None = None
    """The task, where its file is no longer at the recorded path: path/to/file.py:Class."""


def generate(arguments: list[str]) -> int:
    options = tyro.cli(Generate, prog="visuomotor demos generate", args=arguments)

    import dataclasses

    import torch

    from visuomotor.algorithms.algorithm import check_policy_fits
    from visuomotor.demos import write_demonstrations
    from visuomotor.demos.generate import record
    from visuomotor.demos.observations import with_observations
    from visuomotor.policies import load_policy
    from visuomotor.runs.config import check_range
    from visuomotor.runs.metadata import LARGEST_SEED
    from visuomotor.tasks import make_task

    if options.episodes < 1:
        raise VisuomotorError(f"--episodes must be at least 1, not {options.episodes}")
    check_range("--seed", options.seed, 0, LARGEST_SEED)
    task = make_task(options.task)
    path = options.out or Path("demos") / f"{task.name}.hdf5"
    _check_new(path, options.overwrite)
    generator = torch.Generator().manual_seed(options.seed)
    policy = None
    if options.policy is not None:
        policy = load_policy(options.policy)
        check_policy_fits(policy.spec, task, policy.spec.algorithm, str(options.policy))
    episodes, rate = record(task, options.episodes, generator, options.keep_failures, policy)
    if options.observations:
        episodes = with_observations(task, episodes)
    if not options.actions:
        episodes = [dataclasses.replace(episode, actions=None) for episode in episodes]
    metadata = {
        "demonstrator": "scripted" if policy is None else "policy",
        "task": options.task,
        "seed": options.seed,
        "success_rate": rate,
        "command": shlex.join(["visuomotor", "demos", "generate", *arguments]),
    }
    written = write_demonstrations(path, task, episodes, metadata, options.overwrite)
    failures = "kept" if options.keep_failures else "left out"
    print(f"{rate:.0%} of all generated episodes succeeded; failures are {failures}")
    print_summary(path, written)
    return 0


def import_(arguments: list[str]) -> int:
    options = tyro.cli(Import, prog="visuomotor demos import", args=arguments)

    from visuomotor.demos import write_demonstrations
    from visuomotor.demos.recordings import simulate_recordings
    from visuomotor.tasks import make_task

    if options.max_episode_steps is not None:
        whole_number("--max-episode-steps", options.max_episode_steps, 1, 2**31)
    task = make_task(options.task)
    _check_new(options.out, options.overwrite)
    episodes = simulate_recordings(options.file, task, options.randomize, options.max_episode_steps)
    metadata = {
        "demonstrator": "recorded",
        "task": options.task,
        "command": shlex.join(["visuomotor", "demos", "import", *arguments]),
    }
    written = write_demonstrations(options.out, task, episodes, metadata, options.overwrite, keep_names=True)
    print_summary(options.out, written)
    return 0


def merge(arguments: list[str]) -> int:
    options = tyro.cli(Merge, prog="visuomotor demos merge", args=arguments)

    from visuomotor.demos.dataset import write_file
    from visuomotor.demos.merge import merge as merge_demonstrations
    from visuomotor.demos.reading import not_read

    if len(options.files) < 2:
        raise VisuomotorError("merge takes two or more files: visuomotor demos merge A B --out OUT")
    _check_new(options.out, options.overwrite)
    for file in options.files:
        _warn_of(file, not_read(file))
    merged = merge_demonstrations(options.files)
    merged.metadata["command"] = shlex.join(["visuomotor", "demos", "merge", *arguments])
    write_file(options.out, merged, options.overwrite)
    print_summary(options.out, merged)
    return 0


def render(arguments: list[str]) -> int:
    options = tyro.cli(Render, prog="visuomotor demos render", args=arguments)

    import dataclasses

    from visuomotor.demos.dataset import write_file
    from visuomotor.demos.observations import with_observations
    from visuomotor.demos.reading import not_read
    from visuomotor.runs.config import check_range

    check_range("--size", options.size, 1, 1024)
    path = options.out or options.file.with_name(f"{options.file.stem}_rendered.hdf5")
    _check_new(path, options.overwrite)
    task, recorded = read_with_task(options.file, options.task)
    _warn_of(options.file, not_read(options.file, observations=("image", "proprioception")))
    recorded.metadata.update({} if options.task is None else {"task": options.task})
    rendered = dataclasses.replace(recorded, episodes=with_observations(task, recorded.episodes, options.size))
    write_file(path, rendered, options.overwrite)
    print_summary(path, rendered)
    return 0


def _check_new(path: Path, overwrite: bool) -> None:
    from visuomotor.runs.atomic import check_writable_file

    check_writable_file(path)
    if os.path.lexists(path) and not overwrite:  # a link that leads nowhere is somebody's too
        raise VisuomotorError(f"{path} exists; give --overwrite, or another --out")


def _warn_of(path: Path, left_out: Sequence[str]) -> None:
    if left_out:
        warnings.warn(f"what else {path} holds is not copied: {', '.join(left_out)}", stacklevel=2)
