"""Is a dataset what it says? Its states are simulated again, its stages told anew."""

from dataclasses import dataclass

from torch import Tensor

from visuomotor.demos.episode import Demonstrations, Episode
from visuomotor.demos.replay import StateReplay
from visuomotor.tasks import StagedTask

TOLERANCE = 1e-6
"""On the machine that recorded a dataset, a step reproduces but for the rounding of what is written (3e-8 for scripted
ones); another machine rounds its sums otherwise, which contacts amplify a little within a step. In the units of the
state: m, rad, m/s, rad/s, ..."""


@dataclass(frozen=True)
class EpisodeCheck:
    """What was found in one episode.

    Attributes:
        error: the largest difference of a state from the one that follows from the state before and the action between
            them; None where no actions were recorded, so that there is nothing to compare.
        stages: how many states are in another stage than recorded.
        rewards: how many rewards are not those of their stage.
        succeeded: whether the episode ends in success.
        success: whether that was recorded.
    """

    error: float | None
    stages: int
    rewards: int
    succeeded: bool
    success: bool

    @property
    def passed(self) -> bool:
        return (self.error is None or self.error <= TOLERANCE) and not self.stages + self.rewards and self.success

    def __str__(self) -> str:
        faults = []
        if self.error is not None and self.error > TOLERANCE:
            faults.append(f"states do not follow from the actions: off by {self.error:.2g}")
        if self.stages:
            faults.append(f"{self.stages} stages are wrong")
        if self.rewards:
            faults.append(f"{self.rewards} rewards are wrong")
        if not self.success:
            faults.append("its success is wrong")
        if faults:
            return "FAILED: " + "; ".join(faults)
        replayed = "no actions to replay" if self.error is None else f"states reproduce to {self.error:.1g}"
        return f"passed: {replayed}, stages agree, {'succeeds' if self.succeeded else 'does NOT succeed'}"


def check(demonstrations: Demonstrations, task: StagedTask) -> list[EpisodeCheck]:
    """One check for each episode."""
    replay = StateReplay(task, image_size=1)
    return [_check_episode(episode, replay) for episode in demonstrations.episodes]


def wrong_stages(episode: Episode, stages: Tensor) -> int:
    """How many states are in other stages than recorded; `stages` `(T + 1,)` is what the task says of them."""
    return int((stages != episode.stages).sum())


def _check_episode(episode: Episode, replay: StateReplay) -> EpisodeCheck:
    stages = replay.readings(episode).stage
    succeeded = bool(replay.task.success(stages[-1]))
    return EpisodeCheck(
        error=None if episode.actions is None else float((replay.next_states(episode) - episode.states[1:]).abs().max()),
        stages=wrong_stages(episode, stages),
        rewards=int((replay.task.reward(stages)[1:] != episode.rewards).sum()),
        succeeded=succeeded,
        success=succeeded == episode.success,
    )
