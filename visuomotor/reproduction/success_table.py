"""Success rates of the policy that is trained end to end and of the two baselines (Levine et al. 2015, table I)."""

from collections.abc import Iterator
from pathlib import Path

from visuomotor.reproduction.part import Command, Where
from visuomotor.reproduction.training import SPLITS, Training, measured_results, success_cell, time_cell

TASKS = ("hanger", "cube", "hammer", "bottle")
POLICIES = {"end-to-end": "end to end", "pose-features": "pose features", "pose-prediction": "pose prediction"}
"""By the setting `vision`."""

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
                    yield from trained(task, vision).missing(where, seed)

    def write(self, where: Where, page: Path) -> str:
        results = measured_results(where)
        lines = [
            "| task | policy | seeds | " + " | ".join(SPLITS) + " | time |",
            "| --- | --- | --- |" + " ---: |" * (len(SPLITS) + 1),
        ]
        for task in TASKS:
            for vision, name in POLICIES.items():
                found = trained(task, vision).results
                cells = [success_cell(found(results, split)) + _paper(task, vision, split) for split in SPLITS]
                cells.append(time_cell(found(results)))
                seeds = ", ".join(str(seed) for seed in sorted({one.seed for one in found(results)}))
                lines.append(f"| {task} | {name} | {seeds} | " + " | ".join(cells) + " |")
        lines += [
            "",
            "Mean over seeds, in brackets Wilson's 95% interval of all trials together, then the paper's result. Each",
            "time contains pose regression and trajectories, which the three policies of a seed share.",
        ]
        return "\n".join(lines)


def trained(task: str, vision: str) -> Training:
    """One of `POLICIES`, with the laptop preset as it is."""
    return Training(task, vision, settings=() if vision == "end-to-end" else (("vision", vision),))


def _paper(task: str, vision: str, split: str) -> str:
    paper = _PAPER.get((task, vision), {}).get(split)
    return f"; paper {100 * paper[0] / paper[1]:.1f}%" if paper else ""
