"""The settings of policy searches: points of a space for each, tried on seeds that are not compared on."""

from collections.abc import Iterable, Sequence
from statistics import mean
from typing import Any

from visuomotor.algorithms.trajectory_search.search_spaces import (
    DRAWS_NOTHING,
    SEEDS,
    SPACES,
    Settings,
    algorithm_of,
    points,
)
from visuomotor.cli.bench_policy_search import run_search
from visuomotor.tasks import Task

_KEPT = 1 / 4  # of the points, for the other seeds


def tune_policy_search(task: Task, episodes: int, methods: Iterable[str] = SPACES) -> dict[str, Any]:
    """Try the points of the methods' spaces, until each has solved the task or sampled `episodes`: all with the first
    seed, then the best quarter with the other seeds.

    The best point needs the fewest episodes, mean over the seeds; a seed that does not solve the task counts twice
    `episodes`. Among points that are alike in that, it has the lowest last cost.

    Returns:
        `task`, `episodes`, `seeds`; `method_versions`; `best`, the settings of each method's best point;
        `points` of each method, the best first, for each: `settings`, `episodes_to_solve` by seed (or None),
        `mean_episodes`, `last_cost`.
    """
    best: dict[str, Settings] = {}
    tried: dict[str, list[dict[str, Any]]] = {}
    for method in methods:
        tried[method] = _tune(task, method, episodes)
        chosen = tried[method][0]
        best[method] = chosen["settings"]
        print(f"{method}: {chosen['mean_episodes']:.0f} episodes with {chosen['settings']}", flush=True)
    return {
        "task": task.name,
        "episodes": episodes,
        "seeds": list(SEEDS),
        "method_versions": {method: algorithm_of(method)[0].version for method in tried},
        "best": best,
        "points": tried,
    }


def _tune(task: Task, method: str, episodes: int) -> list[dict[str, Any]]:
    """All points of a method, the best first; those that only one seed was tried with come last."""

    def search(settings: Settings, seeds: Sequence[int]) -> list[dict[str, Any]]:
        return [run_search(task, method, seed, episodes, settings, until_solved=True) for seed in seeds]

    def rank(tried: tuple[Settings, list[dict[str, Any]]]) -> tuple[float, float]:
        summary = _summary(*tried, episodes)
        return summary["mean_episodes"], summary["last_cost"]

    tried = sorted(((settings, search(settings, SEEDS[:1])) for settings in points(method)), key=rank)
    kept = 0 if method in DRAWS_NOTHING else round(_KEPT * len(tried))
    best = sorted(((settings, runs + search(settings, SEEDS[1:])) for settings, runs in tried[:kept]), key=rank)
    return [_summary(*each, episodes) for each in best + tried[kept:]]


def _summary(settings: Settings, searches: Sequence[dict[str, Any]], episodes: int) -> dict[str, Any]:
    needed = [each["episodes_to_solve"] for each in searches]
    return {
        "settings": settings,
        "episodes_to_solve": needed,
        "mean_episodes": mean(2 * episodes if each is None else each for each in needed),
        "last_cost": mean(_last_cost(each["policy_cost"]) for each in searches),
    }


def _last_cost(costs: Sequence[float | None]) -> float:
    """Cost of the last solution whose physics did not diverge."""
    return next((cost for cost in reversed(costs) if cost is not None), float("inf"))
