"""Behaviour cloning from pixels: the baseline that needs no reward, or a first lesson before reinforcement."""

from collections.abc import Sequence

import torch
from torch import Tensor

from visuomotor.demos import Episode
from visuomotor.demos.replay import Replay
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.ppo_gail.config import CloningConfig
from visuomotor.ppo_gail.demonstrated import demonstrated_actions
from visuomotor.ppo_gail.sight import sight_loss
from visuomotor.tasks import StagedTask


class Cloning:
    """Regression of the policy's mean on demonstrated actions, over sequences that begin anywhere in an episode.

    Every demonstration is rendered several times, each time with other looks.

    Args:
        looks: of which they are drawn; the same generator gives the same images.
    """

    def __init__(
        self,
        task: StagedTask,
        episodes: Sequence[Episode],
        config: CloningConfig,
        image_size: int,
        supersampling: int,
        looks: torch.Generator,
    ):
        self.config = config
        replay = Replay(task, image_size, supersampling)
        self._actions = demonstrated_actions(episodes)
        readings = [replay.readings(episode) for episode in episodes]
        self._proprioception = [each.proprioception for each in readings]
        self._objects = [each.objects for each in readings]
        self._images = [
            [replay.images(episode, task.draw(1, looks).looks) for episode in episodes]
            for _ in range(config.renderings)
        ]

    def update(
        self,
        policy: RecurrentPolicy,
        optimiser: torch.optim.Optimizer,
        generator: torch.Generator,
    ) -> float:
        """One gradient step on a minibatch that `generator` draws.

        Returns:
            The mean squared error of actions, in parts of their limits.
        """
        device = policy.log_std.device
        images, readings, objects, actions = (part.to(device) for part in self._minibatch(generator))
        starts = torch.zeros(images.shape[:2], dtype=torch.bool, device=device)
        features = policy.see(images)
        unrolled = policy.unroll(features, readings, policy.initial_state(images.shape[1]), starts)
        error = (unrolled.mean - actions).square().mean()
        seen, _ = sight_loss(policy, features, objects)
        optimiser.zero_grad(set_to_none=True)
        (error + self.config.auxiliary_weight * seen).backward()
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimiser.step()
        return float(error.detach())

    def _minibatch(self, generator: torch.Generator) -> list[Tensor]:
        """Images, readings, objects and actions `(length, batch, ...)`."""

        def draw(count: int) -> int:
            return int(torch.randint(count, (), generator=generator))

        length = min(self.config.length, *(len(actions) for actions in self._actions))
        columns: list[tuple[Tensor, ...]] = []
        for _ in range(self.config.batch):
            rendering, episode = draw(len(self._images)), draw(len(self._actions))
            first = draw(len(self._actions[episode]) - length + 1)
            everything = (
                self._images[rendering][episode],
                self._proprioception[episode],
                self._objects[episode],
                self._actions[episode],
            )
            columns.append(tuple(values[first : first + length] for values in everything))
        return [torch.stack(column, 1) for column in zip(*columns, strict=True)]
