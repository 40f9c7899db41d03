"""The policy's loss against a loop over single steps, with torch's own distributions."""

import dataclasses
import math

import pytest
import torch
from made_up_rollout import ACTIONS, READINGS, STEPS, WORLDS, made_up_rollout
from torch.distributions import Independent, Normal, kl_divergence

from visuomotor.algorithms.ppo_gail.adaptive_kl import AdaptiveKl
from visuomotor.algorithms.ppo_gail.config import PpoConfig
from visuomotor.algorithms.ppo_gail.ppo import policy_loss, update_policy
from visuomotor.algorithms.ppo_gail.rollout import Rollout, innovation_log_std
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.runs.distributed import Distributed

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
    config = PpoConfig(clip_range=clip, entropy_coef=0.1, noise_correlation=CORRELATION)
    loss, sums = policy_loss(policy, rollout, advantages, part, config, kl, Distributed(), train_vision=False)

    sequence = policy.forward_sequence(
        rollout.image_features[:, part],
        rollout.proprioception[:, part],
        rollout.initial_hidden_state[part],
        rollout.episode_starts[:, part],
    )
    deviation = policy.log_std.exp() * math.sqrt(1 - CORRELATION**2)  # of what is new in the noise
    gains, divergences, clipped = [], [], 0
    for t in range(STEPS):
        for i, world in enumerate(part.tolist()):
            if rollout.diverged[t, world]:
                continue
            new = Independent(Normal(sequence.mean[t, i] + rollout.offsets[t, world], deviation), 1)
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


def new_policy() -> RecurrentPolicy:
    torch.manual_seed(0)
    return RecurrentPolicy(READINGS, ACTIONS, 1, image_size=20)


def test_looking_again_is_the_same_as_the_features_of_the_rollout():
    """As long as the vision layers are what they were; and it has gradients for them."""
    policy = new_policy()
    policy.action_mean[0].weight.data *= 100  # what is seen matters
    rollout, advantages = made_up_rollout(torch.arange(WORLDS))
    rollout = dataclasses.replace(rollout, seen=policy.encode_images(rollout.images).detach())
    part, kl = torch.tensor([6, 1, 3]), AdaptiveKl(target=0.05)
    losses = []
    for sees in (True, False):
        policy.zero_grad()
        loss, sums = policy_loss(policy, rollout, advantages, part, PpoConfig(), kl, Distributed(), sees)
        loss.backward()
        assert all((parameter.grad is not None) == sees for parameter in policy.vision_parameters)
        losses.append((loss.detach(), sums))
    for looked, stored in zip(*losses, strict=True):
        torch.testing.assert_close(looked, stored, rtol=1e-4, atol=1e-5)


def acted(policy: RecurrentPolicy, config: PpoConfig) -> Rollout:
    """A rollout in which `policy` itself acted, with white noise."""
    rollout, _ = made_up_rollout(torch.arange(WORLDS))
    with torch.no_grad():
        seen = policy.encode_images(rollout.images)
        means = policy.forward_sequence(
            seen, rollout.proprioception, rollout.initial_hidden_state, rollout.episode_starts
        ).mean
    log_std = innovation_log_std(policy.log_std.detach(), config.noise_correlation)
    noise = torch.randn(means.shape, generator=torch.Generator().manual_seed(4))
    return dataclasses.replace(
        rollout,
        seen=seen,
        offsets=torch.zeros_like(means),
        means=means,
        log_std=log_std,
        actions=means + log_std.exp() * noise,
    )


def test_an_update_makes_better_actions_more_likely():
    """Better are those to the right of the mean."""
    policy, config = new_policy(), PpoConfig(noise_correlation=0.0, num_minibatches=2)
    rollout = acted(policy, config)
    advantages = (rollout.actions - rollout.means).sum(-1)
    optimizer, kl = torch.optim.Adam(policy.parameters(), 1e-3), AdaptiveKl(target=0.05)
    told = update_policy(policy, optimizer, rollout, advantages, config, kl, Distributed(), torch.Generator())
    with torch.no_grad():
        seen = policy.encode_images(rollout.images)
        after = policy.forward_sequence(
            seen, rollout.proprioception, rollout.initial_hidden_state, rollout.episode_starts
        ).mean
    assert ((after - rollout.means).mean((0, 1)) > 0.01).all()
    assert told.surrogate > (advantages * ~rollout.diverged).sum() / (~rollout.diverged).sum()


def test_an_update_tells_of_its_last_epoch():
    """Without a learning rate: the policy stays, and so do the distance from the one that acted and the gain."""
    policy, config = (
        new_policy(),
        PpoConfig(num_minibatches=3, num_epochs=2, vision_epochs=0, noise_correlation=CORRELATION),
    )
    rollout, advantages = made_up_rollout(torch.arange(WORLDS))
    optimizer, kl = torch.optim.SGD(policy.parameters(), 0.0), AdaptiveKl(target=1e-3)
    _, sums = policy_loss(
        policy,
        rollout,
        advantages,
        torch.arange(WORLDS),
        config,
        AdaptiveKl(target=1e-3),
        Distributed(),
        train_vision=False,
    )
    count, surrogate, divergence = sums.tolist()
    told = update_policy(policy, optimizer, rollout, advantages, config, kl, Distributed(), torch.Generator())
    assert told.kl == pytest.approx(divergence / count, rel=1e-4)
    assert told.surrogate == pytest.approx(surrogate / count, rel=1e-4)
    assert told.kl > 2e-3
    assert kl.coefficient == 1.5
    assert told.entropy == pytest.approx(ACTIONS * (-1 + (1 + math.log(2 * math.pi)) / 2))


def test_an_update_is_a_step_for_every_minibatch_of_every_epoch():
    """Against a loop of plain gradient descent; the statistics are of the last epoch."""
    config = PpoConfig(num_minibatches=3, num_epochs=2, vision_epochs=1, max_grad_norm=1e9)
    rollout, advantages = made_up_rollout(torch.arange(WORLDS))
    kl, rate = AdaptiveKl(target=0.05, hinge=0.0), 0.01  # the made-up policy is far from this one
    expected, generator = new_policy(), torch.Generator().manual_seed(5)
    for epoch in range(2):
        found = torch.zeros(3, dtype=torch.float64)
        for part in torch.randperm(WORLDS, generator=generator).tensor_split(3):
            loss, sums = policy_loss(
                expected, rollout, advantages, part, config, kl, Distributed(), train_vision=epoch == 1
            )
            found += sums
            weights = list(expected.parameters())
            gradients = torch.autograd.grad(loss, weights, allow_unused=True)
            for weight, gradient in zip(weights, gradients, strict=True):
                if gradient is not None:
                    weight.data -= rate * gradient
    policy = new_policy()
    optimizer, generator = torch.optim.SGD(policy.parameters(), rate), torch.Generator().manual_seed(5)
    told = update_policy(policy, optimizer, rollout, advantages, config, kl, Distributed(), generator)
    for (name, weight), other in zip(policy.named_parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(weight, other, rtol=1e-4, atol=1e-6, msg=name)
    assert [told.surrogate, told.kl] == pytest.approx((found[1:] / found[0]).tolist(), rel=1e-4)


def test_gradients_are_cut():
    """With plain gradient descent an update is as long as the largest gradient times the learning rate, at most."""
    policy, config = new_policy(), PpoConfig(num_minibatches=4, num_epochs=1, max_grad_norm=0.01)
    rollout, advantages = made_up_rollout(torch.arange(WORLDS))
    optimizer, kl = torch.optim.SGD(policy.parameters(), 0.1), AdaptiveKl(target=0.05)
    before = torch.nn.utils.parameters_to_vector(policy.parameters()).detach()
    told = update_policy(policy, optimizer, rollout, 100 * advantages, config, kl, Distributed(), torch.Generator())
    moved = (torch.nn.utils.parameters_to_vector(policy.parameters()) - before).norm().item()
    assert told.gradient_norm > 0.1  # of the gradients before they are cut
    assert 0 < moved <= 4 * 0.01 * 0.1 * 1.001


def test_a_minibatch_without_a_valid_step_teaches_nothing():
    """One world a minibatch, of which one blows up in every step."""
    config = PpoConfig(num_minibatches=WORLDS, num_epochs=1, entropy_coef=0.1)
    rollout, advantages = made_up_rollout(torch.arange(WORLDS))
    rollout.diverged[:, 5] = True
    policy = new_policy()
    kl = AdaptiveKl(target=0.05)
    loss, sums = policy_loss(policy, rollout, advantages, torch.tensor([5]), config, kl, Distributed())
    loss.backward()
    assert loss == 0
    assert sums.tolist() == [0, 0, 0]
    assert not any(parameter.grad.any() for parameter in policy.parameters() if parameter.grad is not None)
    optimizer = torch.optim.SGD(policy.parameters(), 0.1)
    told = update_policy(policy, optimizer, rollout, advantages, config, kl, Distributed(), torch.Generator())
    assert all(math.isfinite(value) for value in vars(told).values())
    assert all(parameter.isfinite().all() for parameter in policy.parameters())
