"""The success rate of a run's policy on a split, for any algorithm."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from visuomotor.algorithms.algorithm import check_policy_fits
from visuomotor.algorithms.check import load_algorithm
from visuomotor.errors import VisuomotorError, unknown, whole_number
from visuomotor.evaluation.result import Result
from visuomotor.evaluation.trials import run_trials
from visuomotor.policies import load_policy
from visuomotor.runs import Run, config_to_dict, git_commit, hardware, learning_settings
from visuomotor.runs.metadata import LARGEST_SEED

_SEED_OFFSET = 1_000_000  # training seeds are small: no trial draws what training drew


def evaluate(run: Run | Path | str, split: str, trials: int = 100, seed: int = 0, video: bool = False) -> Result:
    """Run trials of a run's policy, which acts by its mean.

    Args:
        run: or its folder.
        split: one of the task's `splits`.
        seed: of the starts, and of what differs between worlds.
        video: write `videos/<split>.mp4`, successes and failures side by side.

    Raises:
        VisuomotorError: a number that cannot be; the run has no policy yet, or that of another task or algorithm, or
            one that does not fit the task as it is now; there is no such split.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    trials = whole_number("trials", trials, 1, 1_000_000)
    seed = whole_number("seed", seed, 0, LARGEST_SEED)
    kind = load_algorithm(run.algorithm)
    if not kind.trains_policy:
        raise VisuomotorError(
            f"{kind.name} trains no policy from pixels, so {run.path} has none to evaluate; visuomotor report "
            f"{run.path} shows how well its solution did in training"
        )
    settings = run_settings(run, kind.presets)
    policy = load_policy(run.path)
    task = run.make_task()
    check_policy_fits(policy.spec, task, kind.name, str(run.path))
    started = time.monotonic()
    done = run_trials(task, policy, split, trials, torch.Generator().manual_seed(_SEED_OFFSET + seed), video)
    elapsed = time.monotonic() - started
    if done.recorder is not None:
        done.recorder.write(run.videos / f"{split}.mp4", torch.tensor(done.outcomes.success))
    furthest = torch.tensor(done.outcomes.furthest_stage)
    return Result(
        task=task.name,
        algorithm=policy.spec.algorithm,
        split=split,
        preset=run.preset,
        seed=run.seed,
        trials=trials,
        successes=sum(done.outcomes.success),
        wall_seconds=elapsed,
        hardware=hardware("cpu"),
        commit=git_commit(),
        command=f"visuomotor evaluate {run.path} --split {split} --trials {trials} --seed {seed}",
        settings=", ".join([*settings, *policy.spec.training.get("notes", ())]),
        training_commit=run.metadata.get("commit"),
        algorithm_version=policy.spec.training.get("algorithm_version"),
        trial_seed=seed,
        control_steps=policy.spec.training.get("control_steps"),
        mean_final_distance_m=done.mean_final_distance_m,
        stages={name: int((furthest >= stage).sum()) for stage, name in enumerate(task.stages)},
        mean_return=done.mean_return,
        num_diverged=done.num_diverged,
        outcomes=done.outcomes,
    )


def run_settings(run: Run, presets: Mapping[str, Any]) -> list[str]:
    """What the run's config changes in its preset, one of `presets`."""
    if run.preset not in presets:
        raise unknown("preset", run.preset, presets)
    usual = learning_settings(config_to_dict(presets[run.preset]))
    settings = learning_settings(run.metadata["config"])
    if settings.get("demos") == f"{run.task_name}.hdf5":  # demonstrations of that name go without saying
        del settings["demos"]
    notes = [f"{name} {value}" for name, value in settings.items() if usual.get(name) != value]
    for change in run.metadata.get("changes", ()):
        before = learning_settings(change["before"])
        notes += [f"{name} {value} until row {change['row']}" for name, value in before.items() if name != "demos"]
    if run.metadata.get("source"):
        source = Path(run.metadata["source"])
        notes.append(f"from {f'{source.parent.name}/{source.name}' if source.suffix else source.name}")
    return notes
