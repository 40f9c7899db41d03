"""`visuomotor train METHOD TASK`: train a policy into a new run folder, or go on with one."""

import argparse
import importlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Generic, NoReturn, TypeVar

import tyro
from tyro.conf import Positional

from visuomotor.cli import choose, listing
from visuomotor.errors import VisuomotorError, unknown

Config = TypeVar("Config")

_LARGEST_SEED = 2**31 - 1

# A method's package has `train(task_name, preset, config, run, resume, report)`, and its module `config` has PRESETS.
METHODS: dict[str, tuple[str, str]] = {
    "gps": ("visuomotor.algorithms.gps", "guided policy search: few samples, state in training, pixels to act"),
    "ppo-gail": ("visuomotor.algorithms.ppo_gail", "reinforcement and imitation: demonstrations, many samples, pixels to act"),
}


@dataclass(frozen=True, kw_only=True)
class Train(Generic[Config]):
    """Train a policy. Every field of the method's config is an option; the defaults shown are the preset's."""

    task: Annotated[Positional[str], tyro.conf.arg(metavar="TASK")]
    """Name of the task (`visuomotor tasks` lists them)."""
    preset: str = "laptop"
    """Named set of defaults: `laptop` (two cores), `paper` (the paper's numbers, as far as it tells them), `gpu`."""
    seed: int = 0
    """Of every random draw; the same seed on the same CPU gives the same policy, bit for bit."""
    name: str | None = None
    """Of the run's folder; by default made of method, task, preset, seed and time."""
    root: Path = Path("runs")
    """Folder that run folders go into."""
    resume: Path | None = None
    """Go on with this run from its latest checkpoint; it keeps its task, preset, seed and config. Where the
    demonstrations lie now may be told with --demos."""
    config: Annotated[Config, tyro.conf.arg(name="")]  # fields as --field and --group.field


def run(arguments: list[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(listing("usage: visuomotor train METHOD TASK [--preset NAME] [--seed N] [--resume RUN] ...", METHODS))
        print("\nvisuomotor train METHOD --help lists every option.")
        return
    method = arguments[0]
    package, _ = choose("method", method, METHODS)
    presets: dict[str, Any] = importlib.import_module(f"{package}.config").PRESETS
    early, rest = _parse_early(arguments[1:])
    if early.resume is not None:
        task, preset, config, folder = _resumed(method, early, rest, presets)
    else:
        task, preset, config, folder = _created(method, early.preset or "laptop", arguments[1:], presets)
    from visuomotor.runs.distributed import Distributed

    distributed = Distributed()
    new = early.resume is None
    _train(package, task, preset, config, folder, resume=not new or distributed.restarted, new=new, talks=distributed.is_main)


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


def _created(method: str, preset: str, arguments: list[str], presets: dict[str, Any]) -> tuple[str, str, Any, Any]:
    if preset not in presets:
        raise unknown("preset", preset, presets)
    defaults = presets[preset]
    options = tyro.cli(
        Train[type(defaults)],
        default=Train(task=tyro.MISSING, preset=preset, config=defaults),
        prog=f"visuomotor train {method}",
        args=arguments,
    )

    from visuomotor.runs import Run
    from visuomotor.runs.config import check_range
    from visuomotor.runs.devices import choose_device
    from visuomotor.runs.distributed import Distributed
    from visuomotor.tasks import task_names

    # before there is a folder for it
    if options.task not in task_names():
        raise unknown("task", options.task, task_names())
    check_range("--seed", options.seed, 0, _LARGEST_SEED)
    distributed = Distributed()
    if distributed.world_size > 1 and options.name is None:
        raise VisuomotorError("give a run of several processes a --name: after a restart they find it by that")

    def create() -> Path:
        path = options.root / str(options.name)
        if distributed.restarted and path.is_dir() and _is_of_this_job(Run.open(path), method, options):
            return path
        return Run.create(
            options.root,
            method=method,
            task=options.task,
            preset=preset,
            seed=options.seed,
            config=options.config,
            command=["visuomotor", "train", method, *arguments],
            name=options.name,
            device=str(choose_device(getattr(options.config, "device", "cpu"))),
        ).path

    return options.task, preset, options.config, Run.open(distributed.broadcast_from_main(create))


def _is_of_this_job(found: Any, method: str, options: Train[Any]) -> bool:
    """Whether a run that is there already would be this one; if not, torchrun restarted a job that could not begin."""
    from visuomotor.runs import config_to_dict

    asked = [method, options.task, options.preset, options.seed, config_to_dict(options.config)]
    return [found.facts[name] for name in ("method", "task", "preset", "seed", "config")] == asked


def _resumed(
    method: str, early: argparse.Namespace, rest: list[str], presets: dict[str, Any]
) -> tuple[str, str, Any, Any]:
    from visuomotor.runs import Run

    folder = Run.open(early.resume)
    if folder.method != method:
        raise VisuomotorError(f"{early.resume} is a run of {folder.method}; use visuomotor train {folder.method}")
    surplus = [word for word in rest if word != folder.task] + ["--preset"] * (early.preset is not None)
    if early.demos is not None and "demos" not in folder.facts["config"]:
        surplus.append("--demos")
    if surplus:
        raise VisuomotorError(
            f"a resumed run keeps its task ({folder.task}), preset, seed and config: leave out {' '.join(surplus)}, "
            "or train a new run"
        )
    config = folder.config(type(next(iter(presets.values()))))
    if early.demos is not None:
        config = replace(config, demos=early.demos)
    return folder.task, folder.preset, config, folder


def _train(
    package: str, task: str, preset: str, config: Any, folder: Any, *, resume: bool, new: bool, talks: bool
) -> None:
    from visuomotor.cli.progress import Progress, show

    if talks:
        print(f"run folder: {folder.path}", flush=True)
    try:
        with Progress() as progress:  # says nothing before it is told something
            importlib.import_module(package).train(
                task, preset, config, folder, resume=resume, report=lambda row: show(progress, row)
            )
    except KeyboardInterrupt:
        # The checkpoints folder, not the trainer, knows whether there is anything to go on with.
        if folder.latest_checkpoint.is_file():
            print(f"\ngo on with: visuomotor train {folder.method} --resume {folder.path}", file=sys.stderr)
        else:
            print(f"\nno checkpoint yet; {folder.path} can be deleted", file=sys.stderr)
        raise
    except VisuomotorError:
        if talks and new:
            folder.remove_if_unused()  # a mistake that was noticed late: its name is free again
        raise
    finally:
        folder.close()
    if talks:
        print(f"next: visuomotor evaluate {folder.path}; visuomotor report {folder.path}")
