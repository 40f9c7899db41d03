"""Learning curves from the metrics of one run, or of several seeds with the band that they span."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter
from numpy.typing import NDArray

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Panel:
    """One small plot: the metrics that share it, by name, with their legends."""

    title: str
    lines: Mapping[str, str]
    log: bool = False
    """Logarithmic, where all values are positive."""
    both_signs: bool = False
    """Logarithmic away from zero, linear around it."""


PANELS = (
    Panel("cost of a trajectory", {"cost": "cost"}, log=True),
    Panel("KL divergence of an update", {"kl": "measured", "kl_bound": "bound"}, log=True),
    # a controller can look hopeless under the next dynamics: one such value must not flatten all others
    Panel(
        "improvement of the cost",
        {"predicted_improvement": "predicted", "actual_improvement": "actual"},
        both_signs=True,
    ),
    Panel("KL divergence policy to trajectory", {"policy_kl": "mean over steps"}, log=True),
    Panel("final distance (m)", {"final_distance": "mean"}, log=True),
    Panel("success rate", {"success": "of the conditions"}),
    Panel("supervised loss", {"supervised_loss": "policy", "pose_loss": "pose network"}, log=True),
)

_COLOURS = ("#2563eb", "#f97316")


def draw_curves(path: Path | str, histories: Sequence[Rows]) -> Path | None:
    """A PNG with a panel for each group of metrics that `histories` hold; None where they hold none.

    Args:
        histories: `Run.metrics()` of each seed. Of one, its line; of several, their mean and the band from the lowest
            to the highest, as far as all of them go.
    """
    panels = [panel for panel in PANELS if any(len(_series(histories, name)) for name in panel.lines)]
    if not panels:
        return None
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.9 * rows), dpi=110, layout="constrained", facecolor="white")
    for index, panel in enumerate(panels):
        _draw_panel(figure.add_subplot(rows, columns, index + 1), panel, histories)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure).print_png(str(path))
    return path


def _draw_panel(axes: Axes, panel: Panel, histories: Sequence[Rows]) -> None:
    positive = True
    for (name, legend), colour in zip(panel.lines.items(), _COLOURS, strict=False):
        values = _series(histories, name)
        if not len(values):
            continue
        steps = np.arange(1, values.shape[1] + 1)
        axes.plot(steps, values.mean(axis=0), color=colour, label=legend, linewidth=1.6, marker="o", markersize=2.5)
        if len(values) > 1:
            axes.fill_between(steps, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.18, linewidth=0)
        positive = positive and bool((values > 0).all())
    if panel.log and positive:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.4)))  # plain numbers, few of them
    if panel.both_signs:
        axes.set_yscale("symlog", linthresh=10.0)
    if "success" in panel.lines:
        axes.set_ylim(-0.03, 1.03)
    axes.set_title(panel.title, fontsize=10)
    axes.set_xlabel("iteration", fontsize=8)
    axes.tick_params(labelsize=8, which="both")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.6)
    if len(panel.lines) > 1:
        axes.legend(fontsize=8, frameon=False)


def _series(histories: Sequence[Rows], name: str) -> NDArray[np.float64]:
    """The metric `name` as `(seed, occurrence)`, cut to the shortest seed; empty where a seed has none of it."""
    found = [[row[name] for row in rows if _is_number(row.get(name))] for rows in histories]
    shortest = min((len(values) for values in found), default=0)
    return np.array([values[:shortest] for values in found] if shortest else [], dtype=np.float64)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
