"""Demonstrated states to start episodes in, so that every stage is practised from the first day."""

from collections.abc import Sequence

import torch
from torch import Tensor

from visuomotor.demos import Episode
from visuomotor.errors import VisuomotorError
from visuomotor.tasks.episodes import Start


class Curriculum:
    """With probability `random_starts` an episode starts at random, else in a demonstrated state: first a cluster is
    drawn, each as likely as the others, then one of its states (Zhu et al. 2018, III-B2). Clusters are stages.

    Args:
        episodes: the demonstrations.
        random_starts: epsilon.
        steps: how long an episode from a demonstrated state lasts.
    """

    def __init__(self, episodes: Sequence[Episode], random_starts: float, steps: int):
        if not episodes:
            raise VisuomotorError("the demonstrations hold no episode; record some, or set curriculum.random_starts 1")
        self.random_starts, self.steps = random_starts, steps
        lengths = torch.tensor([len(episode.stages) for episode in episodes])
        self._states = torch.cat([episode.states for episode in episodes])
        self._episode = torch.arange(len(episodes)).repeat_interleave(lengths)
        stages = torch.cat([episode.stages for episode in episodes])
        self.clusters = [(stages == stage).nonzero()[:, 0] for stage in stages.unique()]
        """State numbers of each cluster, by stage."""
        self._physics = {
            name: torch.stack([episode.physics[name] for episode in episodes]) for name in episodes[0].physics
        }

    def choose(self, count: int, generator: torch.Generator) -> tuple[Tensor, Start]:
        """See `StartStates`."""
        given = torch.rand(count, generator=generator) >= self.random_starts
        wanted = int(given.sum())
        cluster = torch.randint(len(self.clusters), (wanted,), generator=generator)
        where = torch.rand(wanted, generator=generator, dtype=torch.float64)
        sizes = torch.tensor([len(states) for states in self.clusters])
        within = (where * sizes[cluster]).long()
        chosen = torch.tensor(
            [int(self.clusters[c][i]) for c, i in zip(cluster.tolist(), within.tolist(), strict=True)],
            dtype=torch.int64,
        )
        episode = self._episode[chosen]
        physics = {name: value[episode] for name, value in self._physics.items()}
        return given, Start(self._states[chosen], physics, self.steps)
