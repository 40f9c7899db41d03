"""The discriminator: demonstration or policy?"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from visuomotor.algorithms.ppo_gail.running_mean_std import RunningMeanStd, moments
from visuomotor.errors import VisuomotorError
from visuomotor.policies.mlp import mlp
from visuomotor.runs.distributed import Distributed


@dataclass(frozen=True)
class DiscriminatorStatistics:
    """Means over the minibatches of an update. `demonstration_mean` and `policy_mean` are the mean D on demonstrations
    and on the policy's steps; D is the probability that a step comes from a demonstration."""

    loss: float
    demonstration_accuracy: float
    policy_accuracy: float
    demonstration_mean: float
    policy_mean: float
    penalty: float


class Discriminator(nn.Module):
    """D(s, a) = sigmoid(logit), the probability that a step is a demonstration's: tanh layers of 100 and 64.

    It sees object-centric features only. The arm's state gives a policy away by details that do not matter, so the task
    leaves it out of the features (Zhu et al. 2018, III-B).

    Features are normalised by their own statistics, demonstrations and policy in equal parts, which are part of the
    module's state. Actions are taken as they are.

    Args:
        feature_size: F. action_size: A, 0 for a discriminator of features alone. hidden: sizes of the tanh layers.
    """

    def __init__(self, feature_size: int, action_size: int = 0, hidden: Sequence[int] = (100, 64)) -> None:
        super().__init__()
        self.feature_size, self.action_size = feature_size, action_size
        self.normalizer = RunningMeanStd(feature_size)
        self.layers = mlp((feature_size + action_size, *hidden, 1))

    def forward(self, features: Tensor, actions: Tensor | None = None) -> Tensor:
        """Logits `(...)` for features `(..., F)` and, if it was made for them, actions `(..., A)`."""
        return self._logits(self.inputs(features, actions))

    def inputs(self, features: Tensor, actions: Tensor | None = None) -> Tensor:
        """What the first layer sees, `(..., F + A)`: normalised features, and actions."""
        if features.shape[-1] != self.feature_size:
            raise VisuomotorError(
                f"this discriminator was made for {self.feature_size} features, not {features.shape[-1]}: "
                "demonstrations and training must use the same task"
            )
        normalised = self.normalizer(features)
        if self.action_size == 0:
            if actions is not None:
                raise VisuomotorError("this discriminator sees no actions: leave them out, or make it with action_size")
            return normalised
        if actions is None:
            raise VisuomotorError(f"this discriminator also needs the {self.action_size} actions of every step")
        if actions.shape != (*features.shape[:-1], self.action_size):
            raise VisuomotorError(
                f"this discriminator needs {self.action_size} actions for each row of features "
                f"{tuple(features.shape)}, not {tuple(actions.shape)}"
            )
        return torch.cat([normalised, actions], dim=-1)

    def update(
        self,
        optimizer: torch.optim.Optimizer,
        demonstrations: Tensor,
        rollouts: Tensor,
        demonstration_actions: Tensor | None = None,
        rollout_actions: Tensor | None = None,
        *,
        penalty: float = 0.0,
        generator: torch.Generator,
        batch: int = 256,
        steps: int = 5,
        distributed: Distributed | None = None,
    ) -> DiscriminatorStatistics:
        """A few steps of gradient descent on minibatches, half demonstrations and half policy.

        Args:
            optimizer: of this module's parameters.
            demonstrations, rollouts: features `(..., F)`. Actions `(..., A)` if it sees actions.
            penalty: weight of the gradient penalty.
            batch: rows of either kind in a minibatch, drawn with replacement.
            distributed: other processes that learn the same discriminator, each from its own rollouts.
        """
        distributed = distributed or Distributed()
        for features, kind in ((demonstrations, "demonstrations"), (rollouts, "rollouts")):
            if features.numel() == 0 or not features.isfinite().all():
                raise VisuomotorError(f"the discriminator needs at least one step of {kind}, all of them finite")
        self._observe(demonstrations, rollouts, distributed)
        demonstrated = self.inputs(demonstrations, demonstration_actions).flatten(0, -2)
        rolled_out = self.inputs(rollouts, rollout_actions).flatten(0, -2)
        sums = torch.zeros(6, device=demonstrated.device)
        for _ in range(steps):
            demonstration, policy = (
                rows[torch.randint(len(rows), (batch,), generator=generator).to(rows.device)]
                for rows in (demonstrated, rolled_out)
            )
            demonstration_logits, policy_logits = self._logits(demonstration), self._logits(policy)
            loss = discriminator_loss(demonstration_logits, policy_logits)
            cost = torch.zeros_like(loss)
            if penalty:
                cost = self.gradient_penalty(demonstration)
            optimizer.zero_grad(set_to_none=True)
            ((loss + penalty * cost) / distributed.world_size).backward()
            distributed.sum_gradients(self)
            optimizer.step()
            with torch.no_grad():
                right = demonstration_logits > 0, policy_logits < 0
                mean = demonstration_logits.sigmoid().mean(), policy_logits.sigmoid().mean()
                sums += torch.stack([loss, *(rows.float().mean() for rows in right), *mean, cost])
        return DiscriminatorStatistics(*(distributed.sum(sums) / distributed.world_size / max(steps, 1)).tolist())

    def gradient_penalty(self, demonstration: Tensor) -> Tensor:
        """E |grad logit|^2 on demonstrations' `inputs` `(B, F + A)`, a scalar: it keeps D from rising on and on where
        it is right (R1, Mescheder et al. 2018)."""
        rows = demonstration.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(self._logits(rows).sum(), rows, create_graph=True)
        return gradient.square().sum(-1).mean()

    def _logits(self, inputs: Tensor) -> Tensor:
        return self.layers(inputs)[..., 0]

    def _observe(self, demonstrations: Tensor, rollouts: Tensor, distributed: Distributed) -> None:
        """Demonstrations count as much as all rollouts together, however few they are."""
        steps = 0.0
        for of_rank in distributed.all_gather(moments(rollouts)):
            self.normalizer.update_from_moments(*of_rank)
            steps += float(of_rank[0])
        count, mean, squares = moments(demonstrations)
        weight = steps / float(count)
        self.normalizer.update_from_moments(count * weight, mean, squares * weight)


def discriminator_loss(demonstration_logits: Tensor, policy_logits: Tensor) -> Tensor:
    """Minus what the discriminator maximises (Zhu et al. 2018, eq. 1), as binary cross-entropy of logits `(B,)`:

    -E_demonstration[log D] - E_policy[log(1 - D)]
    """
    return softplus(-demonstration_logits).mean() + softplus(policy_logits).mean()
