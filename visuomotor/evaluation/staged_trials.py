"""TrialResults of a recurrent policy on a task with stages: episodes from random starts."""

import torch
from torch import Tensor

from visuomotor.errors import unknown
from visuomotor.evaluation.film import VideoRecorder
from visuomotor.evaluation.outcomes import Outcomes
from visuomotor.evaluation.trials import TrialResults
from visuomotor.algorithms.ppo_gail.trained import Trained, load_trained
from visuomotor.runs import Run
from visuomotor.tasks import VecEnv

_AT_ONCE = 128  # worlds


def staged_trials(run: Run, protocol: str, trials: int, generator: torch.Generator, video: bool) -> TrialResults:
    """Whole episodes, each in a world of its own, mean actions. Success is the last stage at the last step.

    A world whose physics blows up has failed, and counts as far as it got.

    Raises:
        VisuomotorError: the task has no such protocol, or the run no trained policy that fits its images.
    """
    trained = load_trained(run)
    task = trained.task
    if protocol not in task.protocols:
        raise unknown("protocol", protocol, task.protocols)
    counts = [min(_AT_ONCE, trials - begun) for begun in range(0, trials, _AT_ONCE)]
    film, parts = None, list[tuple[Tensor, Tensor, Tensor]]()
    for count in counts:
        episodes = trained.episodes(count, generator)
        if video and film is None:
            film = VideoRecorder(episodes.engine, task)
            parts.append(_run_episodes(trained, episodes, film))
        else:
            parts.append(_run_episodes(trained, episodes))
    last, furthest, returns = (torch.cat(part) for part in zip(*parts, strict=True))
    reached = {name: int((furthest >= stage).sum()) for stage, name in enumerate(task.stages)}
    return TrialResults(
        Outcomes(success=tuple(task.success(last).tolist()), furthest_stage=tuple(furthest.tolist())),
        stages=reached,
        mean_return=returns.mean().item(),
        control_steps=trained.control_steps,
        circumstances=trained.circumstances,
        film=film,
    )


@torch.inference_mode()
def _run_episodes(trained: Trained, episodes: VecEnv, film: VideoRecorder | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """One episode in every world.

    Returns:
        `(worlds,)` each: the last stage (0 after a divergence), the furthest stage, the sum of task rewards.
    """
    task, policy = trained.task, trained.policy
    readings = episodes.read()
    memory = policy.initial_state(episodes.worlds)
    alive = torch.ones(episodes.worlds, dtype=torch.bool)
    furthest, returns = readings.stage, torch.zeros(episodes.worlds)
    for _ in range(task.steps):
        if film is not None:
            film.capture()
        actions, memory = policy.step(policy.see(episodes.images()), readings.proprioception, memory)
        transition = episodes.step(actions)
        readings = transition.readings
        alive &= ~transition.diverged  # what such a world does after its reset is no part of the trial
        returns += transition.reward * alive
        furthest = torch.where(alive, torch.maximum(furthest, readings.stage), furthest)
    if film is not None:
        film.capture()
    return readings.stage * alive, furthest, returns
