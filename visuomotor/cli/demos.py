"""`visuomotor demos`: record demonstrations by script, look at them, check them."""

import shlex
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro
from tyro.conf import Positional

from visuomotor.cli import choose, listing
from visuomotor.errors import VisuomotorError

if TYPE_CHECKING:
    from visuomotor.demos import Demonstrations
    from visuomotor.tasks import StagedTask

# Each has a dataclass of options and a function of its name below.
COMMANDS: dict[str, tuple[str, str]] = {
    "script": ("script", "let scripted demonstrators do a task and write what they did into a file"),
    "info": ("info", "what is in a file"),
    "replay": ("replay", "a video of a file's episodes"),
    "check": ("check", "simulate a file's episodes again; exit with 1 if anything differs"),
}


@dataclass(frozen=True)
class MotionPlan:
    """Record scripted demonstrations: people who hesitate, go astray and sometimes miss."""

    task: Positional[str]
    """Name of the task."""
    episodes: int = 30
    """How many to keep."""
    seed: int = 0
    """Of every random draw."""
    out: Path | None = None
    """The file; by default demos/TASK.hdf5."""
    observations: bool = False
    """Store images (64 x 64) and proprioception too; otherwise they are rendered from the states when needed."""
    actions: bool = True
    """Store the actions; states are enough for curriculum and imitation reward."""
    overwrite: bool = False
    """Replace the file if there is one."""
    keep_failures: bool = False
    """Keep episodes that do not end in success as well; otherwise they are replaced."""


@dataclass(frozen=True)
class File:
    """Tell of, or check, a file of demonstrations."""

    file: Positional[Path]
    """HDF5, as `visuomotor demos script` writes it."""


@dataclass(frozen=True)
class StateReplay:
    """Write a video of recorded states, as the task's camera sees them."""

    file: Positional[Path]
    """HDF5, as `visuomotor demos script` writes it."""
    episode: int = 0
    """Which one, from 0."""
    grid: bool = False
    """All episodes side by side instead; green borders succeeded."""
    out: Path = Path("replay.mp4")
    """The video."""
    size: int | None = None
    """Side of one episode's picture in pixels; by default 320, or 128 in a grid."""


def run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(listing("usage: visuomotor demos COMMAND ...", COMMANDS))
        print("\nvisuomotor demos COMMAND --help tells more.")
        return 0
    function, _ = choose("command of demos", arguments[0], COMMANDS)
    return globals()[function](arguments[1:])


def script(arguments: list[str]) -> int:
    options = tyro.cli(MotionPlan, prog="visuomotor demos script", args=arguments)

    import dataclasses

    import torch

    from visuomotor.demos import replay as replaying
    from visuomotor.demos import write_demonstrations
    from visuomotor.demos.generate import record
    from visuomotor.tasks import StagedTask, make_task

    if options.episodes < 1:
        raise VisuomotorError(f"--episodes must be at least 1, not {options.episodes}")
    task = make_task(options.task, StagedTask)
    path = options.out or Path("demos") / f"{task.name}.hdf5"
    if path.exists() and not options.overwrite:
        raise VisuomotorError(f"{path} is there already; give --overwrite, or another --out")
    generator = torch.Generator().manual_seed(options.seed)
    episodes, rate = record(task, options.episodes, generator, options.keep_failures)
    observations = None
    if options.observations:
        made = replaying.StateReplay(task)
        observations = [
            {"image": made.images(episode)[:-1], "proprioception": made.readings(episode).proprioception[:-1]}
            for episode in episodes
        ]
    if not options.actions:
        episodes = [dataclasses.replace(episode, actions=None) for episode in episodes]
    facts = {
        "demonstrator": "scripted",
        "seed": options.seed,
        "success_rate": rate,
        "command": shlex.join(["visuomotor", "demos", "script", *arguments]),
    }
    written = write_demonstrations(path, task, episodes, facts, observations)
    print(f"{rate:.0%} of the scripted episodes succeeded, before any were left out")
    _tell(path, written)
    return 0


def info(arguments: list[str]) -> int:
    options = tyro.cli(File, prog="visuomotor demos info", args=arguments)

    from visuomotor.demos import read_demonstrations

    demonstrations = read_demonstrations(options.file)
    _tell(options.file, demonstrations)
    for name, value in demonstrations.facts.items():
        print(f"  {name}: {value}")
    return 0


def replay(arguments: list[str]) -> int:
    options = tyro.cli(StateReplay, prog="visuomotor demos replay", args=arguments)

    from visuomotor.demos import replay as replaying
    from visuomotor.figures.video import grid, write_video

    task, demonstrations = _read(options.file)
    episodes = demonstrations.episodes
    if not options.grid:
        if not 0 <= options.episode < len(episodes):
            raise VisuomotorError(f"{options.file} has episodes 0 to {len(episodes) - 1}, not {options.episode}")
        episodes = [episodes[options.episode]]
    size = (128 if options.grid else 320) if options.size is None else options.size
    pictures = replaying.StateReplay(task, size, supersampling=2)
    clips = [pictures.images(episode) for episode in episodes]
    frames = grid(clips, [episode.success for episode in episodes]) if options.grid else clips[0]
    print(write_video(options.out, frames, 1 / task.control_dt))
    return 0


def check(arguments: list[str]) -> int:
    options = tyro.cli(File, prog="visuomotor demos check", args=arguments)

    from visuomotor.demos import checks

    task, demonstrations = _read(options.file)
    results = checks.check(demonstrations, task)
    for index, result in enumerate(results):
        print(f"demo_{index}: {result}")
    failed = sum(not result.passed for result in results)
    succeeded = sum(result.succeeded for result in results)
    print(f"{len(results) - failed} of {len(results)} episodes passed; {succeeded} end in success")
    return int(failed > 0)


def _read(path: Path) -> "tuple[StagedTask, Demonstrations]":
    """The demonstrations and the task that they are of."""
    from visuomotor.demos import read_demonstrations
    from visuomotor.tasks import StagedTask, make_task

    task: Any = make_task(read_demonstrations(path).task, StagedTask)
    return task, read_demonstrations(path, task)


def _tell(path: Path, demonstrations: "Demonstrations") -> None:
    """A few lines about a dataset."""
    episodes, facts = demonstrations.episodes, demonstrations.facts
    seconds = sorted(len(episode) * facts["control_dt"] for episode in episodes)
    stages = Counter(int(stage) for episode in episodes for stage in episode.stages)
    total = sum(stages.values())
    parts = (f"{name} {stages[index] / total:.0%}" for index, name in enumerate(facts["stages"]))
    print(f"{path}: {len(episodes)} episodes of {demonstrations.task}, {path.stat().st_size / 1e6:.2f} MB")
    print(f"  success: {sum(episode.success for episode in episodes)} of {len(episodes)}")
    print(f"  length: {seconds[0]:.1f} to {seconds[-1]:.1f} s, mean {sum(seconds) / len(seconds):.1f} s")
    print(f"  states by stage: {', '.join(parts)}")
    with_actions = sum(episode.actions is not None for episode in episodes)
    told = {0: "no, only states", len(episodes): "yes"}.get(with_actions, f"in {with_actions} episodes")
    print(f"  actions: {told}")
    print(
        f"  mean return: {demonstrations.mean_return:.1f} over {facts['steps']} steps (longer episodes cut there, "
        "shorter ones going on at their last reward)"
    )
    in_time = sum(episode.stages[: facts["steps"] + 1][-1] == len(facts["stages"]) - 1 for episode in episodes)
    print(f"  in the last stage by then: {in_time} of {len(episodes)}")
