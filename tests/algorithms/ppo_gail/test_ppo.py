"""The policy's loss against a loop over single steps, with torch's own distributions."""

import math

import pytest
import torch
from made_up_rollout import ACTIONS, READINGS, STEPS, WORLDS, made_up_rollout
from torch.distributions import Independent, Normal, kl_divergence

from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.algorithms.ppo_gail.adaptive_kl import AdaptiveKl
from visuomotor.algorithms.ppo_gail.config import PpoConfig
from visuomotor.algorithms.ppo_gail.ppo import policy_loss
from visuomotor.runs.ranks import Ranks

CORRELATION = 0.6


@pytest.mark.parametrize("clip", [None, 0.2])
def test_the_loss_is_that_of_the_equation(clip: float | None):
    torch.manual_seed(0)
    policy = RecurrentPolicy(READINGS, ACTIONS, 1, image_size=20)
    policy.log_std.data += 0.3 * torch.randn(ACTIONS)
    rollout, advantages = made_up_rollout(torch.arange(WORLDS))
    rollout.diverged[2, 3] = True
    part = torch.tensor([6, 1, 3, 4])
    kl = AdaptiveKl(target=0.05, coefficient=0.7)
    config = PpoConfig(clip=clip, entropy=0.1, noise_correlation=CORRELATION)
    loss, sums = policy_loss(policy, rollout, advantages, part, config, kl, Ranks(), sees=False)

    unrolled = policy.unroll(
        rollout.seen[:, part], rollout.proprioception[:, part], rollout.first_state[part], rollout.starts[:, part]
    )
    deviation = policy.log_std.exp() * math.sqrt(1 - CORRELATION**2)  # of what is new in the noise
    gains, divergences, clipped = [], [], 0
    for t in range(STEPS):
        for i, world in enumerate(part.tolist()):
            if rollout.diverged[t, world]:
                continue
            new = Independent(Normal(unrolled.mean[t, i] + rollout.offsets[t, world], deviation), 1)
            old = Independent(Normal(rollout.means[t, world], rollout.log_std.exp()), 1)
            action, advantage = rollout.actions[t, world], advantages[t, world]
            ratio = (new.log_prob(action) - old.log_prob(action)).exp()
            gain = ratio * advantage
            if clip is not None and (advantage > 0) == (ratio > 1) and abs(ratio - 1) > clip:
                gain = (1 + clip if ratio > 1 else 1 - clip) * advantage
                clipped += 1
            gains.append(gain)
            divergences.append(kl_divergence(new, old))
    mean_kl = torch.stack(divergences).mean()
    penalty = 0.7 * mean_kl + 250 * (mean_kl - 0.1).clamp(min=0) ** 2
    entropy = Independent(Normal(torch.zeros(ACTIONS), policy.log_std.exp()), 1).entropy()
    expected = -torch.stack(gains).mean() + penalty - 0.1 * entropy
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-5)
    assert sums[0] == len(gains) < STEPS * len(part)
    torch.testing.assert_close(sums[2].float(), torch.stack(divergences).sum().detach(), rtol=1e-4, atol=1e-5)
    assert clipped > 0 or clip is None
