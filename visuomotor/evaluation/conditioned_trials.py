"""TrialResults of a policy from guided policy search: under the conditions of a protocol, discriminator_stats at the end."""

import torch

from visuomotor.evaluation.film import VideoRecorder
from visuomotor.evaluation.outcomes import Outcomes
from visuomotor.evaluation.trials import TrialResults
from visuomotor.algorithms.gps.policy_opt import policy_fn
from visuomotor.algorithms.gps.trained import load_trained
from visuomotor.runs import Run
from visuomotor.tasks import rollout

START_SPREAD = 0.02  # rad by which each joint's start deviates (normal): no trial repeats another


def conditioned_trials(run: Run, protocol: str, trials: int, generator: torch.Generator, video: bool) -> TrialResults:
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
    film = VideoRecorder(engine, task) if video else None
    watch = film.capture if film else None
    rollout(
        task, engine, conditions, policy_fn(trained.policy), trained.camera(engine), generator, START_SPREAD, watch
    )
    outcome = task.judge(engine, conditions, watch)
    outcomes = Outcomes(
        success=tuple(outcome.success.tolist()),
        condition=tuple(index.tolist()),
        target_m=tuple((round(x, 3), round(y, 3), round(z, 3)) for x, y, z in everything.target.tolist()),
        grasp=tuple(everything.grasp.tolist()),
    )
    return TrialResults(outcomes, outcome.distance.mean().item(), film=film)
