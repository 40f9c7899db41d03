"""Results as markdown tables."""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from statistics import mean

from visuomotor.evaluation.interval import wilson_interval
from visuomotor.evaluation.result import SPLITS, Result

HEADER = ("task", "algorithm", "preset", "split", "seeds", "successes / trials", "success", "95% interval")
_LENGTH = r"|total_steps \d+"  # settings of a result
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


def success_table(results: Iterable[Result]) -> str:
    """A row for each task, algorithm and preset, without other settings than the length of training: the success rate
    of each split, mean over seeds. Of several versions of an algorithm only the newest one counts."""
    chosen = sorted((one for one in results if re.fullmatch(_LENGTH, one.settings)), key=_cell)
    splits = [split for split in SPLITS if any(one.split == split for one in chosen)]
    lines = [_line(("task", "algorithm", "preset", *splits, "seeds", "training time"))]
    lines.append(_line(["---"] * 3 + ["---:"] * (len(splits) + 2)))
    for names, group in groupby(chosen, key=lambda one: (one.task, one.algorithm, _preset(one))):
        found = list(group)
        newest = max(one.algorithm_version or 0 for one in found)
        of_split: dict[str, list[Result]] = {split: [] for split in splits}
        for one in found:
            if (one.algorithm_version or 0) == newest:
                of_split[one.split].append(one)
        rates = [f"{100 * mean(r.success_rate for r in of_split[s]):.3g}%" if of_split[s] else "" for s in splits]
        seeds = sorted({len(each) for each in of_split.values() if each})
        counted = [one for each in of_split.values() for one in each]
        count = str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        lines.append(_line((*names, *rates, count, _minutes(counted))))
    return "\n".join(lines) + "\n"


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
    version = group[0].algorithm_version
    return (
        "" if version is None else str(version),
        group[0].settings,
        f"{100 * mean(distances):.1f} cm" if distances else "",
        f"{mean(returns):.1f}" if returns else "",
        _stages(group),
        _minutes(group),
    )


def _preset(result: Result) -> str:
    return f"{result.preset}, {result.settings}" if result.settings else result.preset


def _minutes(group: Sequence[Result]) -> str:
    """Mean training time, empty where none was measured."""
    seconds = [one.training_seconds for one in group if one.training_seconds is not None]
    return f"{mean(seconds) / 60:.0f} min" if seconds else ""


def _stages(group: Sequence[Result]) -> str:
    """The share of trials that reached each stage but the first, where all start, and the last, which is success; of
    stages that have other names in some results, nothing."""
    counted = [(r.stages, r.trials) for r in group if r.stages]
    names = [name for name in list(counted[0][0])[1:-1] if all(name in it for it, _ in counted)] if counted else []
    return ", ".join(f"{name} {100 * mean(it[name] / trials for it, trials in counted):.0f}%" for name in names)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
