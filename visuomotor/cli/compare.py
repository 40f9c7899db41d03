"""`visuomotor compare RUN...`: learning curves of several runs in one figure, the seeds of a setting as a band."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro
from tyro.conf import Positional

from visuomotor.errors import VisuomotorError

if TYPE_CHECKING:
    from visuomotor.figures.curves import Rows
    from visuomotor.runs import Run

_LONGEST_LABEL = 60


@dataclass(frozen=True)
class Compare:
    """Draw one metric of several runs. Runs that differ in nothing but their seed share a line (mean) and a band
    (lowest to highest)."""

    runs: Positional[tuple[Path, ...]]
    """Folders of the runs, all of one task."""
    metric: str = "success_rate"
    """Name of a metric in metrics.jsonl: `success_rate` for ppo-gail, `policy_success` for gps and the searches."""
    legend: Literal["settings", "names"] = "settings"
    """What a line is called by: the settings that set it apart, or its (first) run's name."""
    out: Path = Path("comparison.png")
    """The figure."""


def run(arguments: list[str]) -> None:
    options = tyro.cli(Compare, prog="visuomotor compare", args=arguments)

    from visuomotor.figures.curves import draw_comparison, series
    from visuomotor.runs import Run

    runs = [Run.open(path) for path in options.runs]
    if not runs:
        raise VisuomotorError("name at least one run folder")
    tasks = sorted({each.task_name for each in runs})
    if len(tasks) > 1:
        raise VisuomotorError(f"these runs are of several tasks: {', '.join(tasks)}; name runs of one of them only")
    histories = {each.path: each.metrics() for each in runs}
    lacking = [each for each in runs if series([histories[each.path]], options.metric).empty]
    groups = group_seeds([each for each in runs if each not in lacking], by_name=options.legend == "names")
    if not groups:
        raise _no_metric(options.metric, list(histories.values()))
    lines = {label: [histories[each.path] for each in members] for label, members in groups.items()}
    draw_comparison(options.out, lines, options.metric)
    for label, members in groups.items():
        print(f"{label}: {', '.join(each.name for each in members)}")
    for each in lacking:
        print(f"left out, as it has no {options.metric} (yet): {each.name}")
    print(options.out)


def _no_metric(metric: str, histories: "Sequence[Rows]") -> VisuomotorError:
    """The error for a metric that no run has: it lists those that are numbers, and suggests one of the same group."""
    from visuomotor.figures.curves import series
    from visuomotor.runs.metric_labels import PROGRESS_KEYS, group_of

    names = {name for rows in histories for row in rows for name in row}.difference(PROGRESS_KEYS)
    known = sorted(name for name in names if not series(histories, name).empty)
    close = list(group_of(metric).among(known))
    hint = f"; try --metric {close[-1]}" if close else ""
    there = f"there are: {', '.join(known)}" if known else "there is none yet: train further"
    return VisuomotorError(f"no run has the metric {metric!r} as a number{hint}; {there}")


def group_seeds(runs: "Sequence[Run]", by_name: bool = False) -> "dict[str, list[Run]]":
    """Runs of equal settings together, by what they are called: the settings that not all runs share, or the name of
    the first run, also where the settings are too many for a legend."""
    from visuomotor.runs import learning_settings

    settings = [{"algorithm": each.algorithm_name} | learning_settings(each.metadata["config"]) for each in runs]
    names = {name for each in settings for name in each}
    differing = sorted(name for name in names if len({str(each.get(name)) for each in settings}) > 1)
    groups: dict[str, list[Run]] = {}
    for each, values in zip(runs, settings, strict=True):
        label = (
            ", ".join(f"{name} {values.get(name)}" for name in differing) or f"{each.algorithm_name} {each.task_name}"
        )
        groups.setdefault(label, []).append(each)
    return {
        members[0].name if by_name or len(label) > _LONGEST_LABEL else label: members
        for label, members in groups.items()
    }
