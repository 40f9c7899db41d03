"""Learn to see: where the objects are, from images of many looks (the auxiliary task of Zhu et al. 2018, III-B2)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import huber_loss

from visuomotor.demos import Episode
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.algorithms.ppo_gail.config import AuxiliaryConfig
from visuomotor.algorithms.ppo_gail.curriculum import Curriculum
from visuomotor.algorithms.ppo_gail.rollout import Rollout
from visuomotor.runs.distributed import Distributed
from visuomotor.tasks import VecEnv, StagedTask

_DECIMETRE = 0.1  # m, the unit of the error: about as far as blocks lie apart
_FAR = 0.5  # in that unit: beyond it the loss grows linearly


class PretrainingBatches:
    """States to look at before anything is known of acting: random starts and demonstrated states, each in looks of
    its own. Every policy_targets is a function of its number alone.

    Args:
        shown: demonstrations; without any, all states are random starts.
        seed: of all lessons. threads: 0 for all cores.
    """

    def __init__(
        self,
        task: StagedTask,
        shown: Sequence[Episode],
        config: AuxiliaryConfig,
        image_size: int,
        supersampling: int,
        vary: bool,
        seed: int,
        threads: int = 0,
    ):
        starts = None
        if shown:
            starts = Curriculum(shown, len(task.stages), config.random_starts, steps=1, random_steps=1, choice="stages")
        self._seed, self._generator = seed, torch.Generator()
        self._episodes = VecEnv(
            task,
            config.batch,
            self._generator,
            image_size=image_size,
            supersampling=supersampling,
            starts=starts,
            vary=vary,
            threads=threads,
        )

    def draw(self, number: int) -> tuple[Tensor, Tensor]:
        """Images `(batch, height, width, 3)` uint8 and what is where in them `(batch, K, 3)` m."""
        self._generator.manual_seed(self._seed + number)
        self._episodes.restart(torch.ones(self._episodes.worlds, dtype=torch.bool))
        episodes = self._episodes
        return episodes.images(), episodes.task.keypoints(episodes.engine)


def object_position_loss(policy: RecurrentPolicy, features: Tensor, objects: Tensor) -> tuple[Tensor, Tensor]:
    """Huber's loss of positions, in units of 0.1 m, and the median distance (m).

    Squares would heed little but the few objects that have fallen off the table, far away.

    Args:
        features: `(..., 128)` of `policy.see`. objects: `(..., K, 3)` m.
    """
    error = policy.predict_keypoints(features) - objects
    loss = huber_loss(error / _DECIMETRE, torch.zeros_like(error), delta=_FAR)
    return loss, error.detach().norm(dim=-1).median()


class AuxiliaryTask:
    """Trains a policy's vision layers and auxiliary head, with an optimiser of its own.

    Attributes:
        targets: how many lessons there have been.
    """

    def __init__(self, policy: RecurrentPolicy, config: AuxiliaryConfig, distributed: Distributed):
        self._policy, self._config, self._ranks = policy, config, distributed
        self._device = policy.device
        self._optimiser = torch.optim.Adam(policy.parameters(), config.learning_rate, fused=True)
        self.targets = 0

    @property
    def done(self) -> bool:
        """Whether all lessons are over."""
        return self.targets >= self._config.lessons

    def fit(self, lessons: PretrainingBatches, count: int) -> float:
        """The next lessons, `count` of them or all that are left; returns the mean of their median distances (m)."""
        distances: list[float] = []
        while len(distances) < count and not self.done:
            rate = self._config.learning_rate * (1 - self.targets / self._config.lessons)
            distances.append(self.update(*lessons.draw(self.targets), rate))
            self.targets += 1
        return sum(distances) / len(distances)

    def update_on_rollout(self, rollout: Rollout, learning_rate: float, generator: torch.Generator) -> float:
        """Updates on a rollout's states in other looks; returns the mean of the median distances (m)."""
        objects = rollout.objects.flatten(0, 1)
        if rollout.rerandomized_images is None:
            with torch.no_grad():
                seen = self._policy.predict_keypoints(rollout.seen).flatten(0, 1).cpu()
            return float((seen - objects).norm(dim=-1).median())
        images = rollout.rerandomized_images.flatten(0, 1)
        parts = torch.randperm(len(images), generator=generator).tensor_split(min(self._config.updates, len(images)))
        distances = [self.update(images[part], objects[part], learning_rate) for part in parts]
        return sum(distances) / len(distances)

    def update(self, images: Tensor, objects: Tensor, learning_rate: float) -> float:
        """One gradient step; returns the median distance (m) before it."""
        loss, distance = object_position_loss(self._policy, self._policy.encode_images(images.to(self._device)), objects.to(self._device))
        self._optimiser.param_groups[0]["lr"] = learning_rate
        self._optimiser.zero_grad(set_to_none=True)
        (loss / self._ranks.count).backward()
        self._ranks.sum_gradients(self._policy)
        self._optimiser.step()
        return float(self._ranks.sum(distance)) / self._ranks.count

    def content(self) -> dict[str, Any]:
        """What the next update depends on beside the policy, in plain containers."""
        return {"targets": self.targets, "optimiser": self._optimiser.state_dict()}

    def restore(self, content: dict[str, Any]) -> None:
        """Go back to where `content` was taken."""
        self.targets = content["targets"]
        self._optimiser.load_state_dict(content["optimiser"])
