"""The settings of policy searches: a grid for each, searched on seeds that are not compared on."""

from collections.abc import Iterable, Sequence
from statistics import mean
from typing import Any

from visuomotor.algorithms.trajectory_search.grids import DRAWS_NOTHING, GRIDS, SEEDS, Settings, points
from visuomotor.cli.bench_policy_search import run_search
from visuomotor.tasks import Task


def tune_policy_search(task: Task, episodes: int, methods: Iterable[str] = GRIDS) -> dict[str, Any]:
    """Try every point of the methods' grids, until it has solved the task or sampled `episodes`.

    The best point needs the fewest episodes, mean over the seeds; a seed that does not solve the task counts twice
    `episodes`. Among points that are alike in that, it has the lowest last cost.

    Returns:
        `task`, `episodes`, `seeds`; `best`, the settings of each method's best point; `points` of each method, for
        each: `settings`, `episodes_to_solve` by seed (or None), `mean_episodes`, `last_cost`.
    """
    best: dict[str, Settings] = {}
    tried: dict[str, list[dict[str, Any]]] = {}
    for method in methods:
        tried[method] = [_try(task, method, point, episodes) for point in points(method)]
        chosen = min(tried[method], key=lambda point: (point["mean_episodes"], point["last_cost"]))
        best[method] = chosen["settings"]
        print(f"{method}: {chosen['mean_episodes']:.0f} episodes with {chosen['settings']}", flush=True)
    return {"task": task.name, "episodes": episodes, "seeds": list(SEEDS), "best": best, "points": tried}


def _try(task: Task, method: str, settings: Settings, episodes: int) -> dict[str, Any]:
    seeds = SEEDS[:1] if method in DRAWS_NOTHING else SEEDS
    searches = [run_search(task, method, seed, episodes, settings, until_solved=True) for seed in seeds]
    needed = [each["episodes_to_solve"] for each in searches]
    return {
        "settings": settings,
        "episodes_to_solve": needed,
        "mean_episodes": mean(2 * episodes if each is None else each for each in needed),
        "last_cost": mean(_last_cost(each["policy_cost"]) for each in searches),
    }


def _last_cost(costs: Sequence[float | None]) -> float:
    """Cost of the last solution whose physics did not blow up."""
    return next((cost for cost in reversed(costs) if cost is not None), float("inf"))
