"""Trials of a trained policy on a protocol."""

import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from visuomotor.camera import Camera
from visuomotor.engine import Engine
from visuomotor.evaluation.result import Result
from visuomotor.figures.video import grid, write_video
from visuomotor.gps.learners import policy_actor
from visuomotor.gps.trained import Trained, load_trained
from visuomotor.runs import Run, git_commit, hardware
from visuomotor.tasks import Conditions, Outcome, rollout

START_SPREAD = 0.02  # rad by which each joint's start deviates (normal): no trial repeats another
_SEED_OFFSET = 1_000_000  # training seeds are small: no trial draws what training drew
_FILMED, _SHOWN, _FAILURES_SHOWN = 48, 8, 4
_FILM_SIDE, _FILM_SUPERSAMPLING = 144, 2


def evaluate(run: Run, protocol: str, trials: int = 100, seed: int = 0, video: bool = False) -> Result:
    """Run trials of a run's policy: conditions in turn, each trial from a start pose of its own, mean actions.

    Args:
        protocol: `training`, `spatial` or `visual`.
        seed: of the start poses.
        video: write `videos/<protocol>.mp4`, successes and failures side by side.
    """
    trained = load_trained(run)
    everything = trained.task.conditions(protocol)
    conditions = everything[torch.arange(trials) % len(everything)]
    engine = trained.task.make_engine(trials)
    started = time.monotonic()
    film = _Film(engine, trained) if video else None
    outcome = run_trials(trained, engine, conditions, seed, film.shoot if film else None)
    elapsed = time.monotonic() - started
    if film is not None:
        film.write(run.videos / f"{protocol}.mp4", outcome.success)
    return Result(
        task=run.task,
        method=run.method,
        protocol=protocol,
        preset=run.preset,
        seed=run.seed,
        trials=trials,
        successes=int(outcome.success.sum()),
        wall_seconds=elapsed,
        hardware=hardware("cpu"),
        commit=git_commit(),
        command=f"visuomotor evaluate {run.path} --protocol {protocol} --trials {trials}",
        mean_final_distance_m=outcome.distance.mean().item(),
    )


def run_trials(
    trained: Trained, engine: Engine, conditions: Conditions, seed: int, watch: Callable[[], None] | None = None
) -> Outcome:
    """One trial in every world of the engine, to the end: the hand lets go and time shows. `watch` sees every step."""
    generator = torch.Generator().manual_seed(_SEED_OFFSET + seed)
    actor, camera = policy_actor(trained.policy), trained.camera(engine)
    rollout(trained.task, engine, conditions, actor, camera, generator, START_SPREAD, watch)
    return trained.task.judge(engine, conditions, watch)


class _Film:
    """Frames of the first trials, larger than the policy's images."""

    def __init__(self, engine: Engine, trained: Trained):
        self._worlds = torch.arange(min(_FILMED, engine.worlds))
        self._camera = Camera(engine, trained.task.camera, _FILM_SIDE, _FILM_SIDE, _FILM_SUPERSAMPLING)
        self._frames: list[Tensor] = []
        self._rate = 1 / trained.task.control_period

    def shoot(self) -> None:
        self._frames.append(self._camera.rgb(self._worlds))

    def write(self, path: Path, success: Tensor) -> None:
        filmed = success[self._worlds]
        failures = (~filmed).nonzero()[:_FAILURES_SHOWN, 0]
        successes = filmed.nonzero()[: _SHOWN - len(failures), 0]
        shown = torch.cat([successes, failures])
        clips = torch.stack(self._frames, 1)[shown].numpy()
        write_video(path, grid(list(clips), [bool(success[i]) for i in shown], columns=4), self._rate)
