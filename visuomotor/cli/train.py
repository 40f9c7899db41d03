"""`visuomotor train ALGORITHM TASK`: train a policy into a new run folder, or continue a run."""

import argparse
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, NoReturn, TypeVar

import tyro
from tyro.conf import Positional

from visuomotor import registry
from visuomotor.cli import listing
from visuomotor.cli.duration import seconds_of
from visuomotor.errors import VisuomotorError, unknown

if TYPE_CHECKING:
    from visuomotor.algorithms.algorithm import Algorithm
    from visuomotor.runs import Run
    from visuomotor.runs.distributed import Distributed
    from visuomotor.tasks import Task

Config = TypeVar("Config")
Preset = TypeVar("Preset")


@dataclass(frozen=True, kw_only=True)
class Train(Generic[Config, Preset]):
    """Train a policy. Every field of the algorithm's config is an option; the defaults shown are the preset's."""

    task: Annotated[Positional[str], tyro.conf.arg(metavar="TASK")]
    """Name of the task (`visuomotor tasks` lists them); or module:Class or path/to/file.py:Class of your own."""
    preset: Preset
    """Named set of defaults."""
    seed: int = 0
    """Seed of all random draws; the same seed on the same CPU gives the same policy, bit for bit."""
    name: str | None = None
    """Name of the run folder. The default is built from algorithm, task, preset, seed and time."""
    root: Path = Path("runs")
    """Folder that run folders go into."""
    resume: Path | None = None
    """Continue this run from its latest checkpoint. It keeps its task, preset, seed and settings.
    Only its length, its save interval, its device and the paths of files that it reads may change.
    docs/command_line.md names these options."""
    source: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Begin with the networks of this run, or with the policy in this file (.safetensors). The new run may have other
    settings."""
    share: bool = True
    """Begin with the pretraining that another run has stored in ROOT/pretraining, or store it there.
    That run must have the same task, seed and settings of pretraining; the policy is the same, bit for bit.
    Of this package's algorithms only gps has such pretraining: pose regression and trajectories."""
    time_limit: str | None = None
    """Save and stop, with exit code 0, before this time is over: 90s, 9m or 1h30m; a bare number is seconds.
    A step that has begun is finished first, and one is always made: with the start that takes a minute or two.
    No step begins that would pass the time if it took as long as the longest so far.
    The first step of a new phase may be longer than all before."""
    config: Annotated[Config, tyro.conf.arg(name="")]  # fields as --field and --group.field


def run(arguments: list[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        usage = "usage: visuomotor train ALGORITHM TASK [--preset NAME] [--seed N] [--resume RUN] [--from RUN] ..."
        print(
            listing(usage, {name: ("", registry.describe("algorithm", name)) for name in registry.names("algorithm")})
        )
        print("\nvisuomotor train ALGORITHM --help lists every option.")
        return

    began = time.monotonic()
    from visuomotor.algorithms.check import load_algorithm, make_algorithm
    from visuomotor.runs.distributed import Distributed

    _check_order(arguments[0])
    name = registry.absolute_name("algorithm", arguments[0])
    kind = load_algorithm(name)
    early = _parse_early(arguments[1:])
    distributed = Distributed()
    if early.resume is None:
        options, task, open_folder = _new(name, kind.presets, early.preset or "laptop", arguments, distributed)
    else:
        options, task, open_folder = _resumed(name, kind.presets, early.resume, arguments)
    # bad input ends here
    algorithm = make_algorithm(kind, task, options.config, options.seed, distributed, options.task)
    _train(algorithm, options, open_folder(), began)


def _check_order(word: str) -> None:
    """Raise a VisuomotorError where an option or a task is in the place of the algorithm."""
    algorithms = registry.names("algorithm")
    if word.startswith("-") or (word in registry.names("task") and word not in algorithms):
        raise VisuomotorError(
            f"{word!r} is no algorithm; the algorithm comes first: visuomotor train ALGORITHM TASK, or "
            f"visuomotor train ALGORITHM --resume RUN; choose one of: {', '.join(sorted(algorithms))}"
        )


class _EarlyParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise VisuomotorError(message)


def _parse_early(arguments: list[str]) -> argparse.Namespace:
    """`--preset` or `--resume` decides the defaults of all other options: these are needed first."""
    parser = _EarlyParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--preset")
    parser.add_argument("--resume", type=Path)
    return parser.parse_known_args(arguments)[0]


def _parse(defaults: Train[Any, str], presets: Iterable[str], arguments: list[str]) -> Train[Any, str]:
    preset: Any = Annotated[str, tyro.conf.arg(metavar=f"{{{','.join(presets)}}}")]
    options = tyro.cli(
        Train[type(defaults.config), preset],  # pyright: ignore[reportInvalidTypeArguments]
        default=defaults,
        prog=f"visuomotor train {arguments[0]}",
        args=arguments[1:],
    )
    if options.time_limit is not None:
        seconds_of(options.time_limit, "--time-limit")
    return options


def _new(
    algorithm: str, presets: Mapping[str, Any], preset: str, arguments: list[str], distributed: "Distributed"
) -> "tuple[Train[Any, str], Task, Callable[[], Run]]":
    """Options, task and what makes a new run folder: nothing is made yet."""
    if preset not in presets:
        raise unknown("preset", preset, presets)
    options = _parse(Train(task=tyro.MISSING, preset=preset, config=presets[preset]), presets, arguments)

    from visuomotor.algorithms.training import POLICY_SUFFIX
    from visuomotor.policies import load_policy
    from visuomotor.runs import Run
    from visuomotor.runs.config import absolute_paths, check_range
    from visuomotor.runs.devices import choose_device
    from visuomotor.runs.metadata import LARGEST_SEED
    from visuomotor.tasks import make_task

    check_range("--seed", options.seed, 0, LARGEST_SEED)
    if options.source is not None and options.source.suffix == POLICY_SUFFIX:
        load_policy(options.source)  # raises where it is none
    elif options.source is not None and (source := Run.open(options.source)).algorithm != algorithm:
        raise VisuomotorError(f"{source.path} is a run of {source.algorithm}; its weights are of no use to {algorithm}")
    task = make_task(options.task)
    config = absolute_paths(options.config)
    options = replace(options, task=registry.absolute_name("task", options.task), config=config)
    if distributed.world_size > 1 and options.name is None:
        raise VisuomotorError("give a run of several processes a --name: after a restart they find it by that")
    metadata: dict[str, Any] = {
        "algorithm": algorithm,
        "task": options.task,
        "preset": preset,
        "seed": options.seed,
    }

    def kept() -> Path | None:
        """The folder of this job, where torchrun has started it again; an error where the name is taken."""
        path = options.root / str(options.name)
        if distributed.restarted and path.is_dir() and _is_of_this_job(Run.open(path), metadata, config):
            return path
        if options.name is not None:
            Run.check_name(options.root, options.name)
        return None

    def create() -> Path:
        if (path := kept()) is not None:
            return path
        return Run.create(
            options.root,
            **metadata,
            task_name=task.name,
            config=config,
            command=["visuomotor", "train", *arguments],
            name=options.name,
            source=options.source,
            device=str(choose_device(getattr(config, "device", "cpu"))),
        ).path

    distributed.broadcast_from_main(kept)
    return options, task, lambda: Run.open(distributed.broadcast_from_main(create))


def _is_of_this_job(found: "Run", metadata: Mapping[str, Any], config: Any) -> bool:
    """Whether a run that is there already would be this one; if not, torchrun restarted a job that could not begin."""
    from visuomotor.runs import config_to_dict

    asked = {**metadata, "config": config_to_dict(config)}
    return all(found.metadata[name] == value for name, value in asked.items())


def _resumed(
    algorithm: str, presets: Mapping[str, Any], path: Path, arguments: list[str]
) -> "tuple[Train[Any, str], Task, Callable[[], Run]]":
    from visuomotor.runs import Run
    from visuomotor.runs.config import absolute_paths

    folder = Run.open(path)
    if folder.algorithm != algorithm:
        raise VisuomotorError(f"{path} is a run of {folder.algorithm}; use visuomotor train {folder.algorithm}")
    config = folder.config(type(next(iter(presets.values()))))
    kept = Train(task=folder.task, preset=folder.preset, seed=folder.seed, config=config)
    options = _parse(kept, presets, arguments)
    named = registry.absolute_name("task", options.task)
    moved = registry.is_gone("task", folder.task) and named != folder.task
    surplus = [] if moved or named in (folder.task, folder.task_name) else [options.task]
    surplus += [f"--{name}" for name in ("preset", "seed", "name", "root") if vars(options)[name] != vars(kept)[name]]
    surplus += ["--from"] * (options.source is not None)
    if surplus:
        raise VisuomotorError(
            f"a resumed run keeps its task ({folder.task}), preset, seed and folder: leave out {' '.join(surplus)}, "
            "or train a new run"
        )
    demos = getattr(options.config, "demos", None)
    if isinstance(demos, Path) and not demos.exists():
        raise VisuomotorError(f"the demonstrations of {path} are no longer at {demos}; say where with --demos FILE")
    task = folder.make_task(named if moved else None)
    options = replace(options, task=folder.task, config=absolute_paths(options.config))
    return options, task, lambda: folder


def _train(algorithm: "Algorithm", options: Train[Any, str], folder: "Run", began: float) -> None:
    from visuomotor.algorithms.shared_pretraining import SharedPretraining
    from visuomotor.algorithms.training import train
    from visuomotor.cli.progress import Progress, say
    from visuomotor.policies.policy import FILE_NAME

    new, distributed = options.resume is None, algorithm.distributed
    if distributed.is_main:
        say(f"run folder: {folder.path}")
        if not new and not folder.latest_checkpoint.exists() and folder.metrics_lines == 0:
            say("it has no checkpoint yet: training starts from the beginning")
    path = shlex.quote(str(folder.path))
    go_on = f"visuomotor train {shlex.quote(folder.algorithm)} --resume {path}"
    try:
        shares = options.share and folder.metadata.get("source") is None  # that run's weights are no pretraining
        resumes = not new or distributed.restarted
        limit = None
        if options.time_limit is not None:
            limit = max(0.0, seconds_of(options.time_limit, "--time-limit") - (time.monotonic() - began))
        with Progress(not distributed.is_main, algorithm.first_iteration) as progress:
            done = train(
                algorithm,
                folder,
                resume=resumes,
                source=None if resumes else options.source,
                pretraining=SharedPretraining(folder.path.parent / "pretraining", algorithm) if shares else None,
                time_limit=limit,
                callback=progress.update,
            )
    except KeyboardInterrupt:
        # The folder, not the algorithm, knows whether there is a checkpoint to continue from.
        if folder.latest_checkpoint.is_file():
            print(f"\ncontinue with: {go_on}", file=sys.stderr)
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
        evaluate = f"visuomotor evaluate {path}; " if (folder.path / FILE_NAME).is_file() else ""
        done_text = f"next: {evaluate}visuomotor report {path}"
        say(done_text if done else f"saved when the time was up; continue with: {go_on}")
