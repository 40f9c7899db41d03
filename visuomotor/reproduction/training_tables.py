"""What is changed in the training of policies, one change a row: the paper's own size, image augmentation, and few
images to learn the pose from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from visuomotor.reproduction.part import Command, Where
from visuomotor.reproduction.success_table import POLICIES, TASKS, trained
from visuomotor.reproduction.training import SPLITS, Training, measured_results, success_cell, time_cell


@dataclass(frozen=True)
class TrainingTable:
    """Success of policies, seed 0.

    rows: what the table calls a training, and the training.
    """

    rows: Sequence[tuple[str, Training]]
    splits: tuple[str, ...] = SPLITS

    def missing(self, where: Where) -> Iterator[Command]:
        for _, training in self.rows:
            yield from training.missing(where, 0, self.splits)

    def write(self, where: Where, page: Path) -> str:
        results = [one for one in measured_results(where) if one.seed == 0]
        lines = [
            "| task | policy | " + " | ".join(self.splits) + " | time |",
            "| --- | --- |" + " ---: |" * (len(self.splits) + 1),
        ]
        for name, training in self.rows:
            cells = [success_cell(training.results(results, split)) for split in self.splits]
            cells.append(time_cell(training.results(results)))
            lines.append(f"| {training.task} | {name} | " + " | ".join(cells) + " |")
        return "\n".join([*lines, "", "Seed 0; in brackets Wilson's 95% interval of the trials."])


def paper_size() -> TrainingTable:
    """The hanger with the laptop's preset and with the paper's."""
    rows = ("laptop, 64x64", Training("hanger")), ("paper, 240x240", Training("hanger", "paper", preset="paper"))
    return TrainingTable(rows)


def augmentation() -> TrainingTable:
    """Every kind of augmentation alone, on all tasks; without any, scenes of random appearance."""
    bare = ("augmentation.num_shapes", 0)
    rows = [
        row
        for task in TASKS
        for row in (
            ("none", Training(task, "no-augmentation", settings=(bare,))),
            ("pasted shapes (the preset)", Training(task)),
            ("colour", Training(task, "color", settings=(bare, ("augmentation.color", 0.3)))),
            ("cut-out", Training(task, "cutout", settings=(bare, ("augmentation.cutout", 0.3)))),
            ("shift", Training(task, "shift", settings=(bare, ("augmentation.shift", 0.05)))),
            ("random scenes", Training(task, "random-scenes", settings=(("randomize", True), bare))),
        )
    ]
    return TrainingTable(rows, ("visual", "background"))


def rough_pose() -> TrainingTable:
    """The three policies of table I with a pose network that learns from 60 images, without pasted shapes: it then
    misses the cube by about as much as the paper's network missed its target."""
    rough = ("augmentation.num_shapes", 0), ("pose.images", 60)
    rows = [
        (name, Training(task, f"{vision}-60-images", settings=(*trained(task, vision).settings, *rough)))
        for task in TASKS
        for vision, name in POLICIES.items()
    ]
    return TrainingTable(rows)
