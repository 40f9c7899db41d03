"""Linear-Gaussian controllers on contact tasks, with targets that are not where they take them to be."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from visuomotor.reproduction.part import Command, Where, read_measured

TASKS: Final = ("cube", "ring", "brick", "bottle", "wheel")


class TargetShiftTable:
    """What `visuomotor bench target-shifts` measures."""

    def missing(self, where: Where) -> Iterator[Command]:
        for task in TASKS:
            if not _path(where, task).is_file():
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
            rows = read_measured(_path(where, task), lambda measured, task=task: _rows(task, measured["noises"]))
            lines += rows or [f"| {task} |" + " missing |" * 6]
        return "\n".join([*lines, "", f"{where.seeds} seeds where measured, eight directions of each shift."])


def _rows(task: str, noises: Mapping[str, Any]) -> list[str]:
    return [_row(task, float(noise), found) for noise, found in noises.items()]


def _row(task: str, noise: float, found: Mapping[str, Any]) -> str:
    needed = [each["episodes_to_solve"] for each in found["by_seed"].values()]
    told = ", ".join("-" if n is None else str(n) for n in needed)
    shares = " | ".join(f"{100 * share:.0f}%" for share in found["success"])
    return f"| {task} | {100 * noise:g} cm | {told} | {shares} |"


def _path(where: Where, task: str) -> Path:
    return where.results / f"bench-target-shifts-{task}-seeds0-{where.seeds - 1}.json"
