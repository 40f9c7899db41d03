"""Does a file of demonstrations hold what it says? Its states are simulated again, its stages computed again."""

from dataclasses import dataclass

from torch import Tensor

from visuomotor.demos.episode import Demonstrations, Episode
from visuomotor.demos.replay import StateReplay
from visuomotor.tasks import Task

TOLERANCE = 1e-6
"""On the machine that recorded a file, a step reproduces up to the rounding of what is written (3e-8 for generated
ones). Another machine rounds its sums otherwise, which contacts amplify a little within a step. In the state's units:
m, rad, m/s, rad/s, ..."""


@dataclass(frozen=True)
class EpisodeCheck:
    """What was found in one episode.

    Attributes:
        name: the episode's, in its file.
        error: the largest difference between a state and the one that follows from the state and the action before it;
            None where no actions were recorded, so that there is nothing to compare.
        wrong_stages: how many states are in another stage than recorded.
        wrong_rewards: how many rewards differ from those of their states.
        succeeded: whether the episode ends in success.
        success_agrees: whether the recorded `success` says so too.
    """

    name: str
    error: float | None
    wrong_stages: int
    wrong_rewards: int
    succeeded: bool
    success_agrees: bool

    @property
    def passed(self) -> bool:
        reproduces = self.error is None or self.error <= TOLERANCE
        return reproduces and not self.wrong_stages + self.wrong_rewards and self.success_agrees

    def __str__(self) -> str:
        faults = []
        if self.error is not None and self.error > TOLERANCE:
            faults.append(f"states do not follow from the actions: off by {self.error:.2g}")
        if self.wrong_stages:
            faults.append(f"{self.wrong_stages} stages are wrong")
        if self.wrong_rewards:
            faults.append(f"{self.wrong_rewards} rewards are wrong")
        if not self.success_agrees:
            faults.append("its success is wrong")
        if faults:
            return "FAILED: " + "; ".join(faults)
        replayed = "no actions to replay" if self.error is None else f"states reproduce to {self.error:.1g}"
        return f"passed: {replayed}, stages agree, {'succeeds' if self.succeeded else 'does NOT succeed'}"


def verify(demonstrations: Demonstrations, task: Task) -> list[EpisodeCheck]:
    """One check for each episode."""
    replay = StateReplay(task, image_size=1)
    return [_check(episode, replay) for episode in demonstrations.episodes]


def wrong_stages(episode: Episode, stages: Tensor) -> int:
    """How many states are in other stages than recorded; `stages` `(T + 1,)` is what the task says about them."""
    return int((stages != episode.stages).sum())


def _check(episode: Episode, replay: StateReplay) -> EpisodeCheck:
    found = replay.observations(episode, ("stage", "reward"))
    reached = None if episode.actions is None else replay.next_states(episode)
    succeeded = bool(replay.task.success(found["stage"][-1:]))
    return EpisodeCheck(
        name=episode.name,
        error=None if reached is None else float((reached - episode.states[1:]).abs().max()),
        wrong_stages=wrong_stages(episode, found["stage"]),
        wrong_rewards=int(((found["reward"][1:] - episode.rewards).abs() > TOLERANCE).sum()),
        succeeded=succeeded,
        success_agrees=succeeded == episode.success,
    )
