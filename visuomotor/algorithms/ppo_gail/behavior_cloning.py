"""Behaviour cloning from pixels: the baseline that needs no reward, or a first policy_targets before reinforcement."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from visuomotor.demos import Episode
from visuomotor.demos.replay import StateReplay
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.algorithms.ppo_gail.config import BehaviorCloningConfig
from visuomotor.algorithms.ppo_gail.expert_data import expert_actions
from visuomotor.algorithms.ppo_gail.auxiliary_task import object_position_loss
from visuomotor.runs.distributed import Distributed
from visuomotor.tasks import StagedTask


class BehaviorCloning:
    """Regression of the policy's mean on demonstrated actions, over whole episodes, so that its memory is what it will
    be when it acts. Every demonstration is rendered several times, each time with other looks.

    Args:
        vary: whether looks differ at all.
        looks: of which they are drawn; the same generator gives the same images.
    """

    def __init__(
        self,
        task: StagedTask,
        episodes: Sequence[Episode],
        config: BehaviorCloningConfig,
        image_size: int,
        supersampling: int,
        vary: bool,
        looks: torch.Generator,
    ):
        self.config = config
        replay = StateReplay(task, image_size, supersampling)
        self._actions = expert_actions(episodes)
        readings = [replay.readings(episode) for episode in episodes]
        self._proprioception = [each.proprioception for each in readings]
        self._objects = [each.objects for each in readings]
        self._images = [
            [replay.images(episode, (task.draw(1, looks) if vary else task.plain(1)).looks) for episode in episodes]
            for _ in range(config.renderings)
        ]

    def update(
        self,
        policy: RecurrentPolicy,
        optimiser: torch.optim.Optimizer,
        generator: torch.Generator,
        distributed: Distributed,
    ) -> float:
        """One gradient step on minibatches that each process draws with its own `generator`.

        Returns:
            The mean squared error of actions, in parts of their limits.
        """
        device = policy.device
        images, readings, objects, actions, valid = (part.to(device) for part in self._minibatch(generator))
        features = policy.encode_images(images)
        starts = torch.zeros_like(valid)
        sequence = policy.forward_sequence(features, readings, policy.initial_hidden_state(images.shape[1]), starts)
        error = (sequence.mean - actions)[valid].square().mean()
        seen, _ = object_position_loss(policy, features[valid], objects[valid])
        optimiser.zero_grad(set_to_none=True)
        ((error + self.config.auxiliary_weight * seen) / distributed.world_size).backward()
        distributed.sum_gradients(policy)
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimiser.step()
        return float(distributed.sum(error)) / distributed.world_size

    def _minibatch(self, generator: torch.Generator) -> list[Tensor]:
        """Images, readings, objects and actions `(T, batch, ...)` of episodes that all begin at the first row, and
        which of the rows `(T, batch)` there are: the shorter ones are filled up with zeros."""

        def draw(count: int) -> list[int]:
            return torch.randint(count, (self.config.batch,), generator=generator).tolist()

        drawn = list(zip(draw(len(self._images)), draw(len(self._actions)), strict=True))
        lengths = [len(self._actions[episode]) for _, episode in drawn]
        columns = (
            [self._images[rendering][episode] for rendering, episode in drawn],
            *([each[episode] for _, episode in drawn] for each in (self._proprioception, self._objects, self._actions)),
        )
        valid = torch.arange(max(lengths))[:, None] < torch.tensor(lengths)
        trimmed = ([rows[:length] for rows, length in zip(column, lengths, strict=True)] for column in columns)
        return [*(pad_sequence(column) for column in trimmed), valid]
