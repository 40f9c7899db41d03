"""Success against iterations, of all seeds of the four tasks."""

from collections.abc import Iterator
from pathlib import Path

from visuomotor.figures.curves import draw_comparison
from visuomotor.reproduction.part import Command, Where, picture
from visuomotor.reproduction.success_table import TASKS
from visuomotor.reproduction.training import Training
from visuomotor.runs import Run


class LearningFigure:
    """The trajectory phase and training end to end: one episode a condition and iteration, with exploration noise."""

    def missing(self, where: Where) -> Iterator[Command]:
        if (where.figures / "learning.png").is_file():
            return
        for task in TASKS:
            for seed in range(where.seeds):
                if not _rows(where, task, seed):
                    yield Training(task).train(where, seed)

    def write(self, where: Where, page: Path) -> str:
        path = where.figures / "learning.png"
        runs = {task: [rows for seed in range(where.seeds) if (rows := _rows(where, task, seed))] for task in TASKS}
        drawn = draw_comparison(path, {task: rows for task, rows in runs.items() if rows}, "success")
        return picture("Success against iterations", path, page) if drawn or path.is_file() else "Missing."


def _rows(where: Where, task: str, seed: int) -> list[dict[str, object]]:
    run = Training(task).run(where, seed)
    return Run.open(run).metrics() if (run / "config.json").is_file() else []
