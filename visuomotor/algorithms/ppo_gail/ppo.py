"""Proximal policy optimisation of a recurrent policy, and its critic's regression."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from visuomotor.algorithms.ppo_gail.adaptive_kl import AdaptiveKl
from visuomotor.algorithms.ppo_gail.config import CriticConfig, PpoConfig
from visuomotor.algorithms.ppo_gail.critic import Critic
from visuomotor.algorithms.ppo_gail.exploration import WhiteNoise
from visuomotor.algorithms.ppo_gail.rollout import Rollout
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.runs.distributed import Distributed


@dataclass(frozen=True)
class PolicyStatistics:
    """Statistics of an update's last epoch: kl, nats a step from the policy that acted; surrogate, the expected
    surrogate; clip_fraction, the share of steps whose ratio is outside the clip range; saturated_fraction, the share of
    mean actions beyond the limits; noise_std, the mean over actions."""

    kl: float
    surrogate: float
    gradient_norm: float
    clip_fraction: float
    saturated_fraction: float
    entropy: float
    noise_std: float


def update_policy(
    policy: RecurrentPolicy,
    noise: WhiteNoise,
    optimizer: torch.optim.Optimizer,
    rollout: Rollout,
    advantages: Tensor,
    config: PpoConfig,
    kl: AdaptiveKl,
    distributed: Distributed,
    generator: torch.Generator,
) -> PolicyStatistics:
    """A few epochs over a rollout, in minibatches of whole worlds; then the KL penalty's coefficient is adjusted.

    The loss per step, over steps whose physics did not diverge:

        -min(ratio A, clip(ratio, 1 - c, 1 + c) A) + penalty(KL(new || old)) - e entropy

    Gradients run through all K steps of a minibatch's worlds (truncated backpropagation through time), and are summed
    over the processes of a job, which all draw the same numbers of worlds. The vision layers learn in the last epochs
    only; until then features are those of the rollout.

    Args:
        advantages: `(K, W)`, normalised.
    """
    worlds = rollout.actions.shape[1]
    totals = torch.zeros(6, dtype=torch.float64)
    networks = nn.ModuleList([policy, noise])
    for epoch in range(config.num_epochs):
        train_vision = epoch >= config.num_epochs - config.vision_epochs
        order = torch.randperm(worlds, generator=generator)
        for env_ids in order.tensor_split(config.num_minibatches):
            loss, sums = policy_loss(policy, noise, rollout, advantages, env_ids, config, kl, distributed, train_vision)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            distributed.sum_gradients(networks)
            norm = torch.nn.utils.clip_grad_norm_(networks.parameters(), config.max_grad_norm)
            optimizer.step()
            if epoch == config.num_epochs - 1:
                totals += torch.cat([sums, norm.detach().cpu().double()[None]])
    count, surrogate, kl_sum, clipped, saturated, norm = distributed.sum(totals).tolist()
    kl.update(kl_sum / count)
    return PolicyStatistics(
        kl=kl_sum / count,
        surrogate=surrogate / count,
        gradient_norm=norm / config.num_minibatches / distributed.world_size,
        clip_fraction=clipped / count,
        saturated_fraction=saturated / count,
        entropy=float(noise.entropy().detach()),
        noise_std=float(noise.std.detach().mean()),
    )


def policy_loss(
    policy: RecurrentPolicy,
    noise: WhiteNoise,
    rollout: Rollout,
    advantages: Tensor,
    env_ids: Tensor,
    config: PpoConfig,
    kl: AdaptiveKl,
    distributed: Distributed,
    train_vision: bool = True,
) -> tuple[Tensor, Tensor]:
    """The loss of some worlds, as this process's share of the mean over all processes' worlds. It is 0, with gradients
    of 0, where the physics diverged in every step of all of them.

    Args:
        train_vision: encode the images, with gradients for the vision layers; else take the features of the rollout.

    Returns:
        The loss, and sums over its steps, float64: how many, surrogate, KL divergence, clipped, share of means beyond
        the limits.
    """
    device = policy.device

    def take(rows: Tensor) -> Tensor:
        return rows[:, env_ids].to(device)

    image_features = policy.encode_images(take(rollout.images)) if train_vision else take(rollout.image_features)
    sequence = policy.forward_sequence(
        image_features,
        take(rollout.proprioception),
        rollout.initial_hidden_state[env_ids].to(device),
        take(rollout.episode_starts),
    )
    actions, starts, carried = take(rollout.actions), take(rollout.episode_starts), take(rollout.carried)
    means, std, old_means, old_std = sequence.mean, noise.std, take(rollout.means), rollout.std.to(device)
    valid = ~take(rollout.diverged)
    log_prob = noise.log_prob(actions, means, std, starts, carried)
    ratio = (log_prob - noise.log_prob(actions, old_means, old_std, starts, carried)).exp()
    surrogate, clipped = ratio * take(advantages), torch.zeros_like(valid)
    if config.clip_range is not None:
        surrogate = torch.minimum(
            surrogate, ratio.clamp(1 - config.clip_range, 1 + config.clip_range) * take(advantages)
        )
        clipped = (ratio - 1).abs() > config.clip_range
    # Not KL(old || new): that is the smaller the wider the new policy is, and the noise would grow.
    divergence = noise.kl(means, std, old_means, old_std)
    saturated = (means.abs() > 1).float().mean(-1)
    terms = torch.ones_like(surrogate), surrogate, divergence, clipped, saturated
    sums = torch.stack([(valid * x).sum() for x in terms])
    count, _, kl_everywhere, _, _ = distributed.sum(sums.double()).tolist()
    # Without a valid step every sum is 0. Every process must still take part in each sum.
    count = max(count, 1.0)
    # The hinge of the penalty is a function of the mean over all processes; its slope is taken there.
    mean_kl = sums[2] / count + (kl_everywhere - sums[2].item()) / count
    loss = -sums[1] / count + kl.penalty(mean_kl)
    loss = loss - config.entropy_coef * noise.entropy() * (sums[0] / count)
    return loss, sums.detach().cpu().double()


def update_critic(
    critic: Critic,
    optimizer: torch.optim.Optimizer,
    states: Tensor,
    returns: Tensor,
    config: CriticConfig,
    distributed: Distributed,
    generator: torch.Generator,
) -> float:
    """Regression of V(s) on returns `(N,)`, states `(N, P)`; returns the last epoch's mean squared error over all
    processes, in units of the returns' variance.

    Args:
        generator: of this process: others may have other numbers of steps.
    """
    total = 0.0
    for _ in range(config.num_epochs):
        total = 0.0
        for chosen in torch.randperm(len(states), generator=generator).tensor_split(config.num_minibatches):
            rows = chosen.to(states.device)
            losses = critic.loss(states[rows], returns[rows])
            # Where worlds diverged there may be fewer steps than minibatches; the mean of none would be NaN.
            loss = (losses.mean() if len(rows) else losses.sum()) / distributed.world_size
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            distributed.sum_gradients(critic)
            optimizer.step()
            total += float(loss.detach()) / config.num_minibatches
    return float(distributed.sum(torch.tensor(total)))
