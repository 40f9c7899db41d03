"""Trials of a policy from guided policy search: under the conditions of a protocol, judged at the end."""

import torch

from visuomotor.evaluation.film import Film
from visuomotor.evaluation.outcomes import Outcomes
from visuomotor.evaluation.trials import Trials
from visuomotor.algorithms.gps.learners import policy_actor
from visuomotor.algorithms.gps.trained import load_trained
from visuomotor.runs import Run
from visuomotor.tasks import rollout

START_SPREAD = 0.02  # rad by which each joint's start deviates (normal): no trial repeats another


def conditioned_trials(run: Run, protocol: str, trials: int, generator: torch.Generator, video: bool) -> Trials:
    """Conditions in turn, each trial from a start pose of its own, mean actions; then the hand lets go and time shows.

    Raises:
        VisuomotorError: the task has no such protocol, or the run no trained policy.
    """
    trained = load_trained(run)
    task = trained.task
    everything = task.conditions(protocol)
    index = torch.arange(trials) % len(everything)
    conditions = everything[index]
    engine = task.make_engine(trials)
    film = Film(engine, task) if video else None
    watch = film.shoot if film else None
    rollout(
        task, engine, conditions, policy_actor(trained.policy), trained.camera(engine), generator, START_SPREAD, watch
    )
    outcome = task.judge(engine, conditions, watch)
    outcomes = Outcomes(
        success=tuple(outcome.success.tolist()),
        condition=tuple(index.tolist()),
        target_m=tuple((round(x, 3), round(y, 3), round(z, 3)) for x, y, z in everything.target.tolist()),
        grasp=tuple(everything.grasp.tolist()),
    )
    return Trials(outcomes, outcome.distance.mean().item(), film=film)
