"""Demonstrations with the observations of their states, for learners that cannot compute them, such as robomimic's."""

from collections.abc import Sequence
from dataclasses import replace

from visuomotor.demos.episode import Episode
from visuomotor.demos.replay import StateReplay
from visuomotor.tasks import Task


def with_observations(task: Task, episodes: Sequence[Episode], image_size: int = 64) -> list[Episode]:
    """The episodes with `image` `(T + 1, size, size, 3)` uint8, as the task's camera sees their states in the recorded
    appearance, and `proprioception` `(T + 1, P)` float32.

    Raises:
        VisuomotorError: the recorded appearance does not fit the task of today.
    """
    replay = StateReplay(task, image_size)
    return [
        replace(
            episode,
            observations={
                "image": replay.images(episode),
                "proprioception": replay.observations(episode, ("proprioception",))["proprioception"],
            },
        )
        for episode in episodes
    ]
