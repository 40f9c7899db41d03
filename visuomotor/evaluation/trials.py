"""Trials of a policy: whole episodes, each in a world of its own."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from visuomotor.evaluation.conditions import fixed_conditions
from visuomotor.evaluation.outcomes import Outcomes
from visuomotor.evaluation.video_recorder import VideoRecorder
from visuomotor.policies import Policy
from visuomotor.tasks import Task, VecEnv

_AT_ONCE = 128  # worlds


@dataclass(frozen=True)
class TrialResults:
    """What trials came to.

    mean_return: sum of task rewards; mean_final_distance_m: of `EpisodeOutcome.distance`, None where the physics of all
    trials diverged; num_diverged: trials that failed because their physics did; recorder: of the first trials, None
    without video.
    """

    outcomes: Outcomes
    mean_return: float
    mean_final_distance_m: float | None
    num_diverged: int
    recorder: VideoRecorder | None = None


def run_trials(
    task: Task, policy: Policy, split: str, trials: int, generator: torch.Generator, video: bool = False
) -> TrialResults:
    """Whole episodes of a policy from starts of a split, at most 128 at a time.

    A world whose physics diverges has failed: it counts as far as it got.

    Args:
        split: one of the task's; a list of conditions is gone through in turn.
        generator: of the starts.
        video: record the first trials.

    Raises:
        VisuomotorError: the task has no such split, or an action is not finite.
    """
    task.check_split(split)
    params = task.sample_reset(trials, generator, split)
    recorder: VideoRecorder | None = None
    parts: list[tuple[Tensor, ...]] = []
    for rows in torch.arange(trials).split(_AT_ONCE):
        env = VecEnv(
            task,
            len(rows),
            torch.Generator(),
            observations=("proprioception",),
            image_size=policy.spec.image_size,
            supersampling=policy.spec.supersampling,
            split=split,
            randomize=False,  # the starts are drawn already
        )
        env.reset(params=params[rows])
        callback = _nothing
        if video and recorder is None:
            recorder = VideoRecorder(env.engine, task)
            callback = recorder.capture
        parts.append(_run_episodes(env, policy, callback))
    success, furthest, returns, distance, alive = (torch.cat(part) for part in zip(*parts, strict=True))
    condition, conditions = fixed_conditions(task, split, trials)
    return TrialResults(
        Outcomes(tuple(success.tolist()), condition, conditions, tuple(furthest.tolist())),
        mean_return=returns.mean().item(),
        mean_final_distance_m=distance[alive].mean().item() if alive.any() else None,
        num_diverged=int((~alive).sum()),
        recorder=recorder,
    )


def _nothing() -> None:
    pass


def _run_episodes(env: VecEnv, policy: Policy, callback: Callable[[], None]) -> tuple[Tensor, ...]:
    """One episode in every world, from where it is now.

    Args:
        callback: called before every action, after the last one, and while the task finishes the episodes.

    Returns:
        `(num_envs,)` each: success, furthest stage, sum of task rewards, final distance, and whether the physics held.
    """
    limits = env.task.robot.action_limits
    policy.reset(env.num_envs)
    observations = env.observe()
    furthest, returns = observations["stage"], torch.zeros(env.num_envs)
    alive = torch.ones(env.num_envs, dtype=torch.bool)
    for _ in range(env.task.max_episode_steps):
        callback()
        actions = policy.act(env.render(), observations["proprioception"]) / limits
        transition = env.step(torch.where(alive[:, None], actions, 0.0))
        observations = transition.observations
        alive &= ~transition.diverged  # what such a world does after its reset is no part of the trial
        returns += transition.reward * alive
        furthest = torch.where(alive, torch.maximum(furthest, observations["stage"]), furthest)
    callback()
    outcome = env.finish_episodes(callback)
    return outcome.success, furthest, returns, outcome.distance.double(), alive
