"""`visuomotor train ALGORITHM TASK`: train a policy into a new run folder, or continue a run."""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, NoReturn, TypeVar

import tyro
from tyro.conf import Positional

from visuomotor import registry
from visuomotor.cli import listing
from visuomotor.errors import VisuomotorError, unknown

if TYPE_CHECKING:
    from visuomotor.algorithms.algorithm import Algorithm
    from visuomotor.runs import Run
    from visuomotor.runs.distributed import Distributed
    from visuomotor.tasks import Task

Config = TypeVar("Config")

_LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Train(Generic[Config]):
    """Train a policy. Every field of the algorithm's config is an option; the defaults shown are the preset's."""

    task: Annotated[Positional[str], tyro.conf.arg(metavar="TASK")]
    """Name of the task (`visuomotor tasks` lists them); or module:Class or path/to/file.py:Class of your own."""
    preset: str = "laptop"
    """Named set of defaults: `laptop` (two cores), `paper` (the paper's numbers where it gives them), `gpu`."""
    seed: int = 0
    """Of every random draw; the same seed on the same CPU gives the same policy, bit for bit."""
    name: str | None = None
    """Of the run's folder; by default made of algorithm, task, preset, seed and time."""
    root: Path = Path("runs")
    """Folder that run folders go into."""
    resume: Path | None = None
    """Continue this run from its latest checkpoint; it keeps its task, preset, seed and config. --demos may tell where
    the demonstrations are now."""
    config: Annotated[Config, tyro.conf.arg(name="")]  # fields as --field and --group.field


def run(arguments: list[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        usage = "usage: visuomotor train ALGORITHM TASK [--preset NAME] [--seed N] [--resume RUN] ..."
        print(
            listing(usage, {name: ("", registry.describe("algorithm", name)) for name in registry.names("algorithm")})
        )
        print("\nvisuomotor train ALGORITHM --help lists every option.")
        return

    from visuomotor.algorithms.algorithm import Algorithm
    from visuomotor.runs.distributed import Distributed

    name = registry.absolute_name("algorithm", arguments[0])
    kind: type[Algorithm] = registry.load("algorithm", name, Algorithm)
    early, rest = _parse_early(arguments[1:])
    distributed = Distributed()
    if early.resume is None:
        task, config, folder = _created(name, kind.presets, early.preset or "laptop", arguments, distributed)
    else:
        task, config, folder = _resumed(name, kind.presets, early, rest)
    _train(kind, task, config, folder, distributed, new=early.resume is None)


class _EarlyParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise VisuomotorError(message)


def _parse_early(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """`--preset` decides the defaults of all other options, and `--resume` forbids them (but for `--demos`, which may
    have been moved): these are needed first."""
    parser = _EarlyParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--preset")
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--demos", type=Path)
    return parser.parse_known_args(arguments)


def _created(
    algorithm: str, presets: Mapping[str, Any], preset: str, arguments: list[str], distributed: "Distributed"
) -> "tuple[Task, Any, Run]":
    """The task, its config and a new run folder. Bad input leaves no folder."""
    if preset not in presets:
        raise unknown("preset", preset, presets)
    defaults = presets[preset]
    options = tyro.cli(
        Train[type(defaults)],
        default=Train(task=tyro.MISSING, preset=preset, config=defaults),
        prog=f"visuomotor train {arguments[0]}",
        args=arguments[1:],
    )

    from visuomotor.runs import Run
    from visuomotor.runs.config import absolute_paths, check_range
    from visuomotor.runs.devices import choose_device
    from visuomotor.tasks import make_task

    check_range("--seed", options.seed, 0, _LARGEST_SEED)
    task = make_task(options.task)
    config = absolute_paths(options.config)
    if distributed.world_size > 1 and options.name is None:
        raise VisuomotorError("give a run of several processes a --name: after a restart they find it by that")
    metadata: dict[str, Any] = {
        "algorithm": algorithm,
        "task": registry.absolute_name("task", options.task),
        "preset": preset,
        "seed": options.seed,
    }

    def create() -> Path:
        path = options.root / str(options.name)
        if distributed.restarted and path.is_dir() and _is_of_this_job(Run.open(path), metadata, config):
            return path
        return Run.create(
            options.root,
            **metadata,
            task_name=task.name,
            config=config,
            command=["visuomotor", "train", *arguments],
            name=options.name,
            device=str(choose_device(getattr(config, "device", "cpu"))),
        ).path

    return task, config, Run.open(distributed.broadcast_from_main(create))


def _is_of_this_job(found: "Run", metadata: Mapping[str, Any], config: Any) -> bool:
    """Whether a run that is there already would be this one; if not, torchrun restarted a job that could not begin."""
    from visuomotor.runs import config_to_dict

    asked = {**metadata, "config": config_to_dict(config)}
    return all(found.metadata[name] == value for name, value in asked.items())


def _resumed(
    algorithm: str, presets: Mapping[str, Any], early: argparse.Namespace, rest: list[str]
) -> "tuple[Task, Any, Run]":
    from visuomotor.runs import Run
    from visuomotor.tasks import make_task

    folder = Run.open(early.resume)
    if folder.algorithm != algorithm:
        raise VisuomotorError(f"{early.resume} is a run of {folder.algorithm}; use visuomotor train {folder.algorithm}")
    named = {folder.task, folder.task_name}
    surplus = [word for word in rest if registry.absolute_name("task", word) not in named]
    surplus += ["--preset"] * (early.preset is not None)
    if early.demos is not None and "demos" not in folder.metadata["config"]:
        surplus.append("--demos")
    if surplus:
        raise VisuomotorError(
            f"a resumed run keeps its task ({folder.task}), preset, seed and config: leave out {' '.join(surplus)}, "
            "or train a new run"
        )
    config = folder.config(type(next(iter(presets.values()))))
    if early.demos is not None:
        config = replace(config, demos=early.demos.absolute())
    return make_task(folder.task), config, folder


def _train(
    kind: "type[Algorithm]", task: "Task", config: Any, folder: "Run", distributed: "Distributed", *, new: bool
) -> None:
    from visuomotor.algorithms.training import train
    from visuomotor.cli.progress import Progress

    if distributed.is_main:
        print(f"run folder: {folder.path}", flush=True)
        if not new and not folder.latest_checkpoint.is_file():
            print("it has no checkpoint yet: training starts from the beginning", flush=True)
    try:
        algorithm = kind(task, config, folder.seed, distributed, folder.task)
        with Progress() as progress:
            train(algorithm, folder, resume=not new or distributed.restarted, callback=progress.update)
    except KeyboardInterrupt:
        # The folder, not the algorithm, knows whether there is a checkpoint to continue from.
        if folder.latest_checkpoint.is_file():
            print(f"\ncontinue with: visuomotor train {folder.algorithm} --resume {folder.path}", file=sys.stderr)
        else:
            print(f"\nno checkpoint yet; {folder.path} can be deleted", file=sys.stderr)
        raise
    except Exception:
        if distributed.is_main and new:
            folder.remove_if_unused()  # nothing has been trained: the name is free again
        raise
    finally:
        folder.close()
    if distributed.is_main:
        print(f"next: visuomotor evaluate {folder.path}; visuomotor report {folder.path}")
