"""`visuomotor evaluate RUN`: measure how often a run's policy succeeds."""

import dataclasses
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from tyro.conf import Positional


@dataclass(frozen=True)
class Evaluate:
    """Run trials of a trained policy and write the success rates into the run's results/."""

    run: Positional[Path]
    """Folder of the run."""
    protocol: Literal["training", "spatial", "visual", "background", "random", "all"] = "all"
    """Training positions, new positions (spatial), distractors on the rack (visual) or behind it (background) for gps;
    random starts for ppo-gail; or all that the task has."""
    trials: int = 100
    """TrialResults of each protocol."""
    seed: int = 0
    """Of the trials' randomness; the policy's own seed is the run's."""
    video: bool = False
    """Also record the trials into the run's videos/."""
    results: Path | None = None
    """Write the results into this folder as well; `results` is the one that `visuomotor tables` reads."""


def run(arguments: list[str]) -> None:
    options = tyro.cli(Evaluate, prog="visuomotor evaluate", args=arguments)

    from visuomotor.errors import VisuomotorError
    from visuomotor.evaluation import markdown_table, write_result
    from visuomotor.evaluation.evaluate import evaluate
    from visuomotor.runs import Run
    from visuomotor.tasks import make_task

    if options.trials < 1:
        raise VisuomotorError(f"--trials must be at least 1, not {options.trials}")
    trained = Run.open(options.run)
    protocols = make_task(trained.task).protocols if options.protocol == "all" else (options.protocol,)
    command = shlex.join(["visuomotor", "evaluate", *arguments])
    # The trainer logs how long the run has taken so far, interruptions left out.
    spent = [row["elapsed_seconds"] for row in trained.metrics() if "elapsed_seconds" in row]
    training_seconds = spent[-1] if spent else None
    results = []
    for protocol in protocols:
        result = evaluate(trained, protocol, options.trials, options.seed, options.video)
        results.append(dataclasses.replace(result, command=command, training_seconds=training_seconds))
        for folder in filter(None, (trained.results, options.results)):
            print(write_result(results[-1], folder), flush=True)
        if result.outcomes:
            print(f"{protocol}: {result.outcomes.failure_summary(list(result.stages or ()))}", flush=True)
    if options.video and trained.method == "gps":
        from visuomotor.evaluation.feature_point_figures import draw_feature_pictures

        draw_feature_pictures(trained)
    print("\n" + markdown_table(results))
