"""`visuomotor bench PART`: how fast the parts are on this machine, and how soon trajectories are learned."""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro
from tyro.conf import Positional


@dataclass(frozen=True)
class Bench:
    """Measure the speed of one part on this machine."""

    part: Positional[Literal["camera", "engine", "gps", "policy", "trajectories"]]
    """Images, physics, one trajectory update, the networks, or the whole trajectory phase."""
    json: bool = False
    """Print one JSON object as the last line instead of a table."""
    task: str = "hanger"
    """Which task to measure (camera, engine, trajectories)."""
    size: int = 64
    """Side of the images in pixels (camera)."""
    worlds: int = 64
    """How many worlds at once (camera, engine)."""
    seed: int = 0
    """Of the training (trajectories)."""
    results: Path | None = None
    """Also write the measurement into this folder."""


def run(arguments: list[str]) -> None:
    options = tyro.cli(Bench, prog="visuomotor bench", args=arguments)

    from visuomotor.runs.atomic import write_atomically
    from visuomotor.runs.provenance import cores, git_commit, hardware, versions

    measured = {"bench": options.part, **_measure(options)}
    measured |= {"cores": cores(), "hardware": hardware(), "commit": git_commit(), "versions": versions()}
    measured |= {"command": shlex.join(["visuomotor", "bench", *arguments])}
    if options.results is not None:
        detail = {"camera": f"-{options.size}", "trajectories": f"-seed{options.seed}"}.get(options.part, "")
        write_atomically(options.results / f"bench-{options.part}{detail}.json", json.dumps(measured, indent=2) + "\n")
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

    if options.part == "trajectories":
        from visuomotor.cli.bench_trajectories import bench_trajectories

        return bench_trajectories(options.task, options.seed)

    from visuomotor.tasks import make_task

    task = make_task(options.task)
    if options.part == "camera":
        from visuomotor.cli.bench_camera import bench_camera

        return bench_camera(task.model, task.camera, options.size, options.worlds)
    from visuomotor.cli.bench_engine import bench_engine

    return bench_engine(task.model, options.worlds)


def _print_table(measured: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False)
    for name, value in _flat(measured):
        table.add_row(name, f"{value:,.4g}" if isinstance(value, float) else str(value))
    Console().print(table)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
