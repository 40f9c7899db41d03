"""Policy searches on the full state: each tuned, then tried with five seeds on each task."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from visuomotor.algorithms.trajectory_search.search_spaces import DRAWS_NOTHING, Settings, algorithm_of, points
from visuomotor.figures.policy_search import draw_policy_search
from visuomotor.reproduction.part import Command, Where, picture, read_measured

TASKS: Final = ("insertion2d", "insertion3d", "swimmer")
EPISODES: Final[Mapping[str, int]] = {
    "gps-trajectories": 100,
    "gps-network": 200,
    "ilqg": 100,
    "cem": 600,
    "reps": 600,
    "rwr": 600,
    "cem-network": 2000,
    "reps-network": 2000,
    "rwr-network": 2000,
}
"""How many each search may sample, in tuning and in the comparison."""
_SEEDS = 5


class PolicySearchFigure:
    """Distance, cost and success against sampled episodes, and a table of how many solve each task."""

    def missing(self, where: Where) -> Iterator[Command]:
        for task in TASKS:
            for method, episodes in EPISODES.items():
                words = [*("bench", "policy-search", "--task", task, "--methods", method)]
                words += [*("--episodes", str(episodes), "--results", str(where.results))]
                tuning = _tuning(where, task, method)
                if _best(where, task, method) is None:
                    yield [*words, "--tune"]
                if _measured(where, task, method) is None:
                    yield [*words, "--seeds", str(_seeds(method)), "--tuned", str(tuning)]

    def write(self, where: Where, page: Path) -> str:
        path = where.figures / "policy_search.png"
        found = {(task, method): _measured(where, task, method) for task in TASKS for method in EPISODES}
        measured = [each for each in found.values() if each]
        if measured:
            draw_policy_search(path, measured)
        figure = picture("Policy searches compared", path, page) if measured else "Missing."
        lines = [
            "| task | search | episodes to solve it: median | each seed | settings |",
            "| --- | --- | ---: | --- | --- |",
        ]
        lines += [
            f"| {task} | {method} | missing | missing | missing |" if each is None else _row(task, method, each)
            for (task, method), each in found.items()
        ]
        return "\n".join([figure, "", *lines])


def _row(task: str, method: str, measured: Mapping[str, Any]) -> str:
    tried = measured["methods"][method]
    median = measured["median_episodes_to_solve"][method]
    unsolved = f"not in {measured['episodes']}"
    settings = ", ".join(f"{name} {value:g}" for name, value in tried["settings"].items())
    each = ", ".join(_needed(curves) for curves in tried["by_seed"].values())
    return f"| {task} | {method} | {unsolved if median is None else f'{median:g}'} | {each} | {settings} |"


def _needed(curves: Mapping[str, Any]) -> str:
    """Episodes that one seed needs, and what it simulates of a known model until then."""
    episodes = curves["episodes_to_solve"]
    if episodes is None:
        return "-"
    model = curves["model_episodes"][curves["episodes"].index(episodes)]
    return f"{episodes} (and {model} of the model)" if model else str(episodes)


def _best(where: Where, task: str, method: str) -> Settings | None:
    """The best settings, where today's points were tried with today's method for as many episodes."""

    def read(tuned: dict[str, Any]) -> Settings | None:
        tried = [point["settings"] for point in tuned["points"][method]]
        found = tuned["method_versions"][method], tuned["episodes"]
        alike = all(point in tried for point in points(method)) and found == (_version(method), EPISODES[method])
        return tuned["best"][method] if alike else None

    return read_measured(_tuning(where, task, method), read)


def _measured(where: Where, task: str, method: str) -> dict[str, Any] | None:
    """The comparison with the best settings."""
    best = _best(where, task, method)

    def read(measured: dict[str, Any]) -> dict[str, Any] | None:
        _row(task, method, measured)  # raises where something is missing
        tried = measured["methods"][method]
        found = tried["version"], tried["settings"], measured["episodes"]
        return measured if found == (_version(method), best, EPISODES[method]) else None

    path = where.results / f"bench-policy-search-{task}-{method}-seeds0-{_seeds(method) - 1}.json"
    return read_measured(path, read)


def _tuning(where: Where, task: str, method: str) -> Path:
    return where.results / f"tuning-policy-search-{task}-{method}.json"


def _version(method: str) -> int:
    """Results of another version do not count."""
    return algorithm_of(method)[0].version


def _seeds(method: str) -> int:
    return 1 if method in DRAWS_NOTHING else _SEEDS
