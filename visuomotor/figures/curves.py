"""Learning curves from the metrics of one run, or of several seeds with the band that they span."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, product
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogFormatter, MaxNLocator
from numpy.typing import NDArray

from visuomotor.figures.png import write_png
from visuomotor.runs.metric_labels import MetricGroup, group_of, groups_of

Rows = Sequence[Mapping[str, Any]]

_COLOURS = ("#2563eb", "#f97316", "#16a34a", "#9333ea", "#475569")
_FAR_APART = 5.0  # times: a logarithmic axis of less has hardly a number to label
_MOST_MARKERS = 60  # points of a line; more would hide it


@dataclass(frozen=True)
class Series:
    """One metric of several seeds: values `(seed, point)` at `(point,)` control steps, episodes or iterations."""

    at: NDArray[np.float64]
    values: NDArray[np.float64]
    unit: str

    @property
    def empty(self) -> bool:
        return not self.values.size


def series(histories: Sequence[Rows], key: str, beside: Iterable[str] = ()) -> Series:
    """A metric as far as all seeds that have it go; empty where none has.

    Rows that know their `control_steps` or the `episodes` sampled so far are compared at these, others by their number.
    Seeds that measured at other points than the one with the fewest are interpolated to its.

    Args:
        beside: other metrics of the same plot. A row's number is its place among those that have any of them.
    """
    keys = (key, *beside)
    numbered = [enumerate((row for row in h if any(_is_number(row.get(k)) for k in keys)), start=1) for h in histories]
    rows = [found for pairs in numbered if (found := [(i, row) for i, row in pairs if _is_number(row.get(key))])]
    counts = ("control_steps", "episodes")
    count = next((c for c in counts if all(_is_number(row.get(c)) for found in rows for _, row in found)), None)
    unit = "iteration" if count is None else count.replace("_", " ")
    if not rows:
        return Series(np.empty(0), np.empty((0, 0)), unit)
    values = [np.array([row[key] for _, row in found], dtype=np.float64) for found in rows]
    at = [np.array([i if count is None else row[count] for i, row in found], dtype=np.float64) for found in rows]
    grid = min(at, key=len)
    grid = grid[grid <= min(points[-1] for points in at)]
    return Series(grid, np.array([np.interp(grid, *pair) for pair in zip(at, values, strict=True)]), unit)


def draw_curves(path: Path | str, histories: Sequence[Rows]) -> Path | None:
    """A PNG with a plot for each group of metrics (`metric_labels`) that `histories` hold; None where they hold none.

    Args:
        histories: `Run.metrics()` of each seed. Of one, its line; of several, their mean and the band from the lowest
            to the highest, as far as all of them go.
    """
    keys = list(dict.fromkeys(key for history in histories for row in history for key in row))
    found = [
        (group, {label: series(histories, key, labels) for key, label in labels.items()})
        for group, labels in groups_of(keys, own_groups=False)
    ]
    plots = [(group, lines) for group, lines in found if any(not line.empty for line in lines.values())]
    if not plots:
        return None
    columns = min(3, len(plots))
    rows = -(-len(plots) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.9 * rows), dpi=110, layout="constrained", facecolor="white")
    for index, (group, lines) in enumerate(plots):
        draw_lines(figure.add_subplot(rows, columns, index + 1), group, lines)
    return write_png(figure, path)


def draw_comparison(path: Path | str, runs: Mapping[str, Sequence[Rows]], key: str) -> Path | None:
    """A PNG of one metric, a line and a band for each group of seeds; None where none holds the metric. A dashed line
    beside task returns is the demonstrations' mean.

    Args:
        runs: by what the legend calls them, `Run.metrics()` of each seed: say with imitation, and without.
        key: of the metric.
    """
    found = {label: series(histories, key) for label, histories in runs.items()}
    if all(each.empty for each in found.values()):
        return None
    group = group_of(key)
    if len(group.metrics) > 1 or key not in group.metrics:
        group = replace(group, title=f"{group.title}: {group.among([key])[key]}")
    figure = Figure(figsize=(6.0, 3.6), dpi=130, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    demos = series([rows for histories in runs.values() for rows in histories], "demo_return")
    if key == "task_return" and not demos.empty:
        axes.axhline(float(demos.values.mean()), color="black", linestyle="--", linewidth=1.0, label="demonstrations")
    draw_lines(axes, group, found)
    return write_png(figure, path)


def draw_lines(axes: Axes, group: MetricGroup, lines: Mapping[str, Series], legend: bool = True) -> None:
    """Lines by what a legend calls them, into one plot. Their colours go by the order of all, the empty ones too."""
    drawn = {label: line for label, line in lines.items() if not line.empty}
    styles = cycle(product(("-", "--"), _COLOURS))
    for (label, line), (style, colour) in zip(lines.items(), styles, strict=False):
        if label not in drawn:
            continue
        at, values = line.at, line.values
        marker = "o" if len(at) <= _MOST_MARKERS else None
        axes.plot(
            at, values.mean(axis=0), style, color=colour, label=label, linewidth=1.6, marker=marker, markersize=2.5
        )
        if len(values) > 1:
            axes.fill_between(at, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.18, linewidth=0)
    lowest, highest = (edge([edge(line.values) for line in drawn.values()]) for edge in (np.min, np.max))
    if group.scale == "log" and 0 < _FAR_APART * lowest < highest:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(_FewNumbers(minor_thresholds=(1, 0.4)))
    if group.scale == "symlog":
        axes.set_yscale("symlog", linthresh=10.0)
    if group.unit == "%":
        axes.set_ylim(-0.03, 1.03)
    unit = next(iter(drawn.values())).unit
    if unit == "control steps":
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))  # 2M, not 2000000
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(group.heading, fontsize=10)
    axes.set_xlabel(unit, fontsize=8)
    axes.tick_params(labelsize=8, which="both")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.6)
    if legend and len(drawn) > 1:
        axes.legend(fontsize=8, frameon=False)


class _FewNumbers(LogFormatter):
    """Labels where a logarithmic axis has room for them, as plain numbers."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:g}" if super().__call__(x, pos) else ""


def _is_number(value: Any) -> bool:
    """Also not so large that axes overflow."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e30
