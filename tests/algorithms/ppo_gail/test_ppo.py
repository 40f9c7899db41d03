"""The policy's loss against a loop over single steps, with torch's own distributions."""

import dataclasses
import math
from typing import Literal, get_args

import pytest
import torch
from made_up_rollout import ACTIONS, READINGS, STEPS, WORLDS, made_up_rollout
from torch import Tensor
from torch.distributions import Independent, Normal, kl_divergence

from visuomotor.algorithms.ppo_gail.adaptive_kl import AdaptiveKl
from visuomotor.algorithms.ppo_gail.config import ExplorationConfig, PpoConfig
from visuomotor.algorithms.ppo_gail.exploration import WhiteNoise, exploration_noise
from visuomotor.algorithms.ppo_gail.ppo import policy_loss, update_policy
from visuomotor.algorithms.ppo_gail.rollout import Rollout
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.runs.distributed import Distributed

CORRELATION = 0.6


Form = Literal["white", "marginal", "carried", "exact"]


def density(rollout: Rollout, world: int, t: int, means: Tensor, std: Tensor, form: Form) -> Independent:
    """Of the action of step t: an autoregression around the world's means `(K, A)`, which begins anew at a start."""
    if rollout.episode_starts[t, world] or form in ("white", "marginal"):
        return Independent(Normal(means[t], std), 1)
    before = rollout.carried[t, world]
    if form == "exact" and t > 0:
        before = rollout.actions[t - 1, world] - means[t - 1]
    return Independent(Normal(means[t] + CORRELATION * before, std * math.sqrt(1 - CORRELATION**2)), 1)


@pytest.mark.parametrize("clip", [None, 0.2])
@pytest.mark.parametrize("form", get_args(Form))
def test_the_loss_is_that_of_the_equation(form: Form, clip: float | None):
    torch.manual_seed(0)
    policy = RecurrentPolicy(READINGS, ACTIONS, 1, image_size=20)
    noise = exploration_noise(ACTIONS, ExplorationConfig(noise=form, correlation=CORRELATION))
    noise.log_std.data += 0.3 * torch.randn(ACTIONS)
    rollout, advantages = made_up_rollout(torch.arange(WORLDS))
    rollout.diverged[2, 3] = True
    part = torch.tensor([6, 1, 3, 4])
    kl = AdaptiveKl(target=0.05, coefficient=0.7)
    config = PpoConfig(clip_range=clip, entropy_coef=0.1)
    loss, sums = policy_loss(policy, noise, rollout, advantages, part, config, kl, Distributed(), train_vision=False)

    sequence = policy.forward_sequence(
        rollout.image_features[:, part],
        rollout.proprioception[:, part],
        rollout.initial_hidden_state[part],
        rollout.episode_starts[:, part],
    )
    surrogates, divergences, clipped, outside = [], [], 0, 0
    for t in range(STEPS):
        for i, world in enumerate(part.tolist()):
            if rollout.diverged[t, world]:
                continue
            action, advantage = rollout.actions[t, world], advantages[t, world]
            new, old = (
                density(rollout, world, t, mean, std, form)
                for mean, std in ((sequence.mean[:, i], noise.std), (rollout.means[:, world], rollout.std))
            )
            ratio = (new.log_prob(action) - old.log_prob(action)).exp()
            surrogate = ratio * advantage
            outside += clip is not None and abs(ratio - 1) > clip
            if clip is not None and (advantage > 0) == (ratio > 1) and abs(ratio - 1) > clip:
                surrogate = (1 + clip if ratio > 1 else 1 - clip) * advantage
                clipped += 1
            surrogates.append(surrogate)
            new, old = (Normal(sequence.mean[t, i], noise.std), Normal(rollout.means[t, world], rollout.std))
            divergences.append(kl_divergence(new, old).sum())
    mean_kl = torch.stack(divergences).mean()
    penalty = 0.7 * mean_kl + 250 * (mean_kl - 0.1).clamp(min=0) ** 2
    entropy = Independent(Normal(torch.zeros(ACTIONS), noise.std), 1).entropy()
    expected = -torch.stack(surrogates).mean() + penalty - 0.1 * entropy
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-5)
    assert sums[0] == len(surrogates) < STEPS * len(part)
    torch.testing.assert_close(sums[2].float(), torch.stack(divergences).sum().detach(), rtol=1e-4, atol=1e-5)
    assert clipped > 0 or clip is None
    assert sums[3] == outside


def test_means_beyond_the_limits_are_counted():
    policy, noise = new_policy(), new_noise()
    bias = torch.tensor([1.05, -1.3, 0.2, *torch.zeros(ACTIONS - 3)])
    policy.action_mean[-1].bias.data.copy_(bias)
    policy.action_mean[-1].weight.data *= 60  # some of the first means are within the limits
    rollout, advantages = made_up_rollout(torch.arange(WORLDS))
    rollout.diverged[2, 3] = True
    part = torch.tensor([6, 1, 3, 4])
    config, kl = PpoConfig(clip_range=0.2), AdaptiveKl(target=0.05, hinge=0.0)
    _, sums = policy_loss(policy, noise, rollout, advantages, part, config, kl, Distributed(), train_vision=False)
    means = policy.forward_sequence(
        rollout.image_features[:, part],
        rollout.proprioception[:, part],
        rollout.initial_hidden_state[part],
        rollout.episode_starts[:, part],
    ).mean[~rollout.diverged[:, part]]
    beyond = torch.tensor([[mean > 1 or mean < -1 for mean in row] for row in means.tolist()])
    assert 0.1 < beyond[:, 0].float().mean() < 0.9
    assert (means[:, 1] < -1).any()
    assert sums[4].item() == pytest.approx(beyond.double().mean(-1).sum().item(), rel=1e-6)


def new_policy() -> RecurrentPolicy:
    torch.manual_seed(0)
    return RecurrentPolicy(READINGS, ACTIONS, 1, image_size=20)


def new_noise(form: Form = "exact") -> WhiteNoise:
    return exploration_noise(ACTIONS, ExplorationConfig(noise=form, correlation=CORRELATION))


def test_encoding_the_images_again_is_the_same_as_the_features_of_the_rollout():
    """As long as the vision layers are what they were; and it has gradients for them."""
    policy = new_policy()
    policy.action_mean[0].weight.data *= 100  # what is seen matters
    rollout, advantages = made_up_rollout(torch.arange(WORLDS))
    rollout = dataclasses.replace(rollout, image_features=policy.encode_images(rollout.images).detach())
    part, kl = torch.tensor([6, 1, 3]), AdaptiveKl(target=0.05)
    losses = []
    for train_vision in (True, False):
        policy.zero_grad()
        loss, sums = policy_loss(
            policy, new_noise(), rollout, advantages, part, PpoConfig(), kl, Distributed(), train_vision
        )
        loss.backward()
        assert all((parameter.grad is not None) == train_vision for parameter in policy.vision_parameters)
        losses.append((loss.detach(), sums))
    for encoded, stored in zip(*losses, strict=True):
        torch.testing.assert_close(encoded, stored, rtol=1e-4, atol=1e-5)


def acted(policy: RecurrentPolicy, noise: WhiteNoise) -> Rollout:
    """A rollout in which `policy` itself acted, with white noise."""
    rollout, _ = made_up_rollout(torch.arange(WORLDS))
    with torch.no_grad():
        features = policy.encode_images(rollout.images)
        means = policy.forward_sequence(
            features, rollout.proprioception, rollout.initial_hidden_state, rollout.episode_starts
        ).mean
    std = noise.std.detach()
    sampled = std * torch.randn(means.shape, generator=torch.Generator().manual_seed(4))
    return dataclasses.replace(rollout, image_features=features, means=means, std=std, actions=means + sampled)


def test_an_update_makes_better_actions_more_likely():
    """Better are those to the right of the mean."""
    policy, noise, config = new_policy(), new_noise("white"), PpoConfig(num_minibatches=2)
    rollout = acted(policy, noise)
    advantages = (rollout.actions - rollout.means).sum(-1)
    optimizer, kl = torch.optim.Adam(policy.parameters(), 1e-3), AdaptiveKl(target=0.05)
    told = update_policy(policy, noise, optimizer, rollout, advantages, config, kl, Distributed(), torch.Generator())
    with torch.no_grad():
        seen = policy.encode_images(rollout.images)
        after = policy.forward_sequence(
            seen, rollout.proprioception, rollout.initial_hidden_state, rollout.episode_starts
        ).mean
    assert ((after - rollout.means).mean((0, 1)) > 0.01).all()
    assert told.surrogate > (advantages * ~rollout.diverged).sum() / (~rollout.diverged).sum()


def test_an_update_tells_of_its_last_epoch():
    """Without a learning rate: the policy stays, and so do the distance from the one that acted and the surrogate."""
    policy, noise = new_policy(), new_noise()
    config = PpoConfig(num_minibatches=3, num_epochs=2, vision_epochs=0)
    rollout, advantages = made_up_rollout(torch.arange(WORLDS))
    optimizer, kl = torch.optim.SGD(policy.parameters(), 0.0), AdaptiveKl(target=1e-3)
    _, sums = policy_loss(
        policy,
        noise,
        rollout,
        advantages,
        torch.arange(WORLDS),
        config,
        AdaptiveKl(target=1e-3),
        Distributed(),
        train_vision=False,
    )
    count, surrogate, divergence, clipped, saturated = sums.tolist()
    told = update_policy(policy, noise, optimizer, rollout, advantages, config, kl, Distributed(), torch.Generator())
    assert told.kl == pytest.approx(divergence / count, rel=1e-4)
    assert told.surrogate == pytest.approx(surrogate / count, rel=1e-4)
    assert told.clip_fraction == pytest.approx(clipped / count)
    assert told.saturated_fraction == pytest.approx(saturated / count)
    assert told.kl > 2e-3
    assert kl.coefficient == 1.5
    assert told.noise_std == pytest.approx(math.exp(-1))
    assert told.entropy == pytest.approx(ACTIONS * (-1 + (1 + math.log(2 * math.pi)) / 2))


def test_an_update_is_a_step_for_every_minibatch_of_every_epoch():
    """Against a loop of plain gradient descent; the statistics are of the last epoch."""
    config = PpoConfig(num_minibatches=3, num_epochs=2, vision_epochs=1, max_grad_norm=1e9)
    rollout, advantages = made_up_rollout(torch.arange(WORLDS))
    kl, rate = AdaptiveKl(target=0.05, hinge=0.0), 0.01  # the made-up policy is far from this one
    expected, expected_noise, generator = new_policy(), new_noise(), torch.Generator().manual_seed(5)
    for epoch in range(2):
        found = torch.zeros(5, dtype=torch.float64)
        for part in torch.randperm(WORLDS, generator=generator).tensor_split(3):
            loss, sums = policy_loss(
                expected, expected_noise, rollout, advantages, part, config, kl, Distributed(), train_vision=epoch == 1
            )
            found += sums
            weights = [*expected.parameters(), *expected_noise.parameters()]
            gradients = torch.autograd.grad(loss, weights, allow_unused=True)
            for weight, gradient in zip(weights, gradients, strict=True):
                if gradient is not None:
                    weight.data -= rate * gradient
    policy, noise = new_policy(), new_noise()
    optimizer, generator = (
        torch.optim.SGD([*policy.parameters(), *noise.parameters()], rate),
        torch.Generator().manual_seed(5),
    )
    told = update_policy(policy, noise, optimizer, rollout, advantages, config, kl, Distributed(), generator)
    for (name, weight), other in zip(policy.named_parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(weight, other, rtol=1e-4, atol=1e-6, msg=name)
    torch.testing.assert_close(noise.log_std, expected_noise.log_std)
    assert not torch.equal(noise.log_std, new_noise().log_std)
    of_epoch = [told.surrogate, told.kl, told.clip_fraction, told.saturated_fraction]
    assert of_epoch == pytest.approx((found[1:] / found[0]).tolist(), rel=1e-4)


def test_gradients_are_cut():
    """With plain gradient descent an update is as long as the largest gradient times the learning rate, at most."""
    policy, noise = new_policy(), new_noise()
    config = PpoConfig(num_minibatches=4, num_epochs=1, max_grad_norm=0.01)
    networks = torch.nn.ModuleList([policy, noise])
    rollout, advantages = made_up_rollout(torch.arange(WORLDS))
    optimizer, kl = torch.optim.SGD(networks.parameters(), 0.1), AdaptiveKl(target=0.05)
    before = torch.nn.utils.parameters_to_vector(networks.parameters()).detach()
    told = update_policy(
        policy, noise, optimizer, rollout, 100 * advantages, config, kl, Distributed(), torch.Generator()
    )
    moved = (torch.nn.utils.parameters_to_vector(networks.parameters()) - before).norm().item()
    assert told.gradient_norm > 0.1  # of the gradients before they are cut
    assert 0 < moved <= 4 * 0.01 * 0.1 * 1.001


def test_a_minibatch_without_a_valid_step_teaches_nothing():
    """One world a minibatch, of which one diverges in every step."""
    config = PpoConfig(num_minibatches=WORLDS, num_epochs=1, entropy_coef=0.1)
    rollout, advantages = made_up_rollout(torch.arange(WORLDS))
    rollout.diverged[:, 5] = True
    policy, noise = new_policy(), new_noise()
    networks = torch.nn.ModuleList([policy, noise])
    kl = AdaptiveKl(target=0.05)
    loss, sums = policy_loss(policy, noise, rollout, advantages, torch.tensor([5]), config, kl, Distributed())
    loss.backward()
    assert loss == 0
    assert sums.tolist() == [0, 0, 0, 0, 0]
    assert not any(parameter.grad.any() for parameter in networks.parameters() if parameter.grad is not None)
    optimizer = torch.optim.SGD(networks.parameters(), 0.1)
    told = update_policy(policy, noise, optimizer, rollout, advantages, config, kl, Distributed(), torch.Generator())
    assert all(math.isfinite(value) for value in vars(told).values())
    assert all(parameter.isfinite().all() for parameter in networks.parameters())
