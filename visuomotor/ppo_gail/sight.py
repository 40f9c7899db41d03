"""Learn to see: where the objects are, from images of many looks (the auxiliary task of Zhu et al. 2018, III-B2)."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import huber_loss

from visuomotor.demos import Episode
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.ppo_gail.config import SightConfig
from visuomotor.ppo_gail.curriculum import Curriculum
from visuomotor.runs.ranks import Ranks
from visuomotor.tasks import Episodes, StagedTask

_DECIMETRE = 0.1  # m, the unit of the error: about as far as blocks lie apart
_FAR = 0.5  # in that unit: beyond it the loss grows linearly


class Lessons:
    """States to look at before anything is known of acting: random starts and demonstrated states, each in looks of
    its own. Every lesson is a function of its number alone.

    Args:
        shown: demonstrations; without any, all states are random starts.
        seed: of all lessons.
    """

    def __init__(
        self,
        task: StagedTask,
        shown: Sequence[Episode],
        config: SightConfig,
        image_size: int,
        supersampling: int,
        vary: bool,
        seed: int,
    ):
        starts = Curriculum(shown, config.random_starts, steps=1, choice="stages") if shown else None
        self._seed, self._generator = seed, torch.Generator()
        self._episodes = Episodes(
            task,
            config.batch,
            self._generator,
            image_size=image_size,
            supersampling=supersampling,
            starts=starts,
            vary=vary,
        )

    def draw(self, number: int) -> tuple[Tensor, Tensor]:
        """Images `(batch, height, width, 3)` uint8 and what is where in them `(batch, K, 3)` m."""
        self._generator.manual_seed(self._seed + number)
        self._episodes.restart(torch.ones(self._episodes.worlds, dtype=torch.bool))
        return self._episodes.images(), self._episodes.read().objects


def sight_loss(policy: RecurrentPolicy, images: Tensor, objects: Tensor) -> tuple[Tensor, Tensor]:
    """Huber's loss of positions, in units of 0.1 m, and the median distance (m).

    Squares would heed little but the few objects that have fallen off the table, far away.

    Args:
        images: `(n, height, width, 3)` uint8. objects: `(n, K, 3)` m.
    """
    error = policy.locate(policy.see(images)) - objects
    loss = huber_loss(error / _DECIMETRE, torch.zeros_like(error), delta=_FAR)
    return loss, error.detach().norm(dim=-1).median()


def update_sight(
    policy: RecurrentPolicy, optimiser: torch.optim.Optimizer, images: Tensor, objects: Tensor, ranks: Ranks
) -> float:
    """One gradient step of vision layers and auxiliary head; returns the median distance (m) before it."""
    device = policy.log_std.device
    loss, distance = sight_loss(policy, images.to(device), objects.to(device))
    optimiser.zero_grad(set_to_none=True)
    (loss / ranks.count).backward()
    ranks.sum_gradients(policy)
    optimiser.step()
    return float(ranks.sum(distance.cpu())) / ranks.count
