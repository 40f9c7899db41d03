"""Episodes that start in demonstration states, so that every stage of the task is experienced from the beginning."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from visuomotor.demos import Episode
from visuomotor.errors import VisuomotorError
from visuomotor.tasks.env import InitialStates

Strategy = Literal["intermediate-difficulty", "stages"]

_BINS_PER_STAGE = 10
_EMA_DECAY = 0.95  # of advance rates and episode lengths, an episode
_MASTERED_FAILURE_RATE = 0.4  # mean over demonstration starts; below it random starts begin to take over
_EXPLORATION_BONUS = 0.1  # weight of a bin that never advances; the most uncertain has 0.3
_MIN_BIN_WEIGHT = 0.01  # of one that always does
_MIN_STAGE_WEIGHT = 0.1  # of a mastered stage; one that always fails has 1.1


class Curriculum:
    """Some episodes start at random, the others in demonstration states (Zhu et al. 2018, III-B2). Which of these
    depends on `strategy`:

    * `stages`: every stage is as likely as the others, and every state within it (the paper's clusters).
    * `intermediate-difficulty`: as in Florensa et al. 2017. The lower a stage's advance rate, the
      more control steps start from it, however short its episodes. A stage is divided into bins by how many steps the
      expert then took to the next stage; a bin's weight is (1 - p) (p + 0.1) + 0.01, where p is its advance rate. When
      less than four tenths of the demonstration starts fail, they become rarer in proportion: what is left to learn is
      in the states that the policy itself comes to.

    An episode advances if it reaches a later stage than its first. From the last stage its score is the fraction of
    steps spent there.

    Args:
        episodes: the demonstrations.
        stages: how many the task has.
        random_start_fraction: fraction of control steps in episodes that start at random, at least. Where all episodes
            last equally long it is their probability, the paper's epsilon.
        max_episode_steps: of an episode from a demonstration state. random_episode_steps: of one from a random start.
        early_termination_steps: steps outside its first stage after which an episode from a demonstration state ends;
            None: it does not.
    """

    def __init__(
        self,
        episodes: Sequence[Episode],
        stages: int,
        random_start_fraction: float,
        max_episode_steps: int,
        random_episode_steps: int,
        strategy: Strategy = "intermediate-difficulty",
        early_termination_steps: int | None = None,
    ):
        if not episodes:
            raise VisuomotorError(
                "the demonstrations hold no episode; record some, or set curriculum.random_start_fraction 1"
            )
        self.random_start_fraction, self.strategy = random_start_fraction, strategy
        self._max_episode_steps, self._random_episode_steps = max_episode_steps, random_episode_steps
        self._early_termination_steps = early_termination_steps
        lengths = torch.tensor([len(episode.stages) for episode in episodes])
        self._states = torch.cat([episode.states for episode in episodes])
        self._episode = torch.arange(len(episodes)).repeat_interleave(lengths)
        self._dynamics = {
            name: torch.stack([episode.dynamics[name] for episode in episodes]) for name in episodes[0].dynamics
        }
        self._stage = torch.cat([episode.stages for episode in episodes])
        self._last_stage = stages - 1
        to_go = torch.cat([steps_to_next_stage(episode.stages) for episode in episodes])
        self.bins: list[Tensor] = []
        """State ids of each bin: stage by stage, within one from near the next stage to far from it."""
        for stage in self._stage.unique():
            state_ids = (self._stage == stage).nonzero()[:, 0]
            state_ids = state_ids[to_go[state_ids].argsort(stable=True)]
            count = min(_BINS_PER_STAGE, len(state_ids)) if strategy == "intermediate-difficulty" else 1
            self.bins += state_ids.tensor_split(count)
        self._bin = torch.empty(len(self._states), dtype=torch.int64)
        for number, state_ids in enumerate(self.bins):
            self._bin[state_ids] = number
        self._stage_of_bin = torch.stack([self._stage[state_ids[0]] for state_ids in self.bins])
        self.advance_rate = torch.full((len(self.bins),), 0.5, dtype=torch.float64)
        """Exponential moving average over the episodes from each bin."""
        self.mean_lengths = torch.full((stages,), float(max_episode_steps), dtype=torch.float64)
        """Control steps of an episode, likewise from each stage."""

    @property
    def num_states(self) -> int:
        """How many states episodes may start in."""
        return len(self._states)

    def advance_rate_by_stage(self) -> dict[int, float]:
        """The mean of `advance_rate` over each stage's bins."""
        of_bin = self._stage_of_bin
        return {int(stage): float(self.advance_rate[of_bin == stage].mean()) for stage in of_bin.unique()}

    @property
    def random_fraction(self) -> float:
        """Current fraction of control steps in episodes that start at random."""
        left = 1.0
        if self.strategy == "intermediate-difficulty":
            left = min(1.0, float(1 - self.advance_rate.mean()) / _MASTERED_FAILURE_RATE)
        return 1 - (1 - self.random_start_fraction) * left

    def sample(self, count: int, generator: torch.Generator) -> tuple[Tensor, InitialStates]:
        """See `InitialStateSampler`."""
        probabilities = self._bin_probabilities()
        # The longer episodes are, the fewer make their fraction of control steps.
        random = self.random_fraction / self._random_episode_steps
        mean_length = float(probabilities @ self.mean_lengths[self._stage_of_bin])
        from_demos = (1 - self.random_fraction) / mean_length
        chosen = torch.rand(count, generator=generator) >= random / (random + from_demos)
        wanted = int(chosen.sum())
        bins = torch.empty(0, dtype=torch.int64)
        if wanted:
            bins = torch.multinomial(probabilities, wanted, replacement=True, generator=generator)
        where = torch.rand(wanted, generator=generator, dtype=torch.float64).tolist()
        state_ids = torch.tensor(
            [int(self.bins[b][int(w * len(self.bins[b]))]) for b, w in zip(bins.tolist(), where, strict=True)],
            dtype=torch.int64,
        )
        episode = self._episode[state_ids]
        dynamics = {name: value[episode] for name, value in self._dynamics.items()}
        return chosen, InitialStates(
            self._states[state_ids], dynamics, self._max_episode_steps, self._early_termination_steps, state_ids
        )

    def _bin_probabilities(self) -> Tensor:
        """`(bins,)`: that a demonstration start is of each bin."""
        if self.strategy == "stages":
            return torch.full((len(self.bins),), 1 / len(self.bins), dtype=torch.float64)
        weights = (1 - self.advance_rate) * (self.advance_rate + _EXPLORATION_BONUS) + _MIN_BIN_WEIGHT
        starts = torch.zeros_like(self.mean_lengths)
        for stage, rate in self.advance_rate_by_stage().items():
            of_stage = self._stage_of_bin == stage
            weights[of_stage] /= weights[of_stage].sum()
            starts[stage] = (1 - rate + _MIN_STAGE_WEIGHT) / self.mean_lengths[stage]
        return weights * (starts / starts.sum())[self._stage_of_bin]

    def record_outcomes(
        self, state_ids: Tensor, furthest_stage: Tensor, success_fraction: Tensor, lengths: Tensor
    ) -> None:
        """See `InitialStateSampler`."""
        if self.strategy == "stages":
            return
        first_stage = self._stage[state_ids]
        advanced = (furthest_stage > first_stage).double()
        scores = torch.where(first_stage == self._last_stage, success_fraction.double(), advanced)
        for number, score in zip(self._bin[state_ids].tolist(), scores.tolist(), strict=True):
            self.advance_rate[number] = _EMA_DECAY * self.advance_rate[number] + (1 - _EMA_DECAY) * score
        for stage, length in zip(first_stage.tolist(), lengths.tolist(), strict=True):
            self.mean_lengths[stage] = _EMA_DECAY * self.mean_lengths[stage] + (1 - _EMA_DECAY) * length

    def state_dict(self) -> dict[str, Tensor]:
        """The recorded outcomes."""
        return {"advance_rate": self.advance_rate.clone(), "mean_lengths": self.mean_lengths.clone()}

    def load_state_dict(self, content: dict[str, Tensor]) -> None:
        """Go back to where `state_dict` was taken."""
        self.advance_rate, self.mean_lengths = content["advance_rate"].clone(), content["mean_lengths"].clone()


def steps_to_next_stage(stages: Tensor) -> Tensor:
    """`(T,)`: from each state of an episode, how many steps until a later stage than its own; T where none comes."""
    steps = torch.full_like(stages, len(stages))
    for t, stage in enumerate(stages):
        later = (stages[t + 1 :] > stage).nonzero()
        if len(later):
            steps[t] = later[0, 0] + 1
    return steps
