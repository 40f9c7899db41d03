"""TrialResults of a run's policy on a protocol, whatever method trained it."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

from visuomotor.errors import unknown
from visuomotor.evaluation.conditioned_trials import conditioned_trials
from visuomotor.evaluation.result import Result
from visuomotor.evaluation.staged_trials import staged_trials
from visuomotor.evaluation.trials import TrialResults
from visuomotor.algorithms.gps.config import PRESETS as GPS
from visuomotor.algorithms.ppo_gail.config import PRESETS as PPO_GAIL
from visuomotor.runs import Run, config_to_dict, git_commit, hardware, learning_settings

_SEED_OFFSET = 1_000_000  # training seeds are small: no trial draws what training drew

_METHODS: dict[str, tuple[Callable[[Run, str, int, torch.Generator, bool], TrialResults], Mapping[str, Any]]] = {
    "gps": (conditioned_trials, GPS),
    "ppo-gail": (staged_trials, PPO_GAIL),
}


def evaluate(run: Run, protocol: str, trials: int = 100, seed: int = 0, video: bool = False) -> Result:
    """Run trials of a run's policy, mean actions.

    Args:
        protocol: one of the task's: `training`, `spatial`, `visual` or `background` (gps), `random` (ppo-gail).
        seed: of the starts, and of what differs between worlds.
        video: write `videos/<protocol>.mp4`, successes and failures side by side.

    Raises:
        VisuomotorError: another method or protocol, or a run without a trained policy.
    """
    if run.method not in _METHODS:
        raise unknown("method", run.method, _METHODS)
    run_trials, presets = _METHODS[run.method]
    started = time.monotonic()
    generator = torch.Generator().manual_seed(_SEED_OFFSET + seed)
    done = run_trials(run, protocol, trials, generator, video)
    elapsed = time.monotonic() - started
    if done.film is not None:
        done.film.write(run.videos / f"{protocol}.mp4", torch.tensor(done.outcomes.success))
    return Result(
        task=run.task,
        method=run.method,
        protocol=protocol,
        preset=run.preset,
        seed=run.seed,
        trials=trials,
        successes=sum(done.outcomes.success),
        wall_seconds=elapsed,
        hardware=hardware("cpu"),
        commit=git_commit(),
        command=f"visuomotor evaluate {run.path} --protocol {protocol} --trials {trials}",
        settings=", ".join([*_settings(run, presets), *done.circumstances]),
        training_commit=run.facts.get("commit"),
        trial_seed=seed,
        control_steps=done.control_steps,
        mean_final_distance_m=done.mean_final_distance_m,
        stages=done.stages,
        mean_return=done.mean_return,
        outcomes=done.outcomes,
    )


def _settings(run: Run, presets: Mapping[str, Any]) -> list[str]:
    """What the run's config changes in its preset."""
    if run.preset not in presets:
        raise unknown("preset", run.preset, presets)
    usual = learning_settings(config_to_dict(presets[run.preset]))
    settings = learning_settings(run.facts["config"])
    if settings.get("demos") == f"{run.task}.hdf5":  # demonstrations of that name go without saying
        del settings["demos"]
    return [f"{name} {value}" for name, value in settings.items() if usual.get(name) != value]
