"""What was to be seen and read in a demonstration's states: rendered anew, in any looks."""

from collections.abc import Generator, Mapping
from dataclasses import fields

import torch
from torch import Tensor

from visuomotor.camera import Camera
from visuomotor.demos.episode import Episode
from visuomotor.errors import VisuomotorError
from visuomotor.tasks import StagedTask, Variation
from visuomotor.tasks.env import Observations, read

_WORLDS = 64  # states at a time; more is no faster


class StateReplay:
    """Puts an engine into the states of demonstrations. One is enough for any number of a task's episodes.

    Args:
        image_size, supersampling: of the task's camera.
    """

    def __init__(self, task: StagedTask, image_size: int = 64, supersampling: int = 1, threads: int = 0):
        self.task = task
        self.engine = task.make_engine(_WORLDS, threads)
        task.vary(self.engine, torch.arange(_WORLDS), task.plain(_WORLDS))  # makes the fields per world for the camera
        self._camera = Camera(self.engine, task.camera, image_size, image_size, supersampling, threads)

    def images(self, episode: Episode, looks: Mapping[str, Tensor] | None = None) -> Tensor:
        """`(T + 1, height, width, 3)` uint8, of every state.

        Args:
            looks: of `Variation.looks`, one row for all states or T + 1 rows, one for each; None for those that were
                recorded, or the model's own.

        Raises:
            VisuomotorError: those that were recorded are not what the task's looks are today.
        """
        shown = episode.variation(self.task).looks if looks is None else looks
        return torch.cat([self._camera.rgb(worlds) for worlds in self._visit(episode, shown)])

    def readings(self, episode: Episode) -> Observations:
        """What there is to know of every state; rows T + 1."""
        parts = []
        for worlds in self._visit(episode):
            found = read(self.task, self.engine)
            parts.append([getattr(found, field.name)[worlds] for field in fields(Observations)])
        return Observations(*(torch.cat(columns) for columns in zip(*parts, strict=True)))

    def next_states(self, episode: Episode) -> Tensor:
        """`(T, state)` float64: where each state's action leads."""
        if episode.actions is None:
            raise VisuomotorError("this episode was recorded without actions; nothing follows from its states")
        reached = []
        done = 0
        for worlds in self._visit(episode):
            actions = torch.zeros(_WORLDS, self.task.action_size, dtype=torch.float64)
            given = episode.actions[done : done + len(worlds)]  # the final state has none
            actions[: len(given)] = given.double() * self.task.action_limits
            self.task.act(self.engine, actions)
            reached.append(self.engine.state()[: len(given)])
            done += len(given)
        return torch.cat(reached)

    def _visit(self, episode: Episode, looks: Mapping[str, Tensor] | None = None) -> Generator[Tensor]:
        """Yield worlds `(n,)`, which hold the next n states; without `looks` in whatever looks there are."""
        physics = {name: row[None] for name, row in episode.physics.items()}
        shown = self.task.plain(1).looks if looks is None else looks
        for first in range(0, len(episode.states), _WORLDS):
            states = episode.states[first : first + _WORLDS]
            worlds = torch.arange(len(states))
            rows = torch.arange(first, first + len(states))
            self.task.vary(self.engine, worlds, Variation(_rows(physics, rows), _rows(shown, rows)))
            self.engine.set_state(states, worlds)
            yield worlds


def _rows(values: Mapping[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    """The rows of each value; a value of one row has it everywhere."""
    return {name: value[rows if len(value) > 1 else torch.zeros_like(rows)] for name, value in values.items()}
