"""Linear-Gaussian controllers on contact tasks, with targets that are not where they take them to be."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from visuomotor.algorithms.trajectory_search.gps_trajectories import GpsTrajectories
from visuomotor.reproduction.part import Command, Where, check_measured, read_measured

TASKS: Final = ("cube", "ring", "brick", "bottle", "wheel")
NOISES: Final = (0.0, 0.01, 0.02)
"""m, how far the target of each training episode is from where the controller takes it to be."""
SHIFTS: Final = (0.0, 0.01, 0.02, 0.03)
"""m, likewise in the tests."""


class TargetShiftTable:
    """What `visuomotor bench target-shifts` measures."""

    def missing(self, where: Where) -> Iterator[Command]:
        for task in TASKS:
            if _rows(where, task) is None:
                yield [
                    *("bench", "target-shifts", "--task", task, "--seeds", str(where.seeds)),
                    *("--results", str(where.results)),
                ]

    def write(self, where: Where, page: Path) -> str:
        lines = [
            "| task | noise in training | episodes to solve it | target 0 cm away | 1 cm | 2 cm | 3 cm |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        for task in TASKS:
            lines += _rows(where, task) or [f"| {task} |" + " missing |" * 6]
        return "\n".join([*lines, "", f"{where.seeds} seeds where measured, eight directions of each shift."])


def _rows(where: Where, task: str) -> list[str] | None:
    path = _path(where, task)

    def read(measured: dict[str, Any]) -> list[str]:
        noises = measured["noises"]
        found = {**measured, "shifts (m)": measured["shifts"], "noises (m)": [*map(float, noises)]}
        wanted = {"task": task, "shifts (m)": list(SHIFTS), "noises (m)": list(NOISES)}
        check_measured(path, found, {**wanted, "algorithm_version": GpsTrajectories.version})
        return [_row(task, float(noise), found) for noise, found in noises.items()]

    return read_measured(path, read)


def _row(task: str, noise: float, found: Mapping[str, Any]) -> str:
    needed = [each["episodes_to_solve"] for each in found["by_seed"].values()]
    episodes = ", ".join("-" if n is None else str(n) for n in needed)
    shares = " | ".join(f"{100 * share:.0f}%" for share in found["success"])
    return f"| {task} | {100 * noise:g} cm | {episodes} | {shares} |"


def _path(where: Where, task: str) -> Path:
    return where.results / f"bench-target-shifts-{task}-seeds0-{where.seeds - 1}.json"
