"""The imitation reward in training: the discriminator learns from every rollout, then rewards it."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from visuomotor.demos import Episode
from visuomotor.algorithms.ppo_gail.config import ImitationConfig
from visuomotor.algorithms.ppo_gail.expert_data import expert_actions, expert_features
from visuomotor.algorithms.ppo_gail.discriminator import Discriminator
from visuomotor.algorithms.ppo_gail.rewards import hybrid_reward, imitation_reward
from visuomotor.algorithms.ppo_gail.rollout import Rollout
from visuomotor.runs.distributed import Distributed
from visuomotor.tasks import StagedTask


class GailReward:
    """The discriminator, its optimiser, and what it knows of the demonstrations. Weights come from torch's global
    generator.

    Args:
        shown: demonstrations; none are needed where the config says so.
    """

    def __init__(self, task: StagedTask, shown: Sequence[Episode], config: ImitationConfig, distributed: Distributed):
        self.config, self._ranks = config, distributed
        self._sees_all = config.features == "privileged"
        self.discriminator = Discriminator(
            task.privileged_size if self._sees_all else task.feature_size, task.action_size if config.actions else 0
        )
        self._optimiser = torch.optim.Adam(
            self.discriminator.parameters(), config.learning_rate, betas=(0.5, 0.999), fused=True
        )
        if config.discriminates:
            self._shown_features = expert_features(task, shown, self._sees_all)
            self._shown_actions = torch.cat(expert_actions(shown)) if config.actions else None

    def reward(self, rollout: Rollout, generator: torch.Generator) -> tuple[Tensor, Tensor | None, dict[str, float]]:
        """Train the discriminator a little, and let it reward the rollout.

        Returns:
            The hybrid reward `(K, W)`; the imitation reward, before it is centred or ground truth put in its place,
            None where there is none; the discriminator's statistics.
        """
        settings = self.config
        if not settings.discriminates:
            return hybrid_reward(rollout.task_reward, rollout.task_reward, settings.weight), None, {}
        features = rollout.privileged if self._sees_all else rollout.features
        actions = rollout.actions.clamp(-1, 1) if settings.actions else None
        valid = ~rollout.diverged
        discriminator_stats = self.discriminator.update(
            self._optimiser,
            self._shown_features,
            features[valid],
            self._shown_actions,
            None if actions is None else actions[valid],
            penalty=settings.gradient_penalty,
            penalty_on=settings.penalty_on,
            label_smoothing=settings.label_smoothing,
            generator=generator,
            batch=settings.batch,
            steps=settings.updates,
            distributed=self._ranks,
        )
        with torch.no_grad():
            reward = imitation_reward(self.discriminator(features, actions), settings.form, settings.clip)
        if settings.source == "ground-truth":
            used_reward = rollout.task_reward
        else:
            used_reward = reward - self._mean(reward[valid]) if settings.centred else reward
        hybrid = hybrid_reward(rollout.task_reward, used_reward, settings.weight)
        return hybrid, reward, {f"discriminator_{name}": value for name, value in vars(discriminator_stats).items()}

    def _mean(self, values: Tensor) -> float:
        """Over all processes."""
        total, count = self._ranks.sum(torch.tensor([float(values.sum()), float(len(values))]).double()).tolist()
        return total / count

    def content(self) -> dict[str, Any]:
        """What the next reward depends on, in plain containers."""
        return {"discriminator": dict(self.discriminator.state_dict()), "optimiser": self._optimiser.state_dict()}

    def restore(self, content: dict[str, Any]) -> None:
        """Go back to where `content` was taken."""
        self.discriminator.load_state_dict(content["discriminator"])
        self._optimiser.load_state_dict(content["optimiser"])
