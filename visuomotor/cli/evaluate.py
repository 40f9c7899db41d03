"""`visuomotor evaluate RUN`: measure how often a run's policy succeeds."""

import dataclasses
import shlex
from dataclasses import dataclass
from pathlib import Path

import tyro
from tyro.conf import Positional


@dataclass(frozen=True)
class Evaluate:
    """Run trials of a trained policy and write the success rates into the run's results/."""

    run: Positional[Path]
    """Folder of the run."""
    split: str = "all"
    """Distribution of starts: one of the task's, such as `training`, `spatial` (new positions), `visual` (distractors)
    or `random`; or `all`, which runs every split of the task."""
    trials: int = 100
    """How many trials of each split."""
    seed: int = 0
    """Seed of the trials. It is independent of the training seed."""
    video: bool = False
    """Also record the trials into the run's videos/, and draw feature points into its figures/."""
    task: str | None = None
    """Where the run's task is now, if its file has moved: path/to/file.py:Class."""
    results: Path | None = None
    """Write the results into this folder as well; `results` is the one that `visuomotor tables` reads."""


def run(arguments: list[str]) -> None:
    options = tyro.cli(Evaluate, prog="visuomotor evaluate", args=arguments)

    from visuomotor.evaluation import markdown_table, write_result
    from visuomotor.evaluation.evaluate import evaluate
    from visuomotor.evaluation.result import check_writable
    from visuomotor.runs import Run
    from visuomotor.runs.config import check_range

    check_range("--trials", options.trials, 1, 1_000_000)
    trained = Run.open(options.run)
    task = trained.make_task(options.task)
    splits = task.splits if options.split == "all" else (options.split,)
    command = shlex.join(["visuomotor", "evaluate", *arguments])
    # Training logs how long it has taken so far, interruptions left out.
    logged = [row.get("elapsed_seconds") for row in trained.metrics()]
    spent = [float(value) for value in logged if isinstance(value, int | float)]
    training_seconds = spent[-1] if spent else None
    folders = [trained.results, *filter(None, [options.results])]
    for folder in folders:
        check_writable(folder)
    results = []
    try:
        for split in splits:
            result = evaluate(trained, split, options.trials, options.seed, options.video)
            results.append(dataclasses.replace(result, command=command, training_seconds=training_seconds))
            for folder in folders:
                print(write_result(results[-1], folder), flush=True)
            if result.outcomes:
                print(f"{split}: {result.outcomes.failure_summary(list(result.stages or ()))}", flush=True)
    finally:  # print what was measured, also when the disk is full
        if results:
            print("\n" + markdown_table(results), flush=True)
    if options.video:
        from visuomotor.evaluation.feature_point_figures import draw_feature_point_figures

        for path in draw_feature_point_figures(trained):
            print(path)
