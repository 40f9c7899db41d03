"""Policy searches on the full state, compared: how many episodes each needs until its solution holds."""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import isfinite
from pathlib import Path
from statistics import median
from typing import Any, Final

from visuomotor.algorithms.trajectory_search.search import TrajectorySearch
from visuomotor.algorithms.trajectory_search.search_spaces import SPACES, Settings, algorithm_of
from visuomotor.errors import VisuomotorError
from visuomotor.runs.config import config_from_dict, config_to_dict
from visuomotor.tasks import Task

CURVES: Final = ("episodes", "policy_cost", "policy_distance_m", "policy_success", "model_episodes")
"""Metrics that are kept of every iteration; the last is 0 where a search knows no model."""
_IN_A_ROW = 3  # iterations whose solutions must succeed from every start
_DIGITS = 4  # after the point, of curves in a file
_ENDLESS = 100_000  # iterations; the episodes end it

Curves = dict[str, list[Any]]
"""Numbers; a cost is None where the physics of a solution diverged."""


def bench_policy_search(
    task: Task,
    seeds: Iterable[int],
    episodes: int,
    methods: Iterable[str] = SPACES,
    tuned: Mapping[str, Settings] | None = None,
) -> dict[str, Any]:
    """Every method with every seed, until it has sampled `episodes`.

    The solution is tried without noise after each iteration, in episodes that do not count. A search has solved the
    task when three solutions in a row succeed from every start; the episodes until the first of them count. What
    iLQG simulates of the known model is counted apart, as `model_episodes`.

    Args:
        tuned: settings of each method that differ from its preset "laptop".

    Returns:
        `task`, `seeds`, `episodes`; `median_episodes_to_solve` by method, None where half of the seeds or fewer solve
        it; `methods`, for each: `version`, `settings`, and `by_seed` with the curves (`CURVES`), `episodes_to_solve`
        (or None) and `seconds`.
    """
    seeds, found = list(seeds), dict[str, dict[str, Any]]()
    for method in methods:
        settings = dict((tuned or {}).get(method, {}))
        by_seed = {str(seed): run_search(task, method, seed, episodes, settings) for seed in seeds}
        found[method] = {"version": algorithm_of(method)[0].version, "settings": settings, "by_seed": by_seed}
        text = ", ".join(str(each["episodes_to_solve"] or "-") for each in by_seed.values())
        print(f"{method}: episodes to solve {task.name} by seed: {text}", flush=True)
    return {
        "task": task.name,
        "seeds": seeds,
        "episodes": episodes,
        "median_episodes_to_solve": {name: _median(each["by_seed"].values()) for name, each in found.items()},
        "methods": found,
    }


def run_search(
    task: Task, method: str, seed: int, episodes: int, settings: Settings, until_solved: bool = False
) -> dict[str, Any]:
    """One search: its curves, `episodes_to_solve` and `seconds`.

    Args:
        until_solved: stop as soon as the task is solved.
    """
    search, curves = _make(task, method, seed, settings), Curves({name: [] for name in CURVES})
    began = time.monotonic()
    for row in search.steps():
        for name, values in curves.items():
            value = row.get(name, 0)
            values.append(round(value, _DIGITS) if isfinite(value) else None)
        if row["episodes"] >= episodes or (until_solved and episodes_to_solve(curves) is not None):
            break
    return {**curves, "episodes_to_solve": episodes_to_solve(curves), "seconds": time.monotonic() - began}


def episodes_to_solve(curves: Curves) -> int | None:
    """Episodes until the first of three solutions in a row that succeed from every start; None without any."""
    successes = [share == 1 for share in curves["policy_success"]]
    for first in range(len(successes) - _IN_A_ROW + 1):
        if all(successes[first : first + _IN_A_ROW]):
            return curves["episodes"][first]
    return None


def _make(task: Task, method: str, seed: int, settings: Settings) -> TrajectorySearch:
    kind, preset = algorithm_of(method)
    config = replace(config_from_dict(type(preset), changed(config_to_dict(preset), settings)), iterations=_ENDLESS)
    return kind(task, config, seed)


def changed(config: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """A nested dict with `settings`, whose names are the places, such as `policy.kind`.

    Raises:
        VisuomotorError: there is no such place.
    """
    for name, value in settings.items():
        *groups, last = name.split(".")
        place: Any = config
        for group in groups:
            place = place.get(group, {}) if isinstance(place, dict) else {}
        if not isinstance(place, dict) or last not in place:
            raise VisuomotorError(f"there is no setting {name!r}; see visuomotor train ALGORITHM --help")
        place[last] = value
    return config


def read_tuned(path: Path, task: Task) -> dict[str, Settings]:
    """The best settings of each method in a file of `tune_policy_search`.

    Raises:
        VisuomotorError: it cannot be read, is another file, or was tuned on another task.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        best, tuned_on = content["best"], content["task"]
        if tuned_on != task.name:
            raise VisuomotorError(f"{path} was tuned on {tuned_on}; give the file of {task.name}, or tune it")
        return {str(method): dict(settings) for method, settings in best.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise VisuomotorError(
            f"{path} holds no tuned settings ({error!r}); "
            "visuomotor bench policy-search --tune --results FOLDER writes such a file"
        ) from error


def _median(searches: Iterable[Mapping[str, Any]]) -> float | None:
    """Where unsolved ones need more than any solved one."""
    needed = [each["episodes_to_solve"] or float("inf") for each in searches]
    middle = median(needed)
    return None if middle == float("inf") else middle
