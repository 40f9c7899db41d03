"""Policy searches compared: distance and cost against sampled episodes, from the files of the bench."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.artist import Artist
from matplotlib.figure import Figure

from visuomotor.figures.curves import Rows, draw_lines, series
from visuomotor.figures.png import write_png
from visuomotor.runs.metric_labels import MetricGroup

_PLOTS = (
    MetricGroup("final distance", {"policy_distance_m": "solution"}, unit="m"),
    MetricGroup("cost", {"policy_cost": "solution"}, scale="symlog"),
    MetricGroup("solutions that succeed", {"policy_success": "solution"}, unit="%"),
)


def draw_policy_search(path: Path | str, benches: Sequence[Mapping[str, Any]]) -> Path:
    """A PNG with a row of plots for each task, a line for each method: mean over seeds, and the band from the lowest
    to the highest.

    Args:
        benches: what `bench_policy_search` returned; those of one task are of different methods.
    """
    tasks: dict[str, dict[str, list[Rows]]] = {}
    for bench in benches:
        for name, each in bench["methods"].items():
            tasks.setdefault(bench["task"], {})[name] = [_rows(curves) for curves in each["by_seed"].values()]
    names = dict.fromkeys(name for methods in tasks.values() for name in methods)
    legend: dict[str, Artist] = {}
    size = 4.2 * len(_PLOTS) + 1.6, 3.0 * len(tasks)
    figure = Figure(figsize=size, dpi=110, layout="constrained", facecolor="white")
    for row, (task, methods) in enumerate(tasks.items()):
        for column, group in enumerate(_PLOTS):
            axes = figure.add_subplot(len(tasks), len(_PLOTS), row * len(_PLOTS) + column + 1)
            (key,) = group.metrics
            lines = {name: series(methods.get(name, []), key) for name in names}
            draw_lines(axes, group, lines, legend=False)
            axes.set_xscale("log")  # a search needs ten episodes, another a thousand
            axes.set_title(f"{task}: {group.heading}", fontsize=10)
            legend |= {label: line for line, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    drawn = [name for name in names if name in legend]
    figure.legend([legend[name] for name in drawn], drawn, loc="outside right upper", fontsize=8, frameon=False)
    return write_png(figure, path)


def _rows(curves: Mapping[str, Any]) -> Rows:
    """Rows of metrics, of columns."""
    names = [name for name, values in curves.items() if isinstance(values, list)]
    return [dict(zip(names, values, strict=True)) for values in zip(*(curves[name] for name in names), strict=True)]
