"""Behaviour cloning from pixels: a baseline that needs no reward, or a first phase before reinforcement."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from visuomotor.algorithms.ppo_gail.auxiliary_task import object_position_loss
from visuomotor.algorithms.ppo_gail.config import BehaviorCloningConfig
from visuomotor.algorithms.ppo_gail.expert_data import expert_actions
from visuomotor.demos import Episode
from visuomotor.demos.replay import StateReplay
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.runs.distributed import Distributed
from visuomotor.tasks import Task


class BehaviorCloning:
    """Regression of the policy's mean on demonstrated actions, over whole episodes, so that its hidden state is what it
    will be when it acts. Every demonstration is rendered several times, each time with another appearance.

    Args:
        randomize: whether appearances differ at all.
        generator: of the appearances; the same generator gives the same images.
    """

    def __init__(
        self,
        task: Task,
        episodes: Sequence[Episode],
        config: BehaviorCloningConfig,
        image_size: int,
        supersampling: int,
        randomize: bool,
        generator: torch.Generator,
    ):
        self.config = config
        replay = StateReplay(task, image_size, supersampling)
        self._actions = expert_actions(episodes)
        observations = [replay.observations(episode, ("proprioception", "keypoints")) for episode in episodes]
        self._proprioception = [each["proprioception"] for each in observations]
        self._keypoints = [each["keypoints"] for each in observations]
        self._images = [
            [
                replay.images(episode, task.sample_reset(1, generator, randomize=randomize).appearance)
                for episode in episodes
            ]
            for _ in range(config.renders_per_demo)
        ]

    def update(
        self,
        policy: RecurrentPolicy,
        optimizer: torch.optim.Optimizer,
        generator: torch.Generator,
        distributed: Distributed,
    ) -> float:
        """One gradient step on minibatches that each process draws with its own `generator`.

        Returns:
            The mean squared error of actions, in parts of their limits.
        """
        device = policy.device
        images, proprioception, keypoints, actions, valid = (part.to(device) for part in self._minibatch(generator))
        features = policy.encode_images(images)
        starts = torch.zeros_like(valid)
        sequence = policy.forward_sequence(
            features, proprioception, policy.initial_hidden_state(images.shape[1]), starts
        )
        error = (sequence.mean - actions)[valid].square().mean()
        auxiliary, _ = object_position_loss(policy, features[valid], keypoints[valid])
        optimizer.zero_grad(set_to_none=True)
        ((error + self.config.auxiliary_weight * auxiliary) / distributed.world_size).backward()
        distributed.sum_gradients(policy)
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimizer.step()
        return float(distributed.sum(error)) / distributed.world_size

    def _minibatch(self, generator: torch.Generator) -> list[Tensor]:
        """Images, proprioception, keypoints and actions `(T, batch, ...)` of episodes that all begin at the first row,
        and a mask of their rows `(T, batch)` bool: shorter episodes are padded with zeros."""

        def draw(count: int) -> list[int]:
            return torch.randint(count, (self.config.batch_size,), generator=generator).tolist()

        drawn = list(zip(draw(len(self._images)), draw(len(self._actions)), strict=True))
        lengths = [len(self._actions[episode]) for _, episode in drawn]
        columns = (
            [self._images[rendering][episode] for rendering, episode in drawn],
            *(
                [each[episode] for _, episode in drawn]
                for each in (self._proprioception, self._keypoints, self._actions)
            ),
        )
        valid = torch.arange(max(lengths))[:, None] < torch.tensor(lengths)
        trimmed = ([rows[:length] for rows, length in zip(column, lengths, strict=True)] for column in columns)
        return [*(pad_sequence(column) for column in trimmed), valid]
