"""The policy's loss against a loop over single steps, with torch's own distributions."""

import math
from typing import Literal

import pytest
import torch
from made_up_rollout import ACTIONS, READINGS, STEPS, WORLDS, made_up_rollout
from torch import Tensor
from torch.distributions import Independent, Normal, kl_divergence

from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.algorithms.ppo_gail.adaptive_kl import AdaptiveKl
from visuomotor.algorithms.ppo_gail.config import ExplorationConfig, PpoConfig
from visuomotor.algorithms.ppo_gail.exploration import exploration_noise
from visuomotor.algorithms.ppo_gail.ppo import policy_loss
from visuomotor.algorithms.ppo_gail.rollout import Rollout
from visuomotor.runs.distributed import Distributed

CORRELATION = 0.6


Form = Literal["white", "marginal", "exact"]


def density(rollout: Rollout, world: int, t: int, means: Tensor, std: Tensor, correlation: float) -> Independent:
    """Of the action of step t: an autoregression around the world's means `(K, A)`, which begins anew at a start."""
    if rollout.starts[t, world]:
        return Independent(Normal(means[t], std), 1)
    before = rollout.carried[0, world] if t == 0 else rollout.actions[t - 1, world] - means[t - 1]
    return Independent(Normal(means[t] + correlation * before, std * math.sqrt(1 - correlation**2)), 1)


@pytest.mark.parametrize("clip", [None, 0.2])
@pytest.mark.parametrize("form", ["white", "marginal", "exact"])
def test_the_loss_is_that_of_the_equation(form: Form, clip: float | None):
    torch.manual_seed(0)
    policy = RecurrentPolicy(READINGS, ACTIONS, 1, image_size=20)
    noise = exploration_noise(ACTIONS, ExplorationConfig(noise=form, correlation=CORRELATION))
    noise.log_std.data += 0.3 * torch.randn(ACTIONS)
    rollout, advantages = made_up_rollout(torch.arange(WORLDS))
    rollout.diverged[2, 3] = True
    part = torch.tensor([6, 1, 3, 4])
    kl = AdaptiveKl(target=0.05, coefficient=0.7)
    config = PpoConfig(clip=clip, entropy=0.1)
    loss, sums = policy_loss(policy, noise, rollout, advantages, part, config, kl, Distributed(), sees=False)

    sequence = policy.forward_sequence(
        rollout.seen[:, part], rollout.proprioception[:, part], rollout.first_state[part], rollout.starts[:, part]
    )
    correlation = CORRELATION if form == "exact" else 0.0
    gains, divergences, clipped, outside = [], [], 0, 0
    for t in range(STEPS):
        for i, world in enumerate(part.tolist()):
            if rollout.diverged[t, world]:
                continue
            action, advantage = rollout.actions[t, world], advantages[t, world]
            new, old = (
                density(rollout, world, t, mean, std, correlation)
                for mean, std in ((sequence.mean[:, i], noise.std), (rollout.means[:, world], rollout.std))
            )
            ratio = (new.log_prob(action) - old.log_prob(action)).exp()
            gain = ratio * advantage
            outside += clip is not None and abs(ratio - 1) > clip
            if clip is not None and (advantage > 0) == (ratio > 1) and abs(ratio - 1) > clip:
                gain = (1 + clip if ratio > 1 else 1 - clip) * advantage
                clipped += 1
            gains.append(gain)
            new, old = (Normal(sequence.mean[t, i], noise.std), Normal(rollout.means[t, world], rollout.std))
            divergences.append(kl_divergence(new, old).sum())
    mean_kl = torch.stack(divergences).mean()
    penalty = 0.7 * mean_kl + 250 * (mean_kl - 0.1).clamp(min=0) ** 2
    entropy = Independent(Normal(torch.zeros(ACTIONS), noise.std), 1).entropy()
    expected = -torch.stack(gains).mean() + penalty - 0.1 * entropy
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-5)
    assert sums[0] == len(gains) < STEPS * len(part)
    torch.testing.assert_close(sums[2].float(), torch.stack(divergences).sum().detach(), rtol=1e-4, atol=1e-5)
    assert clipped > 0 or clip is None
    assert sums[3] == outside
