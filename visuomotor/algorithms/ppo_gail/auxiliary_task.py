"""The auxiliary task: predict where the keypoints are, from images of many appearances (Zhu et al. 2018, III-B2)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from visuomotor.algorithms.ppo_gail.config import AuxiliaryConfig
from visuomotor.algorithms.ppo_gail.curriculum import Curriculum
from visuomotor.algorithms.ppo_gail.rollout import Rollout
from visuomotor.demos import Episode
from visuomotor.policies import keypoint_loss, learning_rate_factor
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.runs.distributed import Distributed
from visuomotor.runs.restore import restore_optimizer
from visuomotor.tasks import Task, VecEnv

_UNIT = 0.1  # m, the unit of the error: about as far as blocks lie apart
_SMOOTHING = 0.03  # of the loss, in that unit


class PretrainingBatches:
    """Images of random starts and demonstration states, each with an appearance of its own. Every batch is a function
    of its number alone.

    Args:
        demos: demonstrations; without any, all states are random starts.
        seed: of all batches. threads: 0 for all cores.
    """

    def __init__(
        self,
        task: Task,
        demos: Sequence[Episode],
        config: AuxiliaryConfig,
        image_size: int,
        supersampling: int,
        randomize: bool,
        seed: int,
        threads: int = 0,
    ):
        initial_states = None
        if demos:
            initial_states = Curriculum(
                demos,
                len(task.stages),
                config.random_start_fraction,
                max_episode_steps=1,
                random_episode_steps=1,
                strategy="stages",
            )
        self._seed, self._generator = seed, torch.Generator()
        self._env = VecEnv(
            task,
            config.batch_size,
            self._generator,
            observations=("keypoints",),
            image_size=image_size,
            supersampling=supersampling,
            randomize=randomize,
            initial_states=initial_states,
            threads=threads,
        )

    def draw(self, number: int) -> tuple[Tensor, Tensor]:
        """Images `(batch, height, width, 3)` uint8 and the keypoints in them `(batch, K, 3)` m."""
        self._generator.manual_seed(self._seed + number)
        self._env.reset()
        return self._env.render(), self._env.task.keypoints(self._env.engine)


def object_position_loss(policy: RecurrentPolicy, image_features: Tensor, keypoints: Tensor) -> tuple[Tensor, Tensor]:
    """`keypoint_loss` in units of 0.1 m, and the median distance (m).

    Args:
        image_features: `(..., 128)` of `encode_images`. keypoints: `(..., K, 3)` m.
    """
    error = policy.predict_keypoints(image_features) - keypoints
    return keypoint_loss(error / _UNIT, _SMOOTHING), error.detach().norm(dim=-1).median()


class AuxiliaryTask:
    """Trains a policy's vision layers and keypoint head, with an optimizer of its own.

    Attributes:
        num_updates: of pretraining, so far.
    """

    def __init__(self, policy: RecurrentPolicy, config: AuxiliaryConfig, distributed: Distributed):
        self._policy, self._config, self._distributed = policy, config, distributed
        self._device = policy.device
        self._optimizer = torch.optim.Adam(policy.parameters(), config.learning_rate, fused=True)
        self.num_updates = 0

    @property
    def pretrained(self) -> bool:
        """Whether pretraining is over."""
        return self.num_updates >= self._config.pretraining_updates

    def pretrain(self, batches: PretrainingBatches, count: int) -> float:
        """The next `count` updates, or all that are left; returns the mean of their median distances (m)."""
        distances: list[float] = []
        while len(distances) < count and not self.pretrained:
            fraction = self.num_updates / self._config.pretraining_updates
            rate = self._config.learning_rate * learning_rate_factor(fraction)
            distances.append(self.update(*batches.draw(self.num_updates), rate))
            self.num_updates += 1
        return sum(distances) / len(distances)

    def update_on_rollout(self, rollout: Rollout, learning_rate: float, generator: torch.Generator) -> float:
        """Updates on a rollout's states with a new appearance; returns the mean of the median distances (m)."""
        keypoints = rollout.keypoints.flatten(0, 1)
        if rollout.rerandomized_images is None:
            with torch.no_grad():
                predicted = self._policy.predict_keypoints(rollout.image_features).flatten(0, 1).cpu()
            return float((predicted - keypoints).norm(dim=-1).median())
        images = rollout.rerandomized_images.flatten(0, 1)
        count = min(self._config.updates_per_iteration, len(images))
        parts = torch.randperm(len(images), generator=generator).tensor_split(count)
        distances = [self.update(images[part], keypoints[part], learning_rate) for part in parts]
        return sum(distances) / len(distances)

    def update(self, images: Tensor, keypoints: Tensor, learning_rate: float) -> float:
        """One gradient step; returns the median distance (m) before it."""
        image_features = self._policy.encode_images(images.to(self._device))
        loss, distance = object_position_loss(self._policy, image_features, keypoints.to(self._device))
        self._optimizer.param_groups[0]["lr"] = learning_rate
        self._optimizer.zero_grad(set_to_none=True)
        (loss / self._distributed.world_size).backward()
        self._distributed.sum_gradients(self._policy)
        self._optimizer.step()
        return float(self._distributed.sum(distance)) / self._distributed.world_size

    def state_dict(self) -> dict[str, Any]:
        """What the next update depends on beside the policy, in plain containers."""
        return {"num_updates": self.num_updates, "optimizer": self._optimizer.state_dict()}

    def load_state_dict(self, content: dict[str, Any]) -> None:
        """Go back to where `state_dict` was taken."""
        self.num_updates = content["num_updates"]
        restore_optimizer(self._optimizer, content["optimizer"], "state.auxiliary.optimizer")
