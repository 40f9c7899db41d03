"""Results as markdown tables."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from statistics import mean

from visuomotor.evaluation.interval import wilson_interval
from visuomotor.evaluation.result import SPLITS, Result

HEADER = ("task", "algorithm", "preset", "split", "seeds", "successes / trials", "success", "95% interval")
OPTIONAL = ("version", "settings", "final distance", "return", "stage reached", "training time")


def result_rows(results: Iterable[Result]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The header and the cells of one table row per task, algorithm, its version, preset, settings and split.

    `success` is the mean of the seeds' rates, so that each seed counts alike; the interval is Wilson's on the pooled
    trials. Columns that no result has a number for are left out.
    """
    ordered = sorted(results, key=_cell)
    groups = [list(group) for _, group in groupby(ordered, key=_cell)]
    extra = [_optional_columns(group) for group in groups]
    kept = [i for i in range(len(OPTIONAL)) if any(columns[i] for columns in extra)]
    header = HEADER + tuple(OPTIONAL[i] for i in kept)
    return header, [_row(group) + tuple(columns[i] for i in kept) for group, columns in zip(groups, extra, strict=True)]


def markdown_table(results: Iterable[Result]) -> str:
    """The results as one markdown table, and under it the machines that they were measured on."""
    results = list(results)
    if not results:
        return "No results yet: `visuomotor evaluate RUN --results results` measures some.\n"
    header, rows = result_rows(results)
    lines = [_line(header), _line(["---"] * 4 + ["---:"] * (len(header) - 4)), *map(_line, rows)]
    hardware = "; ".join(sorted({result.hardware for result in results}))
    measured = f"Measured on {hardware}. The JSON file of each result has its command, commit and trials."
    return "\n".join([*lines, "", measured]) + "\n"


def _cell(result: Result) -> tuple[str, str, str, str, int, int, str]:
    known = SPLITS.index(result.split) if result.split in SPLITS else len(SPLITS)
    version = result.algorithm_version or 0
    return result.task, result.algorithm, result.preset, result.settings, version, known, result.split


def _row(group: Sequence[Result]) -> tuple[str, ...]:
    first = group[0]
    successes, trials = sum(r.successes for r in group), sum(r.trials for r in group)
    low, high = wilson_interval(successes, trials)
    return (
        first.task,
        first.algorithm,
        first.preset,
        first.split,
        str(len(group)),
        f"{successes} / {trials}",
        f"{100 * mean(r.success_rate for r in group):.3g}%",
        f"{100 * low:.0f} to {100 * high:.0f}%",
    )


def _optional_columns(group: Sequence[Result]) -> tuple[str, ...]:
    distances = [r.mean_final_distance_m for r in group if r.mean_final_distance_m is not None]
    returns = [r.mean_return for r in group if r.mean_return is not None]
    seconds = [r.training_seconds for r in group if r.training_seconds is not None]
    version = group[0].algorithm_version
    return (
        "" if version is None else str(version),
        group[0].settings,
        f"{100 * mean(distances):.1f} cm" if distances else "",
        f"{mean(returns):.1f}" if returns else "",
        _stages(group),
        f"{mean(seconds) / 60:.0f} min" if seconds else "",
    )


def _stages(group: Sequence[Result]) -> str:
    """The share of trials that reached each stage but the first, where all start, and the last, which is success."""
    counted = [r for r in group if r.stages]
    names = list(counted[0].stages or ())[1:-1] if counted else []
    return ", ".join(f"{name} {100 * mean((r.stages or {})[name] / r.trials for r in counted):.0f}%" for name in names)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
