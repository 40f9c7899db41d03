"""The settings of policy searches: a grid for each, searched on seeds that are not compared on."""

from collections.abc import Mapping, Sequence
from itertools import product
from statistics import mean
from typing import Any, Final

from visuomotor.cli.bench_policy_search import METHODS, Settings, run_search
from visuomotor.tasks import Task

SEEDS: Final = (1000, 1001)
_EPISODIC = {"samples": (10, 20, 40), "initial_std": (0.3, 0.6)}
_CEM = {**_EPISODIC, "elite_fraction": (0.1, 0.25)}
_REPS = {**_EPISODIC, "kl_bound": (0.5, 1.5)}
_RWR = {**_EPISODIC, "inverse_temperature": (3.0, 10.0)}
GRIDS: Final[Mapping[str, Mapping[str, Sequence[Any]]]] = {
    "gps-trajectories": {"trajectory.initial_noise_std": (0.1, 0.2, 0.3), "trajectory.kl_step": (0.5, 1.0)},
    "ilqg": {
        "regularization": (0.01, 1.0, 100.0),
        "regularization_factor": (2.0, 10.0),
        "finite_difference": (1e-5, 1e-2),
    },
    "cem": _CEM,
    "reps": _REPS,
    "rwr": _RWR,
    "cem-network": _CEM,
    "reps-network": _REPS,
    "rwr-network": _RWR,
}
"""Values of each setting; all combinations are tried."""
_DRAWS_NOTHING = ("ilqg",)  # all seeds are one


def tune_policy_search(task: Task, episodes: int, methods: Sequence[str] = METHODS) -> dict[str, Any]:
    """Try every point of the methods' grids, until it has solved the task or sampled `episodes`.

    The best point needs the fewest episodes, mean over the seeds; a seed that does not solve the task counts twice
    `episodes`. Among points that are alike in that, it has the lowest last cost.

    Returns:
        `task`, `episodes`, `seeds`; `best`, the settings of each method's best point; `points` of each method, for
        each: `settings`, `episodes_to_solve` by seed (or None), `mean_episodes`, `last_cost`.
    """
    best: dict[str, Settings] = {}
    points: dict[str, list[dict[str, Any]]] = {}
    for method in methods:
        names, values = zip(*GRIDS[method].items(), strict=True)
        points[method] = [
            _try(task, method, dict(zip(names, point, strict=True)), episodes) for point in product(*values)
        ]
        chosen = min(points[method], key=lambda point: (point["mean_episodes"], point["last_cost"]))
        best[method] = chosen["settings"]
        print(f"{method}: {chosen['mean_episodes']:.0f} episodes with {chosen['settings']}", flush=True)
    return {"task": task.name, "episodes": episodes, "seeds": list(SEEDS), "best": best, "points": points}


def _try(task: Task, method: str, settings: Settings, episodes: int) -> dict[str, Any]:
    seeds = SEEDS[:1] if method in _DRAWS_NOTHING else SEEDS
    searches = [run_search(task, method, seed, episodes, settings, until_solved=True) for seed in seeds]
    needed = [each["episodes_to_solve"] for each in searches]
    return {
        "settings": settings,
        "episodes_to_solve": needed,
        "mean_episodes": mean(2 * episodes if each is None else each for each in needed),
        "last_cost": mean([cost for cost in each["policy_cost"] if cost is not None][-1] for each in searches),
    }
