"""`visuomotor demos`: files of demonstrations. What the commands share; each is in `demos_look` or `demos_write`."""

import importlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from visuomotor.cli import choose, listing
from visuomotor.errors import VisuomotorError

if TYPE_CHECKING:
    from visuomotor.demos import Demonstrations
    from visuomotor.tasks import Task

# Each module has a dataclass of options and a function by the command's name.
COMMANDS: dict[str, tuple[str, str]] = {
    "generate": ("demos_write", "let a task's scripted expert do the task and write its episodes into a file"),
    "import": ("demos_write", "simulate again what another program recorded of our environments: seeds and actions"),
    "info": ("demos_look", "what is in a file"),
    "playback": ("demos_look", "a video of a file's episodes"),
    "verify": ("demos_look", "simulate a file's episodes again; exit with 1 if anything differs"),
    "merge": ("demos_write", "one file of several"),
    "render": ("demos_write", "a copy of a file with images and readings, for learners such as robomimic's"),
}


def run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(listing("usage: visuomotor demos COMMAND ...", COMMANDS))
        print("\nvisuomotor demos COMMAND --help lists its options.")
        return 0
    module, _ = choose("command of demos", arguments[0], COMMANDS)
    name = {"import": "import_"}.get(arguments[0], arguments[0])  # `import` is a word of Python's
    return getattr(importlib.import_module(f"visuomotor.cli.{module}"), name)(arguments[1:])


def read_with_task(path: Path, name: str | None) -> "tuple[Task, Demonstrations]":
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


def print_summary(path: Path, demonstrations: "Demonstrations") -> None:
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
    for name, members in demonstrations.masks.items():
        print(f"  mask {name}: {len(members)} of {len(episodes)}")
    in_masks = {name for mask in ("train", "valid") for name in demonstrations.masks.get(mask, ())}
    if in_masks and (outside := [episode.name for episode in episodes if episode.name not in in_masks]):
        print(f"  in neither train nor valid: {', '.join(outside[:8])}{', ...' if len(outside) > 8 else ''}")
    if not demonstrations.masks.get("valid"):
        print("  no episode is in the mask valid: there is none to validate learners with")
    print(
        f"  mean return: {demonstrations.mean_return:.1f} over {steps} steps (longer episodes cut there, shorter ones "
        "continued with their last reward)"
    )
    in_time = sum(int(episode.stages[: steps + 1][-1]) == len(metadata["stages"]) - 1 for episode in episodes)
    print(f"  in the last stage by then: {in_time} of {len(episodes)}")
