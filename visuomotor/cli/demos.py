"""`visuomotor demos`: generate demonstrations with scripted experts, play them back, verify them."""

import shlex
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro
from tyro.conf import Positional

from visuomotor.cli import choose, listing
from visuomotor.errors import VisuomotorError

if TYPE_CHECKING:
    from visuomotor.demos import Demonstrations
    from visuomotor.tasks import Task

# Each has a dataclass of options and a function of its name below.
COMMANDS: dict[str, tuple[str, str]] = {
    "generate": ("generate", "let a task's scripted expert do the task and write its episodes into a file"),
    "info": ("info", "what is in a file"),
    "playback": ("playback", "a video of a file's episodes"),
    "verify": ("verify", "simulate a file's episodes again; exit with 1 if anything differs"),
}


@dataclass(frozen=True)
class Generate:
    """Generate demonstrations with the task's scripted expert, who moves like a person: hesitates, strays, misses."""

    task: Positional[str]
    """Name of the task, or path/to/file.py:Class."""
    episodes: int = 30
    """How many to keep."""
    seed: int = 0
    """Of every random draw."""
    out: Path | None = None
    """The file; by default demos/NAME.hdf5."""
    observations: bool = False
    """Store images (64 x 64) and proprioception too; otherwise they are computed from the states when needed."""
    actions: bool = True
    """Store the actions; states are enough for curriculum and imitation reward."""
    overwrite: bool = False
    """Replace the file if it exists."""
    keep_failures: bool = False
    """Keep episodes that do not end in success as well; otherwise they are replaced."""


@dataclass(frozen=True)
class Info:
    """Show what is in a file of demonstrations."""

    file: Positional[Path]
    """HDF5, as `visuomotor demos generate` writes it."""


@dataclass(frozen=True)
class Playback:
    """Write a video of recorded states, as the task's camera sees them."""

    file: Positional[Path]
    """HDF5, as `visuomotor demos generate` writes it."""
    episode: str | None = None
    """Name of the episode, such as demo_3, or its number; by default the file's first."""
    grid: bool = False
    """All episodes side by side instead; green borders mark success."""
    out: Path = Path("playback.mp4")
    """The video."""
    size: int | None = None
    """Side of one episode's picture in pixels; by default 320, or 128 in a grid."""
    task: str | None = None
    """The task, where its file is no longer at the recorded path: path/to/file.py:Class."""


@dataclass(frozen=True)
class Verify:
    """Simulate every step of a file again, and compare states, stages, rewards and success."""

    file: Positional[Path]
    """HDF5, as `visuomotor demos generate` writes it."""
    task: str | None = None
    """The task, where its file is no longer at the recorded path: path/to/file.py:Class."""


def run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(listing("usage: visuomotor demos COMMAND ...", COMMANDS))
        print("\nvisuomotor demos COMMAND --help tells more.")
        return 0
    function, _ = choose("command of demos", arguments[0], COMMANDS)
    return globals()[function](arguments[1:])


def generate(arguments: list[str]) -> int:
    options = tyro.cli(Generate, prog="visuomotor demos generate", args=arguments)

    import dataclasses

    import torch

    from visuomotor import registry
    from visuomotor.demos import write_demonstrations
    from visuomotor.demos.generate import record
    from visuomotor.demos.replay import StateReplay
    from visuomotor.tasks import make_task

    if options.episodes < 1:
        raise VisuomotorError(f"--episodes must be at least 1, not {options.episodes}")
    task = make_task(options.task)
    path = options.out or Path("demos") / f"{task.name}.hdf5"
    if path.exists() and not options.overwrite:
        raise VisuomotorError(f"{path} exists; give --overwrite, or another --out")
    generator = torch.Generator().manual_seed(options.seed)
    episodes, rate = record(task, options.episodes, generator, options.keep_failures)
    observations = None
    if options.observations:
        replay = StateReplay(task)
        observations = [
            {
                "image": replay.images(episode)[:-1],
                "proprioception": replay.observations(episode, ("proprioception",))["proprioception"][:-1],
            }
            for episode in episodes
        ]
    if not options.actions:
        episodes = [dataclasses.replace(episode, actions=None) for episode in episodes]
    metadata = {
        "demonstrator": "scripted",
        "task": registry.relative_name("task", options.task, path.parent),
        "seed": options.seed,
        "success_rate": rate,
        "command": shlex.join(["visuomotor", "demos", "generate", *arguments]),
    }
    written = write_demonstrations(path, task, episodes, metadata, observations)
    print(f"{rate:.0%} of the scripted episodes succeeded, before any were left out")
    _print_summary(path, written)
    return 0


def info(arguments: list[str]) -> int:
    options = tyro.cli(Info, prog="visuomotor demos info", args=arguments)

    from visuomotor.demos import read_demonstrations

    demonstrations = read_demonstrations(options.file)
    _print_summary(options.file, demonstrations)
    for name, value in demonstrations.metadata.items():
        print(f"  {name}: {value}")
    return 0


def playback(arguments: list[str]) -> int:
    options = tyro.cli(Playback, prog="visuomotor demos playback", args=arguments)

    from visuomotor.demos.replay import StateReplay
    from visuomotor.figures.video import grid, write_video

    task, demonstrations = _read(options.file, options.task)
    episodes = demonstrations.episodes
    if not options.grid:
        wanted = episodes[0].name if options.episode is None else options.episode
        known = [episode.name for episode in episodes]
        episodes = [episode for episode in episodes if episode.name in (wanted, f"demo_{wanted}")]
        if not episodes:
            raise VisuomotorError(f"{options.file} has no episode {wanted!r}; choose one of: {', '.join(known)}")
    size = (128 if options.grid else 320) if options.size is None else options.size
    replay = StateReplay(task, size, supersampling=2)
    clips = [replay.images(episode) for episode in episodes]
    frames = grid(clips, [episode.success for episode in episodes]) if options.grid else clips[0]
    print(write_video(options.out, frames, 1 / task.control_dt))
    return 0


def verify(arguments: list[str]) -> int:
    options = tyro.cli(Verify, prog="visuomotor demos verify", args=arguments)

    from visuomotor.demos.verify import verify as verify_demonstrations

    task, demonstrations = _read(options.file, options.task)
    results = verify_demonstrations(demonstrations, task)
    for result in results:
        print(f"{result.name}: {result}")
    failed = sum(not result.passed for result in results)
    succeeded = sum(result.succeeded for result in results)
    print(f"{len(results) - failed} of {len(results)} episodes passed; {succeeded} end in success")
    return int(failed > 0)


def _read(path: Path, name: str | None) -> "tuple[Task, Demonstrations]":
    """The task of a file, under the name given or recorded, and the demonstrations."""
    from visuomotor.demos import read_demonstrations
    from visuomotor.tasks import make_task

    recorded = read_demonstrations(path)
    try:
        task = make_task(name or str(recorded.metadata.get("task", recorded.task)))
    except VisuomotorError as error:
        if name is not None:
            raise
        raise VisuomotorError(f"{error} (to name the task of {path}, give --task)") from error
    return task, read_demonstrations(path, task)


def _print_summary(path: Path, demonstrations: "Demonstrations") -> None:
    """A few lines about a file."""
    episodes, metadata = demonstrations.episodes, demonstrations.metadata
    steps = metadata["max_episode_steps"]
    seconds = sorted(len(episode) * metadata["control_dt"] for episode in episodes)
    stages = Counter(int(stage) for episode in episodes for stage in episode.stages)
    total = sum(stages.values())
    parts = (f"{name} {stages[index] / total:.0%}" for index, name in enumerate(metadata["stages"]))
    print(f"{path}: {len(episodes)} episodes of {demonstrations.task}, {path.stat().st_size / 1e6:.2f} MB")
    print(f"  success: {sum(episode.success for episode in episodes)} of {len(episodes)}")
    print(f"  length: {seconds[0]:.1f} to {seconds[-1]:.1f} s, mean {sum(seconds) / len(seconds):.1f} s")
    print(f"  states by stage: {', '.join(parts)}")
    with_actions = sum(episode.actions is not None for episode in episodes)
    stored = {0: "no, only states", len(episodes): "yes"}.get(with_actions, f"in {with_actions} episodes")
    print(f"  actions: {stored}")
    print(
        f"  mean return: {demonstrations.mean_return:.1f} over {steps} steps (longer episodes cut there, shorter ones "
        "continued with their last reward)"
    )
    in_time = sum(int(episode.stages[: steps + 1][-1]) == len(metadata["stages"]) - 1 for episode in episodes)
    print(f"  in the last stage by then: {in_time} of {len(episodes)}")
