"""Policy searches on the full state: each tuned, then tried with five seeds on each task."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from visuomotor.figures.policy_search import draw_policy_search
from visuomotor.reproduction.part import Command, Where, picture

TASKS: Final = ("insertion2d", "insertion3d", "swimmer")
EPISODES: Final[Mapping[str, int]] = {
    "gps-trajectories": 100,
    "ilqg": 200,
    "cem": 400,
    "reps": 400,
    "rwr": 400,
    "cem-network": 400,
    "reps-network": 400,
    "rwr-network": 400,
}
"""How many each search may sample, in tuning and in the comparison."""
_SEEDS = 5
_DRAWS_NOTHING = ("ilqg",)  # all seeds are one


class PolicySearchFigure:
    """Distance, cost and success against sampled episodes, and a table of how many solve each task."""

    def missing(self, where: Where) -> Iterator[Command]:
        for task in TASKS:
            for method, episodes in EPISODES.items():
                words = [*("bench", "policy-search", "--task", task, "--methods", method)]
                words += [*("--episodes", str(episodes), "--results", str(where.results))]
                tuning = where.results / f"tuning-policy-search-{task}-{method}.json"
                if not tuning.is_file():
                    yield [*words, "--tune"]
                if not _path(where, task, method).is_file():
                    yield [*words, "--seeds", str(_seeds(method)), "--tuned", str(tuning)]

    def write(self, where: Where, page: Path) -> str:
        path = where.figures / "policy_search.png"
        found = {(task, method): _read(where, task, method) for task in TASKS for method in EPISODES}
        measured = [each for each in found.values() if each]
        if measured:
            draw_policy_search(path, measured)
        shown = picture("Policy searches compared", path, page) if measured else "Missing."
        lines = [
            "| task | search | episodes to solve it: median | each seed | settings |",
            "| --- | --- | ---: | --- | --- |",
        ]
        lines += [_row(task, method, each) for (task, method), each in found.items()]
        return "\n".join([shown, "", *lines])


def _row(task: str, method: str, measured: Mapping[str, Any]) -> str:
    if not measured:
        return f"| {task} | {method} | missing | missing | missing |"
    tried = measured["methods"][method]
    needed = [each["episodes_to_solve"] for each in tried["by_seed"].values()]
    median = measured["median_episodes_to_solve"][method]
    unsolved = f"not in {measured['episodes']}"
    settings = ", ".join(f"{name} {value:g}" for name, value in tried["settings"].items())
    told = ", ".join("-" if n is None else str(n) for n in needed)
    return f"| {task} | {method} | {unsolved if median is None else f'{median:g}'} | {told} | {settings or 'preset'} |"


def _read(where: Where, task: str, method: str) -> dict[str, Any]:
    path = _path(where, task, method)
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _path(where: Where, task: str, method: str) -> Path:
    return where.results / f"bench-policy-search-{task}-{method}-seeds0-{_seeds(method) - 1}.json"


def _seeds(method: str) -> int:
    return 1 if method in _DRAWS_NOTHING else _SEEDS
