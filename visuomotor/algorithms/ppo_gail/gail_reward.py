"""The imitation reward: a discriminator learns from every rollout, then rewards it; and its blend with the task's."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from visuomotor.algorithms.ppo_gail.config import ImitationConfig
from visuomotor.algorithms.ppo_gail.discriminator import Discriminator
from visuomotor.algorithms.ppo_gail.expert_data import expert_actions, expert_features
from visuomotor.algorithms.ppo_gail.rollout import Rollout
from visuomotor.demos import Episode
from visuomotor.errors import VisuomotorError, unknown
from visuomotor.runs.distributed import Distributed
from visuomotor.runs.restore import restore_module, restore_optimizer
from visuomotor.tasks import Task


class GailReward:
    """The discriminator, its optimizer, and what it knows of the demonstrations. Weights come from torch's global
    generator.

    Args:
        demos: demonstrations; none are needed where the config says so.
    """

    def __init__(self, task: Task, demos: Sequence[Episode], config: ImitationConfig, distributed: Distributed):
        self.config, self._distributed = config, distributed
        self._sees_all = config.features == "privileged"
        self.discriminator = Discriminator(
            task.size("privileged" if self._sees_all else "object_features"), task.action_size if config.actions else 0
        )
        self._optimizer = torch.optim.Adam(
            self.discriminator.parameters(), config.learning_rate, betas=(0.5, 0.999), fused=True
        )
        if config.discriminates:
            self._expert_features = expert_features(task, demos, self._sees_all)
            self._expert_actions = torch.cat(expert_actions(demos)) if config.actions else None

    def reward(self, rollout: Rollout, generator: torch.Generator) -> tuple[Tensor, Tensor | None, dict[str, float]]:
        """Train the discriminator a little, and let it reward the rollout.

        Returns:
            The hybrid reward `(K, W)`; the imitation reward, before it is centred or the task reward takes its place,
            None where there is none; the discriminator's statistics.
        """
        settings = self.config
        if not settings.discriminates:
            return hybrid_reward(rollout.task_reward, rollout.task_reward, settings.weight), None, {}
        features = rollout.privileged if self._sees_all else rollout.object_features
        actions = rollout.actions.clamp(-1, 1) if settings.actions else None
        valid = ~rollout.diverged
        discriminator_stats = self.discriminator.update(
            self._optimizer,
            self._expert_features,
            features[valid],
            self._expert_actions,
            None if actions is None else actions[valid],
            penalty=settings.gradient_penalty,
            generator=generator,
            batch=settings.batch_size,
            steps=settings.num_updates,
            distributed=self._distributed,
        )
        with torch.no_grad():
            reward = imitation_reward(self.discriminator(features, actions), settings.reward_type, settings.clip)
        if settings.reward_source == "task":
            used_reward = rollout.task_reward
        else:
            used_reward = reward - self._mean(reward[valid]) if settings.center_reward else reward
        hybrid = hybrid_reward(rollout.task_reward, used_reward, settings.weight)
        return (
            hybrid,
            reward,
            {
                "discriminator_loss": discriminator_stats.loss,
                "discriminator_accuracy/demo": discriminator_stats.demonstration_accuracy,
                "discriminator_accuracy/policy": discriminator_stats.policy_accuracy,
                "discriminator_mean/demo": discriminator_stats.demonstration_mean,
                "discriminator_mean/policy": discriminator_stats.policy_mean,
                "discriminator_penalty": discriminator_stats.penalty,
            },
        )

    def _mean(self, values: Tensor) -> float:
        """Over all processes."""
        total, count = self._distributed.sum(torch.tensor([float(values.sum()), float(len(values))]).double()).tolist()
        return total / count

    def state_dict(self) -> dict[str, Any]:
        """What the next reward depends on, in plain containers."""
        return {"discriminator": dict(self.discriminator.state_dict()), "optimizer": self._optimizer.state_dict()}

    def load_state_dict(self, content: dict[str, Any]) -> None:
        """Go back to where `state_dict` was taken."""
        restore_module(self.discriminator, content["discriminator"], "state.gail.discriminator")
        restore_optimizer(self._optimizer, content["optimizer"], "state.gail.optimizer")


def imitation_reward(logits: Tensor, reward_type: str = "gail", clip: float = 10.0) -> Tensor:
    """The reward of looking like the demonstrations to a discriminator D = sigmoid(logits), of any shape.

    * `gail`: -log(1 - D), in [0, clip]: never a loss, so it pays to live long (Zhu et al. 2018, III-A).
    * `airl`: log D - log(1 - D), in [-clip, clip]: may have either sign (Fu et al. 2018).

    Both are computed from the logits, where D itself would have rounded to 0 or 1.
    """
    if reward_type == "gail":
        return softplus(logits).clamp(max=clip)
    if reward_type == "airl":
        return logits.clamp(-clip, clip)
    raise unknown("type of imitation reward", reward_type, ("gail", "airl"))


def hybrid_reward(task: Tensor, imitation: Tensor, weight: float) -> Tensor:
    """r = lambda r_imitation + (1 - lambda) r_task, with lambda = `weight` (Zhu et al. 2018, eq. 2)."""
    if not 0 <= weight <= 1:  # NaN fails too
        raise VisuomotorError(
            f"the weight of the imitation reward must be between 0 (task reward only) and 1 (imitation only), "
            f"not {weight}"
        )
    if weight in (0, 1):  # the other one may then be anything, even NaN
        return imitation if weight == 1 else task
    return weight * imitation + (1 - weight) * task
