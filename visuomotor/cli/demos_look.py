"""`visuomotor demos info|playback|verify`: look at a file of demonstrations, play it back, simulate it again."""

from dataclasses import dataclass
from pathlib import Path

import tyro
from tyro.conf import Positional

from visuomotor.cli.demos import print_summary, read_with_task
from visuomotor.errors import VisuomotorError


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
    """The video, an mp4."""
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


def info(arguments: list[str]) -> int:
    options = tyro.cli(Info, prog="visuomotor demos info", args=arguments)

    from visuomotor.demos import read_demonstrations

    demonstrations = read_demonstrations(options.file)
    print_summary(options.file, demonstrations)
    for name, value in demonstrations.metadata.items():
        line = f"{name}: {value}"
        print(f"  {line if line.isprintable() else ascii(line)}")  # a file may say anything
    return 0


def playback(arguments: list[str]) -> int:
    options = tyro.cli(Playback, prog="visuomotor demos playback", args=arguments)

    from visuomotor.demos.replay import StateReplay
    from visuomotor.figures.video import check_video_name, grid, write_video

    check_video_name(options.out)
    task, demonstrations = read_with_task(options.file, options.task)
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

    task, demonstrations = read_with_task(options.file, options.task)
    results = verify_demonstrations(demonstrations, task)
    for result in results:
        print(f"{result.name}: {result}")
    failed = sum(not result.passed for result in results)
    succeeded = sum(result.succeeded for result in results)
    print(f"{len(results) - failed} of {len(results)} episodes passed; {succeeded} end in success")
    return int(failed > 0)
