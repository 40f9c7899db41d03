"""Success against iterations, for the four tasks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from visuomotor.algorithms.gps import Gps
from visuomotor.evaluation.result import json_text
from visuomotor.figures.curves import draw_lines, series
from visuomotor.figures.png import write_png
from visuomotor.reproduction.part import Command, Where, check_measured, picture, read_measured
from visuomotor.reproduction.success_table import TASKS
from visuomotor.reproduction.training import Training
from visuomotor.runs.atomic import write_atomically
from visuomotor.runs.metric_labels import MetricGroup

Rows = list[dict[str, float]]
Curves = dict[str, dict[str, Rows]]
"""By task and seed, a row an iteration."""

_LINES: Final = {"success": "controllers, with noise", "policy_success": "policy from pixels"}
"""Metrics, and what the legend calls them."""


class LearningFigure:
    """Trajectory optimisation, then training end to end: the controllers' episodes, with exploration noise, and the
    policy's own.

    Curves of finished runs are kept among the results, with the version of gps.
    """

    def missing(self, where: Where) -> Iterator[Command]:
        for task in TASKS:
            for seed in range(where.seeds):
                if str(seed) not in _curves(where)[task]:
                    yield Training(task).train(where, seed)

    def write(self, where: Where, page: Path) -> str:
        curves, path = _curves(where), where.figures / "learning.png"
        parts: list[str] = []
        if any(curves.values()):
            content = {"algorithm_version": Gps.version, "curves": curves}
            if where.keep:
                write_atomically(_path(where), json_text(content) + "\n")
            _draw(path, curves)
            parts.append(picture("Success against iterations", path, page))
        missing = [f"{task} {seed}" for task in TASKS for seed in range(where.seeds) if str(seed) not in curves[task]]
        parts += [f"Missing (task and seed): {', '.join(missing)}."] if missing else []
        return "\n\n".join(parts)


def _curves(where: Where) -> Curves:
    """Those that are kept, and of finished runs."""
    path = _path(where)
    found: Curves = {task: {} for task in TASKS} | (read_measured(path, lambda kept: _read(path, kept)) or {})
    for task in TASKS:
        for seed in range(where.seeds):
            if run := Training(task).finished(where, seed):
                rows = [{name: row[name] for name in _LINES if name in row} for row in run.metrics()]
                found[task][str(seed)] = [row for row in rows if row]
    return found


def _read(path: Path, content: dict[str, Any]) -> Curves:
    check_measured(path, content, {"algorithm_version": Gps.version})
    return {
        str(task): {str(seed): [_row(row) for row in rows] for seed, rows in by_seed.items()}
        for task, by_seed in content["curves"].items()
    }


def _row(row: dict[str, Any]) -> dict[str, float]:
    rates = {str(name): float(rate) for name, rate in row.items()}
    if not all(0 <= rate <= 1 for rate in rates.values()):  # NaN neither
        raise ValueError(f"{row} holds no success rates")
    return rates


def _draw(path: Path, curves: Curves) -> None:
    """A plot for each task; a dotted line where the policy from pixels begins."""
    found = {task: list(by_seed.values()) for task, by_seed in curves.items() if by_seed}
    figure = Figure(figsize=(3.4 * len(found), 2.9), dpi=110, layout="constrained", facecolor="white")
    for column, (task, seeds) in enumerate(found.items()):
        axes = figure.add_subplot(1, len(found), column + 1)
        lines = {label: series(seeds, name, _LINES) for name, label in _LINES.items()}
        draw_lines(axes, MetricGroup(f"{task}, {len(seeds)} seed{'s' * (len(seeds) > 1)}", {}, unit="%"), lines)
        policy = lines[_LINES["policy_success"]]
        if not policy.empty:
            axes.axvline(policy.at[0] - 0.5, color="black", linestyle=":", linewidth=1.0)
    write_png(figure, path)


def _path(where: Where) -> Path:
    return where.results / "levine2015-learning.json"
