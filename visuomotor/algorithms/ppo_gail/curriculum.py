"""Demonstrated states to start episodes in, so that every stage is practised from the first day."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from visuomotor.demos import Episode
from visuomotor.errors import VisuomotorError
from visuomotor.tasks.env import InitialStates

Choice = Literal["frontier", "stages"]

_PARTS = 10  # of a stage
_MEMORY = 0.95  # how much of what is known of a part or a stage an episode leaves as it was
_OFTEN = 0.4  # share of demonstrated starts that fail; below it random starts begin to take over
_UNTRIED = 0.1  # weight of a part that never succeeds; the most uncertain has 0.3
_FLOOR = 0.01  # of one that always does
_KEPT = 0.1  # practice that a mastered stage keeps; one that always fails has 1.1


class Curriculum:
    """Some episodes start at random, the others in demonstrated states (Zhu et al. 2018, III-B2). Which ones is a
    matter of `choice`:

    * `stages`: every stage is as likely as the others, and every state within it (the paper's clusters).
    * `frontier`: the less a stage is mastered, the more control steps are spent from it, however short its episodes.
      Stages are parted by how many steps it then took the demonstrator to get on to the next stage, and a
      part's weight is (1 - p) (p + 0.1) + 0.01, where p is how often episodes from there got on. Practice goes to what
      sometimes succeeds, and moves from the end of each stage back to its beginning (as in Florensa et al. 2017). When
      less than four tenths of the demonstrated starts fail, they become rarer in proportion: what is left to learn is
      in the states that the policy itself comes to.

    An episode gets on if it comes to a later stage than it started in; from the last stage, as far as it stays there.

    Args:
        episodes: the demonstrations.
        stages: how many the task has.
        random_starts: share of control steps in episodes that start at random; more where demonstrated starts are
            mastered. Where all episodes last equally long it is their probability, the paper's epsilon.
        steps: how long an episode from a demonstrated state lasts at most.
        random_steps: how long one from a random start does.
        patience: how many of its steps may be in other stages than its first one; then it is over. None: all of them.
    """

    def __init__(
        self,
        episodes: Sequence[Episode],
        stages: int,
        random_starts: float,
        steps: int,
        random_steps: int,
        choice: Choice = "frontier",
        patience: int | None = None,
    ):
        if not episodes:
            raise VisuomotorError("the demonstrations hold no episode; record some, or set curriculum.random_starts 1")
        self.random_starts, self.steps, self.random_steps = random_starts, steps, random_steps
        self.choice, self.patience = choice, patience
        lengths = torch.tensor([len(episode.stages) for episode in episodes])
        self._states = torch.cat([episode.states for episode in episodes])
        self._episode = torch.arange(len(episodes)).repeat_interleave(lengths)
        self._physics = {
            name: torch.stack([episode.physics[name] for episode in episodes]) for name in episodes[0].physics
        }
        self._stage = torch.cat([episode.stages for episode in episodes])
        self._last_stage = stages - 1
        to_go = torch.cat([steps_to_next_stage(episode.stages) for episode in episodes])
        self.parts: list[Tensor] = []
        """State numbers of each part: stage by stage, check_range one from near the next stage to far from it."""
        for stage in self._stage.unique():
            states = (self._stage == stage).nonzero()[:, 0]
            states = states[to_go[states].argsort(stable=True)]
            self.parts += states.tensor_split(min(_PARTS, len(states)) if choice == "frontier" else 1)
        self._part = torch.empty(len(self._states), dtype=torch.int64)
        for number, states in enumerate(self.parts):
            self._part[states] = number
        self._stage_of_part = torch.stack([self._stage[states[0]] for states in self.parts])
        self.success = torch.full((len(self.parts),), 0.5, dtype=torch.float64)
        """How often episodes from each part got on, lately."""
        self.lengths = torch.full((self._last_stage + 1,), float(steps), dtype=torch.float64)
        """How many steps episodes from each stage lasted, lately."""

    def progress(self) -> dict[int, float]:
        """By stage: the mean of `success` over its parts."""
        of_part = self._stage_of_part
        return {int(stage): float(self.success[of_part == stage].mean()) for stage in of_part.unique()}

    @property
    def random_fraction(self) -> float:
        """Of control steps in episodes that start at random, as things stand."""
        left = min(1.0, float(1 - self.success.mean()) / _OFTEN) if self.choice == "frontier" else 1.0
        return 1 - (1 - self.random_starts) * left

    def choose(self, count: int, generator: torch.Generator) -> tuple[Tensor, InitialStates]:
        """See `InitialStateSampler`."""
        of_parts = self._probabilities()
        # The longer episodes are, the fewer make their share of control steps.
        random = self.random_fraction / self.random_steps
        demonstrated = (1 - self.random_fraction) / float(of_parts @ self.lengths[self._stage_of_part])
        given = torch.rand(count, generator=generator) >= random / (random + demonstrated)
        wanted = int(given.sum())
        part = torch.multinomial(of_parts, wanted, replacement=True, generator=generator) if wanted else torch.empty(0)
        where = torch.rand(wanted, generator=generator, dtype=torch.float64).tolist()
        chosen = torch.tensor(
            [int(self.parts[p][int(w * len(self.parts[p]))]) for p, w in zip(part.long().tolist(), where, strict=True)],
            dtype=torch.int64,
        )
        episode = self._episode[chosen]
        physics = {name: value[episode] for name, value in self._physics.items()}
        return given, InitialStates(self._states[chosen], physics, self.steps, self.patience, chosen)

    def _probabilities(self) -> Tensor:
        """`(parts,)`: that a demonstrated start is of each part."""
        if self.choice == "stages":
            return torch.full((len(self.parts),), 1 / len(self.parts), dtype=torch.float64)
        weights = (1 - self.success) * (self.success + _UNTRIED) + _FLOOR
        starts = torch.zeros_like(self.lengths)
        for stage, success in self.progress().items():
            of_stage = self._stage_of_part == stage
            weights[of_stage] /= weights[of_stage].sum()
            starts[stage] = (1 - success + _KEPT) / self.lengths[stage]
        return weights * (starts / starts.sum())[self._stage_of_part]

    def note(self, numbers: Tensor, best: Tensor, successes: Tensor, steps: Tensor) -> None:
        """See `InitialStateSampler`."""
        if self.choice == "stages":
            return
        started = self._stage[numbers]
        advanced = torch.where(started == self._last_stage, successes.double(), (best > started).double())
        for part, success in zip(self._part[numbers].tolist(), advanced.tolist(), strict=True):
            self.success[part] = _MEMORY * self.success[part] + (1 - _MEMORY) * success
        for stage, length in zip(started.tolist(), steps.tolist(), strict=True):
            self.lengths[stage] = _MEMORY * self.lengths[stage] + (1 - _MEMORY) * length

    def content(self) -> dict[str, Tensor]:
        """What has been noted."""
        return {"success": self.success.clone(), "lengths": self.lengths.clone()}

    def restore(self, content: dict[str, Tensor]) -> None:
        """Go back to where `content` was taken."""
        self.success, self.lengths = content["success"].clone(), content["lengths"].clone()


def steps_to_next_stage(stages: Tensor) -> Tensor:
    """`(T,)`: from each state of an episode, how many steps until a later stage than its own; T where none comes."""
    steps = torch.full_like(stages, len(stages))
    for t, stage in enumerate(stages):
        later = (stages[t + 1 :] > stage).nonzero()
        if len(later):
            steps[t] = later[0, 0] + 1
    return steps
