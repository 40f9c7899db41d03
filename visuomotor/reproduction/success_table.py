"""Success rates of the policy that is trained end to end and of the two baselines (Levine et al. 2015, table I)."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean

from visuomotor.evaluation import Result, read_results
from visuomotor.evaluation.interval import wilson_interval
from visuomotor.reproduction.part import Command, Where

TASKS = ("hanger", "cube", "hammer", "bottle")
POLICIES = {"end-to-end": "end to end", "pose-features": "pose features", "pose-prediction": "pose prediction"}
"""By the setting `vision`."""
SPLITS = ("training", "spatial", "visual", "background")

# Successes and trials of the real robot on the paper's splits; it has none on backgrounds of our own.
_PAPER: dict[tuple[str, str], dict[str, tuple[int, int]]] = {
    ("hanger", "end-to-end"): {"training": (18, 18), "spatial": (24, 24), "visual": (18, 18)},
    ("hanger", "pose-features"): {"training": (16, 18), "spatial": (21, 24), "visual": (15, 18)},
    ("hanger", "pose-prediction"): {"training": (10, 18), "spatial": (14, 24), "visual": (12, 18)},
    ("cube", "end-to-end"): {"training": (26, 27), "spatial": (33, 36), "visual": (35, 40)},
    ("cube", "pose-features"): {"training": (19, 27), "spatial": (30, 36), "visual": (16, 40)},
    ("cube", "pose-prediction"): {"training": (0, 27), "spatial": (0, 36)},
    ("hammer", "end-to-end"): {"training": (41, 45), "spatial": (52, 60), "visual": (47, 60)},
    ("hammer", "pose-features"): {"training": (28, 45), "spatial": (45, 60), "visual": (32, 60)},
    ("hammer", "pose-prediction"): {"training": (4, 45), "spatial": (11, 60)},
    ("bottle", "end-to-end"): {"training": (24, 27), "spatial": (10, 12), "visual": (25, 40)},
    ("bottle", "pose-features"): {"training": (15, 27), "spatial": (7, 12), "visual": (11, 40)},
}


class SuccessTable:
    """Table I: every policy of every task and seed, on every split."""

    def missing(self, where: Where) -> Iterator[Command]:
        for task in TASKS:
            for seed in range(where.seeds):
                for vision in POLICIES:
                    yield from _of_one_policy(where, task, vision, seed)

    def write(self, where: Where, page: Path) -> str:
        results = _read(where.results)
        lines = [
            "| task | policy | " + " | ".join(SPLITS) + " |",
            "| --- | --- |" + " ---: |" * len(SPLITS),
        ]
        for task in TASKS:
            for vision, name in POLICIES.items():
                found = [_of(results, task, vision, split) for split in SPLITS]
                cells = [
                    _cell(one, _PAPER.get((task, vision), {}).get(split))
                    for split, one in zip(SPLITS, found, strict=True)
                ]
                lines.append(f"| {task} | {name} | " + " | ".join(cells) + " |")
        counted = [n for task in TASKS for vision in POLICIES if (n := len(_of(results, task, vision, SPLITS[0])))]
        return "\n".join(
            [
                *lines,
                "",
                f"Mean over seeds ({min(counted, default=0)} to {max(counted, default=0)} of them where measured), in "
                "brackets Wilson's 95% interval of all trials together, then the paper's robot.",
            ]
        )


def _of_one_policy(where: Where, task: str, vision: str, seed: int) -> Iterator[Command]:
    measured = {
        result.split
        for split in SPLITS
        for result in _of(_read(where.results), task, vision, split)
        if result.seed == seed and result.trials >= where.trials
    }
    splits = [split for split in SPLITS if split not in measured]
    if splits:
        yield where.train(task, vision, seed)
    for split in splits:
        run, trials = str(where.run(task, vision, seed)), str(where.trials)
        yield ["evaluate", run, "--split", split, "--trials", trials, "--results", str(where.results)]


def _read(folder: Path) -> list[Result]:
    return read_results(folder) if folder.is_dir() else []


def _of(results: Sequence[Result], task: str, vision: str, split: str) -> list[Result]:
    """The results of all seeds of a policy, trained with the laptop preset as it is."""
    settings = "" if vision == "end-to-end" else f"vision {vision}"
    wanted = (task, "gps", "laptop", settings, split)
    return [one for one in results if (one.task, one.algorithm, one.preset, one.settings, one.split) == wanted]


def _cell(found: Sequence[Result], paper: tuple[int, int] | None) -> str:
    theirs = f"; paper {100 * paper[0] / paper[1]:.0f}%" if paper else ""
    if not found:
        return f"missing{theirs}"
    low, high = wilson_interval(sum(one.successes for one in found), sum(one.trials for one in found))
    return f"{100 * mean(one.success_rate for one in found):.1f}% ({100 * low:.0f} to {100 * high:.0f}){theirs}"
