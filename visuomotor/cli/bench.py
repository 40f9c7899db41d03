"""`visuomotor bench PART`: how fast the parts are on this machine, and how well the parts of gps learn."""

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import tyro
from tyro.conf import Positional

from visuomotor.errors import VisuomotorError, unknown

if TYPE_CHECKING:
    from visuomotor.tasks import Task

_LONGEST_LIST = 80  # characters, in the table; curves and the like are in the file

Part = Literal[
    "camera",
    "engine",
    "env",
    "gps",
    "policy",
    "policy-search",
    "pose",
    "ppo-gail",
    "target-shifts",
    "trajectories",
]


@dataclass(frozen=True)
class Bench:
    """Measure one part on this machine: its speed, or how well it learns."""

    part: Positional[Part]
    """Speed: images (camera), physics (engine), both with all that learning needs (env).
    Speed of learning: one trajectory update (gps), the networks (policy), a whole training loop (ppo-gail).
    What is learned: by the trajectory phase (trajectories), by searches on the full state (policy-search).
    Likewise by pose networks with and without feature points (pose).
    Likewise by controllers that do not see the target move (target-shifts)."""
    json: bool = False
    """Print one JSON object as the last line instead of a table."""
    task: str | None = None
    """Which task to measure (all but gps and policy).
    By default hanger; for env and ppo-gail lifting, for policy-search insertion2d, for target-shifts bottle."""
    model: Path | None = None
    """An MJCF file, whose first camera to measure instead of a task's (camera)."""
    size: int | None = None
    """Side of the images in pixels (camera, pose); by default 64, for pose 128."""
    num_envs: int | None = None
    """How many worlds at once (camera, engine, env, ppo-gail); by default 64, for env 256, for ppo-gail 128."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where networks learn (ppo-gail, pose); `auto` takes CUDA where there is one."""
    seconds: float = 15.0
    """How long to measure (env, ppo-gail)."""
    seed: int = 0
    """Seed of the training (pose, trajectories, policy-search, target-shifts) or the episodes (env, ppo-gail)."""
    seeds: int = 1
    """How many seeds to train with, from --seed on (pose, trajectories, policy-search, target-shifts)."""
    episodes: int = 500
    """How many episodes each search samples (policy-search)."""
    methods: tuple[str, ...] = ()
    """Which searches, or which networks; by default all (policy-search, pose)."""
    tune: bool = False
    """Look for each method's best settings instead of comparing the methods (policy-search)."""
    tuned: tuple[Path, ...] = ()
    """Files that --tune wrote: compare with their best settings (policy-search)."""
    results: Path | None = None
    """Also write the measurement into this folder."""


def run(arguments: list[str]) -> None:
    part = [word for word in arguments[:1] if word in get_args(Part)]  # tyro's usage line leaves it out
    options = tyro.cli(Bench, prog=" ".join(["visuomotor bench", *part]), args=arguments)
    if options.num_envs is not None and options.num_envs < 1:
        raise VisuomotorError(f"--num-envs must be at least 1, not {options.num_envs}")

    from visuomotor.engine.thread_pool import available_cores
    from visuomotor.evaluation.result import json_text
    from visuomotor.runs.atomic import write_atomically
    from visuomotor.runs.config import check_range
    from visuomotor.runs.provenance import git_commit, hardware, versions

    check_range("--seed", options.seed, 0, 2**31 - 1)
    check_range("--seeds", options.seeds, 1, 1000)
    if options.size is not None:
        check_range("--size", options.size, 88 if options.part == "pose" else 1, 4096)
    check_range("--episodes", options.episodes, 1, 1_000_000)
    if options.part != "policy-search" and (options.tune or options.tuned):
        raise VisuomotorError("--tune and --tuned are for visuomotor bench policy-search")
    if options.part not in ("policy-search", "pose") and options.methods:
        raise VisuomotorError("--methods is for visuomotor bench policy-search and bench pose")
    if options.part not in ("ppo-gail", "pose") and options.device != "auto":
        raise VisuomotorError("--device is for visuomotor bench ppo-gail and bench pose")
    if options.model is not None and (options.part != "camera" or options.task is not None):
        raise VisuomotorError("--model is for visuomotor bench camera, without --task")
    measured = {"bench": options.part, **_measure(options)}
    device = str(measured.get("device", "cpu"))
    measured |= {"cores": available_cores(), "hardware": hardware(device), "commit": git_commit()}
    measured |= {"versions": versions()}
    measured |= {"command": shlex.join(["visuomotor", "bench", *arguments])}
    if options.results is not None:
        seeds = f"-seeds{options.seed}-{options.seed + options.seeds - 1}"
        detail = {
            "camera": f"-{measured.get('task')}-{measured.get('size')}",
            "engine": f"-{measured.get('task')}",
            "pose": "".join(f"-{word}" for word in (measured.get("task"), measured.get("size"), *options.methods)),
            "target-shifts": f"-{measured.get('task')}{seeds}",
            "trajectories": f"-{measured.get('task')}{seeds}",
            "policy-search": "".join(f"-{word}" for word in (measured.get("task"), *options.methods)) + seeds,
            "env": f"-{measured.get('task')}",
            "ppo-gail": f"-{measured.get('task')}{f'-{options.num_envs}' if options.num_envs else ''}",
        }
        on_cuda = "" if device == "cpu" else "-cuda"
        name = f"bench-{options.part}{detail.get(options.part, '')}{on_cuda}.json"
        if options.tune:
            name = "-".join(["tuning", options.part, measured["task"], *options.methods]) + ".json"
        write_atomically(options.results / name, json_text(measured) + "\n")
    if options.json:
        print(json.dumps(measured))
    else:
        _print_table(measured)


def _measure(options: Bench) -> dict[str, Any]:
    if options.part == "gps":
        from visuomotor.cli.bench_gps import bench_gps

        return bench_gps()
    if options.part == "policy":
        from visuomotor.cli.bench_policy import bench_policy

        return bench_policy()

    from visuomotor.tasks import make_task

    if options.part == "env":
        from visuomotor.cli.bench_env import bench_env

        task = make_task(options.task or "lifting")
        return bench_env(task, options.num_envs or 256, options.seconds, options.seed)
    if options.part == "ppo-gail":
        from visuomotor.cli.bench_ppo_gail import bench_ppo_gail

        task = make_task(options.task or "lifting")
        return bench_ppo_gail(task, options.num_envs, options.seconds, options.seed, options.device)
    seeds = range(options.seed, options.seed + options.seeds)
    if options.part == "pose":
        from visuomotor.cli.bench_pose import bench_pose
        from visuomotor.policies.pose_architectures import POSE_ARCHITECTURES

        networks = _known("pose network", options.methods, POSE_ARCHITECTURES)
        task = make_task(options.task or "hanger")
        return bench_pose(task, seeds, options.size or 128, networks, device=options.device)
    if options.part == "target-shifts":
        from visuomotor.cli.bench_target_shifts import bench_target_shifts

        return bench_target_shifts(make_task(options.task or "bottle"), seeds)
    if options.part == "trajectories":
        from visuomotor.cli.bench_trajectories import bench_trajectories

        return bench_trajectories(make_task(options.task or "hanger"), seeds)
    if options.part == "policy-search":
        return _policy_search(make_task(options.task or "insertion2d"), options)
    if options.part == "camera":
        from visuomotor.cli.bench_camera import bench_camera, read_scene

        if options.model is not None:
            name, model, camera = options.model.stem, *read_scene(options.model)
        else:
            task = make_task(options.task or "hanger")
            name, model, camera = task.name, task.model, task.camera
        return {"task": name, **bench_camera(model, camera, options.size or 64, options.num_envs or 64)}
    task = make_task(options.task or "hanger")
    from visuomotor.cli.bench_engine import bench_engine

    return {"task": task.name, **bench_engine(task.model, options.num_envs or 64)}


def _policy_search(task: "Task", options: Bench) -> dict[str, Any]:
    from visuomotor.algorithms.trajectory_search.search_spaces import SPACES
    from visuomotor.cli.bench_policy_search import bench_policy_search, read_tuned
    from visuomotor.cli.tune_policy_search import tune_policy_search

    methods = _known("policy search", options.methods, SPACES)
    if options.tune:
        return tune_policy_search(task, options.episodes, methods)
    tuned = {method: settings for path in options.tuned for method, settings in read_tuned(path, task).items()}
    return bench_policy_search(
        task, range(options.seed, options.seed + options.seeds), options.episodes, methods, tuned
    )


def _known(kind: str, methods: tuple[str, ...], all_methods: Iterable[str]) -> tuple[str, ...]:
    """The methods that were asked for, or all."""
    known = tuple(all_methods)
    for method in methods:
        if method not in known:
            raise unknown(kind, method, known)
    return methods or known


def _print_table(measured: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    from visuomotor.runs import flatten

    table = Table(Column(overflow="fold"), Column(overflow="fold"), show_header=False)
    for name, value in flatten(measured).items():
        if not isinstance(value, list) or len(str(value)) <= _LONGEST_LIST:
            table.add_row(name, f"{value:,.4g}" if isinstance(value, float) else str(value))
    Console().print(table)
