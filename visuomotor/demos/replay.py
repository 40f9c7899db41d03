"""What was observed in a demonstration's states: computed and rendered again, in any appearance."""

from collections.abc import Generator, Mapping, Sequence

import torch
from torch import Tensor

from visuomotor.camera import Camera
from visuomotor.demos.episode import Episode, nominal_params
from visuomotor.errors import VisuomotorError
from visuomotor.tasks import Observations, ResetParams, Task
from visuomotor.tasks.task import OBSERVATIONS

_WORLDS = 64  # states at a time; more is no faster


class StateReplay:
    """Puts an engine into the states of demonstrations. One is enough for any number of a task's episodes.

    Args:
        image_size, supersampling: of the task's camera.
    """

    def __init__(self, task: Task, image_size: int = 64, supersampling: int = 1):
        self.task = task
        self.engine = task.make_engine(_WORLDS)
        self._nominal = nominal_params(task).appearance
        # Shows which fields differ between worlds; the camera must know before it is made.
        task.apply_randomization(self.engine, torch.arange(_WORLDS), nominal_params(task, _WORLDS))
        self._camera = Camera(self.engine, task.camera, image_size, image_size, supersampling)

    def images(self, episode: Episode, appearance: Mapping[str, Tensor] | None = None) -> Tensor:
        """`(T + 1, height, width, 3)` uint8, of every state.

        Args:
            appearance: as in `ResetParams.appearance`: one row for all states, or T + 1 rows, one for each. None for
                the recorded one, or the nominal one where none was recorded.

        Raises:
            VisuomotorError: the recorded appearance does not fit the task of today, or cannot be drawn.
        """
        try:
            drawn = episode.reset_params(self.task).appearance if appearance is None else appearance
            return torch.cat([self._camera.rgb(worlds) for worlds in self._visit(episode, drawn)])
        except VisuomotorError as error:
            raise VisuomotorError(f"episode {episode.name}: {error}") from error

    def observations(self, episode: Episode, groups: Sequence[str] = OBSERVATIONS) -> Observations:
        """Groups of observations of every state, `(T + 1, ...)` each, as `VecEnv.observe` gives them; "reward" too."""
        parts = [
            {group: getattr(self.task, group)(self.engine)[worlds] for group in groups}
            for worlds in self._visit(episode)
        ]
        return {group: torch.cat([part[group] for part in parts]) for group in groups}

    def next_states(self, episode: Episode) -> Tensor:
        """`(T, state)` float64: the state that each action leads to from the recorded state before it.

        Raises:
            VisuomotorError: the episode has no actions.
        """
        if episode.actions is None:
            raise VisuomotorError("this episode was recorded without actions, so its states lead nowhere")
        reached = []
        done = 0
        for worlds in self._visit(episode):
            actions = torch.zeros(_WORLDS, self.task.action_size)
            given = episode.actions[done : done + len(worlds)]  # the final state has none
            actions[: len(given)] = given
            self.task.step(self.engine, actions)
            reached.append(self.engine.state()[: len(given)])
            done += len(given)
        return torch.cat(reached)

    def _visit(self, episode: Episode, appearance: Mapping[str, Tensor] | None = None) -> Generator[Tensor]:
        """Yield worlds `(n,)`, which hold the next n states; without `appearance` in the nominal one."""
        dynamics = {name: row[None] for name, row in episode.dynamics.items()}
        drawn = self._nominal if appearance is None else appearance
        for first in range(0, len(episode.states), _WORLDS):
            states = episode.states[first : first + _WORLDS]
            worlds = torch.arange(len(states))
            rows = torch.arange(first, first + len(states))
            params = ResetParams(dynamics=_rows(dynamics, rows), appearance=_rows(drawn, rows))
            self.task.apply_randomization(self.engine, worlds, params)
            self.engine.set_state(states, worlds)
            yield worlds


def _rows(values: Mapping[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    """The rows of each value; a value of one row has it everywhere."""
    return {name: value[rows if len(value) > 1 else torch.zeros_like(rows)] for name, value in values.items()}
