"""Success against iterations, of all seeds of the four tasks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from visuomotor.evaluation.result import json_text
from visuomotor.figures.curves import draw_comparison
from visuomotor.reproduction.part import Command, Where, picture, read_measured
from visuomotor.reproduction.success_table import TASKS
from visuomotor.reproduction.training import Training
from visuomotor.runs.atomic import write_atomically

Curves = dict[str, dict[str, list[float]]]
"""Success by task and seed, a number an iteration."""


class LearningFigure:
    """The trajectory phase and training end to end: one episode a condition and iteration, with exploration noise.

    Curves of runs that are finished are kept among the results.
    """

    def missing(self, where: Where) -> Iterator[Command]:
        for task in TASKS:
            for seed in range(where.seeds):
                if str(seed) not in _curves(where)[task]:
                    yield Training(task).train(where, seed)

    def write(self, where: Where, page: Path) -> str:
        curves, path = _curves(where), where.figures / "learning.png"
        if any(curves.values()):
            write_atomically(_path(where), json_text(curves) + "\n")
        runs = {
            task: [[{"success": success} for success in by_seed[seed]] for seed in sorted(by_seed)]
            for task, by_seed in curves.items()
            if by_seed
        }
        parts = [picture("Success against iterations", path, page)] if draw_comparison(path, runs, "success") else []
        missing = [f"{task} {seed}" for task in TASKS for seed in range(where.seeds) if str(seed) not in curves[task]]
        parts += [f"Missing (task and seed): {', '.join(missing)}."] if missing else []
        return "\n\n".join(parts)


def _curves(where: Where) -> Curves:
    """Those that are kept, and of finished runs."""
    curves = read_measured(_path(where), _read) or {}
    found: Curves = {task: dict(curves.get(task, {})) for task in TASKS}
    for task in TASKS:
        for seed in range(where.seeds):
            if run := Training(task).finished(where, seed):
                found[task][str(seed)] = [row["success"] for row in run.metrics() if "success" in row]
    return found


def _read(content: dict[str, Any]) -> Curves:
    return {
        str(task): {str(seed): [_rate(value) for value in curve] for seed, curve in by_seed.items()}
        for task, by_seed in content.items()
    }


def _rate(value: Any) -> float:
    if not 0 <= float(value) <= 1:  # NaN neither
        raise ValueError(f"{value} is no success rate")
    return float(value)


def _path(where: Where) -> Path:
    return where.results / "levine2015-learning.json"
